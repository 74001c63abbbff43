"""Divergences against scipy, closed forms and what the article says of them (A1 to A7)."""

import itertools

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist, jensenshannon

from pwgan import divergences as dv

MASSES = st.one_of(st.just(0.0), st.floats(1e-6, 1.0))
POINT = st.floats(-10, 10)


@st.composite
def laws(draw, count=2, least=0.0):
    size = draw(st.integers(1, 8))
    masses = draw(arrays(float, (count, size), elements=MASSES if least == 0 else st.floats(least, 1.0)))
    assume((masses.sum(1) > 0).all())
    return masses / masses.sum(1, keepdims=True)


@given(laws())
def test_a1_total_variation_is_the_largest_difference_of_an_event(pair):
    p, q = pair
    events = itertools.product([0, 1], repeat=len(p))
    largest = max(abs((p - q) @ np.array(event)) for event in events)
    assert dv.total_variation(p, q) == pytest.approx(largest, abs=1e-12)


@given(laws())
def test_a2_kl_is_not_negative_and_is_scipys(pair):
    p, q = pair
    value = dv.kullback_leibler(p, q)
    assert value >= 0
    assert value == pytest.approx(stats.entropy(p, q), abs=1e-10)
    assert np.isinf(value) == bool(((q == 0) & (p > 0)).any())
    assert dv.kullback_leibler(p, p) == 0


@given(laws(least=0.01))
def test_a2_kl_is_zero_for_equal_laws_alone(pair):
    p, q = pair
    # Pinsker's inequality.
    assert dv.kullback_leibler(p, q) >= 2 * dv.total_variation(p, q) ** 2 - 1e-12


def test_a2_kl_is_asymmetric_and_breaks_the_triangle_inequality():
    p, q, r = [0.5, 0.5], [0.25, 0.75], [0.1, 0.9]
    assert dv.kullback_leibler(p, q) != pytest.approx(dv.kullback_leibler(q, p), rel=0.05)
    assert dv.kullback_leibler(p, r) > dv.kullback_leibler(p, q) + dv.kullback_leibler(q, r) + 0.1


@given(laws())
def test_a3_js_is_symmetric_between_0_and_log_2_and_scipys(pair):
    p, q = pair
    value = dv.jensen_shannon(p, q)
    assert value == dv.jensen_shannon(q, p)
    assert 0 <= value <= np.log(2) + 1e-12
    assert value == pytest.approx(jensenshannon(p, q) ** 2, abs=1e-10)


@given(laws())
def test_a3_js_of_equal_laws_is_zero_and_of_others_is_not(pair):
    p, q = pair
    assert dv.jensen_shannon(p, p) == 0
    assert dv.jensen_shannon(p, q) >= dv.total_variation(p, q) ** 2 / 2 - 1e-12


def test_a3_js_of_disjoint_laws_is_log_2():
    assert dv.jensen_shannon([1, 0, 0], [0, 0.5, 0.5]) == pytest.approx(np.log(2))


@given(st.lists(POINT, min_size=1, max_size=7), st.lists(POINT, min_size=1, max_size=7), st.randoms())
def test_a4_w1_of_the_line_is_scipys(x, y, random):
    p, q = (np.array([random.random() + 0.01 for _ in side]) for side in (x, y))
    p, q = p / p.sum(), q / q.sum()
    value = dv.wasserstein_points(np.c_[x], np.c_[y], p, q)
    assert value == pytest.approx(stats.wasserstein_distance(x, y, p, q), abs=1e-7)


@pytest.mark.parametrize("dimension", [1, 2, 5])
def test_a4_w1_of_points_is_the_assignment_and_a_translation_its_length(dimension):
    rng = np.random.default_rng(dimension)
    x, y = rng.standard_normal((2, 30, dimension))
    cost = cdist(x, y)
    assert dv.wasserstein_points(x, y) == pytest.approx(cost[linear_sum_assignment(cost)].mean(), abs=1e-9)
    step = rng.standard_normal(dimension)
    assert dv.wasserstein_points(x, x + step) == pytest.approx(np.linalg.norm(step), abs=1e-9)


def test_a4_mass_is_split_between_points():
    assert dv.wasserstein_points([[0.0, 0.0]], [[3.0, 4.0], [0.0, 1.0]], q=[0.25, 0.75]) == pytest.approx(2.0)


@pytest.mark.parametrize("theta", [-1.5, -0.1, 0.0, 1e-3, 0.7])
def test_a6_parallel_lines_are_what_discrete_lines_give(theta):
    lines = dv.parallel_lines([theta, 2.0])
    z = (np.arange(6) + 0.5) / 6
    places = sorted({0.0, theta})
    p, q = (np.repeat([place == at for place in places], 6) / 6 for at in (0.0, theta))
    values = {"tv": dv.total_variation, "kl": dv.kullback_leibler, "js": dv.jensen_shannon}
    for name, divergence in values.items():
        assert lines[name][0] == pytest.approx(divergence(p, q))
    assert lines["w1"][0] == pytest.approx(dv.wasserstein_points(np.c_[0 * z, z], np.c_[0 * z + theta, z]), abs=1e-9)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: dv.kullback_leibler([0.5, 0.5], [1.0]), r"on one set.*\(2,\), \(1,\)"),
        (lambda: dv.total_variation([0.5, 0.6], [0.5, 0.5]), "sum to 1"),
        (lambda: dv.jensen_shannon([1.5, -0.5], [0.5, 0.5]), "at least 0"),
        (lambda: dv.total_variation([np.nan, 1.0], [0.5, 0.5]), "at least 0"),
        (lambda: dv.wasserstein_points([[np.inf]], [[0.0]]), "finite"),
        (lambda: dv.wasserstein_points([[1.0], [2.0]], [[0.0]], [1.0]), "2 points have 1"),
        (lambda: dv.wasserstein_points([[0.0]], [[0.0, 1.0]]), "same dimension"),
    ],
)
def test_invalid_distributions_raise(call, said):
    with pytest.raises(ValueError, match=said):
        call()
