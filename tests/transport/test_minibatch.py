"""The mini-batch Wasserstein distance, its bias and the article's bounds (D3 to D6)."""

from dataclasses import fields

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from pwgan.transport.empirical import wasserstein
from pwgan.transport.minibatch import BiasReport, bias_report, minibatch_wasserstein


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


def partition(n: int, m: int, seed: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).permutation(n).reshape(-1, m))


def report(
    x: torch.Tensor, y: torch.Tensor, x_batches: object, y_batches: object, cost: str = "euclidean"
) -> BiasReport:
    mini = minibatch_wasserstein(x, y, torch.as_tensor(x_batches), torch.as_tensor(y_batches), cost)
    return bias_report(x, y, wasserstein(x, y, cost), mini, cost)


@st.composite
def pools(draw_from: st.DrawFn) -> tuple[torch.Tensor, ...]:
    """Point sets with ties, duplicates and lost modes among them, and a partition of each side."""
    m, batches = draw_from(st.integers(1, 6)), draw_from(st.integers(1, 5))
    n, seed = m * batches, draw_from(st.integers(0, 2**32))
    x, y = draw(2, n, draw_from(st.integers(1, 3)), seed=seed)
    kind = draw_from(st.sampled_from(["general", "ties", "same points", "one point", "far"]))
    if kind == "ties":
        x, y = x.round(), y.round()
    elif kind == "same points":
        y = x.flip(0)
    elif kind == "one point":
        y = y[:1].expand(n, -1)
    elif kind == "far":
        y = y * 1e-3 + 1e3
    return x, y, partition(n, m, seed + 1), partition(n, m, seed + 2)


@settings(deadline=None, max_examples=150)
@given(pools())
def test_bias_deviation_and_bound_are_in_order(pool):
    found = report(*pool)
    tolerance = 1e-12 * float(torch.cdist(pool[0], pool[1]).max())
    assert -tolerance <= found.bias <= found.deviation + tolerance
    assert found.deviation <= found.bound + tolerance
    assert found.bias == found.mbwd - found.ewd


@settings(deadline=None, max_examples=60)
@given(pools(), st.sampled_from(["euclidean", "sqeuclidean", "cityblock"]))
def test_each_mini_batch_is_matched_as_scipy_does_and_together_they_match_all(pool, cost):
    x, y, x_batches, y_batches = pool
    found = minibatch_wasserstein(x, y, x_batches, y_batches, cost)
    assert found.matching.sort().values.tolist() == list(range(len(x)))
    total, place = 0.0, {int(j): b for b, batch in enumerate(y_batches) for j in batch}
    for b, (left, right) in enumerate(zip(x_batches, y_batches, strict=True)):
        costs = cdist(x[left], y[right], cost)
        total += costs[linear_sum_assignment(costs)].sum()
        assert {place[int(j)] for j in found.matching[left]} == {b}
    assert float(found.value) == pytest.approx(total / len(x), rel=1e-10, abs=1e-12)


@settings(deadline=None, max_examples=60)
@given(pools(), st.sampled_from(["euclidean", "sqeuclidean", "cityblock"]))
def test_the_report_is_the_article_s_formula(pool, cost):
    x, y, x_batches, y_batches = pool
    full = wasserstein(x, y, cost)
    mini = minibatch_wasserstein(x, y, x_batches, y_batches, cost)
    found = bias_report(x, y, full, mini, cost)
    n, to, between = len(x), cdist(x, y, cost), cdist(y, y, cost)
    own, shared = mini.matching.tolist(), full.matching.tolist()
    differing = [j for j in range(n) if own[j] != shared[j]]
    assert float(found.differing) == pytest.approx(len(differing) / n)
    deviation = sum(abs(to[j, own[j]] - to[j, shared[j]]) for j in differing) / n
    bound = sum(between[own[j], shared[j]] for j in differing) / n
    scale = to.max() + between.max()
    assert float(found.deviation) == pytest.approx(deviation, rel=1e-9, abs=1e-12 * scale)
    assert float(found.bound) == pytest.approx(bound, rel=1e-9, abs=1e-12 * scale)
    assert float(found.ewd) == float(full.value) and float(found.mbwd) == float(mini.value)


def test_one_batch_of_all_points_has_no_bias():
    x, y = draw(12, 2), draw(12, 2, seed=1)
    found = report(x, y, partition(12, 12, 2), partition(12, 12, 3))
    assert float(found.mbwd) == pytest.approx(float(found.ewd), rel=1e-13)
    assert (float(found.differing), float(found.deviation), float(found.bound)) == (0, 0, 0)


