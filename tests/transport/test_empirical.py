"""The empirical Wasserstein distance against its closed forms."""

from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from scipy.stats import wasserstein_distance

from pwgan.options import CostName
from pwgan.transport import empirical
from pwgan.transport.cost import pair_cost
from pwgan.transport.empirical import debiased, ewd, wasserstein

SIZES = st.integers(1, 24)
DIMENSIONS = st.integers(1, 4)
SEEDS = st.integers(0, 2**32)


def draw(n: int, d: int, seed: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(n, d)))


@settings(deadline=None, max_examples=40)
@given(SIZES, DIMENSIONS, SEEDS, st.floats(0, 1e3))
def test_a_translation_costs_its_length(n, d, seed, length):
    x, direction = draw(n, d, seed), draw(1, d, seed + 1)
    shift = length * direction / direction.norm()
    assert float(wasserstein(x, x + shift).value) == pytest.approx(length, rel=1e-9, abs=1e-12)
    assert float(wasserstein(x, x + shift, "sqeuclidean").value) == pytest.approx(length**2, rel=1e-9, abs=1e-12)
    blocks = float(shift.abs().sum())
    assert float(wasserstein(x, x + shift, "cityblock").value) == pytest.approx(blocks, rel=1e-9, abs=1e-12)


@settings(deadline=None, max_examples=40)
@given(SIZES, SEEDS)
def test_on_a_line_sorted_points_meet(n, seed):
    x, y = draw(n, 1, seed), 2 * draw(n, 1, seed + 1)
    found = wasserstein(x, y)
    assert float(found.value) == pytest.approx(wasserstein_distance(x[:, 0], y[:, 0]), rel=1e-12)
    squares = (x.sort(0).values - y.sort(0).values).square()
    quadratic = wasserstein(x, y, "sqeuclidean")
    assert float(quadratic.value) == pytest.approx(float(squares.mean()), rel=1e-12)
    # A strictly convex cost leaves no choice: the k-th smallest of x goes to the k-th smallest of y.
    assert torch.equal(quadratic.matching[x[:, 0].argsort()], y[:, 0].argsort())


@settings(deadline=None, max_examples=40)
@given(SIZES, DIMENSIONS, SEEDS)
def test_the_same_points_in_another_order_are_found_again(n, d, seed):
    x = draw(n, d, seed)
    order = torch.from_numpy(np.random.default_rng(seed).permutation(n))
    found = wasserstein(x, x[order])
    assert float(found.value) == 0
    assert torch.equal(found.matching, order.argsort())


@settings(deadline=None, max_examples=40)
@given(SIZES, DIMENSIONS, SEEDS, st.floats(-1e4, 1e4))
def test_the_distance_scales_with_the_points(n, d, seed, factor):
    x, y = draw(n, d, seed), draw(n, d, seed + 1)
    one = float(wasserstein(x, y).value)
    assert float(wasserstein(factor * x, factor * y).value) == pytest.approx(abs(factor) * one, rel=1e-9)
    square = float(wasserstein(x, y, "sqeuclidean").value)
    scaled = wasserstein(factor * x, factor * y, "sqeuclidean")
    assert float(scaled.value) == pytest.approx(factor**2 * square, rel=1e-9)


@settings(deadline=None, max_examples=40)
@given(SIZES, DIMENSIONS, SEEDS, st.sampled_from(["euclidean", "cityblock"]))
def test_it_is_a_metric_and_carries_its_proof(n, d, seed, cost):
    x, y, z = (draw(n, d, seed + k) for k in range(3))
    found = wasserstein(x, y, cost)
    assert float(found.value) == pytest.approx(float(wasserstein(y, x, cost).value), rel=1e-12)
    assert float(found.value) <= float(wasserstein(x, z, cost).value + wasserstein(z, y, cost).value) + 1e-12
    assert float(found.value) == pytest.approx(float(pair_cost(x, y[found.matching], cost).mean()), rel=1e-12)
    assert float(found.value - found.row_potential.mean() - found.column_potential.mean()) == pytest.approx(
        0, abs=1e-13
    )
    assert abs(float(found.gap)) < 1e-13


@settings(deadline=None, max_examples=40)
@given(SIZES, DIMENSIONS, SEEDS, st.sampled_from(get_args(CostName)), st.sampled_from([2, 2500]))
def test_any_cost_is_scipys_in_any_order_by_any_solver(n, d, seed, cost, dense):
    x, y = draw(n, d, seed), draw(n, d, seed + 1)
    order = torch.from_numpy(np.random.default_rng(seed).permutation(n))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(empirical, "DENSE", dense)
        found, mixed = wasserstein(x, y, cost), wasserstein(x[order], y.flip(0), cost)
    costs = torch.from_numpy(cdist(x, y, cost))
    least = float(costs[linear_sum_assignment(costs)].mean())
    assert float(found.value) == pytest.approx(least, rel=1e-11, abs=1e-15)
    assert float(mixed.value) == pytest.approx(least, rel=1e-11, abs=1e-15)
    rounding = 1e-13 * float(costs.max()) + 1e-15
    assert float((found.row_potential[:, None] + found.column_potential - costs).max()) <= rounding
    assert abs(float(found.gap)) <= rounding


