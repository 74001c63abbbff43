"""Batches of small assignment problems against scipy, and the potentials that prove each answer."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from pwgan.transport.solvers import dense
from pwgan.transport.solvers.dense import solve_dense

KINDS = (
    "normal",
    "integers",
    "constant",
    "duplicates",
    "line",
    "range",
    "modes",
    "point",
    "products",
    "outlier",
    "offset",
    "zero",
)


def distances(x, y):
    return np.linalg.norm(x[:, :, None] - y[:, None], axis=-1)


def grid(rng, shape, modes):
    """Points around the first ``modes`` of 25 modes on a grid."""
    centres = np.stack(np.meshgrid(np.arange(5.0), np.arange(5.0)), -1).reshape(25, 2)
    return centres[rng.integers(modes, size=shape)] + 0.025 * rng.normal(size=(*shape, 2))


def problems(kind, batch, m, rng):
    """Cost matrices (batch, m, m) of a kind; the collapsed, tied and duplicated ones are hard for plain solvers."""
    x, y = rng.normal(size=(2, batch, m, 3))
    if kind == "normal":
        return rng.normal(size=(batch, m, m))
    if kind == "integers":
        return rng.integers(-3, 4, (batch, m, m)).astype(float)
    if kind == "constant":
        return np.full((batch, m, m), rng.normal())
    if kind == "duplicates":
        copies = rng.integers((m + 1) // 2, size=(2, m))
        return distances(x[:, copies[0]], x[:, copies[1]])
    if kind == "line":
        return distances(x[..., :1], y[..., :1])
    if kind == "range":
        return 10.0 ** rng.uniform(-12, 12, (batch, m, m)) * rng.choice([-1.0, 1.0], (batch, m, m))
    if kind == "modes":
        return distances(grid(rng, (batch, m), 25), grid(rng, (batch, m), 5))
    if kind == "point":
        return distances(x, 1e-3 * y)
    if kind == "products":
        return np.tile(np.outer(np.arange(1.0, m + 1), np.arange(1.0, m + 1)), (batch, 1, 1))
    if kind == "outlier":
        x[:, 0] = 1e9
        return distances(x, y)
    if kind == "offset":
        return distances(x, y) - 1e9
    return np.zeros((batch, m, m))


def check(costs, columns, u, v):
    """A permutation, as cheap as scipy's, potentials feasible and tight on it."""
    m = costs.shape[-1]
    assert columns.dtype == np.int64 and u.dtype == v.dtype == np.float64
    for c, pi, row, column in zip(costs.astype(np.float64), columns, u, v, strict=True):
        assert sorted(pi) == list(range(m))
        value = c[np.arange(m), pi].mean()
        unit = max(abs(value), 1e-3 * np.abs(c).mean())
        best = c[linear_sum_assignment(c)].mean()
        assert abs(value - best) <= 1e-9 * unit
        rounding = 1e-14 * (np.abs(c).max() + np.abs(column).max())
        slack = c - row[:, None] - column
        assert slack.min() >= -rounding
        assert slack[np.arange(m), pi].max() <= rounding
        assert abs(value - row.mean() - column.mean()) <= 1e-9 * unit


