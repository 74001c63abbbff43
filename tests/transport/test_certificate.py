"""The certificate against brute force in 60 digits, and against matchings and potentials that are wrong."""

import itertools
import math
from decimal import Decimal, localcontext
from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from pwgan.options import CostName
from pwgan.transport import certificate as module
from pwgan.transport.certificate import certificate
from pwgan.transport.empirical import Plan, wasserstein
from pwgan.transport.unequal import coupling

COSTS = st.sampled_from(get_args(CostName))
SEEDS = st.integers(0, 2**32)


def draw(n: int, d: int, seed: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(n, d)))


def certified(x, y, cost="euclidean"):
    found = wasserstein(x, y, cost)
    return certificate(x, y, found.matching, found.row_potential, found.column_potential, cost)


def exact_least(x, y, cost) -> Decimal:
    """The least mean cost of all permutations, correct to 60 digits of the numbers that float64 points are."""
    x, y = ([[Decimal(value) for value in row] for row in side.tolist()] for side in (x, y))
    n = len(x)
    if cost == "cosine":
        x, y = ([[p / sum(q * q for q in a).sqrt() for p in a] for a in side] for side in (x, y))
    squared = [[sum((p - q) ** 2 for p, q in zip(a, b, strict=True)) for b in y] for a in x]
    costs = {
        "euclidean": lambda i, j: squared[i][j].sqrt(),
        "sqeuclidean": lambda i, j: squared[i][j],
        "cityblock": lambda i, j: sum(abs(p - q) for p, q in zip(x[i], y[j], strict=True)),
        "cosine": lambda i, j: squared[i][j] / 2,
    }[cost]
    costs = [[costs(i, j) for j in range(n)] for i in range(n)]
    return min(sum(costs[i][pi[i]] for i in range(n)) / n for pi in itertools.permutations(range(n)))


@settings(deadline=None, max_examples=150)
@given(
    st.integers(1, 5),
    st.integers(1, 4),
    SEEDS,
    COSTS,
    st.sampled_from([0.0, 1.0, 1e8]),
    st.sampled_from([1e-6, 1.0, 1e5]),
    st.sampled_from([0.0, 1e-9, 1.0]),
)
def test_the_interval_holds_to_the_last_digit(n, d, seed, cost, offset, scale, wrong):
    rng = np.random.default_rng(seed)
    x, y = (torch.from_numpy(offset + scale * np.round(rng.normal(size=(n, d)), rng.integers(0, 17))) for _ in "xy")
    assume(cost != "cosine" or bool(x.any(1).all() and y.any(1).all()))
    found = wasserstein(x, y, cost)
    u, v = (p + wrong * torch.from_numpy(rng.normal(size=n)) for p in (found.row_potential, found.column_potential))
    matching = torch.from_numpy(rng.permutation(n)) if wrong else found.matching
    proof = certificate(x, y, matching, u, v, cost)
    with localcontext() as context:
        context.prec = 60
        assert Decimal(proof.lower) <= exact_least(x, y, cost) <= Decimal(proof.upper)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 30), st.integers(1, 5), SEEDS, COSTS, st.integers(1, 40), st.floats(-4, 4))
def test_every_pair_is_priced(n, d, seed, cost, block, level):
    # Random potentials: at a low level most blocks are cleared by the product, at a high one none is.
    x, y, z = draw(n, d, seed), draw(n, d, seed + 1), draw(2, n, seed + 2)
    u, v = z[0] + level, z[1]
    matching = torch.from_numpy(np.random.default_rng(seed).permutation(n))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK", block)
        proof = certificate(x, y, matching, u, v, cost)
    costs = cdist(x, y, cost)
    too_much = np.maximum(0, u.numpy()[:, None] + v.numpy() - costs)
    assert proof.violation == pytest.approx(too_much.max(), rel=1e-12, abs=1e-13)
    assert proof.value == pytest.approx(costs[np.arange(n), matching].mean(), rel=1e-12)
    assert proof.gap == pytest.approx(proof.value - float(u.mean() + v.mean()), rel=1e-12, abs=1e-13)
    lower = max(0.0, float(u.mean() + v.mean()) - too_much.max(1).mean())
    assert proof.lower == pytest.approx(lower, rel=1e-12, abs=1e-13)
    assert proof.lower >= proof.value - proof.gap - proof.violation - 1e-12
    best = costs[linear_sum_assignment(costs)].mean()
    assert proof.lower <= best * (1 + 1e-12) and best <= proof.upper * (1 + 1e-12)


def test_one_wrong_pair_among_many_blocks_is_found(monkeypatch):
    monkeypatch.setattr(module, "BLOCK", 16)
    x, y = draw(100, 8, 0), draw(100, 8, 1)
    y[83] = x[71] + 1e-3
    zero = torch.zeros(100, dtype=torch.float64)
    clear = certificate(x, y, torch.arange(100), zero, zero)
    assert clear.violation == 0
    u = zero.clone()
    u[71] = 0.1
    proof = certificate(x, y, torch.arange(100), u, zero)
    assert proof.violation == pytest.approx(0.1 - 1e-3 * 8**0.5, rel=1e-9)


@pytest.mark.parametrize("cost", ["euclidean", "sqeuclidean"])
def test_a_wrong_potential_is_detected(cost):
    x, y = draw(50, 3, 0), draw(50, 3, 1)
    found = wasserstein(x, y, cost)
    best = float(found.value)
    u = found.row_potential.clone()
    u[7] += 0.5  # its own pair was tight
    proof = certificate(x, y, found.matching, u, found.column_potential, cost)
    assert proof.violation == pytest.approx(0.5, rel=1e-9)
    assert proof.gap == pytest.approx(-0.5 / 50, rel=1e-9)  # the gap alone would call it better than optimal
    assert proof.lower <= best <= proof.upper and proof.error(best) < 1e-12
    v = found.column_potential.clone()
    v[7] -= 0.5
    lowered = certificate(x, y, found.matching, found.row_potential, v, cost)
    assert lowered.violation < 1e-12 and lowered.error(best) == pytest.approx(0.5 / 50, rel=1e-9)


