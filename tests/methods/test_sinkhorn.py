"""The Sinkhorn divergence against POT, closed forms, its limits, and its gradient against differences."""

from functools import partial
from typing import get_args

import numpy as np
import ot
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime, linear_sum_assignment
from scipy.spatial.distance import cdist
from scipy.special import ndtri
from torch import nn

from pwgan.errors import Refused
from pwgan.methods import Batch, Nets
from pwgan.methods.sinkhorn import Sinkhorn
from pwgan.options import CostName

S, M, D = 3, 6, 2
NETS = Nets(nn.Identity(), nn.Identity())


def cloud(seed: int, shape: tuple[int, ...] = (D,), dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(S, M, *shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def forbidden(*shape: int) -> torch.Tensor:
    raise AssertionError("this method needs no uniform draws")


def batch(real: torch.Tensor, fake: torch.Tensor) -> Batch:
    rows = torch.arange(real.shape[1]).expand(len(real), -1)
    return Batch(real, rows, torch.zeros(*real.shape[:2], 1), fake, forbidden)


def loss(real: torch.Tensor, fake: torch.Tensor, **options: object) -> torch.Tensor:
    return Sinkhorn(**options).generator_loss(NETS, batch(real, fake))


def spread(x: np.ndarray, cost: str) -> float:
    return cdist(x, x, cost).sum() / (len(x) * (len(x) - 1))


def by_pot(x: np.ndarray, y: np.ndarray, cost: str, eps: float) -> tuple[float, np.ndarray]:
    """Entropic cost and plan."""
    costs = cdist(x, y, cost)
    weight = np.full(len(x), 1 / len(x))
    plan = ot.bregman.sinkhorn_log(weight, weight, costs, eps, numItermax=2000, stopThr=1e-11)
    return (plan * costs).sum() + eps * (plan * np.log(plan * len(x) ** 2)).sum(), plan


def pull(x: np.ndarray, y: np.ndarray, plan: np.ndarray, cost: str) -> np.ndarray:
    """Gradient of <plan, cost> to y."""
    away = y[None] - x[:, None]
    length = np.linalg.norm(away, axis=-1, keepdims=True)
    away = away / np.where(length, length, 1) if cost == "euclidean" else 2 * away
    return (plan[:, :, None] * away).sum(0)


@pytest.mark.parametrize("cost", ["euclidean", "sqeuclidean"])
@pytest.mark.parametrize("debias", [True, False])
def test_value_and_gradient_are_those_of_the_plans_of_pot(cost, debias):
    real, fake = cloud(0), (0.7 * cloud(1) + 0.3).requires_grad_()
    found = loss(real, fake, cost=cost, debias=debias, epsilon=0.3, iterations=200)
    found.sum().backward()
    for s in range(S):
        x, y = real[s].numpy(), fake[s].detach().numpy()
        eps = 0.3 * spread(x, cost)
        value, plan = by_pot(x, y, cost, eps)
        slope = pull(x, y, plan, cost)
        if debias:
            other, own = by_pot(x, x, cost, eps)[0], by_pot(y, y, cost, eps)
            value -= (other + own[0]) / 2
            slope -= pull(y, y, own[1], cost)  # y is on both sides, whose gradients are equal
        assert found[s].item() == pytest.approx(value, rel=1e-6)
        np.testing.assert_allclose(fake.grad[s], slope, atol=1e-6)


@pytest.mark.parametrize("cost", get_args(CostName))
def test_unrolled_gradients_are_those_of_the_value_before_the_iterations_have_converged(cost):
    real, fake = cloud(0), cloud(1).requires_grad_()
    # From the third on, the largest cost, which is held fixed, has a part in the value.
    options = {"cost": cost, "iterations": 2, "gradient": "unrolled"}
    loss(real, fake, **options).sum().backward()

    def value(y: np.ndarray) -> float:
        return loss(real[:1], torch.from_numpy(y).view(1, M, D), **options).item()

    slope = approx_fprime(fake[0].detach().numpy().ravel(), value, 1e-7)
    np.testing.assert_allclose(fake.grad[0].flatten(), slope, atol=1e-5)


@pytest.mark.parametrize("debias", [True, False])
def test_both_gradients_agree_once_the_iterations_have_converged_and_not_before(debias):
    def gradient(way: str, iterations: int) -> torch.Tensor:
        fake = cloud(1).requires_grad_()
        loss(cloud(0), fake, gradient=way, iterations=iterations, epsilon=1.0, debias=debias).sum().backward()
        return fake.grad

    torch.testing.assert_close(gradient("envelope", 40), gradient("unrolled", 40), rtol=1e-6, atol=1e-8)
    assert (gradient("envelope", 1) - gradient("unrolled", 1)).norm() > 1e-3 * gradient("unrolled", 1).norm()


def gaussian(a: float, b: float, apart: float, eps: float) -> float:
    """Entropic cost of N(0, a^2) and N(apart, b^2) for the squared distance: Janati et al. 2020, theorem 1."""
    half = eps / 2
    root = np.sqrt(4 * a**2 * b**2 + half**2)
    return apart**2 + a**2 + b**2 - root + half * (1 - np.log(2 * half)) + half * np.log(root + half)


@pytest.mark.parametrize("debias", [True, False])
def test_gaussians_have_the_closed_form(debias):
    grid = torch.from_numpy(ndtri((np.arange(150) + 0.5) / 150)).view(1, -1, 1)
    real, fake, eps = 0.9 * grid, 1.6 * grid + 0.5, 0.8
    epsilon = eps / spread(real[0].numpy(), "sqeuclidean")
    found = loss(real, fake, cost="sqeuclidean", epsilon=epsilon, debias=debias, iterations=30).item()
    expected = gaussian(0.9, 1.6, 0.5, eps)
    if debias:
        expected -= (gaussian(0.9, 0.9, 0, eps) + gaussian(1.6, 1.6, 0, eps)) / 2
    assert found == pytest.approx(expected, rel=0.02)  # quantiles have a variance of 0.99


@pytest.mark.parametrize("cost", ["euclidean", "sqeuclidean"])
def test_little_entropy_leaves_the_cost_of_the_matching_and_much_the_energy_distance(cost):
    real, fake = cloud(0), cloud(1) + 0.5
    for debias in (True, False):
        little = loss(real, fake, cost=cost, epsilon=1e-3, iterations=300, debias=debias)
        much = loss(real, fake, cost=cost, epsilon=1e5, debias=debias)
        for s in range(S):
            between, *within = (
                cdist(a, b, cost) for a, b in ((real[s], fake[s]), (real[s], real[s]), (fake[s], fake[s]))
            )
            matched = between[linear_sum_assignment(between)].mean()
            # The matching itself has an entropy of log m, which debiasing takes away.
            own = 0 if debias else 1e-3 * np.log(M) * spread(real[s], cost)
            assert little[s].item() == pytest.approx(matched + own, rel=2e-4)
            energy = between.mean() - debias * sum(own.mean() for own in within) / 2
            assert much[s].item() == pytest.approx(energy, rel=1e-3)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from(["euclidean", "sqeuclidean"]), st.floats(0.1, 3))
def test_it_is_zero_for_equal_batches_positive_for_others_and_has_the_units_of_the_cost(seed, cost, epsilon):
    real, fake = cloud(seed), cloud(seed + 1)
    options = {"cost": cost, "epsilon": epsilon, "iterations": 100}
    mixed = real[:, torch.randperm(M, generator=torch.Generator().manual_seed(seed))].requires_grad_()
    nothing = loss(real, mixed, **options)
    apart = loss(real, fake, **options)
    assert (nothing.abs() < 1e-3 * apart).all() and (apart > 0).all()
    (slope,) = torch.autograd.grad(nothing.sum(), mixed)
    assert slope.abs().max() < 0.05
    power = 1 if cost == "euclidean" else 2
    torch.testing.assert_close(loss(10 * real, 10 * fake, **options), 10**power * apart)


def test_float32_samples_and_little_entropy_neither_overflow_nor_underflow():
    real, fake = (1e3 * cloud(seed, (1, 4, 4), torch.float32) for seed in range(2))
    fake.requires_grad_()
    options = {"epsilon": 1e-4, "iterations": 50}
    found = loss(real, fake, **options)
    torch.testing.assert_close(found.double(), loss(real.double(), fake.double(), **options), rtol=1e-4, atol=0)
    (slope,) = torch.autograd.grad(found.sum(), fake)
    assert found.dtype == torch.float32 and slope.isfinite().all() and slope.norm() > 0


@pytest.mark.parametrize("m", [1, 4])
def test_equal_real_samples_have_no_scale_and_a_finite_loss(m):
    real, fake = torch.ones(2, m, D), torch.zeros(2, m, D).requires_grad_()
    found = loss(real, fake)
    torch.testing.assert_close(found, torch.full((2,), 2**0.5))
    (slope,) = torch.autograd.grad(found.sum(), fake)
    torch.testing.assert_close(slope, torch.full((2, m, D), -1 / (m * 2**0.5)))


@pytest.mark.parametrize("options", [{}, {"debias": False}, {"gradient": "unrolled"}])
@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_a_diverged_seed_shows_and_leaves_the_others_as_they_were(check_diverged, options, bad):
    check_diverged(partial(loss, **options), cloud(0, dtype=torch.float32), cloud(1, dtype=torch.float32), bad)


def test_seeds_together_are_each_alone():
    together = loss(cloud(0), cloud(1))
    for s in range(S):
        torch.testing.assert_close(loss(cloud(0)[s : s + 1], cloud(1)[s : s + 1]), together[s : s + 1])


def test_a_training_sample_without_a_direction_is_named():
    real = cloud(0)
    real[1, 4] = 0
    with pytest.raises(Refused, match="training sample 4 is the zero vector"):
        loss(real, cloud(1), cost="cosine")