@st.composite
def batches(draw):
    m = draw(st.one_of(st.integers(1, 3), st.integers(1, 40)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    costs = problems(draw(st.sampled_from(KINDS)), draw(st.integers(1, 3)), m, rng)
    return costs.astype(draw(st.sampled_from([np.float32, np.float64])), order="C")


@settings(deadline=None, max_examples=300)
@given(batches())
def test_small_problems_are_solved_exactly(costs):
    check(costs, *solve_dense(costs, 1))


@pytest.mark.parametrize("kind", KINDS)
def test_problems_large_enough_for_the_auction_are_solved_exactly(kind):
    costs = problems(kind, 1, 300, np.random.default_rng(1))
    check(costs, *solve_dense(costs, 1))


@settings(deadline=None, max_examples=100)
@given(batches())
def test_the_auction_is_exact_where_it_would_not_be_called(costs):
    for c in costs.astype(np.float64, order="C"):
        n = len(c)
        v, least, keys = np.empty(n), np.empty(n), np.empty((3, n))
        row, column, index = np.empty(n, np.int32), np.empty(n, np.int32), np.empty((2, n), np.int32)
        dense._reduce_columns(c, v, keys[0])
        dense._take_free(c, v, least, row, column, keys[0])
        dense._auction(c, v, row, column, index[0], keys[0])
        dense._tighten(c, v, least, row, column, keys[0])
        dense._augment(c, v, row, column, index, keys, n * n)
        assert (least <= (c - v).min(1)).all()
        check(c[None], column[None].astype(np.int64), (c - v).min(1)[None], v[None])


def test_the_budget_of_paths_is_kept_and_the_work_done_so_far_stays_optimal():
    c = problems("modes", 1, 60, np.random.default_rng(0))[0]
    v, least, keys = np.empty(60), np.empty(60), np.empty((3, 60))
    row, column, index = np.empty(60, np.int32), np.empty(60, np.int32), np.empty((2, 60), np.int32)
    dense._reduce_columns(c, v, keys[0])
    left, _ = dense._take_free(c, v, least, row, column, keys[0])
    assert not dense._augment(c, v, row, column, index, keys, 60)
    matched = column >= 0
    assert 60 - left < matched.sum() < 60
    np.testing.assert_array_equal(row[column[matched]], np.flatnonzero(matched))
    slack = c - v - (c - v).min(1, keepdims=True)
    assert slack[matched, column[matched]].max() <= 1e-14


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_any_number_of_threads_gives_the_same_bits(dtype):
    rng = np.random.default_rng(3)
    costs = np.concatenate([problems(kind, 40, 48, rng) for kind in ("modes", "normal", "integers")]).astype(
        dtype, order="C"
    )
    alone = solve_dense(costs, 1)
    for threads in (2, 5):
        for one, several in zip(alone, solve_dense(costs, threads), strict=True):
            np.testing.assert_array_equal(one, several)
    by_itself = solve_dense(costs[77:78], 1)
    for one, several in zip(by_itself, alone, strict=True):
        np.testing.assert_array_equal(one[0], several[77])


def test_float32_costs_are_solved_in_float64():
    costs = problems("normal", 3, 50, np.random.default_rng(8)).astype(np.float32)
    for narrow, wide in zip(solve_dense(costs, 1), solve_dense(costs.astype(np.float64), 1), strict=True):
        np.testing.assert_array_equal(narrow, wide)


@pytest.mark.parametrize("scale", [1e-310, 1e-200, 1e200, 1e306])
def test_costs_of_any_finite_size(scale):
    costs = np.random.default_rng(4).uniform(-1, 1, (2, 30, 30)) * scale
    columns, u, v = solve_dense(costs, 1)
    check(costs / scale, columns, u / scale, v / scale)


def test_costs_are_left_alone_and_an_empty_batch_has_an_answer():
    costs = problems("modes", 2, 30, np.random.default_rng(5))
    kept = costs.copy()
    solve_dense(costs, 2)
    np.testing.assert_array_equal(costs, kept)
    columns, u, v = solve_dense(np.empty((0, 4, 4)), 2)
    assert columns.shape == u.shape == v.shape == (0, 4)


@pytest.mark.parametrize(
    ("costs", "threads", "said"),
    [
        (np.zeros((2, 3, 4)), 1, r"\(2, 3, 4\)"),
        (np.zeros((3, 3)), 1, r"\(3, 3\)"),
        (np.zeros((2, 0, 0)), 1, "m >= 1"),
        (np.zeros((2, 3, 3), np.int64), 1, "int64"),
        (np.zeros((2, 3, 3)).transpose(0, 2, 1), 1, "C-contiguous"),
        (np.zeros((2, 3, 3)), 0, "at least 1, got 0"),
    ],
)
def test_what_cannot_be_solved_is_refused(costs, threads, said):
    with pytest.raises(ValueError, match=said):
        solve_dense(costs, threads)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_entries_that_are_not_finite_are_refused_and_their_problem_named(bad, threads):
    costs = np.random.default_rng(6).normal(size=(300, 20, 20))
    costs[211, 3, 4] = bad
    with pytest.raises(ValueError, match="problem 211 "):
        solve_dense(costs, threads)


def test_an_interrupt_drops_the_blocks_that_have_not_begun():
    began = []
    others_wait = threading.Event()

    def work(block):
        began.append(block)
        if block == 0:
            raise KeyboardInterrupt
        others_wait.wait(0.2)

    with pytest.raises(KeyboardInterrupt):
        dense._spread(work, range(1000), 2)
    assert len(began) < 500


def test_it_may_be_called_from_several_threads():
    costs = problems("modes", 8, 40, np.random.default_rng(7))
    expected = solve_dense(costs, 1)[0]
    with ThreadPoolExecutor(3) as pool:
        for columns, _, _ in pool.map(lambda _: solve_dense(costs, 2), range(6)):
            np.testing.assert_array_equal(columns, expected)
