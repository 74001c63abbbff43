"""Means and intervals over seeds, and tests of which cells are best."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import t

from pwgan.report.frames import CELL, ordered, seed_counts

CONFIDENCE = 0.95
PAIRED_SEEDS = 8
"""Minimum number of seed pairs for a paired test."""


class Interval(NamedTuple):
    """A mean, the half width of its interval, and the number of seeds."""

    mean: float
    half_width: float
    seeds: int


def interval(values: npt.ArrayLike, level: float = CONFIDENCE) -> Interval:
    """Return the mean of the values that are not NaN and its Student interval, by default at 95 %.

    The half width is t_{(1 + level)/2, n-1} s / sqrt(n), with s the sample standard deviation. For n = 1 the half width
    is NaN, for n = 0 the mean as well. Infinite values are not missing: the mean is infinite and the half width NaN.
    """
    sample = np.asarray(values, dtype=float).ravel()
    sample = sample[~np.isnan(sample)]
    if not len(sample):
        return Interval(np.nan, np.nan, 0)
    with np.errstate(invalid="ignore"):
        deviation = sample.std(ddof=1) if len(sample) > 1 else np.nan
        return Interval(float(sample.mean()), float(_half_width(deviation, len(sample), level)), len(sample))


def student(values: npt.ArrayLike) -> tuple[float, float]:
    """Return the ends of the 95 % Student interval of the mean, for the argument ``errorbar`` of seaborn."""
    mean, half_width, _ = interval(values)
    return mean - half_width, mean + half_width


def intervals(frame: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Summarise ``value`` over seeds within each group of ``keys``: mean, half_width and seeds (number not NaN)."""
    groups = frame.groupby(keys, dropna=False, sort=False)["value"]
    with np.errstate(invalid="ignore"):
        out = groups.agg(mean="mean", half_width="std", seeds="count").reset_index()
        return out.assign(half_width=_half_width(out["half_width"].to_numpy(float), out["seeds"].to_numpy()))


def summary(measures: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Summarise every measure of every cell over its seeds.

    Returns dataset, method, batch_size, measure, mean, half_width, seeds (number with a value), infinite (number with
    an infinite value) and diverged (number diverged according to ``runs``). Mean and half width are those of the finite
    values; the mean is infinite if all values are infinite.
    """
    keys = [*CELL, "measure"]
    is_infinite = np.isinf(measures["value"])
    out = intervals(measures.assign(value=measures["value"].mask(is_infinite)), keys)
    infinite = measures.assign(value=is_infinite).groupby(keys, dropna=False, sort=False)["value"].sum().to_numpy(int)
    mean = out["mean"].mask((out["seeds"] == 0) & (infinite > 0), np.inf)
    return ordered(with_diverged(out.assign(mean=mean, seeds=out["seeds"] + infinite, infinite=infinite), runs))


def with_diverged(frame: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Add the column ``diverged``: number of diverged seeds of the cell."""
    joined = frame.merge(seed_counts(runs)[[*CELL, "diverged"]], on=CELL, how="left")
    return joined.assign(diverged=joined["diverged"].fillna(0).astype(int))


def best(values: npt.ArrayLike, lower: bool) -> np.ndarray:
    """Return which columns of ``values`` (seed, cell) are best or not significantly different from the best.

    Each other column is compared with the best by a two-sided paired t-test over their common seeds, at 5 % after
    Holm's correction for all tested columns. With fewer than ``PAIRED_SEEDS`` pairs no test is made, and the column
    does not count as best. Columns without a finite mean are never best.
    """
    table = np.asarray(values, dtype=float)
    means = np.array([interval(column).mean for column in table.T])
    if not np.isfinite(means).any():
        return np.zeros(len(means), dtype=bool)
    finite = np.where(np.isfinite(means), means if lower else -means, np.inf)
    marked = finite == finite.min()
    leader = table[:, marked.argmax()]
    p = np.array([np.nan if one else paired_p(leader, column) for column, one in zip(table.T, marked, strict=True)])
    tested = np.isfinite(finite) & ~np.isnan(p)
    marked[tested] = holm(p[tested]) > 1 - CONFIDENCE
    return marked


def paired_p(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """Return the p-value of a two-sided paired t-test over the pairs without NaN.

    With mean d and standard deviation s of the differences of n pairs, t = sqrt(n) d / s has n - 1 degrees of freedom.
    With fewer than ``PAIRED_SEEDS`` pairs the result is NaN.
    """
    differences = np.asarray(first, dtype=float) - np.asarray(second, dtype=float)
    differences = differences[~np.isnan(differences)]
    if len(differences) < PAIRED_SEEDS:
        return float("nan")
    mean, deviation = differences.mean(), differences.std(ddof=1)
    if deviation == 0:
        return float(mean == 0)
    return float(2 * t.sf(np.sqrt(len(differences)) * abs(mean) / deviation, len(differences) - 1))


def holm(p: npt.ArrayLike) -> np.ndarray:
    """Return Holm's adjusted p-values.

    The i-th smallest of k p-values is multiplied by k + 1 - i; the results are made non-decreasing and at most 1.

    Source: Holm 1979, A simple sequentially rejective multiple test procedure.
    """
    values = np.asarray(p, dtype=float)
    order = np.argsort(values, kind="stable")
    steps = values[order] * np.arange(len(values), 0, -1)
    adjusted = np.empty(len(values))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return adjusted


def _half_width(deviation: npt.ArrayLike, count: npt.ArrayLike, level: float = CONFIDENCE) -> np.ndarray:
    count = np.asarray(count)
    degrees = np.maximum(count - 1, 1)
    width = t.ppf((1 + level) / 2, degrees) * np.asarray(deviation, float) / np.sqrt(np.maximum(count, 1))
    return np.where(count > 1, width, np.nan)
