"""The unrolled game against a discriminator that takes its steps by hand, and its gradient against differences."""

import numpy as np
import pytest
import torch
from scipy.optimize import approx_fprime
from scipy.special import expit
from torch import nn

from pwgan.data.store import read_data
from pwgan.methods import Batch, Nets
from pwgan.methods.gan import GAN
from pwgan.methods.unrolled import UnrolledGAN
from pwgan.networks.dcgan import DCGAN
from pwgan.networks.layers.optimisers import Adam
from pwgan.networks.mlp import MLP
from pwgan.study import parse_study
from pwgan.training.loop import Trainer

S, M, D = 3, 6, 2


def noise(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def batch(shape: tuple[int, ...] = (D,)) -> Batch:
    real, fake = noise(S, M, *shape, seed=0), noise(S, M, *shape, seed=1)
    return Batch(real, None, noise(S, M, 4, seed=2), fake.requires_grad_(), torch.rand)


class Linear(nn.Module):
    """f(x) = <w_s, x>."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(noise(S, 1, D, seed=3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (self.weight * x).sum(-1)


def warm(critic: nn.Module, lr: float = 0.05) -> Adam:
    """Return the critic's optimiser after two steps along gradients that are not those of the game."""
    adam = UnrolledGAN(betas=(0.5, 0.9)).optimiser(critic.parameters(), lr)
    assert isinstance(adam, Adam)
    for k in range(2):
        for parameter in critic.parameters():
            parameter.grad = noise(*parameter.shape, seed=10 + k).to(parameter.dtype)
        adam.step()
        adam.zero_grad()
    return adam


def frozen(critic: nn.Module, adam: Adam) -> Nets:
    """Return networks as the training loop has them in a generator step."""
    return Nets(nn.Identity(), critic.requires_grad_(False), adam)


def by_hand(fake: np.ndarray, real: np.ndarray, w: np.ndarray, m: np.ndarray, v: np.ndarray, steps: int) -> float:
    """Value of the game of one seed against a linear discriminator that has taken steps 3, 4, ... of Adam."""
    for t in range(3, 3 + steps):
        slope = -(expit(-real @ w)[:, None] * real).mean(0) + (expit(fake @ w)[:, None] * fake).mean(0)
        m, v = 0.5 * m + 0.5 * slope, 0.9 * v + 0.1 * slope**2
        w = w - 0.05 * (m / (1 - 0.5**t)) / (np.sqrt(v / (1 - 0.9**t)) + 1e-8)
    return np.log(expit(real @ w)).mean() + np.log(expit(-fake @ w)).mean()


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_a_linear_discriminator_by_hand(steps):
    critic, made = Linear(), batch()
    adam = warm(critic)
    loss = UnrolledGAN(unroll=steps).generator_loss(frozen(critic, adam), made)
    (pull,) = torch.autograd.grad(loss.sum(), made.fake)
    assert loss.shape == (S,)
    for s in range(S):
        fake, real = made.fake[s].detach().numpy(), made.real[s].numpy()
        own = [
            tensor[s, 0].detach().numpy() for tensor in (critic.weight, adam.state["mean"][0], adam.state["square"][0])
        ]
        assert loss[s].item() == pytest.approx(by_hand(fake, real, *own, steps), rel=1e-9)
        slope = approx_fprime(fake.ravel(), lambda y, r=real, o=own: by_hand(y.reshape(M, D), r, *o, steps), 1e-7)
        np.testing.assert_allclose(pull[s].flatten(), slope, atol=1e-5)


def test_the_gradient_is_not_that_of_a_discriminator_held_fixed():
    critic, made = Linear(), batch()
    nets = frozen(critic, warm(critic))
    whole, plain = (
        torch.autograd.grad(method.generator_loss(nets, made).sum(), made.fake)[0] for method in (UnrolledGAN(), GAN())
    )
    assert ((whole - plain).norm(dim=(1, 2)) > 0.01 * plain.norm(dim=(1, 2))).all()


@pytest.mark.parametrize(("options", "shape"), [(MLP(width=4, depth=2), (2,)), (DCGAN(width=1), (1, 8, 8))])
def test_it_is_the_value_after_the_steps_that_the_critic_would_take(options, shape):
    _, critic = options.build(range(S), shape, UnrolledGAN.critic_norm)
    options.initialise(critic, range(S), "critic")
    critic.double()
    made = batch(shape)
    adam = warm(critic)
    kept = {name: tensor.clone() for name, tensor in critic.state_dict().items()}
    moments = [tensor.clone() for tensors in adam.state.values() for tensor in tensors]
    loss = UnrolledGAN(unroll=3).generator_loss(frozen(critic, adam), made)
    (pull,) = torch.autograd.grad(loss.sum(), made.fake)
    # Neither the critic nor its statistics nor its optimiser has moved.
    assert all(torch.equal(tensor, kept[name]) for name, tensor in critic.state_dict().items())
    assert all(map(torch.equal, moments, (tensor for tensors in adam.state.values() for tensor in tensors)))
    assert not any(parameter.requires_grad or parameter.grad is not None for parameter in critic.parameters())
    assert (pull.flatten(1).norm(dim=1) > 0).all() and pull.isfinite().all()

    critic.requires_grad_(True)
    for _ in range(3):
        GAN().critic_loss(Nets(nn.Identity(), critic), made).sum().backward()
        adam.step()
        adam.zero_grad()
    torch.testing.assert_close(loss, -GAN().critic_loss(Nets(nn.Identity(), critic), made))


def test_one_step_ahead_is_one_step_of_the_optimiser():
    parameters = [nn.Parameter(noise(S, 4, seed=0).float()), nn.Parameter(noise(S, 1, 2, seed=1).float())]
    adam = Adam(parameters, 0.03, (0.5, 0.999))
    values, state = [parameter.detach().clone() for parameter in parameters], adam.state
    for k in range(4):
        slopes = [noise(*parameter.shape, seed=10 + k).float() for parameter in parameters]
        values, state = adam.ahead(values, slopes, state)
        for parameter, slope in zip(parameters, slopes, strict=True):
            parameter.grad = slope
        adam.step()
    for value, parameter in zip(values, parameters, strict=True):
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, parameter.detach(), rtol=1e-5, atol=1e-6)
    for name in ("mean", "square"):
        torch.testing.assert_close(state[name], adam.state[name], rtol=1e-5, atol=1e-7)


