"""The list-based exact solver against scipy and rational arithmetic, on points made to break it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from scipy.stats import wasserstein_distance
from tqdm import tqdm

from pwgan.errors import Refused
from pwgan.options import CostName
from pwgan.transport.certificate import certificate
from pwgan.transport.empirical import ewd, wasserstein
from pwgan.transport.solvers import exact, paths
from pwgan.transport.solvers.exact import Exact, Solver, solve_exact
from pwgan.transport.solvers.screen import DeviceScreen, Screen

COSTS: tuple[CostName, ...] = ("euclidean", "sqeuclidean")
KINDS = (
    "general",
    "grid",
    "copies",
    "copies of x",
    "one point",
    "same",
    "collapsed",
    "three modes",
    "line",
    "outlier",
    "offset",
    "near",
    "scales",
)
SEEDS = st.integers(0, 2**32)
DTYPES = st.sampled_from([torch.float32, torch.float64])


def make(kind: str, n: int, d: int, seed: int, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(2, n, d))
    if kind == "grid":
        x, y = np.round(2 * x), np.round(2 * y)
    elif kind == "copies":
        x, y = x[rng.integers(0, (n + 2) // 3, n)], y[rng.integers(0, (n + 1) // 2, n)]
    elif kind == "copies of x":
        y = x[rng.integers(0, (n + 1) // 2, n)]
    elif kind == "one point":
        x[:] = y[:] = x[0]
    elif kind == "same":
        y = x[rng.permutation(n)]
    elif kind == "collapsed":
        y[:] = y[0]
    elif kind == "three modes":
        y = y[rng.integers(0, min(3, n), n)]
    elif kind == "line":
        direction = rng.normal(size=d)
        x, y = x[:, :1] * direction, y[:, :1] * direction
    elif kind == "outlier":
        x[rng.integers(n)] = 1e6
    elif kind == "offset":
        x, y = (10.0 ** rng.integers(4, 9) + 1e-6 * rng.integers(-40, 40, (n, d)) for _ in range(2))
        y += x[0] - y[0]
    elif kind == "near":
        y = x + 1e-7 * y
    elif kind == "scales":
        x, y = (10.0 ** rng.integers(-9, 7, (n, 1)) * points for points in (x, y))
    return torch.tensor(x, dtype=dtype), torch.tensor(y, dtype=dtype)


@st.composite
def pairs(draw: st.DrawFn, most: int = 200) -> tuple[torch.Tensor, torch.Tensor]:
    n = draw(st.one_of(st.integers(1, 3), st.integers(1, most)))
    d = draw(st.sampled_from([1, 2, 3, 9, 50]))
    return make(draw(st.sampled_from(KINDS)), n, d, draw(SEEDS), draw(DTYPES))


def costs(x: torch.Tensor, y: torch.Tensor, cost: CostName) -> np.ndarray:
    """All n^2 costs in float64, by direct differences."""
    squared = np.stack([np.square(a - y.double().numpy()).sum(1) for a in x.double().numpy()])
    return squared if cost == "sqeuclidean" else np.sqrt(squared)


def check(x: torch.Tensor, y: torch.Tensor, cost: CostName, found: Exact) -> None:
    c = costs(x, y, cost)
    n = len(c)
    assert found.columns.dtype == np.int64 and np.array_equal(np.sort(found.columns), np.arange(n))
    own = c[np.arange(n), found.columns]
    np.testing.assert_allclose(found.paid, own, rtol=1e-13, atol=0)
    optimum = c[linear_sum_assignment(c)].mean()
    # Of the value, and for values near 0 a few units in the last place of the matched costs; not of the largest cost.
    near = 1e-9 * optimum + 1e-15 * own.max()
    assert abs(own.mean() - optimum) <= near
    u, v = found.row_potential, found.column_potential
    size = 1e-15 * (np.abs(u).max() + np.abs(v).max())
    assert abs(own.mean() - u.mean() - v.mean()) <= near + size
    assert (u[:, None] + v - c).max() <= 1e-9 * own.max() + size


@contextmanager
def screened(x: torch.Tensor, y: torch.Tensor, cost: CostName) -> Iterator[tuple[Screen, ThreadPoolExecutor]]:
    with ThreadPoolExecutor(1) as pool:
        part = np.zeros(len(x), np.int32)
        yield Screen(x.numpy(), y.numpy(), cost == "sqeuclidean", np.inf, part, pool, tqdm(disable=True), True), pool


def make_solver(screen: Screen, pool: ThreadPoolExecutor, price: np.ndarray, slack: float) -> Solver:
    return Solver(screen, pool, 1, price, slack, tqdm(disable=True))


@settings(deadline=None, max_examples=150)
@given(pairs(), st.sampled_from(COSTS), st.sampled_from([4, 32]))
def test_scipy_finds_no_cheaper_matching_and_the_potentials_prove_it(given, cost, candidates):
    with pytest.MonkeyPatch.context() as patch:
        # Few candidates: lists run short, are scanned again, and grow.
        patch.setattr(exact, "CANDIDATES", candidates)
        check(*given, cost, solve_exact(*given, cost))


@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_points_at_two_hundred(kind, cost):
    for d in (1, 3, 50):
        x, y = make(kind, 200, d, d, torch.float64)
        check(x, y, cost, solve_exact(x, y, cost))


@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("scale", [1e-30, 1e-12, 1e12, 1e30])
def test_points_of_any_size(scale, cost):
    for d in (2, 50):
        x, y = make("general", 120, d, 0, torch.float64)
        check(scale * x, scale * y, cost, solve_exact(scale * x, scale * y, cost))


@pytest.mark.parametrize("scale", [1e-70, 1e-25, 1e25, 1e70])
@pytest.mark.parametrize("cost", COSTS)
def test_no_scale_is_too_large_or_too_small(scale, cost):
    x, y = make("general", 20, 2, 0, torch.float64)
    found, usual = solve_exact(scale * x, scale * y, cost), solve_exact(x, y, cost)
    unit = scale**2 if cost == "sqeuclidean" else scale
    assert found.paid.mean() == pytest.approx(unit * usual.paid.mean(), rel=1e-12)
    value = found.row_potential.mean() + found.column_potential.mean()
    assert value == pytest.approx(unit * usual.paid.mean(), rel=1e-9)


def test_on_a_line_sorted_points_meet():
    x, y = make("general", 700, 1, 0, torch.float64)
    found = solve_exact(x, 3 * y, "euclidean")
    assert found.paid.mean() == pytest.approx(wasserstein_distance(x[:, 0], 3 * y[:, 0]), rel=1e-12)
    quadratic = solve_exact(x, 3 * y, "sqeuclidean")
    assert np.array_equal(quadratic.columns[x[:, 0].argsort()], y[:, 0].argsort())


@pytest.mark.parametrize("cost", COSTS)
def test_images(cost):
    x, y = make("general", 600, 784, 0, torch.float32)
    check(x, y, cost, solve_exact(x, y, cost))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_generator_that_lost_its_modes(dtype):
    # 25 modes against 3 of them: whole clusters must pay for the same few columns.
    rng = np.random.default_rng(0)
    modes = np.stack(np.meshgrid(*[np.arange(-4.0, 5, 2)] * 2), -1).reshape(-1, 2)
    x, y = (modes[rng.integers(0, kept, 800)] + 0.05 * rng.normal(size=(800, 2)) for kept in (25, 3))
    x, y = torch.tensor(x, dtype=dtype), torch.tensor(y, dtype=dtype)
    found = solve_exact(x, y, "euclidean")
    check(x, y, "euclidean", found)
    answers = (torch.from_numpy(a) for a in (found.columns, found.row_potential, found.column_potential))
    proved = certificate(x, y, *answers)
    assert proved.error(float(found.paid.mean())) <= 1e-12 * proved.value


@settings(deadline=None, max_examples=60)
@given(pairs(most=100), st.sampled_from(COSTS))
def test_the_screen_never_exceeds_a_cost(given, cost):
    x, y = given
    wide = np.longdouble
    squared = np.square(x.numpy().astype(wide)[:, None] - y.numpy().astype(wide)).sum(-1)
    true = squared if cost == "sqeuclidean" else np.sqrt(squared)
    with screened(x, y, cost) as (screen, _):
        bound = screen.low[:, None].astype(wide) + screen.step[:, None].astype(wide) * screen.codes
    assert (bound <= true * (1 + x.shape[1] * np.finfo(wide).eps)).all()
    # Nor is it idle: what it loses is about a step, the rounding of the points to float32, and that of their centring.
    spread = torch.cat([x, y]).double()
    radius = float((spread - spread.mean(0)).norm(dim=1).max()) + 1e-12 * float(spread.norm(dim=1).max())
    # Columns much farther than most share the largest code.
    lost = np.where(screen.codes < 65535, np.maximum(true - bound, 0), 0).max()
    lost = lost if cost == "euclidean" else np.sqrt(lost)
    assert lost <= 5e-2 * radius


@settings(deadline=None, max_examples=40)
@given(pairs(most=6), st.sampled_from(COSTS))
def test_the_screen_never_exceeds_a_cost_in_rational_numbers(given, cost):
    x, y = given
    with screened(x, y, cost) as (screen, _):
        for i, a in enumerate(x.tolist()):
            for j, b in enumerate(y.tolist()):
                squared = sum((Fraction(p) - Fraction(q)) ** 2 for p, q in zip(a, b, strict=True))
                bound = Fraction(float(screen.low[i])) + Fraction(float(screen.step[i])) * int(screen.codes[i, j])
                assert (bound if cost == "sqeuclidean" else bound**2) <= squared


@settings(deadline=None, max_examples=60)
@given(pairs(most=100), st.sampled_from(COSTS), SEEDS, st.floats(1e-9, 1))
def test_the_refined_screen_never_exceeds_a_key(given, cost, seed, width):
    x, y = given
    n, d = x.shape
    wide = np.longdouble
    squared = np.square(x.numpy().astype(wide)[:, None] - y.numpy().astype(wide)).sum(-1)
    true = squared if cost == "sqeuclidean" else np.sqrt(squared)
    scale = max(float(np.median(true)), 1e-20)
    price = -scale * np.random.default_rng(seed).exponential(size=n)
    with screened(x, y, cost) as (screen, _):
        screen.refine(price, width * scale)
        bound = screen.low[:, None].astype(wide) + screen.step[:, None].astype(wide) * screen.codes
        np.testing.assert_array_equal(screen.reference, price)
    rounding = (d + 8) * np.finfo(np.float64).eps * (true + np.abs(price))
    assert (bound <= true - price + rounding).all()


@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("dimension", [2, 50])
def test_a_refined_screen_tells_more_keys_apart(dimension, cost):
    x, y = make("near", 150, dimension, 0, torch.float64)
    c = costs(x, y, cost)
    price = -np.random.default_rng(0).exponential(size=150) * 1e-6
    close = c - price - (c - price).min(1, keepdims=True) < 1e-7
    assert close.any(1).all()
    with screened(x, y, cost) as (screen, _):
        screen.refine(price, 1e-11)
        bound = screen.low[:, None] + screen.step[:, None].astype(float) * screen.codes
    # Near zero a squared distance by products is known to 1e-12, its root to 1e-6.
    known = 2e-6 if cost == "euclidean" and dimension > Screen.few_axes else 1e-10
    assert (c - price - bound)[close].max() <= known


def check_lists(solver: Solver, c: np.ndarray) -> None:
    """Costs are exact, no column is listed twice, and ``outside`` bounds the key of every other column."""
    n = len(c)
    for i in range(n):
        entries = slice(solver.first[i], solver.first[i] + solver.size[i])
        listed = solver.columns[entries][solver.costs[entries] < np.inf]
        assert len(np.unique(listed)) == len(listed) > 0
        np.testing.assert_allclose(solver.costs[entries][: len(listed)], c[i, listed], rtol=1e-13, atol=0)
        others = np.delete(np.arange(n), listed)
        rounding = 64 * np.finfo(float).eps * (c[i] + np.abs(solver.price)).max()
        assert (c[i, others] - solver.price[others] >= solver.outside[i] - rounding).all()


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(KINDS),
    st.integers(1, 400),
    st.sampled_from([1, 2, 9]),
    SEEDS,
    DTYPES,
    st.sampled_from(COSTS),
    st.sampled_from([1, 3, 8, 32]),
    st.sampled_from([1, 2, 8, 0]),
    st.sampled_from(["zero", "random", "tied", "refined"]),
)
def test_a_list_bounds_every_column_it_leaves_out(kind, n, d, seed, dtype, cost, candidates, deep, prices):
    x, y = make(kind, n, d, seed, dtype)
    c = costs(x, y, cost)
    scale = float(np.median(c))
    rng = np.random.default_rng(seed)
    price = scale * (np.zeros(n) if prices == "zero" else rng.normal(size=n))
    if prices == "tied":
        price = scale * np.round(price / scale) if scale else price
    with pytest.MonkeyPatch.context() as patch, screened(x, y, cost) as (screen, pool):
        patch.setattr(exact, "CANDIDATES", candidates)
        if prices == "refined" and scale > 0:
            screen.refine(price - 1e-3 * scale * rng.exponential(size=n), 1e-6 * scale)
        slack = 1e-3 * scale
        solver = make_solver(screen, pool, price, slack)
        check_lists(solver, c)
        # Prices only fall: the bounds hold on, and a new list is one of the new keys.
        solver.price -= scale * rng.exponential(size=n) * rng.integers(0, 2, n)
        check_lists(solver, c)
        rows = rng.permutation(n)[: (n + 1) // 2].astype(np.int32)
        solver.scan(rows, deep, slack)
        check_lists(solver, c)
        # The least of a new list is as good as the least of all.
        least = (c - solver.price).min(1)
        assert (solver.best()[rows] <= least[rows] + slack + 1e-12 * (c.max() + np.abs(solver.price).max())).all()


# How points lie, how many there are, their seed, and how many candidates a list starts with.
POINTS_AND_LISTS = (
    st.sampled_from(["general", "grid", "copies", "three modes", "outlier"]),
    st.integers(2, 80),
    SEEDS,
    st.sampled_from([3, 8, 80]),
)


def lists_at(x: torch.Tensor, y: torch.Tensor, candidates: int, price: np.ndarray, slack: float) -> Solver:
    """Return a solver that holds the lists of these prices and has matched nothing."""
    with pytest.MonkeyPatch.context() as patch, screened(x, y, "euclidean") as (screen, pool):
        patch.setattr(exact, "CANDIDATES", candidates)
        return make_solver(screen, pool, price, slack)


def admissible(solver: Solver, c: np.ndarray, rounding: float) -> np.ndarray:
    """Rows from which best columns, and the rows that own them, lead to a free column."""
    keys = c - solver.price
    tight = keys <= keys.min(1, keepdims=True) + rounding
    leads = np.zeros(len(c), bool)
    for _ in range(len(c)):
        arrives = solver.owner < 0
        arrives |= leads[solver.owner]
        leads = tight[:, arrives].any(1)
    return leads


@settings(deadline=None, max_examples=60)
@given(
    *POINTS_AND_LISTS,
    st.floats(1e-6, 0.3),
)
@example("general", 60, 0, 3, 0.01)
def test_lowered_prices_keep_every_pair_within_epsilon(kind, n, seed, candidates, tolerance):
    x, y = make(kind, n, 2, seed, torch.float64)
    c = costs(x, y, "euclidean")
    scale = float(np.median(c))
    epsilon = tolerance * scale
    rng = np.random.default_rng(seed)
    solver = lists_at(x, y, candidates, -0.1 * scale * rng.exponential(size=n), epsilon / 2)
    keys = c - solver.price
    for i in rng.permutation(n):
        for j in np.flatnonzero(keys[i] <= keys[i].min() + epsilon):
            if solver.owner[j] < 0:
                solver.partner[i], solver.owner[j], solver.paid[i] = j, i, c[i, j]
                break
    before = solver.price.copy()
    paths.lower_prices(epsilon, solver.price, *solver._lists, solver.outside, *solver._pairs)
    free = solver.owner < 0
    np.testing.assert_array_equal(solver.price[free], before[free])
    assert (solver.price <= before).all()
    rows = np.flatnonzero(solver.partner >= 0)
    keys = c - solver.price
    rounding = 1e-12 * (c.max() + np.abs(solver.price).max())
    assert (keys[rows, solver.partner[rows]] <= keys[rows].min(1) + epsilon + rounding).all()
    if candidates >= n:
        assert admissible(solver, c, rounding)[solver.partner < 0].all()
    elif free.any() and not free.all():
        check_lists(solver, c)


@settings(deadline=None, max_examples=60)
@given(
    *POINTS_AND_LISTS,
    st.booleans(),
)
def test_tightening_finds_the_potentials_of_an_optimal_matching_and_keeps_bounds_for_any(
    kind, n, seed, candidates, optimal
):
    x, y = make(kind, n, 2, seed, torch.float64)
    c = costs(x, y, "euclidean")
    found = solve_exact(x, y, "euclidean")
    rng = np.random.default_rng(seed)
    start = found.column_potential - 1e-3 * float(np.median(c)) * rng.random(n)
    solver = lists_at(x, y, candidates, start.copy(), 0.0)
    columns = found.columns if optimal else rng.permutation(n)
    solver.partner[:], solver.owner[columns], solver.paid[:] = columns, np.arange(n), c[np.arange(n), columns]
    rounding = 1e-12 * (c.max() + np.abs(start).max())
    paths.tighten(4 * n, rounding, solver.price, *solver._lists, solver.outside, solver.partner, solver.paid)
    assert (solver.price <= start + rounding).all()
    if candidates >= n and optimal:
        keys = c - solver.price
        assert (keys[np.arange(n), columns] <= keys.min(1) + 2 * rounding).all()
    elif candidates < n:
        check_lists(solver, c)


def far(kind: str, n: int, d: int, seed: int, value: float) -> tuple[np.ndarray, np.ndarray]:
    """Points of which some are far away: on both sides alike, on both or one side at random, or in clusters."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(2, n, d))
    some = max(n // 20, 1)
    if kind == "fill values":
        x[:some], y[-some:] = value, value
    elif kind == "one side":
        x[:some] *= value
    elif kind == "both sides":
        x[:some] *= value
        y[:some] *= value
    elif kind == "a far cluster":
        x[:some] += value
        y[-some:] += value
    else:
        labels = np.arange(n) % 3, rng.integers(0, 3, n) if kind == "uneven clusters" else rng.permutation(n) % 3
        x, y = (
            side + np.array([0, np.sqrt(value), value])[label][:, None]
            for side, label in zip((x, y), labels, strict=True)
        )
    return x, y


FAR = ("fill values", "one side", "both sides", "a far cluster", "clusters", "uneven clusters")


def least_cost(x: np.ndarray, y: np.ndarray, square: bool) -> float:
    """Least mean cost by scipy, on costs limited to the total cost of a matching, which no optimal one can exceed.

    Without the limit scipy, too, loses digits in its potentials.
    """
    c = costs(torch.from_numpy(x), torch.from_numpy(y), "sqeuclidean" if square else "euclidean")
    total = c[linear_sum_assignment(c)].sum()
    return float(c[linear_sum_assignment(np.minimum(c, total))].mean())


@pytest.mark.fault("far points")
@pytest.mark.parametrize("sparse", [False, True], ids=["any solver", "lists only"])
@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("value", [1e6, 1e12, 1e20])
@pytest.mark.parametrize("kind", FAR)
def test_far_points_leave_every_digit(monkeypatch, kind, value, cost, sparse):
    if sparse:
        monkeypatch.setattr(exact, "WIDE", np.inf)
    for d in (2, 12):
        x, y = far(kind, 200, d, 0, value)
        found = solve_exact(torch.from_numpy(x), torch.from_numpy(y), cost)
        expected = least_cost(x, y, cost == "sqeuclidean")
        assert abs(found.paid.mean() - expected) <= 1e-9 * expected
        assert found.error() <= 1e-9 * expected
        dense = wasserstein(torch.from_numpy(x), torch.from_numpy(y), cost)
        assert abs(float(dense.value) - expected) <= 1e-9 * expected


@pytest.mark.fault("far points", count=40)
@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from(FAR),
    st.integers(2, 80),
    st.integers(2, 12),
    SEEDS,
    st.floats(0, 20),
    st.sampled_from(COSTS),
    st.booleans(),
)
def test_any_far_points_leave_every_digit(kind, n, d, seed, decades, cost, sparse):
    x, y = far(kind, n, d, seed, 10.0**decades)
    expected = least_cost(x, y, cost == "sqeuclidean")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact, "WIDE", np.inf if sparse else exact.WIDE)
        for found in (
            solve_exact(torch.from_numpy(x), torch.from_numpy(y), cost).paid.mean(),
            float(wasserstein(torch.from_numpy(x), torch.from_numpy(y), cost).value),
        ):
            assert abs(found - expected) <= 1e-9 * expected


