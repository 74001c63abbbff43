"""The relativistic losses and their penalties by hand, and what theory says of their stationary point."""

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import nn

from pwgan.methods import Batch, Nets
from pwgan.methods.r3gan import R3GAN
from pwgan.networks.dcgan import DCGAN
from pwgan.networks.mlp import MLP

S, M = 3, 5


class Quadratic(nn.Module):
    """f(x) = a_s |x|^2 / 2 + <w_s, x>, whose slope at x is |a_s x + w_s|."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64))
        self.weight = nn.Parameter(noise(S, *shape, seed=3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        linear = (x * self.weight.unsqueeze(1)).flatten(2).sum(-1)
        return self.scale[:, None] * x.flatten(2).square().sum(-1) / 2 + linear


def noise(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def batch(shape: tuple[int, ...] = (2,)) -> Batch:
    real, fake = noise(S, M, *shape, seed=0), noise(S, M, *shape, seed=1)
    return Batch(real, None, noise(S, M, 4, seed=2), fake.requires_grad_(), lambda *_: pytest.fail("no draws needed"))


@pytest.mark.parametrize("shape", [(2,), (2, 4, 4)])
@pytest.mark.parametrize("gamma", [1.0, 0.25])
def test_losses_by_hand(shape, gamma):
    critic, made = Quadratic(shape), batch(shape)
    method, nets = R3GAN(gamma=gamma), Nets(nn.Identity(), critic)
    scale, weight = critic.scale.detach().numpy(), critic.weight.detach().flatten(1).numpy()
    sides = [side.detach().flatten(2).numpy() for side in (made.real, made.fake)]
    for s in range(S):
        scores = [scale[s] * (x[s] ** 2).sum(1) / 2 + x[s] @ weight[s] for x in sides]
        slopes = [((scale[s] * x[s] + weight[s]) ** 2).sum(1).mean() for x in sides]
        apart = scores[1] - scores[0]
        # f(t) = -log(1 + exp(-t)) of the paper, by its definition.
        critic_loss = np.log1p(np.exp(apart)).mean() + gamma / 2 * sum(slopes)
        assert method.critic_loss(nets, made)[s].item() == pytest.approx(critic_loss, rel=1e-10)
        assert method.generator_loss(nets, made)[s].item() == pytest.approx(np.log1p(np.exp(-apart)).mean(), rel=1e-10)


@settings(max_examples=25, deadline=None)
@given(hnp.arrays(np.float64, (2, M), elements=st.floats(-1e4, 1e4)))
def test_losses_of_a_flat_critic_s_scores_are_those_of_pairs_and_their_difference_is_linear(scores):
    # log(1 + e^t) - log(1 + e^-t) = t, however large t is; a constant critic has no slope.
    class Table(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x[..., 0].detach() + 0 * x[..., 0]

    x, y = (torch.from_numpy(side.copy()).view(1, M, 1) for side in scores)
    nets, made = Nets(nn.Identity(), Table()), Batch(x, None, x, y, torch.rand)
    critic, generator = R3GAN().critic_loss(nets, made), R3GAN().generator_loss(nets, made)
    expected = (scores[1] - scores[0]).mean()
    assert (critic - generator).item() == pytest.approx(expected, rel=1e-9, abs=1e-7)
    assert min(critic.item(), generator.item()) >= 0


@pytest.mark.parametrize(("options", "shape"), [(MLP(width=4, depth=2), (2,)), (DCGAN(width=1), (1, 8, 8))])
def test_the_critic_s_gradient_is_that_of_differences(options, shape):
    _, critic = options.build(range(S), shape, R3GAN.critic_norm)
    options.initialise(critic, range(S), "critic")
    critic.double()
    made, names = batch(shape), [name for name, _ in critic.named_parameters()]
    towards = [noise(*parameter.shape, seed=k) for k, parameter in enumerate(critic.parameters())]
    loss = R3GAN(gamma=0.5).critic_loss(Nets(nn.Identity(), critic), made)
    slopes = torch.autograd.grad(loss.sum(), list(critic.parameters()))
    found = sum((slope * step).sum() for slope, step in zip(slopes, towards, strict=True))

    def moved(size: float) -> torch.Tensor:
        values = {n: p.detach() + size * d for n, p, d in zip(names, critic.parameters(), towards, strict=True)}
        other = partial(torch.func.functional_call, critic, values)
        return R3GAN(gamma=0.5).critic_loss(Nets(nn.Identity(), other), made).sum().detach()

    # Slopes of a leaky critic jump, but hardly within 1e-7 of a point.
    assert found.item() == pytest.approx(((moved(1e-7) - moved(-1e-7)) / 2e-7).item(), rel=1e-5)


def test_a_constant_critic_of_equal_samples_is_stationary():
    # At equal laws the losses are log 2, and no critic near the constant one does better, whatever its pairs.
    critic = Quadratic((2,))
    with torch.no_grad():
        critic.scale.zero_()
        critic.weight.zero_()
    x = noise(S, M, 2, seed=0)
    made = Batch(x, None, x, x.flip(1), torch.rand)
    loss = R3GAN().critic_loss(Nets(nn.Identity(), critic), made)
    np.testing.assert_allclose(loss.detach(), np.log(2))
    for gradient in torch.autograd.grad(loss.sum(), [critic.scale, critic.weight]):
        np.testing.assert_allclose(gradient, 0, atol=1e-12)


def test_the_generator_follows_the_critic():
    critic, made = Quadratic((2,)), batch()
    (pull,) = torch.autograd.grad(R3GAN().generator_loss(Nets(nn.Identity(), critic), made).sum(), made.fake)
    scores = [critic(side).detach() for side in (made.real, made.fake)]
    slopes = critic.scale.detach()[:, None, None] * made.fake.detach() + critic.weight.detach()[:, None]
    expected = -torch.sigmoid(scores[0] - scores[1]).unsqueeze(-1) * slopes / M
    torch.testing.assert_close(pull, expected)


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_a_diverged_seed_shows_and_leaves_the_others_right(bad):
    outcomes = []
    for spoil in (False, True):
        critic, made = Quadratic((2,)), batch()
        if spoil:
            with torch.no_grad():
                critic.weight[1, 0] = bad
        nets = Nets(nn.Identity(), critic)
        losses = [R3GAN().critic_loss(nets, made), R3GAN().generator_loss(nets, made)]
        gradients = torch.autograd.grad(losses[0][[0, 2]].sum(), [critic.scale, critic.weight])
        outcomes.append([*losses, *gradients])
    assert all(not loss[1].isfinite() for loss in outcomes[1][:2])
    for sound, hurt in zip(*outcomes, strict=True):
        assert torch.equal(sound[[0, 2]], hurt[[0, 2]])
