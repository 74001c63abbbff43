"""Partial transport of mini-batches against POT, brute force and differences."""

from itertools import combinations

import numpy as np
import ot
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.optimize import approx_fprime, linear_sum_assignment
from scipy.spatial.distance import cdist
from torch import nn

from pwgan.errors import Refused
from pwgan.methods import Batch, Nets
from pwgan.methods import partial as module
from pwgan.methods.partial import Partial
from pwgan.methods.pwgan import PWGAN

S, M, D = 3, 10, 2
NETS = Nets(nn.Identity(), nn.Identity())


def cloud(
    seed: int, shape: tuple[int, ...] = (D,), m: int = M, seeds: int = S, dtype: torch.dtype = torch.float64
) -> torch.Tensor:
    return torch.randn(seeds, m, *shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def forbidden(*shape: int) -> torch.Tensor:
    raise AssertionError("this method needs no uniform draws")


def loss(real: torch.Tensor, fake: torch.Tensor, method: type[PWGAN] = Partial, **options: object) -> torch.Tensor:
    rows = torch.arange(real.shape[1]).expand(len(real), -1)
    batch = Batch(real, rows, torch.zeros(*real.shape[:2], 1), fake, forbidden)
    return method(**options).generator_loss(NETS, batch)


def by_pot(x: np.ndarray, y: np.ndarray, cost: str, mass: float) -> tuple[float, np.ndarray]:
    costs, weight = cdist(x, y, cost), np.full(len(x), 1 / len(x))
    plan = ot.partial.partial_wasserstein(weight, weight, costs, min(mass, weight.sum()))
    return (plan * costs).sum(), plan


@pytest.mark.parametrize("cost", ["euclidean", "sqeuclidean", "cityblock"])
@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.8, 1.0])
@pytest.mark.parametrize("shape", [(D,), (1, 4, 4)])
@pytest.mark.parametrize("together", [1 << 26, 5])
def test_value_and_gradient_are_those_of_the_plan_of_pot(monkeypatch, cost, fraction, shape, together):
    monkeypatch.setattr(module, "MOST_COSTS", together)  # all seeds at once, or one after the other
    real, fake = cloud(0, shape), (cloud(1, shape) + 0.3).requires_grad_()
    found = loss(real, fake, cost=cost, fraction=fraction)
    found.sum().backward()
    for s in range(S):
        x, y = real[s].flatten(1).numpy(), fake[s].detach().flatten(1).numpy()
        value, plan = by_pot(x, y, cost, fraction)
        assert found[s].item() == pytest.approx(value, rel=1e-9)
        away = y[None] - x[:, None]
        if cost == "euclidean":
            away /= np.linalg.norm(away, axis=-1, keepdims=True)
        away = {"euclidean": away, "sqeuclidean": 2 * away, "cityblock": np.sign(away)}[cost]
        slope = (plan[:, :, None] * away).sum(0)
        np.testing.assert_allclose(fake.grad[s].flatten(1), slope, atol=1e-9)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.01, 1), st.sampled_from(["euclidean", "sqeuclidean", "cosine"]))
def test_it_is_the_least_over_all_choices_of_samples(seed, fraction, cost):
    m = 4
    real, fake = cloud(seed, m=m), cloud(seed + 1, m=m)
    found = loss(real, fake, cost=cost, fraction=fraction)
    kept = max(1, round(fraction * m))
    for s in range(S):
        costs = cdist(real[s], fake[s], cost)
        least = np.inf
        for rows in combinations(range(m), kept):
            for columns in combinations(range(m), kept):
                part = costs[np.ix_(rows, columns)]
                least = min(least, part[linear_sum_assignment(part)].sum() / m)
        assert found[s].item() == pytest.approx(least, rel=1e-9)


def test_its_gradient_is_that_of_differences():
    real, fake = cloud(0, m=5), cloud(1, m=5).requires_grad_()
    loss(real, fake, fraction=0.6).sum().backward()

    def value(y: np.ndarray) -> float:
        return by_pot(real[0].numpy(), y.reshape(5, D), "euclidean", 0.6)[0]

    slope = approx_fprime(fake[0].detach().numpy().ravel(), value, 1e-7)
    np.testing.assert_allclose(fake.grad[0].flatten(), slope, atol=1e-5)
    assert (fake.grad[0] == 0).all(-1).sum() == 2  # those that are left out


def test_all_of_the_mass_is_pwgan():
    assert torch.equal(loss(cloud(0), cloud(1), fraction=1), loss(cloud(0), cloud(1), PWGAN))


def test_samples_far_away_are_left_out_and_copies_cost_nothing():
    real, fake = cloud(0), cloud(0).flip(1)
    with torch.no_grad():
        fake[:, :2] = 1e6
    assert loss(real, fake, fraction=0.8).tolist() == [0] * S
    same = torch.ones(S, M, D)
    assert loss(same, same, fraction=0.5).tolist() == [0] * S


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
@pytest.mark.parametrize("row", [0, 9])
@pytest.mark.parametrize("shape", [(D,), (1, 8, 8)])
def test_a_diverged_seed_shows_even_if_its_sample_is_left_out(check_diverged, bad, row, shape):
    real, fake = (cloud(seed, shape, dtype=torch.float32) for seed in (0, 1))
    check_diverged(lambda x, y: loss(x, y, fraction=0.3), real, fake, bad, row)


def test_impossible_fractions_and_samples_are_refused():
    for bad in (0, -0.5, 1.5):
        with pytest.raises(ValidationError, match="fraction"):
            Partial(fraction=bad)
    real = cloud(0)
    real[1, 4] = 0
    with pytest.raises(Refused, match="training sample 4 is the zero vector"):
        loss(real, cloud(1), cost="cosine")