@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize(
    ("kind", "d"), [("general", 2), ("three modes", 2), ("copies", 3), ("general", 12), ("grid", 12)]
)
def test_without_memory_for_all_bounds_the_answer_is_the_same(monkeypatch, kind, d, cost):
    x, y = make(kind, 400, d, 0, torch.float64)
    usual = solve_exact(x, y, cost)
    monkeypatch.setattr(exact, "SHARE", 0.0)
    found = solve_exact(x, y, cost)
    check(x, y, cost, found)
    assert found.paid.mean() == pytest.approx(usual.paid.mean(), rel=1e-12)


def test_what_does_not_fit_into_memory_is_refused_with_its_size(monkeypatch):
    monkeypatch.setattr(exact, "free_memory", lambda: 100_000)
    x, y = make("general", 300, 2, 0, torch.float64)
    with pytest.raises(Refused, match=r"300 points in 2 dimensions takes at least 0.0 GB"):
        solve_exact(x, y, "euclidean")


@settings(deadline=None, max_examples=30)
@given(pairs(most=120), st.sampled_from(COSTS))
def test_the_screen_of_a_gpu_ends_at_the_optimum_too(given, cost):
    # On a CPU its kernels have a reference in plain torch.
    def screen(a: np.ndarray, b: np.ndarray, _: bool, ceiling: float, *__: object, **___: object) -> DeviceScreen:
        return DeviceScreen(torch.from_numpy(a), torch.from_numpy(b), cost, ceiling)

    x, y = given
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact, "Screen", screen)
        check(x, y, cost, solve_exact(x, y, cost))


