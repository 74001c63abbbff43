"""Divergences against scipy, closed forms and what the article says of them (A1 to A7)."""

import itertools

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import integrate, stats
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


@given(laws())
def test_a2_kl_is_cross_entropy_minus_entropy(pair):
    p, q = pair
    assert dv.entropy(p) == pytest.approx(stats.entropy(p), abs=1e-12)
    difference = dv.cross_entropy(p, q) - dv.entropy(p)
    assert dv.kullback_leibler(p, q) == pytest.approx(difference, abs=1e-10)


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
def test_a4_w1_of_the_line_is_scipys_and_the_linear_programs(x, y, random):
    p, q = (np.array([random.random() + 0.01 for _ in side]) for side in (x, y))
    p, q = p / p.sum(), q / q.sum()
    value = dv.wasserstein_line(x, y, p, q)
    assert value == pytest.approx(stats.wasserstein_distance(x, y, p, q), abs=1e-9)
    assert value == pytest.approx(dv.wasserstein_points(np.c_[x], np.c_[y], p, q), abs=1e-7)
    assert dv.wasserstein_line(x, y) == pytest.approx(stats.wasserstein_distance(x, y), abs=1e-9)


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


def test_gaussian_kl_is_the_integral():
    p, q = stats.norm(0.3, 0.7), stats.norm(-0.5, 1.2)
    truth = integrate.quad(lambda x: p.pdf(x) * (p.logpdf(x) - q.logpdf(x)), -10, 10)[0]
    assert dv.gaussian_kl([0.3], [[0.49]], [-0.5], [[1.44]]) == pytest.approx(truth)
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 3, 3))
    s, t = a @ a.T + np.eye(3), b @ b.T + np.eye(3)
    law, other = stats.multivariate_normal([1, 0, 2], s), stats.multivariate_normal([0, 1, 1], t)
    x = law.rvs(200_000, random_state=1)
    ratios = law.logpdf(x) - other.logpdf(x)
    value = dv.gaussian_kl([1, 0, 2], s, [0, 1, 1], t)
    assert abs(value - ratios.mean()) < 4 * ratios.std() / np.sqrt(len(x))


@given(st.floats(-5, 5), st.floats(0, 5), st.floats(-5, 5), st.floats(0, 5))
def test_gaussian_w1_of_the_line_is_the_integral_of_quantiles(m, s, n, t):
    middle = (np.arange(20_000) + 0.5) / 20_000
    truth = abs(m - n + (s - t) * stats.norm.ppf(middle)).mean()
    value = dv.gaussian_w1_line(m, s, n, t)
    assert value == pytest.approx(truth, abs=1e-3)
    assert value <= dv.gaussian_w2([m], [[s**2]], [n], [[t**2]]) + 1e-9


def test_gaussian_w2_of_the_line_of_commuting_and_of_mapped_laws():
    assert dv.gaussian_w2([1], [[4]], [3], [[9]]) == pytest.approx(np.sqrt(2**2 + 1))
    diagonal = dv.gaussian_w2([0, 0], np.diag([1.0, 4.0]), [3, 4], np.diag([9.0, 25.0]))
    assert diagonal == pytest.approx(np.sqrt(25 + 4 + 9))
    # A symmetric positive map A is optimal (Brenier): it takes N(0, S) to N(0, A S A), at E|x - A x|^2.
    rng = np.random.default_rng(2)
    a, b = rng.standard_normal((2, 4, 4))
    s, by = a @ a.T + np.eye(4), b @ b.T + np.eye(4)
    change = by - np.eye(4)
    truth = np.sqrt(np.trace(change @ s @ change))
    assert dv.gaussian_w2(np.zeros(4), s, np.zeros(4), by @ s @ by) == pytest.approx(truth)


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
        (lambda: dv.entropy([np.nan, 1.0]), "at least 0"),
        (lambda: dv.wasserstein_line([np.inf], [0.0]), "finite"),
        (lambda: dv.wasserstein_line([1.0, 2.0], [0.0], [1.0]), "2 points have 1"),
        (lambda: dv.wasserstein_points([[0.0]], [[0.0, 1.0]]), "one dimension"),
        (lambda: dv.gaussian_kl([0.0], [[1.0]], [0.0, 1.0], np.eye(2)), "covariances"),
        (lambda: dv.gaussian_w1_line(0, -1, 0, 1), "at least 0"),
    ],
)
def test_what_is_no_law_is_refused(call, said):
    with pytest.raises(ValueError, match=said):
        call()
