"""pwgan_pool and pwgan_debiased: losses, gradients and matchings against scipy, on given batches."""

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from torch import nn

from pwgan.methods import Batch, Nets, PooledMethod, methods
from pwgan.methods import pwgan as plain
from pwgan.methods.pwgan import PWGAN
from pwgan.methods.pwgan_debiased import DebiasedPWGAN
from pwgan.methods.pwgan_pool import PooledPWGAN

S, M, D = 3, 6, 2
NETS = Nets(nn.Identity(), nn.Identity())


def cloud(seed: int, n: int = M) -> torch.Tensor:
    return torch.randn(S, n, D, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def forbidden(*shape: int) -> torch.Tensor:
    raise AssertionError("this method needs no uniform draws")


def batch(second: bool = False) -> Batch:
    real, fake, other = (cloud(seed) for seed in range(3))
    return Batch(
        real,
        torch.arange(M).expand(S, -1),
        torch.zeros(S, M, 4),
        fake.requires_grad_(),
        forbidden,
        other.requires_grad_() if second else None,
    )


def optimum(x: torch.Tensor, y: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Return the least mean cost (S,) and the partner of each x (S, n), by scipy."""
    costs = [cdist(*(side.detach().numpy() for side in pair)) for pair in zip(x, y, strict=True)]
    partners = [linear_sum_assignment(cost)[1] for cost in costs]
    values = [cost[np.arange(len(cost)), partner].mean() for cost, partner in zip(costs, partners, strict=True)]
    return np.array(values), np.array(partners)


def test_they_are_found_by_name_and_have_pools():
    assert methods()["pwgan_pool"] is PooledPWGAN and methods()["pwgan_debiased"] is DebiasedPWGAN
    assert all(issubclass(method, PooledMethod) for method in (PooledPWGAN, DebiasedPWGAN))
    assert (PooledPWGAN().pool, DebiasedPWGAN().pool) == (4, 1)


def test_a_pool_descends_its_pairs_as_they_are_given():
    given = batch()
    loss = PooledPWGAN().generator_loss(NETS, given)
    length = (given.real - given.fake).norm(dim=-1)
    torch.testing.assert_close(loss, length.mean(-1))
    assert (loss.detach().numpy() > optimum(given.real, given.fake)[0]).all()  # it matches nothing anew


def test_a_pool_of_one_batch_is_pwgan():
    torch.testing.assert_close(PooledPWGAN(pool=1).generator_loss(NETS, batch()), PWGAN().generator_loss(NETS, batch()))


@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0])
def test_the_debiased_loss_and_its_gradients_on_both_draws(weight):
    given = batch(second=True)
    loss = DebiasedPWGAN(weight=weight).generator_loss(NETS, given)
    across, partner = optimum(given.real, given.fake)
    within, other = optimum(given.fake, given.second)
    np.testing.assert_allclose(loss.detach(), 2 * across - weight * within, rtol=1e-12)
    loss.sum().backward()
    x, y, z = (side.detach().numpy() for side in (given.real, given.fake, given.second))
    for s in range(S):
        expected, unit = np.zeros((2, M, D)), lambda v: v / np.linalg.norm(v)
        for j in range(M):
            expected[0, partner[s, j]] += 2 * unit(y[s, partner[s, j]] - x[s, j]) / M
            apart = weight * unit(y[s, j] - z[s, other[s, j]]) / M
            expected[0, j] -= apart
            expected[1, other[s, j]] += apart
        np.testing.assert_allclose(given.fake.grad[s], expected[0], atol=1e-12)
        np.testing.assert_allclose(given.second.grad[s], expected[1], atol=1e-12)


def test_the_debiased_distance_of_equal_laws_is_zero_in_the_mean_and_the_plain_one_is_not():
    x, y, z = (
        torch.randn(400, 16, D, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) for seed in range(3)
    )
    index, none = torch.arange(16).expand(400, -1), torch.zeros(400, 16, 1)
    loss = DebiasedPWGAN().generator_loss(NETS, Batch(x, index, none, y, forbidden, z))
    constant = 0.5 * (PWGAN()._matched_cost(x, z) + PWGAN()._matched_cost(y, z))  # as W(x, x'), in the mean
    error = (loss - constant).std() / 20
    assert abs((loss - constant).mean()) < 5 * error < 0.2 * constant.mean()


@pytest.mark.parametrize("together", [1 << 26, M * M])
def test_latents_of_a_pool_are_ordered_by_the_optimal_matching(monkeypatch, together):
    monkeypatch.setattr(plain, "MOST_COSTS", together)  # all seeds at once, or one after the other
    real, fake, second = (cloud(seed, 4 * M) for seed in range(3))
    first, none = PooledPWGAN().match_latents(real, fake, None)
    assert none is None
    np.testing.assert_array_equal(first, optimum(real, fake)[1])
    first, other = DebiasedPWGAN(pool=4).match_latents(real, fake, second)
    np.testing.assert_array_equal(first, optimum(real, fake)[1])
    ordered = fake.gather(1, first.unsqueeze(-1).expand_as(fake))
    np.testing.assert_array_equal(other, optimum(ordered, second)[1])


@pytest.mark.parametrize("method", [PooledPWGAN(pool=1), DebiasedPWGAN()], ids=lambda method: method.name)
def test_a_diverged_seed_has_no_finite_loss_and_leaves_the_others_alone(method):
    given, spoilt = batch(method.second_draw), batch(method.second_draw)
    with torch.no_grad():
        (spoilt.fake if spoilt.second is None else spoilt.second)[1, 2] = torch.nan
    whole, lost = (method.generator_loss(NETS, one) for one in (given, spoilt))
    assert not lost[1].isfinite() and torch.equal(lost[[0, 2]], whole[[0, 2]])
