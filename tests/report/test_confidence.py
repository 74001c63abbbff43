"""Estimates against scipy and closed forms, the duality of intervals and p-values, and coverage in simulations."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pwgan.report.confidence import bootstrap_estimate, mean_estimate, share_estimate, summary_estimate

pytestmark = pytest.mark.filterwarnings("error")
VALUES = st.lists(st.integers(-1000, 1000).map(lambda k: k / 100), min_size=3, max_size=12).filter(
    lambda values: np.ptp(values) > 0
)


@given(VALUES, st.integers(-1000, 1000).map(lambda k: k / 100))
def test_a_mean_has_students_interval_and_p_values(values, bound):
    found = mean_estimate(values)
    low, high = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-9), pytest.approx(high, abs=1e-9))
    for alternative, region in (("greater", (bound, np.inf)), ("less", (-np.inf, bound))):
        p = stats.ttest_1samp(values, bound, alternative=alternative).pvalue
        assert found.within(*region) == pytest.approx(min(2 * p, 1), abs=1e-9)
        assert found.beyond(*region) == pytest.approx(min(2 * (1 - p), 1), abs=1e-9)


def test_equivalence_is_the_worse_of_two_one_sided_tests():
    values = [0.1, -0.2, 0.05, 0.15, -0.1]
    ps = stats.ttest_1samp(values, -0.3, alternative="greater"), stats.ttest_1samp(values, 0.4, alternative="less")
    assert mean_estimate(values).within(-0.3, 0.4) == pytest.approx(2 * max(p.pvalue for p in ps))


@pytest.mark.parametrize(("successes", "count"), [(0, 16), (3, 16), (16, 16), (31, 32), (1, 2)])
def test_a_share_has_wilsons_interval(successes, count):
    found = share_estimate(successes, count)
    known = stats.binomtest(successes, count).proportion_ci(method="wilson")
    assert (found.low, found.high) == (pytest.approx(known.low, abs=1e-12), pytest.approx(known.high, abs=1e-12))
    # The score test, whose inversion the interval is.
    score = (successes / count - 0.75) / np.sqrt(0.75 * 0.25 / count)
    assert found.within(0.75, 1.0) == pytest.approx(min(2 * stats.norm.sf(score), 1))


ESTIMATES = {
    "mean": mean_estimate([0.2, 0.4, 0.9, 0.3]),
    "share": share_estimate(13, 16),
    "bootstrap": bootstrap_estimate([0.2, 0.4, 0.9, 0.3, 0.8]),
    "summary": summary_estimate(0.5, 0.05, 20),
}


@pytest.mark.parametrize("name", ESTIMATES)
def test_an_interval_lies_within_a_region_exactly_if_p_is_at_most_5_percent(name):
    found = ESTIMATES[name]
    slack = 1e-3 if name == "bootstrap" else 1e-9
    for bound, inside in ((found.low - slack, True), (found.low + slack, False)):
        assert (found.within(bound, np.inf) <= 0.05) == inside
        assert (found.beyond(-np.inf, bound) <= 0.05) == inside
    for bound, inside in ((found.high + slack, True), (found.high - slack, False)):
        assert (found.within(-np.inf, bound) <= 0.05) == inside
        assert (found.beyond(bound, np.inf) <= 0.05) == inside
    assert found.within(found.low - slack, found.high + slack) <= 0.05 < found.beyond(found.low, found.high)


def test_a_summary_is_that_of_its_values():
    values = [0.2, 0.4, 0.9, 0.3]
    known = mean_estimate(values)
    found = summary_estimate(known.value, known.high - known.value, 4)
    assert (found.low, found.high) == (pytest.approx(known.low), pytest.approx(known.high))
    assert found.within(-0.5, 1.0) == pytest.approx(known.within(-0.5, 1.0))


@pytest.mark.parametrize(
    "found", [mean_estimate([1.0]), mean_estimate([]), share_estimate(0, 0), bootstrap_estimate([1.0])]
)
def test_too_few_values_have_neither_interval_nor_p_values(found):
    assert np.isnan([found.low, found.high, found.within(0, 2), found.within(-np.inf, 2), found.beyond(3, 4)]).all()
    assert np.isnan(summary_estimate(0.5, np.nan, 20).within(-np.inf, 1))
    assert np.isnan(mean_estimate([1.0, np.inf]).within(0, np.inf))


def test_equal_values_are_their_own_interval():
    found = mean_estimate([0.5] * 4)
    assert (found.low, found.high) == (0.5, 0.5)
    assert (found.within(0.4, 0.6), found.beyond(0.6, 0.7)) == (0, 0)
    assert found.within(0.5, 0.6) == 1


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_equal_bounded_values_have_wilsons_interval_and_no_certainty(value):
    found, known = bootstrap_estimate([value] * 8), stats.norm.ppf(0.975) ** 2 / 8
    # The score interval solves (p - value)^2 = z^2 p (1 - p) / n.
    for end in (found.low, found.high):
        assert (end - value) ** 2 == pytest.approx(known * end * (1 - end), abs=1e-12)
    assert found.low < value < found.high or value in (found.low, found.high)
    assert bootstrap_estimate([0.0] * 8).beyond(0.05, 1.0) > 0.05


def test_a_bootstrap_interval_is_that_of_student_for_normal_values_and_stays_within_the_range_of_the_values():
    values = np.random.default_rng(3).normal(size=40)
    found, student = bootstrap_estimate(values), mean_estimate(values)
    width = student.high - student.low
    assert abs(found.low - student.low) < 0.05 * width and abs(found.high - student.high) < 0.05 * width
    near = bootstrap_estimate([1.0] * 7 + [0.2])
    assert near.high <= 1.0 and mean_estimate([1.0] * 7 + [0.2]).high > 1.0


def test_a_bound_that_no_resample_reaches_is_as_far_as_student_says():
    values = np.random.default_rng(6).normal(size=8)
    found, student = bootstrap_estimate(values), mean_estimate(values)
    near, far = student.value - 5, student.value - 50
    assert found.within(far, np.inf) == pytest.approx(student.within(far, np.inf))
    assert found.within(far, np.inf) < found.within(near, np.inf) < 0.01


def test_the_same_values_have_the_same_bootstrap_interval():
    values = np.random.default_rng(4).beta(8, 2, size=9)
    first, second = bootstrap_estimate(values), bootstrap_estimate(values)
    assert (first.low, first.high, first.within(0.7, 1)) == (second.low, second.high, second.within(0.7, 1))


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    rng = np.random.default_rng(5)
    shares = [share_estimate(int(k), 16) for k in rng.binomial(16, 0.8, size=2000)]
    assert np.mean([one.low <= 0.8 <= one.high for one in shares]) > 0.93
    bounded = [bootstrap_estimate(values) for values in rng.beta(8, 2, size=(150, 8))]
    assert np.mean([one.low <= 0.8 <= one.high for one in bounded]) > 0.9
