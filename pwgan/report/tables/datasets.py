"""The data sets of a study."""

from __future__ import annotations

import pandas as pd

from pwgan.report.tables._cells import headed, number
from pwgan.report.tables._pages import Table

HEADINGS = {
    "sample": "sample shape",
    "training": "training samples",
    "heldout": "held-out samples",
    "classifier_accuracy": "classifier accuracy",
    "classifier_epochs": "classifier epochs",
}


def data(datasets: pd.DataFrame) -> pd.DataFrame:
    """Return the data sets as they were stored."""
    return datasets


def readable(frame: pd.DataFrame) -> Table:
    """Lay out one row for each data set."""
    caption = "The classifier counts modes and gives features; its accuracy is on the held-out samples."
    block = frame.assign(**{name: frame[name].map(number) for name in frame.select_dtypes("float").columns})
    return Table("Data sets", caption, {"All data sets": headed(block, HEADINGS)})
