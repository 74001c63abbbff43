"""Distances between the data and paths between latents."""

from __future__ import annotations

import pandas as pd

from pwgan.report.tables._cells import INTERVALS, by_cell, summarised
from pwgan.report.tables._pages import Table

NAMES = ("interpolation_ratio", "interpolation_middle", "interpolation_between", "straightness")


def data(measures: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Return the measures of interpolation as a long frame: mean and interval over seeds."""
    return summarised(measures, runs, NAMES)


def readable(frame: pd.DataFrame) -> Table:
    """Lay out one row per method and mini-batch size."""
    caption = (
        f"{INTERVALS} interpolation_ratio: distance to the training set of samples on paths between latents, relative "
        "to that of held-out samples. interpolation_middle: the same at the middle of a path, relative to its ends. "
        "interpolation_between (mixtures only): share of inner points of paths beyond 3 sigma of every mode. "
        "straightness (flows only): squared distance of velocity and displacement of a path, relative to that. "
        "The row `data` interpolates linearly between two held-out samples."
    )
    return Table("Paths between latents", caption, by_cell(frame, NAMES))
