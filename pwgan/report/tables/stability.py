"""Stability: distance from the floor at the end of training, and how much the EWD still changes."""

from __future__ import annotations

import pandas as pd

from pwgan.report.frames import CELL, REFERENCE
from pwgan.report.tables._cells import by_cell, summarised
from pwgan.report.tables._pages import Table

NAMES = ("ewd-above-floor", "ewd-trend", "ewd-variance", "ewd-debiased-trend", "ewd-debiased-variance")


def data(measures: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Return the measures of stability as a long frame: mean and standard deviation over seeds."""
    trained = measures[measures["method"] != REFERENCE]
    table = summarised(trained, runs, NAMES)
    keys = [*CELL, "measure"]
    deviations = trained.groupby(keys, dropna=False, sort=False)["value"].std().rename("deviation").reset_index()
    columns = ["deviation" if name == "half_width" else name for name in table.columns]
    return table.merge(deviations, on=keys, how="left")[columns]


def readable(frame: pd.DataFrame) -> Table:
    """Lay out one row per method and mini-batch size."""
    caption = (
        "Mean ± standard deviation over seeds (the variation between runs); diverged seeds are counted, but not "
        "averaged. ewd-above-floor: EWD at the last evaluation minus that of real samples. ewd-trend (per step) and "
        "ewd-variance: slope and variance of the EWD over the last third of training, and the same of the debiased "
        "EWD; a run that has settled has a trend of 0."
    )
    return Table("Stability of each method", caption, by_cell(frame.rename(columns={"deviation": "half_width"}), NAMES))
