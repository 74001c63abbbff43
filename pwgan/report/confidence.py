"""Estimates over seeds, and p-values of whether a parameter lies within a region.

Every estimator gives a confidence distribution C: C(b) is the one-sided p-value of the hypothesis that the parameter is
at most b, and 1 - C(b) that of the hypothesis that it is at least b. The 95 % interval and all p-values come from the
same C, so that an interval lies within a region exactly if p <= 0.05.

Source: Schweder and Hjort 2002, Confidence and likelihood.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import norm, t

from pwgan.report.statistics import CONFIDENCE

RESAMPLES = 99_999
TAIL = (1 - CONFIDENCE) / 2


@dataclass(frozen=True)
class Estimate:
    """A point estimate, its 95 % interval, the number of values, and the confidence distribution C."""

    value: float
    low: float
    high: float
    count: int
    confidence: Callable[[float], float]

    def within(self, low: float, high: float) -> float:
        """Return the p-value of the hypothesis that the parameter lies outside [low, high].

        The maximum of two one-sided tests (TOST), doubled; p <= 0.05 if the 95 % interval lies within the region. NaN
        if there is no interval.

        Source: Schuirmann 1987, A comparison of the two one-sided tests procedure and the power approach.
        """
        return _doubled(np.maximum(self._at_most(low), self._at_least(high)))

    def beyond(self, low: float, high: float) -> float:
        """Return the p-value of the hypothesis that the parameter lies within [low, high].

        p <= 0.05 if the 95 % interval lies entirely below or entirely above the region. NaN if there is no interval.
        """
        return _doubled(np.minimum(self._at_least(low), self._at_most(high)))

    def _at_most(self, bound: float) -> float:
        """P-value of the hypothesis that the parameter is at most ``bound``."""
        return self.confidence(bound) if np.isfinite(bound) else float(bound > 0)

    def _at_least(self, bound: float) -> float:
        return 1 - self.confidence(bound) if np.isfinite(bound) else float(bound < 0)


def _doubled(p: float) -> float:
    return float(np.minimum(2 * p, 1))


def mean_estimate(values: npt.ArrayLike) -> Estimate:
    """Estimate a mean from values without NaN by Student's t: C(b) = T_{n-1}(sqrt(n) (b - mean) / s)."""
    sample = np.asarray(values, float)
    n = len(sample)
    if n < 2 or not np.isfinite(sample).all():
        return _point(float(sample.mean()) if n else np.nan, n)
    return _student(float(sample.mean()), float(sample.std(ddof=1) / np.sqrt(n)), n)


def share_estimate(successes: float, count: int) -> Estimate:
    """Estimate the probability of success by Wilson's score interval: C(b) = Phi((b - p) / sqrt(b (1 - b) / n)).

    The interval has a width even if all or none of the ``count`` trials succeed. ``successes`` may also be the sum of
    values from 0 to 1, whose mean is then estimated. Source: Wilson 1927, Probable inference, the law of succession,
    and statistical inference.
    """
    if not count:
        return _point(np.nan, 0)
    share, z = successes / count, norm.ppf(1 - TAIL)
    centre = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))

    def confidence(bound: float) -> float:
        if not 0 < bound < 1:
            return float(bound > 0)
        return float(norm.cdf((bound - share) / np.sqrt(bound * (1 - bound) / count)))

    low, high = float(max(centre - half, 0)), float(min(centre + half, 1))
    return Estimate(share, low, high, count, confidence)


def bootstrap_estimate(values: npt.ArrayLike) -> Estimate:
    """Estimate the mean of bounded values without NaN by the expanded percentile bootstrap over seeds.

    With G the distribution of the means of resamples, C(b) = T_{n-1}(sqrt((n-1)/n) Phi^-1(G(b))). Without the
    expansion, percentile intervals of few values are too narrow: by the factor sqrt((n-1)/n) z / t. The interval lies
    between the smallest and the largest value. A bound that no resample reaches has the p-value of Student's t, at most
    that of one resample. Equal values, which have no bootstrap, have the interval of ``share_estimate``: the widest of
    any values from 0 to 1 with this mean. The resamples are the same in every run.

    Source: Hesterberg 2015, What teachers should know about the bootstrap, section 3.3.
    """
    sample = np.asarray(values, float)
    n = len(sample)
    if n < 2 or not np.isfinite(sample).all():
        return mean_estimate(sample)
    if np.ptp(sample) == 0 and 0 <= sample[0] <= 1:
        return share_estimate(float(sample.sum()), n)
    draws = np.random.default_rng(0).integers(0, n, (RESAMPLES, n))
    means = np.sort(sample[draws].mean(axis=1))
    low, high = (float(np.quantile(means, norm.cdf(np.sqrt(n / (n - 1)) * t.ppf(q, n - 1)))) for q in (TAIL, 1 - TAIL))

    student = mean_estimate(sample)

    def confidence(bound: float) -> float:
        # Half of the ties count as below; an estimate of exactly 0 or 1 would be certainty from finitely many draws.
        below = (np.searchsorted(means, bound, "left") + np.searchsorted(means, bound, "right")) / 2
        share = (below + 0.5) / (RESAMPLES + 1)
        found = float(t.cdf(np.sqrt((n - 1) / n) * norm.ppf(share), n - 1))
        if below == 0:
            return min(found, student.confidence(bound))
        return max(found, student.confidence(bound)) if below == RESAMPLES else found

    return Estimate(float(sample.mean()), low, high, n, confidence)


def summary_estimate(value: float, half_width: float, count: int) -> Estimate:
    """Return the estimate behind a mean with the half width of its 95 % Student interval over ``count`` values."""
    if count < 2 or not np.isfinite([value, half_width]).all():
        return _point(value, count)
    return _student(value, half_width / float(t.ppf(1 - TAIL, count - 1)), count)


def unknown() -> Estimate:
    """Return the estimate of a parameter that was not measured: NaN, with p-values of NaN."""
    return _point(np.nan, 0)


def _student(mean: float, error: float, n: int) -> Estimate:
    """Return the estimate of a mean with its standard error: C(b) = T_{n-1}((b - mean) / error)."""
    if error == 0:
        return Estimate(mean, mean, mean, n, lambda bound: float(np.heaviside(bound - mean, 0.5)))
    low, high = (float(mean + error * t.ppf(level, n - 1)) for level in (TAIL, 1 - TAIL))
    return Estimate(mean, low, high, n, lambda bound: float(t.cdf((bound - mean) / error, n - 1)))


def _point(value: float, count: int) -> Estimate:
    """Return an estimate without an interval, whose p-values are all NaN."""
    return Estimate(value, np.nan, np.nan, count, lambda bound: np.nan)