def test_batches_of_one_pair_points_in_the_order_given():
    x, y = draw(7, 3), draw(7, 3, seed=1)
    left, right = partition(7, 1, 2), partition(7, 1, 3)
    found = minibatch_wasserstein(x, y, left, right)
    assert torch.equal(found.matching[left[:, 0]], right[:, 0])
    assert float(found.value) == pytest.approx(float((x[left[:, 0]] - y[right[:, 0]]).norm(dim=-1).mean()))


def test_by_hand_the_bias_is_less_than_the_deviation():
    # x_0 loses 2.1 by leaving its partner, x_1 gains 1.9: the article's |B_M| = D_M counts both, the bias their sum.
    x = torch.tensor([[0.0], [1.0], [100.0], [200.0]], dtype=torch.float64)
    y = torch.tensor([[0.9], [3.0], [100.5], [200.25]], dtype=torch.float64)
    found = report(x, y, [[0, 2], [1, 3]], [[1, 2], [3, 0]])
    assert float(found.ewd) == pytest.approx((0.9 + 2 + 0.5 + 0.25) / 4)
    assert float(found.mbwd) == pytest.approx((3 + 0.1 + 0.5 + 0.25) / 4)
    assert float(found.bias) == pytest.approx(0.05)
    assert float(found.deviation) == pytest.approx((2.1 + 1.9) / 4)
    assert float(found.bound) == pytest.approx(2 * 2.1 / 4)
    assert float(found.differing) == 0.5


def test_a_squared_cost_can_exceed_the_bound():
    # |11^2 - 10^2| = 21 and |9^2 - 10^2| = 19, while (11 - 10)^2 = 1: it is no metric.
    x, y = torch.tensor([[0.0], [1.0]]).double(), torch.tensor([[10.0], [11.0]]).double()
    found = report(x, y, [[0], [1]], [[1], [0]], "sqeuclidean")
    assert float(found.bias) == 1 and float(found.deviation) == 20 and float(found.bound) == 1


def test_differing_partners_that_coincide_cost_nothing():
    # Article D6 (a).
    x, y = draw(12, 2), draw(1, 2, seed=1).expand(12, 2)
    found = report(x, y, partition(12, 3, 2), partition(12, 3, 3))
    assert float(found.differing) > 0
    assert float(found.bound) == 0 and float(found.deviation) == 0 and abs(float(found.bias)) < 1e-15


def test_leading_axes_are_reported_one_by_one():
    x, y = draw(2, 12, 2), draw(2, 12, 2, seed=1)
    left, right = (torch.stack([partition(12, 4, s + k) for k in range(2)]) for s in (10, 20))
    together = report(x, y, left, right)
    for k in range(2):
        alone = report(x[k], y[k], left[k], right[k])
        for field in fields(BiasReport):
            torch.testing.assert_close(getattr(together, field.name)[k], getattr(alone, field.name))


@pytest.mark.parametrize(
    ("x_batches", "y_batches", "message"),
    [
        ([[0, 1], [2, 2]], [[0, 1], [2, 3]], r"x_batches of shape \(2, 2\) is not a partition of the 4 points"),
        ([[0, 1], [2, 3]], [[0, 1], [2, 4]], r"y_batches of shape \(2, 2\) is not a partition of the 4 points"),
        ([[0, 1]], [[2, 3]], r"x_batches of shape \(1, 2\) is not a partition of the 4 points"),
        ([0, 1, 2, 3], [0, 1, 2, 3], r"x_batches of shape \(4,\) is not a partition"),
        ([[[0, 1], [2, 3]]], [[[0, 1], [2, 3]]], r"x_batches of shape \(1, 2, 2\) is not a partition"),
        ([[0, 1], [2, 3]], [[0, 1, 2, 3]], r"x_batches \(2, 2\) and y_batches \(1, 4\) differ in shape"),
    ],
)
def test_batches_that_are_no_partition_are_refused(x_batches, y_batches, message):
    with pytest.raises(ValueError, match=message):
        minibatch_wasserstein(draw(4, 2), draw(4, 2), torch.tensor(x_batches), torch.tensor(y_batches))


def test_points_that_are_not_finite_or_not_equally_many_are_refused():
    whole = torch.arange(4).reshape(2, 2)
    with pytest.raises(ValueError, match="y holds points that are NaN or infinite"):
        minibatch_wasserstein(draw(4, 2), torch.full((4, 2), torch.nan), whole, whole)
    with pytest.raises(ValueError, match=r"got \(4, 2\) and \(6, 2\)"):
        minibatch_wasserstein(draw(4, 2), draw(6, 2), whole, whole)
