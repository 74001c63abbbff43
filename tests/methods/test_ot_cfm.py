"""ot_cfm: its pairs against scipy, and that a matching keeps both marginals."""

import numpy as np
import pytest
import torch
from hypothesis import given as over
from hypothesis import settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from torch import nn

from pwgan.methods import Batch, FlowMethod, Nets, PooledMethod, methods
from pwgan.methods.cfm import CFM
from pwgan.methods.ot_cfm import OTCFM

S, M = 3, 6


class Noting(nn.Module):
    """v(x, t) = w_s x, and keeps the x that it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64)[:S])
        self.seen: list[torch.Tensor] = []

    def velocity(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        self.seen.append(x.detach())
        return self.weight[: len(x)].view(-1, *[1] * (x.ndim - 1)) * x


def draw(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def batch(shape: tuple[int, ...] = (2,), m: int = M, time: float = 0.0, seeds: int = S, first: int = 0) -> Batch:
    real, latent = draw(first, seeds, m, *shape), draw(first + 1, seeds, m, int(np.prod(shape)))
    times = torch.full((seeds, m), time, dtype=torch.float64)
    return Batch(real, torch.arange(m).expand(seeds, -1), latent, real[:, :0], lambda m: times)


def optimum(real: torch.Tensor, noise: torch.Tensor) -> np.ndarray:
    """Return the noise that scipy gives each sample, (S, m)."""
    sides = (side.flatten(2).numpy() for side in (real, noise))
    return np.array([linear_sum_assignment(cdist(x, y, "sqeuclidean"))[1] for x, y in zip(*sides, strict=True)])


def paired(given: Batch, method: OTCFM) -> torch.Tensor:
    """Return the noise of each pair, (S, m, *shape): the velocity is asked for it at time 0."""
    net = Noting()
    method.generator_loss(Nets(net, nn.Identity()), given)
    (seen,) = net.seen
    return seen


def test_it_is_found_by_its_name_and_matches_one_mini_batch_by_default():
    assert methods()["ot_cfm"] is OTCFM and issubclass(OTCFM, FlowMethod) and issubclass(OTCFM, PooledMethod)
    assert OTCFM().pool == 1


@pytest.mark.parametrize("shape", [(2,), (1, 4, 4), (60,)])
def test_pairs_are_those_of_the_optimal_matching(shape):
    given = batch(shape, 9)
    partner = optimum(given.real, given.latent)
    expected = np.stack([given.latent[s].numpy()[partner[s]] for s in range(S)])
    np.testing.assert_array_equal(paired(given, OTCFM()).flatten(2), expected)
    assert (partner != np.arange(9)).any(1).all()


@pytest.mark.parametrize("time", [0.0, 0.3, 1.0])
def test_the_loss_is_that_of_these_pairs(time):
    given, net = batch(time=time), Noting()
    loss = OTCFM().generator_loss(Nets(net, nn.Identity()), given)
    partner, weight = optimum(given.real, given.latent), net.weight.detach().numpy()
    for s in range(S):
        x0, x1 = given.latent[s].numpy()[partner[s]], given.real[s].numpy()
        residual = weight[s] * ((1 - time) * x0 + time * x1) - (x1 - x0)
        assert loss[s].item() == pytest.approx((residual**2).sum(1).mean(), rel=1e-12)


def test_pairs_of_a_pool_are_taken_as_they_are_given():
    given = batch(time=0.4)
    nets = Nets(Noting(), nn.Identity())
    torch.testing.assert_close(OTCFM(pool=2).generator_loss(nets, given), CFM().generator_loss(nets, given))
    assert not torch.equal(OTCFM().generator_loss(nets, given), CFM().generator_loss(nets, given))


def test_the_noise_of_a_pool_is_ordered_by_the_optimal_matching():
    real, noise = draw(0, S, 4 * M, 2), draw(1, S, 4 * M, 2)
    order, none = OTCFM(pool=4).match_latents(real, noise, None)
    np.testing.assert_array_equal(order, optimum(real, noise))
    assert none is None


@settings(max_examples=20, deadline=None)
@over(m=st.integers(1, 30), first=st.integers(0, 10**6))
def test_both_marginals_are_kept_and_on_a_line_pairs_are_in_order(m, first):
    given = batch((1,), m, seeds=2, first=first)
    noise, real = paired(given, OTCFM()).squeeze(-1), given.real.squeeze(-1)
    assert torch.equal(noise.sort(-1).values, given.latent.squeeze(-1).sort(-1).values)
    for s in range(2):
        # The optimal coupling of a convex cost on a line is monotone.
        assert torch.equal(noise[s, real[s].argsort()], noise[s].sort().values)


def test_a_diverged_seed_has_no_finite_loss_and_leaves_the_others_alone():
    losses = []
    for spoil in (False, True):
        net = Noting()
        if spoil:
            with torch.no_grad():
                net.weight[1] = torch.nan
        losses.append(OTCFM().generator_loss(Nets(net, nn.Identity()), batch(time=0.5)).detach())
    assert not losses[1][1].isfinite() and torch.equal(losses[0][[0, 2]], losses[1][[0, 2]])
