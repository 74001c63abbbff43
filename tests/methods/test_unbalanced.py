"""Unbalanced transport against POT, a closed form of single samples, and its limits."""

import warnings
from functools import partial

import numpy as np
import ot
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime
from scipy.spatial.distance import cdist
from scipy.special import rel_entr
from torch import nn

from pwgan.methods import Batch, Nets
from pwgan.methods.sinkhorn import Sinkhorn
from pwgan.methods.unbalanced import Unbalanced

S, M, D = 3, 6, 2
NETS = Nets(nn.Identity(), nn.Identity())


def cloud(seed: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(S, M, D, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def forbidden(*shape: int) -> torch.Tensor:
    raise AssertionError("this method needs no uniform draws")


def loss(real: torch.Tensor, fake: torch.Tensor, method: type[Sinkhorn] = Unbalanced, **options) -> torch.Tensor:
    rows = torch.arange(real.shape[1]).expand(len(real), -1)
    batch = Batch(real, rows, torch.zeros(*real.shape[:2], 1), fake, forbidden)
    return method(**options).generator_loss(NETS, batch)


def spread(x: np.ndarray, cost: str) -> float:
    return cdist(x, x, cost).sum() / (len(x) * (len(x) - 1))


def divergence(p: np.ndarray, q: np.ndarray | float) -> float:
    return (rel_entr(p, q) - p + q).sum()


def by_pot(x: np.ndarray, y: np.ndarray, cost: str, eps: float, tau: float) -> tuple[float, np.ndarray]:
    """The objective at POT's plan, and the plan."""
    costs, weight = cdist(x, y, cost), np.full(len(x), 1 / len(x))
    plan = ot.unbalanced.sinkhorn_unbalanced(
        weight, weight, costs, eps, tau, reg_type="kl", numItermax=3000, stopThr=1e-12
    )
    value = (plan * costs).sum() + eps * divergence(plan, np.full_like(plan, 1 / len(x) ** 2))
    return value + tau * (divergence(plan.sum(1), weight) + divergence(plan.sum(0), weight)), plan


@pytest.mark.parametrize("cost", ["euclidean", "sqeuclidean"])
@pytest.mark.parametrize("tau", [0.3, 2.0])
def test_value_and_gradient_are_those_of_the_plan_of_pot(cost, tau):
    real, fake = cloud(0), (0.7 * cloud(1) + 0.5).requires_grad_()
    found = loss(real, fake, cost=cost, tau=tau, epsilon=0.2, iterations=200)
    found.sum().backward()
    for s in range(S):
        x, y = real[s].numpy(), fake[s].detach().numpy()
        scale = spread(x, cost)
        value, plan = by_pot(x, y, cost, 0.2 * scale, tau * scale)
        assert found[s].item() == pytest.approx(value, rel=1e-6)
        away = y[None] - x[:, None]
        away = away / np.linalg.norm(away, axis=-1, keepdims=True) if cost == "euclidean" else 2 * away
        np.testing.assert_allclose(fake.grad[s], (plan[:, :, None] * away).sum(0), atol=1e-6)


def test_the_gradient_is_that_of_the_converged_value_and_unrolled_of_any():
    real, fake = cloud(0), cloud(1).requires_grad_()
    for options in (
        {"iterations": 150, "epsilon": 0.3},
        {"iterations": 150, "epsilon": 0.3, "debias": True},
        {"iterations": 2, "gradient": "unrolled"},
    ):
        fake.grad = None
        loss(real, fake, **options).sum().backward()

        def value(y: np.ndarray, options=options) -> float:
            return loss(real[:1], torch.from_numpy(y).view(1, M, D), **options).item()

        slope = approx_fprime(fake[0].detach().numpy().ravel(), value, 1e-7)
        np.testing.assert_allclose(fake.grad[0].flatten(), slope, atol=1e-5)


def test_little_entropy_leaves_the_unbalanced_cost_without_any():
    real, fake = cloud(0), cloud(1)
    found = loss(real, fake, epsilon=1e-3, iterations=400)
    for s in range(S):
        x, y = real[s].numpy(), fake[s].numpy()
        tau, weight, costs = spread(x, "euclidean"), np.full(M, 1 / M), cdist(x, y)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            plan = ot.unbalanced.mm_unbalanced(
                weight, weight, costs, tau, c=np.zeros((M, M)), reg=0, numItermax=3000, stopThr=1e-12
            )
        exact = (plan * costs).sum() + tau * (divergence(plan.sum(1), weight) + divergence(plan.sum(0), weight))
        # The entropy of a plan of M pairs, in units of the scale.
        assert exact - 1e-3 * tau <= found[s].item() <= exact + 1e-3 * tau * (np.log(M) + 1)


@pytest.mark.parametrize("debias", [True, False])
def test_large_weights_of_the_marginals_are_sinkhorn_and_none_are_a_mean_over_pairs(debias):
    real, fake = cloud(0), cloud(1)
    options = {"debias": debias, "epsilon": 0.5, "iterations": 100}
    bound = loss(real, fake, tau=1e6, **options)
    torch.testing.assert_close(bound, loss(real, fake, Sinkhorn, **options), rtol=1e-4, atol=0)
    free = loss(real, fake, tau=1e-9, **options)
    for s in range(S):
        eps = 0.5 * spread(real[s].numpy(), "euclidean")
        # <p, c> + eps KL(p | a b^T) is least at p = a b^T exp(-c / eps).
        between, *within = (
            eps * (1 - np.exp(-cdist(one, other) / eps)).mean()
            for one, other in ((real[s], fake[s]), (real[s], real[s]), (fake[s], fake[s]))
        )
        assert free[s].item() == pytest.approx(between - debias * sum(within) / 2, rel=1e-6)


@settings(max_examples=10, deadline=None)
@given(st.floats(0.1, 3), st.floats(0.1, 3), st.floats(0.01, 10))
def test_one_sample_each_has_a_closed_form(tau, epsilon, apart):
    # p c + eps KL(p | 1) + 2 tau KL(p | 1) is least at p = exp(-c / (eps + 2 tau)): (eps + 2 tau) (1 - p).
    real = torch.zeros(1, 1, D, dtype=torch.float64)
    fake = torch.tensor([[[apart, 0.0]]], dtype=torch.float64).requires_grad_()
    found = loss(real, fake, tau=tau, epsilon=epsilon, iterations=300)
    weight = epsilon + 2 * tau
    expected = weight * -np.expm1(-apart / weight)
    assert found.item() == pytest.approx(expected, rel=1e-3)
    (slope,) = torch.autograd.grad(found.sum(), fake)
    assert slope[0, 0, 0].item() == pytest.approx(np.exp(-apart / weight), rel=1e-2)


def test_what_is_far_away_is_left_out():
    real, fake = cloud(0), cloud(1)
    with torch.no_grad():
        fake[:, 0] = 50
    fake.requires_grad_()
    loss(real, fake, tau=0.5, iterations=100).sum().backward()
    far, near = fake.grad[:, 0].norm(dim=-1), fake.grad[:, 1:].norm(dim=-1).amax(1)
    assert (far < 1e-6).all() and (near > 1e-2).all()


@pytest.mark.parametrize("options", [{}, {"debias": True}])
@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_a_diverged_seed_shows_and_leaves_the_others_as_they_were(check_diverged, options, bad):
    check_diverged(partial(loss, **options), cloud(0, torch.float32), cloud(1, torch.float32), bad)
