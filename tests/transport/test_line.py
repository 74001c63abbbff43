"""Points on a line against the general solvers, scipy and their certificate."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from scipy.stats import wasserstein_distance

from pwgan.transport.cost import cost as cost_matrix
from pwgan.transport.empirical import wasserstein
from pwgan.transport.line import solve_line, staircase
from pwgan.transport.unequal import coupling

NAMES = ("euclidean", "sqeuclidean", "cityblock")
KINDS = ("normal", "ties", "shared far", "far", "scales", "chain", "equal", "offset")


def numbers(kind: str, n: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(2, n))
    if kind == "ties":
        x, y = x.round(), y.round()
    elif kind == "shared far":
        x[0] = y[-1] = 1e20
    elif kind == "far":
        x[0] = -1e20
    elif kind == "scales":
        x, y = x + 10.0 ** rng.integers(0, 9, n), y + 10.0 ** rng.integers(0, 9, n)
    elif kind == "chain":
        # Every pair i <= j is tight: the potentials are as long as the line.
        x = rng.permutation(np.arange(n) * 0.1)
        y = x + 0.1
    elif kind == "equal":
        y = rng.permutation(x)
    elif kind == "offset":
        x, y = x + 1e9, y + 1e9
    return torch.from_numpy(x), torch.from_numpy(y)


@settings(deadline=None, max_examples=120)
@given(st.sampled_from(KINDS), st.sampled_from(NAMES), st.integers(1, 40), st.integers(0, 2**32))
def test_sorted_points_are_optimal_and_their_potentials_prove_it(kind, name, n, seed):
    x, y = numbers(kind, n, seed)
    rows, columns, u, v = solve_line(x, y, name)
    costs = cost_matrix(x[:, None], y[:, None], name)
    least = costs.numpy()[linear_sum_assignment(costs.numpy())].mean()
    value = float(costs[rows, columns].mean())
    assert rows.sort().values.tolist() == columns.sort().values.tolist() == list(range(n))
    assert value == pytest.approx(least, rel=1e-13)
    assert float((u[:, None] + v - costs).max()) <= 1e-14 * n * value
    assert float(u.mean() + v.mean()) == pytest.approx(value, rel=1e-13 * n)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 2**32))
def test_unequal_numbers_agree_with_scipy(n, k, seed):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=n), rng.normal(size=k).round(1)
    if n == k:
        y = np.append(y, y[0])
    found = coupling(torch.from_numpy(x[:, None]), torch.from_numpy(y[:, None]))
    assert float(found.value) == pytest.approx(wasserstein_distance(x, y), rel=1e-12, abs=1e-14)
    assert abs(float(found.gap)) < 1e-13


@pytest.mark.parametrize(("n", "k"), [(1, 1), (4, 4), (1, 5), (6, 4), (7, 3)])
def test_the_staircase_has_the_marginals(n, k):
    rows, columns, units = staircase(n, k, torch.device("cpu"))
    table = torch.zeros(n, k, dtype=torch.int64)
    table[rows, columns] = units
    total = math.lcm(n, k)
    assert (table.sum(0) == total // k).all() and (table.sum(1) == total // n).all()
    assert (rows.diff() >= 0).all() and (columns.diff() >= 0).all() and len(units) <= n + k - 1


def test_many_points_on_a_line_take_no_matrix():
    x, y = (torch.from_numpy(np.random.default_rng(k).normal(size=(100_000, 1))) for k in range(2))
    found = wasserstein(x, y + 3)
    assert float(found.value) == pytest.approx(wasserstein_distance(x[:, 0], y[:, 0] + 3), rel=1e-12)
    assert 0 <= float(found.gap) < 1e-9  # bounds the rounding of a sum of so many terms
    u, v = found.row_potential, found.column_potential
    assert float(found.value) == pytest.approx(float(u.mean() + v.mean()), rel=1e-12)


def test_leading_axes_are_lines_of_their_own():
    x, y = (torch.from_numpy(np.random.default_rng(k).normal(size=(2, 3, 9, 1))) for k in range(2))
    together = wasserstein(x, y, "sqeuclidean")
    for lead in np.ndindex(2, 3):
        alone = wasserstein(x[lead], y[lead], "sqeuclidean")
        for name in ("value", "matching", "row_potential", "column_potential"):
            assert torch.equal(getattr(together, name)[lead], getattr(alone, name))
