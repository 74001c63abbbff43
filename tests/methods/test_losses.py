"""Every loss recomputed independently, with critics whose values and slopes are known."""

from functools import partial
from typing import get_args

import numpy as np
import pytest
import torch
from scipy.optimize import approx_fprime, linear_sum_assignment
from scipy.spatial.distance import cdist
from scipy.special import expit
from torch import nn

from pwgan.errors import Refused
from pwgan.methods import Batch, Nets
from pwgan.methods.gan import GAN
from pwgan.methods.nsgan import NonSaturatingGAN
from pwgan.methods.pwgan import PWGAN
from pwgan.methods.wgan import WGAN
from pwgan.methods.wgan_gp import WGANGP
from pwgan.networks.mlp import MLP
from pwgan.options import CostName

S, M, D = 3, 6, 2


class Linear(nn.Module):
    """f(x) = <w_s, x> + b_s, whose slope is |w_s| everywhere."""

    def __init__(self, shape: tuple[int, ...] = (D,)) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(S, 1, *shape, dtype=torch.float64, generator=generator(5)))
        self.bias = nn.Parameter(torch.tensor([[0.3], [-0.2], [1.0]], dtype=torch.float64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (self.weight * x).flatten(2).sum(-1) + self.bias


class Quadratic(nn.Module):
    """f(x) = a_s |x|^2 / 2, whose slope at x is a_s |x|."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor([[0.5], [1.0], [2.0]], dtype=torch.float64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.scale * x.flatten(2).square().sum(-1) / 2


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def forbidden(*shape: int) -> torch.Tensor:
    raise AssertionError("this method needs no uniform draws")


def batch(shape: tuple[int, ...] = (D,), uniform=forbidden) -> Batch:
    real, fake = (torch.randn(S, M, *shape, dtype=torch.float64, generator=generator(k)) for k in range(2))
    index = torch.arange(M).expand(S, -1)
    return Batch(real, index, torch.zeros(S, M, 4), fake.requires_grad_(), uniform)


def scores(critic: nn.Module, given: Batch) -> tuple[np.ndarray, np.ndarray]:
    return critic(given.real).detach().numpy(), critic(given.fake).detach().numpy()


def close(found: torch.Tensor, expected: np.ndarray) -> None:
    assert found.shape == (S,)
    np.testing.assert_allclose(found.detach(), expected, rtol=1e-10)


def test_gan_plays_the_minimax_game():
    nets, given = Nets(nn.Identity(), Linear()), batch()
    real, fake = scores(nets.critic, given)
    value = np.log(expit(real)).mean(1) + np.log(1 - expit(fake)).mean(1)
    close(GAN().critic_loss(nets, given), -value)
    close(GAN().generator_loss(nets, given), np.log(1 - expit(fake)).mean(1))


def test_nsgan_changes_the_generator_s_loss_alone():
    nets, given = Nets(nn.Identity(), Linear()), batch()
    _, fake = scores(nets.critic, given)
    assert torch.equal(NonSaturatingGAN().critic_loss(nets, given), GAN().critic_loss(nets, given))
    close(NonSaturatingGAN().generator_loss(nets, given), -np.log(expit(fake)).mean(1))


@pytest.mark.parametrize("method", [GAN(), NonSaturatingGAN()])
def test_confident_discriminators_do_not_overflow(method):
    critic = Linear()
    with torch.no_grad():
        critic.weight *= 1e6
    nets, given = Nets(nn.Identity(), critic), batch()
    real, fake = scores(critic, given)
    close(method.critic_loss(nets, given), np.maximum(-real, 0).mean(1) + np.maximum(fake, 0).mean(1))
    assert method.generator_loss(nets, given).isfinite().all()


@pytest.mark.parametrize("method", [WGAN(), WGANGP(penalty=1e-300)])
def test_wgan_descends_the_dual(method):
    nets, given = Nets(nn.Identity(), Linear()), batch(uniform=lambda m: torch.full((S, m), 0.5, dtype=torch.float64))
    real, fake = scores(nets.critic, given)
    close(method.critic_loss(nets, given), fake.mean(1) - real.mean(1))
    close(method.generator_loss(nets, given), -fake.mean(1))


def test_wgan_clips_every_parameter_of_the_critic_and_nothing_else():
    made, critic = MLP(width=8, depth=2, latent_dim=3).build(range(S), (D,), "batch")
    for network in (made, critic):
        for k, parameter in enumerate(network.parameters()):
            nn.init.normal_(parameter, std=0.1, generator=generator(k))
    before = {name: tensor.clone() for name, tensor in critic.state_dict().items()}
    kept = {name: tensor.clone() for name, tensor in made.state_dict().items()}
    WGAN(clip=0.05).after_critic_step(Nets(made, critic))
    for name, tensor in critic.state_dict().items():
        assert tensor.abs().max() <= 0.05 < before[name].abs().max()
        np.testing.assert_array_equal(tensor, np.clip(before[name].numpy(), np.float32(-0.05), np.float32(0.05)))
    assert all(torch.equal(tensor, kept[name]) for name, tensor in made.state_dict().items())
    assert all(parameter.requires_grad for parameter in critic.parameters())


@pytest.mark.parametrize("method", [GAN(), NonSaturatingGAN(), WGANGP()])
def test_no_other_method_touches_the_critic_after_its_step(method):
    critic = Linear()
    before = critic.weight.detach().clone()
    method.after_critic_step(Nets(nn.Identity(), critic))
    assert torch.equal(critic.weight, before)


@pytest.mark.parametrize("shape", [(D,), (3, 4, 4)])
def test_the_penalty_of_a_linear_critic(shape):
    draws = torch.rand(S, M, dtype=torch.float64, generator=generator(2))
    critic, given = Linear(shape), batch(shape, lambda m: draws)
    real, fake = scores(critic, given)
    slope = critic.weight.detach().flatten(1).norm(dim=1)
    loss = WGANGP(penalty=7.0).critic_loss(Nets(nn.Identity(), critic), given)
    close(loss, fake.mean(1) - real.mean(1) + 7 * (slope.numpy() - 1) ** 2)
    loss.sum().backward()
    pull = 14 * ((slope - 1) / slope).view(S, *[1] * len(shape)) * critic.weight.detach()[:, 0]
    expected = given.fake.detach().mean(1) - given.real.mean(1) + pull
    torch.testing.assert_close(critic.weight.grad[:, 0], expected)


@pytest.mark.parametrize("shape", [(D,), (1, 4, 4)])
def test_the_penalty_is_taken_between_real_and_fake_at_the_seeds_own_draws(shape):
    draws = torch.rand(S, M, dtype=torch.float64, generator=generator(2))
    asked = []

    def uniform(*shape: int) -> torch.Tensor:
        asked.append(shape)
        return draws

    critic, given = Quadratic(), batch(shape, uniform)
    state = torch.get_rng_state()
    loss = WGANGP().critic_loss(Nets(nn.Identity(), critic), given)
    assert asked == [(M,)] and torch.equal(torch.get_rng_state(), state)
    u = draws.numpy().reshape(S, M, 1)
    between = (1 - u) * given.real.flatten(2).numpy() + u * given.fake.detach().flatten(2).numpy()
    slopes = critic.scale.detach().numpy() * np.linalg.norm(between, axis=2)
    real, fake = scores(critic, given)
    close(loss, fake.mean(1) - real.mean(1) + 10 * ((slopes - 1) ** 2).mean(1))
    np.testing.assert_allclose(slopes[1], np.linalg.norm(between[1], axis=1))


def test_a_flat_critic_has_a_finite_gradient():
    critic, given = Linear(), batch(uniform=lambda m: torch.full((S, m), 0.5, dtype=torch.float64))
    with torch.no_grad():
        critic.weight.zero_()
    loss = WGANGP().critic_loss(Nets(nn.Identity(), critic), given)
    close(loss, np.full(S, 10.0))
    loss.sum().backward()
    assert critic.weight.grad.isfinite().all()


def optimum(real: np.ndarray, fake: np.ndarray, cost: str) -> tuple[float, np.ndarray]:
    costs = cdist(real, fake, cost)
    rows, columns = linear_sum_assignment(costs)
    return costs[rows, columns].mean(), columns


@pytest.mark.parametrize("cost", ["euclidean", "sqeuclidean"])
@pytest.mark.parametrize("shape", [(D,), (1, 6, 6)])
def test_pwgan_descends_the_optimal_matching_held_fixed(cost, shape):
    given = batch(shape)
    loss = PWGAN(cost=cost).generator_loss(Nets(nn.Identity(), nn.Identity()), given)
    loss.sum().backward()
    real, fake = given.real.flatten(2).numpy(), given.fake.detach().flatten(2).numpy()
    expected = np.zeros_like(fake)
    for s in range(S):
        value, columns = optimum(real[s], fake[s], cost)
        assert loss[s].item() == pytest.approx(value, rel=1e-12)
        away = fake[s, columns] - real[s]
        length = np.linalg.norm(away, axis=1, keepdims=True)
        expected[s, columns] = (away / length if cost == "euclidean" else 2 * away) / M
    np.testing.assert_allclose(given.fake.grad.flatten(2), expected, rtol=1e-10)


@pytest.mark.parametrize("cost", get_args(CostName))
def test_pwgan_s_gradient_is_that_of_the_wasserstein_distance(cost):
    # The envelope theorem: where the optimal matching is unique, holding it fixed changes no derivative.
    given = batch()
    PWGAN(cost=cost).generator_loss(Nets(nn.Identity(), nn.Identity()), given).sum().backward()
    for s in range(S):
        real, fake = given.real[s].numpy(), given.fake[s].detach().numpy()
        slope = approx_fprime(fake.ravel(), lambda y, real=real: optimum(real, y.reshape(M, D), cost)[0], 1e-7)
        np.testing.assert_allclose(given.fake.grad[s].flatten(), slope, atol=1e-5)


def test_pwgan_matches_float32_images_far_from_the_origin_and_copies_of_them():
    # A product of float32 numbers would be noise here: squares of 1e6, distances of 1.
    real = 1e3 + torch.randn(2, 16, 1, 7, 7, generator=generator(0))
    fake = 1e3 + torch.randn(2, 16, 1, 7, 7, generator=generator(1))
    fake[0, :8] = real[0, 8:].flip(0)
    given = Batch(real, torch.arange(16).expand(2, -1), torch.zeros(2, 16, 4), fake, forbidden)
    loss = PWGAN().generator_loss(Nets(nn.Identity(), nn.Identity()), given)
    for s in range(2):
        value, _ = optimum(*(side[s].flatten(1).double().numpy() for side in (real, fake)), "euclidean")
        assert loss[s].item() == pytest.approx(value, rel=1e-5)


def test_pwgan_names_a_training_sample_without_a_direction():
    given = batch()
    given.real[1, 4] = 0
    with pytest.raises(Refused, match="training sample 4 is the zero vector"):
        PWGAN(cost="cosine").generator_loss(Nets(nn.Identity(), nn.Identity()), given)


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
@pytest.mark.parametrize("shape", [(D,), (1, 6, 6)])
def test_a_diverged_seed_of_pwgan_shows_and_leaves_the_others_right(shape, bad):
    sound, spoilt = batch(shape), batch(shape)
    with torch.no_grad():
        spoilt.fake[1, 2] = bad
    nets = Nets(nn.Identity(), nn.Identity())
    whole, hurt = PWGAN().generator_loss(nets, sound), PWGAN().generator_loss(nets, spoilt)
    assert not hurt[1].isfinite()
    assert torch.equal(hurt[[0, 2]], whole[[0, 2]])
    whole[[0, 2]].sum().backward()
    hurt[[0, 2]].sum().backward()
    assert torch.equal(spoilt.fake.grad[[0, 2]], sound.fake.grad[[0, 2]])


@pytest.mark.parametrize("method", [GAN(), NonSaturatingGAN(), WGAN(), WGANGP()])
def test_a_diverged_seed_of_a_critic_shows_and_leaves_the_others_right(method):
    losses = []
    for spoil in (False, True):
        critic, given = Linear(), batch(uniform=lambda m: torch.full((S, m), 0.25, dtype=torch.float64))
        if spoil:
            with torch.no_grad():
                critic.weight[1] = torch.nan
        nets = Nets(nn.Identity(), critic)
        losses.append(torch.stack([method.critic_loss(nets, given), method.generator_loss(nets, given)]))
    assert losses[1][:, 1].isnan().all()
    assert torch.equal(losses[0][:, [0, 2]], losses[1][:, [0, 2]])


@pytest.mark.parametrize(
    ("method", "reference"),
    [
        (WGAN(), torch.optim.RMSprop),
        (WGANGP(), partial(torch.optim.Adam, betas=(0.0, 0.9))),
        (PWGAN(), partial(torch.optim.Adam, betas=(0.5, 0.999))),
        (GAN(betas=(0.1, 0.8)), partial(torch.optim.Adam, betas=(0.1, 0.8))),
    ],
)
def test_optimisers_step_as_torch_has_them(method, reference):
    ours, theirs, spoilt = ([nn.Parameter(torch.ones(S, 4)), nn.Parameter(torch.ones(S, 1, 2))] for _ in range(3))
    steppers = [method.optimiser(ours, 0.03), reference(theirs, lr=0.03), method.optimiser(spoilt, 0.03)]
    for k in range(4):
        for parameters, stepper in zip((ours, theirs, spoilt), steppers, strict=True):
            stepper.zero_grad()
            for parameter in parameters:
                parameter.grad = torch.randn(parameter.shape, generator=generator(k))
                if parameters is spoilt:
                    parameter.grad[1] = torch.nan
            stepper.step()
    for own, expected, hurt in zip(ours, theirs, spoilt, strict=True):
        torch.testing.assert_close(own, expected)
        assert (own != 1).all()
        assert torch.equal(hurt[[0, 2]], own[[0, 2]])