def test_a_weight_that_never_had_a_gradient_has_a_finite_one():
    # A unit that is dead on all samples: its moments and its gradients are 0.
    critic = MLP(width=3, depth=1, activation="relu").build(range(S), (D,), "none")[1].double()
    MLP().initialise(critic, range(S), "critic")
    with torch.no_grad():
        critic.layers[0].bias[:, :, 0] = -1e3
    made = batch()
    nets = frozen(critic, Adam(critic.parameters(), 0.01, (0.5, 0.9)))
    (pull,) = torch.autograd.grad(UnrolledGAN().generator_loss(nets, made).sum(), made.fake)
    assert pull.isfinite().all() and pull.count_nonzero() > 0


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_a_diverged_seed_shows_and_leaves_the_others_right(bad):
    outcomes = []
    for spoil in (False, True):
        critic, made = Linear(), batch()
        adam = warm(critic)
        if spoil:
            with torch.no_grad():
                critic.weight[1, 0, 0] = bad
        loss = UnrolledGAN().generator_loss(frozen(critic, adam), made)
        (pull,) = torch.autograd.grad(loss[[0, 2]].sum(), made.fake)
        outcomes.append((loss, pull))
    (sound, pull), (hurt, hurt_pull) = outcomes
    assert not hurt[1].isfinite()
    assert torch.equal(hurt[[0, 2]], sound[[0, 2]]) and torch.equal(hurt_pull[[0, 2]], pull[[0, 2]])


def test_in_training_only_the_generator_s_gradient_differs_from_that_of_gan(tiny, ring8):
    found = []
    for name in ("gan", "unrolled"):
        (block,) = parse_study(tiny(methods={name: {"simultaneous": True, "critic_lr": 1e-2}})).blocks.values()
        trainer = Trainer(block.training, read_data(ring8), torch.device("cpu"))
        losses = trainer._iterate()
        nets = trainer.state.nets
        assert losses.isfinite().all() and all(parameter.requires_grad for parameter in nets.critic.parameters())
        found.append([losses[0], nets.critic.state_dict(), [p.grad for p in nets.generator.parameters()]])
    (loss, critic, pull), (other_loss, other_critic, other_pull) = found
    assert torch.equal(loss, other_loss) and all(torch.equal(critic[name], other_critic[name]) for name in critic)
    assert not any(map(torch.equal, pull, other_pull))
