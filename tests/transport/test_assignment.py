"""Optimal matchings against brute force and scipy, and the proof that comes with each."""

from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from pwgan.transport.assignment import imprecise, match, solve
from pwgan.transport.cost import cost

KINDS = ("general", "ties", "duplicates", "line", "outlier", "near", "free")


@st.composite
def costs(draw: st.DrawFn, largest: int) -> torch.Tensor:
    """Cost matrices of easy and of awkward point sets, and of no points at all."""
    n = draw(st.one_of(st.integers(1, 3), st.integers(1, largest)))
    kind = draw(st.sampled_from(KINDS))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    x, y = rng.normal(size=(2, n, draw(st.integers(1, 3))))
    if kind == "ties":
        x, y = np.round(x), np.round(y)
    elif kind == "duplicates":
        x = x[rng.integers(0, (n + 1) // 2, n)]
        y = x[rng.permutation(n)]
    elif kind == "line":
        x, y = x[:, :1] * [1.0, -2.0], y[:, :1] * [1.0, -2.0]
    elif kind == "outlier":
        x[0] = 1e6
    elif kind == "near":
        y = x + 1e-7 * y
    dtype = draw(st.sampled_from([torch.float32, torch.float64]))
    if kind == "free":
        return torch.tensor(rng.normal(size=(n, n)), dtype=dtype)
    name = draw(st.sampled_from(["euclidean", "sqeuclidean"]))
    return cost(torch.tensor(x, dtype=dtype), torch.tensor(y, dtype=dtype), name)


def rounding(c: torch.Tensor) -> float:
    """What the mean cost of a matching may be off by, its dtype being what it is."""
    return 8 * torch.finfo(c.dtype).eps * float(c.abs().max())


def best(c: torch.Tensor) -> float:
    """Least mean cost over all permutations, n <= 7."""
    n = len(c)
    every = np.array(list(permutations(range(n))))
    return c.double().numpy()[np.arange(n), every].mean(-1).min()


@settings(deadline=None, max_examples=120)
@given(costs(largest=7))
def test_no_permutation_is_cheaper(c):
    columns = match(c)
    assert columns.dtype == torch.int64 and columns.sort().values.tolist() == list(range(len(c)))
    assert float(c.double().gather(1, columns[:, None]).mean()) == pytest.approx(best(c), abs=rounding(c))


@settings(deadline=None, max_examples=120)
@given(costs(largest=40))
def test_scipy_finds_no_cheaper_matching_and_the_potentials_prove_it(c):
    solved = solve(c)
    exact = c.double().numpy()
    optimum = exact[linear_sum_assignment(exact)].mean()
    assert float(solved.value) == pytest.approx(optimum, abs=rounding(c))
    assert float(solved.value) == pytest.approx(exact[np.arange(len(c)), solved.columns].mean(), rel=1e-14)
    u, v = solved.row_potential, solved.column_potential
    assert u.dtype == v.dtype == solved.value.dtype == solved.gap.dtype == torch.float64
    assert float((u[:, None] + v - c.double()).max()) <= 1e-14 * float(c.abs().max())
    assert float(solved.gap) == pytest.approx(float(solved.value - u.mean() - v.mean()), abs=1e-30)
    assert -1e-14 * float(c.abs().max()) <= float(solved.gap) <= rounding(c)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 30), st.integers(1, 50), st.integers(0, 2**32), st.sampled_from([torch.float32, torch.float64]))
def test_integer_costs_are_matched_exactly(n, largest, seed, dtype):
    whole = np.random.default_rng(seed).integers(0, largest, (n, n))
    columns = match(torch.tensor(whole, dtype=dtype))
    assert whole[np.arange(n), columns].sum() == whole[linear_sum_assignment(whole)].sum()


@settings(deadline=None, max_examples=100)
@given(costs(largest=7), st.randoms(use_true_random=False))
def test_the_potentials_tell_how_far_from_optimal_any_matching_is(c, random):
    solved = solve(c)
    columns = list(range(len(c)))
    random.shuffle(columns)
    value = float(c.double()[torch.arange(len(c)), columns].mean())
    gap = value - float(solved.row_potential.mean() + solved.column_potential.mean())
    assert gap == pytest.approx(value - best(c), abs=2 * rounding(c))


