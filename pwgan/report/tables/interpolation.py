"""Whether paths between latents stay near the data."""

from __future__ import annotations

import pandas as pd

from pwgan.report.tables._cells import INTERVALS, by_cell, summarised
from pwgan.report.tables._pages import Table

NAMES = ("interpolation_ratio", "interpolation_middle", "interpolation_between")


def data(measures: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Return the distances of paths to the data, long: mean and interval over seeds."""
    return summarised(measures, runs, NAMES)


def readable(frame: pd.DataFrame) -> Table:
    """Lay out one row for each method and mini-batch size."""
    caption = (
        f"{INTERVALS} interpolation_ratio: distance of samples on paths between latents to the training set, over that "
        "of held-out samples. interpolation_middle: the same in the middle of a path over its ends. "
        "interpolation_between, of mixtures: share of inner points beyond 3 sigma of every mode. The row `data` blends "
        "two held-out samples."
    )
    return Table("Paths between latents", caption, by_cell(frame, NAMES))
