"""Means and intervals over seeds, and which of several cells may be called the best."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import t

from pwgan.report.frames import CELL, ordered

CONFIDENCE = 0.95
PAIRED_SEEDS = 8
"""With fewer pairs of seeds than this no test is made."""


class Interval(NamedTuple):
    """A mean, the half width of its 95 % interval, and how many seeds are behind both."""

    mean: float
    half_width: float
    seeds: int


def interval(values: npt.ArrayLike, level: float = CONFIDENCE) -> Interval:
    """Return the mean of the values that are not NaN with its Student interval, 95 % if not told otherwise.

    The half width is t_{(1 + level)/2, n-1} s / sqrt(n), with s the sample standard deviation; it is NaN for n = 1, and
    the mean too for n = 0. An infinite value is no missing one: it makes the mean infinite and the half width NaN.
    """
    given = np.asarray(values, dtype=float).ravel()
    given = given[~np.isnan(given)]
    if not len(given):
        return Interval(np.nan, np.nan, 0)
    with np.errstate(invalid="ignore"):
        deviation = given.std(ddof=1) if len(given) > 1 else np.nan
        return Interval(float(given.mean()), float(_half_width(deviation, len(given), level)), len(given))


def student(values: npt.ArrayLike) -> tuple[float, float]:
    """Return the ends of the 95 % Student interval of the mean: what seaborn asks of an ``errorbar``."""
    mean, half_width, _ = interval(values)
    return mean - half_width, mean + half_width


def intervals(frame: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Summarise ``value`` over seeds within each group of ``keys``: mean, half_width, seeds (those not NaN)."""
    groups = frame.groupby(keys, dropna=False, sort=False)["value"]
    with np.errstate(invalid="ignore"):
        out = groups.agg(mean="mean", half_width="std", seeds="count").reset_index()
        return out.assign(half_width=_half_width(out["half_width"].to_numpy(float), out["seeds"].to_numpy()))


def summary(measures: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Summarise every measure of every cell over its seeds.

    Returns dataset, method, batch_size, measure, mean, half_width, seeds (those with a value), infinite (those of them
    whose value is infinite) and diverged (those that ``runs`` says diverged: counted, and not in the mean). Mean and
    half width are those of the finite values; the mean is infinite where no value is finite.
    """
    keys = [*CELL, "measure"]
    endless = np.isinf(measures["value"])
    out = intervals(measures.assign(value=measures["value"].mask(endless)), keys)
    infinite = measures.assign(value=endless).groupby(keys, dropna=False, sort=False)["value"].sum().to_numpy(int)
    mean = out["mean"].mask((out["seeds"] == 0) & (infinite > 0), np.inf)
    return ordered(with_diverged(out.assign(mean=mean, seeds=out["seeds"] + infinite, infinite=infinite), runs))


def with_diverged(frame: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Add the column ``diverged``: how many seeds of the row's cell diverged."""
    counts = runs.assign(diverged=(runs["status"] == "diverged").astype(int)).groupby(CELL, as_index=False, sort=False)
    joined = frame.merge(counts["diverged"].sum(), on=CELL, how="left")
    return joined.assign(diverged=joined["diverged"].fillna(0).astype(int))


def best(values: npt.ArrayLike, lower: bool) -> np.ndarray:
    """Tell which columns of ``values`` (seed, cell) may be called the best: that of the best mean, and those like it.

    A column is like the best where the two-sided paired t-test over the seeds that both have does not tell the two
    apart, at 5 % after Holm's correction for all columns tested against the best. Below ``PAIRED_SEEDS`` pairs
    there is no test, and a column is not like the best. One without a finite mean is never the best.
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
    """Return the p-value of the two-sided paired t-test over the pairs without a NaN; NaN below ``PAIRED_SEEDS`` pairs.

    With differences of mean d and standard deviation s over n pairs: t = sqrt(n) d / s, with n - 1 degrees of freedom.
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
    """Return Holm's adjusted p-values: the i-th smallest of k times k + 1 - i, at least those before it, at most 1.

    Source: Holm 1979, A simple sequentially rejective multiple test procedure.
    """
    given = np.asarray(p, dtype=float)
    order = np.argsort(given, kind="stable")
    steps = given[order] * np.arange(len(given), 0, -1)
    adjusted = np.empty(len(given))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return adjusted


def _half_width(deviation: npt.ArrayLike, count: npt.ArrayLike, level: float = CONFIDENCE) -> np.ndarray:
    count = np.asarray(count)
    degrees = np.maximum(count - 1, 1)
    width = t.ppf((1 + level) / 2, degrees) * np.asarray(deviation, float) / np.sqrt(np.maximum(count, 1))
    return np.where(count > 1, width, np.nan)
