"""Means and intervals over seeds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import t

from pwgan.report.frames import CELL, ordered

LEVEL = 0.95


class Interval(NamedTuple):
    """A mean, the half width of its 95 % interval, and how many seeds are behind both."""

    mean: float
    half_width: float
    seeds: int


def interval(values: npt.ArrayLike, level: float = LEVEL) -> Interval:
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

    Returns dataset, method, batch_size, measure, mean, half_width, seeds (those with a value) and diverged (those
    that ``runs`` says diverged: counted, and not in the mean).
    """
    return ordered(with_diverged(intervals(measures, [*CELL, "measure"]), runs))


def with_diverged(frame: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Add the column ``diverged``: how many seeds of the row's cell diverged."""
    counts = runs.assign(diverged=(runs["status"] == "diverged").astype(int)).groupby(CELL, as_index=False, sort=False)
    joined = frame.merge(counts["diverged"].sum(), on=CELL, how="left")
    return joined.assign(diverged=joined["diverged"].fillna(0).astype(int))


def _half_width(deviation: npt.ArrayLike, count: npt.ArrayLike, level: float = LEVEL) -> np.ndarray:
    count = np.asarray(count)
    degrees = np.maximum(count - 1, 1)
    width = t.ppf((1 + level) / 2, degrees) * np.asarray(deviation, float) / np.sqrt(np.maximum(count, 1))
    return np.where(count > 1, width, np.nan)