def test_a_matching_that_is_not_optimal_cannot_be_proved():
    both = solve(torch.tensor([[[0.0, 1.0], [1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]]))
    assert both.columns.tolist() == [[0, 1], [1, 0]]
    assert both.value.tolist() == both.gap.tolist() == [0, 0]
    # The swapped matchings cost 1, and the potentials prove only 0.
    assert (1 - both.row_potential.mean(-1) - both.column_potential.mean(-1)).tolist() == [1, 1]


@pytest.mark.parametrize("order", [1, -1])
def test_the_longest_chain_of_potentials_is_followed(order):
    # Row i has its own column at cost 1 and the next one free; only the last row's way back, at cost n + 1, keeps the
    # identity optimal. Each potential is at least 1 below the one before it, and all n steps have a slack of 1 between
    # them: each is known only after the one before it.
    n = 60
    c = torch.full((n, n), 3.0 * n, dtype=torch.float64)
    c.diagonal().fill_(1)
    c.diagonal(1).fill_(0)
    c[-1, 0] = n + 1
    solved = solve(c.flip(0, 1) if order < 0 else c)
    assert solved.columns.tolist() == list(range(n))
    v = solved.column_potential if order > 0 else solved.column_potential.flip(0)
    assert (v[:-1] - v[1:] >= 1).all() and n - 1 <= float(v[0] - v[-1]) <= n
    assert float(solved.value) == 1 and float(solved.gap) == 0


def test_leading_axes_are_matched_one_by_one():
    rng = np.random.default_rng(0)
    c = torch.tensor(rng.normal(size=(2, 3, 9, 9)) * 10.0 ** rng.integers(-6, 6, (2, 3, 1, 1)))
    together = solve(c)
    assert together.columns.shape == together.row_potential.shape == (2, 3, 9)
    assert together.value.shape == together.gap.shape == (2, 3)
    assert torch.equal(match(c), together.columns)
    for lead in np.ndindex(2, 3):
        alone = solve(c[lead])
        assert torch.equal(together.columns[lead], alone.columns)
        torch.testing.assert_close(together.value[lead], alone.value)
        torch.testing.assert_close(together.row_potential[lead], alone.row_potential)
        torch.testing.assert_close(together.column_potential[lead], alone.column_potential)


def test_the_layout_of_the_cost_does_not_matter_and_it_is_left_alone():
    c = torch.tensor(np.random.default_rng(0).normal(size=(3, 8, 8)))
    before = c.clone()
    columns = match(c.requires_grad_())
    assert torch.equal(match(c.mT), columns.argsort(-1))
    assert not solve(c).value.requires_grad
    assert torch.equal(c, before)


@pytest.mark.parametrize("function", [match, solve])
@pytest.mark.parametrize(
    ("c", "message"),
    [
        (torch.zeros(3, 4), r"cost must be \(\.\.\., n, n\), got \(3, 4\)"),
        (torch.zeros(3), r"got \(3,\)"),
        (torch.zeros(0, 0), r"nothing to match: cost of shape \(0, 0\) is empty"),
        (torch.zeros(0, 3, 3), "is empty"),
        (torch.zeros(3, 3, dtype=torch.int64), r"float32 or float64, got torch\.int64"),
        (torch.zeros(3, 3, dtype=torch.bfloat16), r"float32 or float64, got torch\.bfloat16"),
        (torch.tensor([[0.0, torch.nan], [torch.inf, -torch.inf]]), "holds 3 entries that are NaN or infinite"),
        (torch.stack([torch.zeros(2, 2), torch.full((2, 2), torch.inf)]), "holds 4 entries"),
    ],
)
def test_what_cannot_be_matched_is_refused(function, c, message):
    with pytest.raises(ValueError, match=message):
        function(c)


def test_potentials_that_lost_digits_are_noticed():
    x, y = (torch.from_numpy(np.random.default_rng(seed).normal(size=(2, 40, 2))) for seed in (0, 1))
    x[1, 0], y[1, -1] = 1e20, 1e20
    matrices = cost(x, y)
    solved = solve(matrices)
    assert imprecise(matrices, solved.columns, solved.row_potential, solved.column_potential).tolist() == [False, False]
    # A price that falls to minus the largest cost, as in an auction, is right for the far point and has no digits left.
    u, v = solved.row_potential.clone(), solved.column_potential.clone()
    u[1] += 1e20
    v[1] -= 1e20
    assert imprecise(matrices, solved.columns, u, v).tolist() == [False, True]
