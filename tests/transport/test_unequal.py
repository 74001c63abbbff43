"""Transport between unequal numbers of points, against POT, scipy and what is known of it."""

import math
import sys
from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from pwgan.errors import Refused
from pwgan.options import CostName
from pwgan.transport import unequal
from pwgan.transport.unequal import Coupling, coupling

NAMES = get_args(CostName)
SEEDS = st.integers(0, 2**32)


def draw(n: int, d: int, seed: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(n, d)))


def table(found: Coupling, n: int, k: int) -> np.ndarray:
    whole = np.zeros((n, k))
    np.add.at(whole, (found.plan.rows, found.plan.columns), found.plan.mass)
    return whole


def least(x: torch.Tensor, y: torch.Tensor, cost: str) -> float:
    """The least cost by scipy: of a matching of as many copies of the points as make both sides equal."""
    size = math.lcm(len(x), len(y))
    costs = cdist(x.repeat_interleave(size // len(x), 0), y.repeat_interleave(size // len(y), 0), cost)
    return costs[linear_sum_assignment(costs)].mean()


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 7), st.integers(1, 7), st.integers(2, 40), SEEDS, st.sampled_from(NAMES), st.booleans())
def test_a_matching_of_copies_costs_as_much_and_the_potentials_prove_it(n, k, d, seed, cost, simplex):
    if simplex:
        pytest.importorskip("ot", reason="needs pwgan[emd]")
    k += n == k
    x, y = draw(n, d, seed), draw(k, d, seed + 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unequal, "DENSE", 0 if simplex else unequal.DENSE)
        patch.setattr(unequal, "OF_ONE", 0 if simplex else unequal.OF_ONE)
        found = coupling(x, y, cost)
    costs = torch.from_numpy(cdist(x, y, cost))
    assert float(found.value) == pytest.approx(least(x, y, cost), rel=1e-11, abs=1e-15)
    whole = table(found, n, k)
    np.testing.assert_allclose(whole.sum(0), 1 / k, rtol=1e-14)
    np.testing.assert_allclose(whole.sum(1), 1 / n, rtol=1e-14)
    assert float((torch.from_numpy(whole) * costs).sum()) == pytest.approx(float(found.value), rel=1e-11, abs=1e-15)
    assert (np.diff(found.plan.rows * k + found.plan.columns) > 0).all() and (found.plan.mass > 0).all()
    assert (found.row_potential[:, None] + found.column_potential - costs).max() <= 1e-10 * costs.max() + 1e-15
    assert abs(float(found.gap)) <= 1e-10 * float(found.value) + 1e-15


@settings(deadline=None, max_examples=30)
@given(st.integers(2, 8), st.integers(2, 8), SEEDS)
def test_it_is_a_metric_between_distributions(n, k, seed):
    k += n == k
    x, y, z = draw(n, 2, seed), draw(k, 2, seed + 1), draw(n + k, 2, seed + 2)
    there = float(coupling(x, y).value)
    assert float(coupling(y, x).value) == pytest.approx(there, rel=1e-12)
    assert there <= float(coupling(x, z).value + coupling(z, y).value) + 1e-12
    order = torch.from_numpy(np.random.default_rng(seed).permutation(n))
    assert float(coupling(x[order], y).value) == pytest.approx(there, rel=1e-12)
    # A distribution is not changed by copies of its points.
    assert float(coupling(x, x.repeat(2, 1)).value) == 0
    shift = torch.tensor([3.0, 4.0], dtype=torch.float64)
    assert float(coupling(x, x.repeat(3, 1) + shift).value) == pytest.approx(5, rel=1e-12)


def test_one_point_receives_everything():
    x, y = draw(1, 3, 0), draw(500, 3, 1)
    found, back = coupling(x, y), coupling(y, x)
    assert float(found.value) == pytest.approx(cdist(x, y).mean(), rel=1e-14)
    assert float(back.value) == float(found.value) and 0 <= float(found.gap) < 1e-13
    assert torch.equal(back.row_potential, found.column_potential)
    assert found.plan.rows.unique().tolist() == [0] and found.plan.columns.tolist() == list(range(500))