@settings(deadline=None, max_examples=20)
@given(SIZES, DIMENSIONS, SEEDS)
def test_the_cosine_knows_directions_alone(n, d, seed):
    x, y = draw(n, d, seed), draw(n, d, seed + 1)
    lengths = 10 ** draw(n, 1, seed + 2)
    expected = float(wasserstein(x, y, "cosine").value)
    assert float(wasserstein(x * lengths, y, "cosine").value) == pytest.approx(expected, rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("cost", ["euclidean", "sqeuclidean", "cosine"])
def test_potentials_of_a_similar_problem_change_no_value(monkeypatch, cost):
    monkeypatch.setattr(empirical, "DENSE", 2)
    x, y = draw(60, 3, 0), draw(60, 3, 1)
    cold = wasserstein(x, y, cost)
    warm = wasserstein(x, y + 1e-3 * draw(60, 3, 2), cost, potentials=(cold.row_potential, cold.column_potential))
    again = wasserstein(x, y + 1e-3 * draw(60, 3, 2), cost)
    assert float(warm.value) == pytest.approx(float(again.value), rel=1e-12)
    assert abs(float(warm.gap)) < 1e-12


@pytest.mark.parametrize("theta", [-2.0, 0.0, 1e-3, 0.5])
def test_parallel_lines_are_as_far_apart_as_they_lie(theta):
    # Article A6.
    z = draw(50, 1, 0).abs()
    x, y = torch.cat([0 * z, z], 1), torch.cat([0 * z + theta, z], 1)
    assert float(wasserstein(x, y.flip(0)).value) == pytest.approx(abs(theta), rel=1e-12)


def test_leading_axes_and_single_precision():
    x, y = (torch.from_numpy(np.random.default_rng(k).normal(size=(2, 3, 10, 2))).float() for k in range(2))
    together = wasserstein(x, y)
    assert together.value.dtype == torch.float64 and together.value.shape == (2, 3)
    assert together.matching.shape == together.row_potential.shape == (2, 3, 10)
    for lead in np.ndindex(2, 3):
        alone = wasserstein(x[lead].double(), y[lead].double())
        assert torch.equal(together.matching[lead], alone.matching)
        assert float(together.value[lead]) == pytest.approx(float(alone.value), rel=1e-14)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (torch.zeros(3, 2), torch.zeros(4, 2), r"got \(3, 2\) and \(4, 2\)"),
        (torch.zeros(3, 2), torch.zeros(3, 1), r"got \(3, 2\) and \(3, 1\)"),
        (torch.zeros(3), torch.zeros(3), r"\(\.\.\., n, d\) on both sides"),
        (torch.full((3, 2), torch.nan), torch.zeros(3, 2), "x holds points that are NaN or infinite"),
        (torch.zeros(3, 2), torch.full((3, 2), torch.inf), "y holds points that are NaN or infinite"),
        (torch.zeros(0, 2), torch.zeros(0, 2), r"nothing to match: points of shape \(0, 2\)"),
    ],
)
def test_what_has_no_distance_is_refused(x, y, message):
    with pytest.raises(ValueError, match=message):
        wasserstein(x, y)


@pytest.mark.parametrize("cost", ["euclidean", "sqeuclidean"])
def test_the_value_alone_is_the_certified_one(cost):
    x, y = (torch.stack([draw(20, 3, seed), draw(20, 3, seed + 1)]) for seed in (0, 2))
    torch.testing.assert_close(ewd(x, y, cost), wasserstein(x, y, cost).value, rtol=1e-12, atol=0)
    with pytest.raises(ValueError, match="equally many"):
        ewd(x, y[:, :10])


@pytest.mark.parametrize(
    ("u", "v", "said"),
    [
        (torch.zeros(4), torch.zeros(5), r"\(5,\) each, got \(4,\) and \(5,\)"),
        (torch.zeros(5), torch.zeros(1, 5), r"got \(5,\) and \(1, 5\)"),
        (torch.zeros(5), torch.full((5,), torch.inf), "potentials must be finite"),
        (torch.full((5,), torch.nan), torch.zeros(5), "potentials must be finite"),
    ],
)
@pytest.mark.parametrize("dense", [2, 4096])
def test_potentials_that_do_not_fit_are_refused(monkeypatch, dense, u, v, said):
    monkeypatch.setattr("pwgan.transport.empirical.DENSE", dense)
    with pytest.raises(ValueError, match=said):
        wasserstein(draw(5, 2, 0), draw(5, 2, 1), potentials=(u, v))


def test_a_small_problem_tells_what_it_took():
    found = wasserstein(draw(5, 2, 0), draw(5, 2, 1))
    assert found.rounds == 0


def test_plain_distances_prefer_samples_of_less_spread_and_debiased_ones_the_truth():
    x, other, y, again = (torch.stack([draw(64, 8, 4 * seed + k) for seed in range(40)]) for k in range(4))
    real = ewd(x, other)
    plain, unbiased = {}, {}
    for spread in (0.7, 1.0):
        plain[spread] = ewd(x, spread * y)
        unbiased[spread] = debiased(plain[spread], real, ewd(spread * y, spread * again))
    assert plain[1.0].mean() > plain[0.7].mean() + 0.1
    error = unbiased[1.0].std() / 40**0.5
    assert abs(unbiased[1.0].mean()) < 3 * error < 0.1
    assert unbiased[0.7].mean() > 3 * error
