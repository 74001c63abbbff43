"""Forgetting during training: modes lost by generators, earlier mini-batches forgotten by critics."""

from __future__ import annotations

import pandas as pd

from pwgan.report.tables._cells import INTERVALS, by_cell, summarised
from pwgan.report.tables._pages import Table

NAMES = ("coverage-lost", "critic-auc", "critic-auc-lost")


def data(measures: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Return the measures of forgetting as a long frame: mean and interval over seeds."""
    return summarised(measures, runs, NAMES)


def readable(frame: pd.DataFrame) -> Table:
    """Lay out one row per method and mini-batch size."""
    caption = (
        f"{INTERVALS} coverage-lost: modes covered at the best evaluation minus those at the last. critic-auc: AUC of "
        "the final critic between real and generated samples of earlier evaluations (0.5: chance). critic-auc-lost: "
        "AUC of the critic of that time minus that of the final critic. Methods without a critic have no AUC."
    )
    return Table("Forgetting by generators and critics", caption, by_cell(frame, NAMES))