def test_both_ways_agree_on_a_larger_problem(monkeypatch):
    ot = pytest.importorskip("ot", reason="needs pwgan[emd]")
    x, y = draw(120, 3, 0), draw(180, 3, 1)
    copied = coupling(x, y)
    monkeypatch.setattr(unequal, "DENSE", 0)
    monkeypatch.setattr(unequal, "OF_ONE", 0)
    simplex = coupling(x, y)
    expected = ot.emd2(np.full(120, 1 / 120), np.full(180, 1 / 180), cdist(x, y))
    assert float(copied.value) == pytest.approx(expected, rel=1e-12)
    assert float(simplex.value) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("cost", NAMES)
@pytest.mark.parametrize("n", [4, 6])
def test_the_gradient_is_the_difference_quotient(cost, n):
    x, y = draw(n, 3, 0).requires_grad_(), draw(9, 3, 1).requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: coupling(a, b, cost).value, (x, y))
    assert not coupling(x.detach(), y.detach(), cost).value.requires_grad


@pytest.fixture
def simplex_only(monkeypatch):
    pytest.importorskip("ot", reason="needs pwgan[emd]")
    monkeypatch.setattr(unequal, "DENSE", 0)
    monkeypatch.setattr(unequal, "OF_ONE", 0)


@pytest.mark.parametrize("cost", ["euclidean", "sqeuclidean", "cityblock"])
@pytest.mark.parametrize("far", [1e3, 1e6, 1e10, 1e14, 1e20])
def test_far_points_shared_by_both_sides_cost_nothing(simplex_only, far, cost):
    # 30 and 45 ordinary points; each side keeps a sixteenth of its mass at one far point.
    x, y = draw(32, 2, 0), draw(48, 2, 1)
    x[30:] = y[45:] = far
    ordinary = least(x[:30], y[:45], cost) * 15 / 16
    found = coupling(x, y, cost)
    assert float(found.value) == pytest.approx(ordinary, rel=1e-9)
    assert abs(float(found.gap)) <= 1e-9 * ordinary


def test_a_simplex_that_was_stopped_is_not_believed(simplex_only, monkeypatch):
    monkeypatch.setattr(unequal, "ITERATIONS", 3)
    with pytest.raises(Refused, match="the network simplex found no optimal plan"):
        coupling(draw(40, 2, 0), draw(50, 2, 1))


def test_a_plan_that_is_not_optimal_is_not_believed(simplex_only, monkeypatch):
    from ot import lp

    def worse(a, b, costs, **options):
        flow, log = emd(a, b, costs.max() - costs, **options)
        return flow, log

    emd = lp.emd
    monkeypatch.setattr(lp, "emd", worse)
    with pytest.raises(Refused, match=r"may be .* above the least cost"):
        coupling(draw(40, 2, 0), draw(50, 2, 1))
    monkeypatch.setattr(
        lp, "emd", lambda *given, **options: (lambda flow, log: (flow / 2, log))(*emd(*given, **options))
    )
    with pytest.raises(Refused, match="its masses do not add up"):
        coupling(draw(40, 2, 0), draw(50, 2, 1))


def test_without_the_extra_small_problems_are_solved_and_others_say_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ot", None)
    monkeypatch.setitem(sys.modules, "ot.lp", None)
    assert float(coupling(draw(3, 2, 0), draw(4, 2, 1)).gap) < 1e-12
    n, k = 150, 151
    assert math.lcm(n, k) > unequal.COPIES
    with pytest.raises(Refused, match=r"150 and 151 points.*pip install 'pwgan\[emd\]'"):
        coupling(draw(n, 2, 0), draw(k, 2, 1))


def test_sizes_beyond_both_ways_are_refused_with_those_that_work():
    x = torch.zeros(5001, 2)
    with pytest.raises(Refused, match=r"5001 and 5003 points.*25,000,000.*10,000.*16 copies.*first 5001 of both"):
        coupling(x, torch.zeros(5003, 2))


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (torch.zeros(2, 3, 2), torch.zeros(2, 4, 2), "without further axes"),
        (torch.zeros(3, 2), torch.zeros(4, 1), r"got \(3, 2\) and \(4, 1\)"),
        (torch.zeros(3, 2), torch.full((4, 2), torch.nan), "y holds points that are NaN or infinite"),
        (torch.zeros(3, 2), torch.zeros(0, 2), "nothing to match"),
    ],
)
def test_what_has_no_plan_is_refused(x, y, message):
    with pytest.raises(ValueError, match=message):
        coupling(x, y)
