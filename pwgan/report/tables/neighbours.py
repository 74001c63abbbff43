"""Whether samples are copies of training samples."""

from __future__ import annotations

import pandas as pd

from pwgan.report.tables._cells import INTERVALS, by_cell, summarised
from pwgan.report.tables._pages import Table

NAMES = ("nn_train", "nn_heldout", "nn_ratio", "copies", "data_copying", "one_nn_accuracy")


def data(measures: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Return the measures of nearest neighbours as a long frame: mean and interval over seeds."""
    return summarised(measures, runs, NAMES)


def readable(frame: pd.DataFrame) -> Table:
    """Lay out one row per method and mini-batch size."""
    caption = (
        f"{INTERVALS} nn_train, nn_heldout: median distance to the nearest of equally many training, held-out samples. "
        "nn_ratio: median distance to the training set, relative to that of held-out samples; 0 for copies. copies: "
        "share of samples closer to the training set than the nearest 5 % of held-out samples. data_copying: z-score "
        "of the Mann-Whitney test, far below 0 for copies. one_nn_accuracy: how often the nearest neighbour is of the "
        "same set, generated or held-out; 0.5 is best."
    )
    return Table("Nearest neighbours of samples", caption, by_cell(frame, NAMES))
