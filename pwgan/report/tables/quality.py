"""How good samples are: distances to the data, in the space of samples and in features."""

from __future__ import annotations

import pandas as pd

from pwgan.report.tables._cells import INTERVALS, by_cell, summarised
from pwgan.report.tables._pages import Table

NAMES = ("ewd", "tied-ewd", "fid", "fd", "kid", "precision", "recall")


def data(measures: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Return every distance to the data, long: mean and interval over seeds."""
    return summarised(measures, runs, NAMES)


def readable(frame: pd.DataFrame) -> Table:
    """Lay out one row for each method and mini-batch size."""
    caption = (
        f"{INTERVALS} The row `data` measures real training samples against the held-out set: the floor, what a "
        "perfect generator would reach (a classifier that gives features was fitted to these very samples). The number "
        "after @ is the sample count; EWDs are comparable within a data set only. tied-ewd: EWD of the latents that a "
        "full matching tied to the training samples, to these samples."
    )
    return Table("Distances of samples to the data", caption, by_cell(frame, NAMES))
