"""What is lost on the way: modes by generators, past batches by critics."""

from __future__ import annotations

import pandas as pd

from pwgan.report.tables._cells import INTERVALS, by_cell, summarised
from pwgan.report.tables._pages import Table

NAMES = ("coverage-lost", "critic-auc", "critic-auc-lost")


def data(measures: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Return what each cell lost on the way, long: mean and interval over seeds."""
    return summarised(measures, runs, NAMES)


def readable(frame: pd.DataFrame) -> Table:
    """Lay out one row for each method and mini-batch size."""
    caption = (
        f"{INTERVALS} coverage-lost: modes at the best evaluation less modes at the last. critic-auc: how well the "
        "final critic tells real from generated samples of earlier evaluations (0.5: not at all); critic-auc-lost: by "
        "how much the critic of that time did so better. Methods without a critic have none."
    )
    return Table("What generators and critics forget", caption, by_cell(frame, NAMES))
