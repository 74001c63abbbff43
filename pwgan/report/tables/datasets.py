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
    "classifier_heldout_accuracy": "accuracy of classifier_heldout",
}


def data(datasets: pd.DataFrame) -> pd.DataFrame:
    """Return the frame of data sets unchanged."""
    return datasets


def readable(frame: pd.DataFrame) -> Table:
    """Lay out one row per data set."""
    caption = (
        "The classifier is used to count modes and extract features; its accuracy is on held-out samples. "
        "classifier_heldout is trained on half of them; its accuracy is on the other half."
    )
    block = frame.assign(**{name: frame[name].map(number) for name in frame.select_dtypes("float").columns})
    return Table("Data sets", caption, {"All data sets": headed(block, HEADINGS)})