@settings(deadline=None, max_examples=40)
@given(pairs(most=120), st.sampled_from(COSTS), SEEDS, st.sampled_from(["perturbed", "noise", "huge", "constant"]))
def test_any_potentials_to_begin_with_end_at_the_optimum(given, cost, seed, kind):
    x, y = given
    rng = np.random.default_rng(seed)
    scale = float(costs(x, y, cost).max())
    if kind == "perturbed":
        moved = x + 1e-2 * x.std(0, correction=0) * torch.tensor(rng.normal(size=x.shape), dtype=x.dtype)
        nearby = solve_exact(moved, y, cost)
        potentials = nearby.row_potential, nearby.column_potential
    else:
        noise = {"noise": 1.0, "huge": 1e3, "constant": 0.0}[kind] * scale
        potentials = tuple(noise * rng.normal(size=(2, len(x))) + scale)
    before = [side.copy() for side in potentials]
    check(x, y, cost, solve_exact(x, y, cost, potentials=potentials))
    np.testing.assert_array_equal(potentials, before)


@pytest.mark.parametrize(("kind", "d"), [("general", 2), ("general", 50), ("three modes", 2), ("grid", 3)])
def test_any_number_of_threads_gives_the_same_bits(kind, d):
    x, y = make(kind, 600, d, 0, torch.float32)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = solve_exact(x, y, "euclidean")
        torch.set_num_threads(2)
        two = solve_exact(x, y, "euclidean")
    finally:
        torch.set_num_threads(threads)
    for name in ("columns", "row_potential", "column_potential", "paid"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    assert one.rounds == two.rounds


def test_the_points_are_left_alone_and_narrow_dtypes_are_exact():
    x, y = (points.to(torch.float16) for points in make("general", 50, 3, 0, torch.float32))
    before = x.clone(), y.clone()
    narrow, wide = solve_exact(x, y, "euclidean"), solve_exact(x.double(), y.double(), "euclidean")
    assert narrow.paid.mean() == pytest.approx(wide.paid.mean(), rel=1e-14)
    assert torch.equal(x, before[0]) and torch.equal(y, before[1])


def test_an_interrupt_leaves_no_threads(monkeypatch):
    def stop(self: Solver, epsilon: float) -> None:
        raise KeyboardInterrupt

    before = set(threading.enumerate())
    x, y = make("general", 600, 2, 0, torch.float64)
    solve_exact(x, y, "euclidean")
    assert set(threading.enumerate()) == before
    monkeypatch.setattr(Solver, "phase", stop)
    with pytest.raises(KeyboardInterrupt):
        solve_exact(x, y, "euclidean")
    assert set(threading.enumerate()) == before


@pytest.mark.parametrize("cost", COSTS)
def test_the_door_gives_the_answers_of_the_dense_solver(monkeypatch, cost):
    x, y = (torch.randn(2, 3, 60, 4, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    dense = wasserstein(x, y, cost)
    assert dense.rounds == 0
    monkeypatch.setattr("pwgan.transport.empirical.DENSE", 16)
    found = wasserstein(x, y, cost)
    for name in ("value", "matching", "row_potential", "column_potential", "gap"):
        assert getattr(found, name).shape == getattr(dense, name).shape, name
        assert getattr(found, name).dtype == getattr(dense, name).dtype, name
    torch.testing.assert_close(found.value, dense.value, rtol=1e-12, atol=0)
    torch.testing.assert_close(ewd(x, y, cost), dense.value, rtol=1e-12, atol=0)
    assert torch.equal(found.matching, dense.matching)
    assert float(found.gap.abs().max()) <= 1e-12 * float(dense.value.max())
    assert found.rounds > 0
    for lead in np.ndindex(2, 3):
        answers = (field[lead] for field in (found.matching, found.row_potential, found.column_potential))
        proved = certificate(x[lead], y[lead], *answers, cost)
        assert proved.violation <= 1e-12 * proved.value and proved.lower <= float(dense.value[lead]) * (1 + 1e-15)
    again = wasserstein(x, y, cost, potentials=(found.row_potential, found.column_potential))
    torch.testing.assert_close(again.value, dense.value, rtol=1e-12, atol=0)


def test_warm_prices_take_fewer_rounds(monkeypatch):
    monkeypatch.setattr("pwgan.transport.empirical.DENSE", 16)
    x, y = make("three modes", 500, 2, 0, torch.float64)
    cold = wasserstein(x, y)
    warm = wasserstein(x, y, potentials=(cold.row_potential, cold.column_potential))
    assert float(warm.value) == pytest.approx(float(cold.value), rel=1e-12)
    assert warm.rounds < cold.rounds