def test_a_matching_that_is_not_optimal_is_detected():
    x, y = draw(50, 3, 0), draw(50, 3, 1)
    found = wasserstein(x, y)
    swapped = found.matching.clone()
    swapped[[3, 4]] = swapped[[4, 3]]
    proof = certificate(x, y, swapped, found.row_potential, found.column_potential)
    loss = proof.value - float(found.value)
    assert loss > 1e-3
    assert proof.gap == pytest.approx(loss, rel=1e-9) and proof.error(proof.value) == pytest.approx(loss, rel=1e-9)
    assert proof.lower <= float(found.value) <= proof.upper
    # A solver that states another value than its matching costs is caught by the same interval.
    assert proof.error(proof.value + 1) >= 1


@pytest.mark.parametrize("cost", ["euclidean", "sqeuclidean"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_optimal_matching_is_proved_tightly(cost, dtype):
    far = draw(40, 3, 0)
    far[0] = 1e6
    doubled = draw(20, 3, 0).repeat(2, 1)
    for x, y in (
        (draw(40, 300, 0), draw(40, 300, 1)),
        (1e4 + draw(40, 3, 0), 1e4 + draw(40, 3, 1)),
        (far, draw(40, 3, 1)),
        (doubled, doubled.flip(0) + 1e-3),
        (torch.eye(40, dtype=torch.float64), 1 - torch.eye(40, dtype=torch.float64)),
    ):
        proof = certified(x.to(dtype), y.to(dtype), cost)
        assert 0 <= proof.error(proof.value) <= 1e-11 * proof.value


def test_equal_sets_have_distance_zero_for_certain():
    x = draw(60, 4, 0)
    proof = certified(x, x.flip(0))
    assert (proof.value, proof.lower, proof.upper, proof.error(0.0)) == (0, 0, 0, 0)


X, U = torch.zeros(3, 2), torch.zeros(3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            (X, torch.zeros(4, 2), torch.arange(3), U, torch.zeros(4)),
            "equal numbers of points, got 3 and 4: give a Plan",
        ),
        ((X, torch.zeros(3, 1), torch.arange(3), U, U), r"got \(3, 2\) and \(3, 1\)"),
        ((X[None], X[None], torch.arange(3), U, U), r"points \(n, d\) and \(k, d\), got \(1, 3, 2\)"),
        ((X[:0], X[:0], torch.arange(0), U[:0], U[:0]), r"got \(0, 2\)"),
        ((X, X, torch.arange(2), U, U), r"matching must be \(3,\) for 3 points on each side, got \(2,\)"),
        ((X, X, torch.arange(3), U, U[:2]), r"column_potential must be \(3,\)"),
        ((X, X, torch.tensor([0, 1, 1]), U, U), "not a permutation of 0..2"),
        ((X, X, torch.arange(3), U, U.new_tensor([0, torch.nan, torch.inf])), "column_potential holds 2 numbers"),
        ((X.double(), X + 1e300, torch.arange(3), U, U), "it overflows"),
        ((X, X, torch.arange(3), U, U, "euclidian"), "Did you mean 'euclidean'"),
    ],
)
def test_invalid_certificate_inputs_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        certificate(*arguments)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 3), SEEDS, COSTS)
def test_the_interval_of_a_plan_holds_to_the_last_digit(n, k, d, seed, cost):
    x, y = draw(n, d, seed), draw(k, d, seed + 1)
    if n == k:
        y = torch.cat([y, y[:1]])
    found = coupling(x, y, cost)
    proof = certificate(x, y, found.plan, found.row_potential, found.column_potential, cost)
    assert proof.error(float(found.value)) <= 1e-13 * (1 + float(found.value))
    copies = math.lcm(n, len(y))
    if copies <= 6:
        least = exact_least(x.repeat_interleave(copies // n, 0), y.repeat_interleave(copies // len(y), 0), cost)
        with localcontext() as context:
            context.prec = 60
            assert Decimal(proof.lower) <= least <= Decimal(proof.upper)


def test_a_plan_with_other_marginals_or_potentials_is_detected():
    x, y = draw(4, 2, 0), draw(6, 2, 1)
    found = coupling(x, y)
    u, v = found.row_potential, found.column_potential
    rows, columns, mass = vars(found.plan).values()
    for plan, message in (
        (Plan(rows.roll(1), columns, mass), "rows of the plan do not each hold a mass of 1/4"),
        (Plan(rows, columns.clamp(max=4), mass), "columns of the plan do not each hold a mass of 1/6"),
        (Plan(rows, columns, mass / 2), "not positive multiples of 1/12"),
        (Plan(rows[1:], columns[1:], mass[1:]), "rows of the plan"),
    ):
        with pytest.raises(ValueError, match=message):
            certificate(x, y, plan, u, v)
    # A plan of the same marginals in another order of the columns costs more, and is still a plan.
    worse = certificate(x, y, Plan(rows, 5 - columns, mass), u, v)
    assert worse.value > float(found.value) + 1e-3 and worse.lower <= float(found.value) <= worse.upper
    raised = certificate(x, y, found.plan, u, v + torch.eye(6, dtype=torch.float64)[0])
    assert raised.violation == pytest.approx(1) and raised.lower <= float(found.value) <= raised.upper
