"""Sample quality: distances to the data, in sample space and in feature space."""

from __future__ import annotations

import pandas as pd

from pwgan.report.tables._cells import INTERVALS, by_cell, summarised
from pwgan.report.tables._pages import Table

NAMES = (
    "ewd",
    "ewd-debiased",
    "ewd-within",
    "lost-class",
    "tied-ewd",
    "fid",
    "fd",
    "fid-infinity",
    "fd-infinity",
    "kid",
    "precision",
    "recall",
    "density",
    "nn-coverage",
)


def data(measures: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Return the measures of quality as a long frame: mean and interval over seeds."""
    return summarised(measures, runs, NAMES)


def readable(frame: pd.DataFrame) -> Table:
    """Lay out one row per method and mini-batch size."""
    caption = (
        f"{INTERVALS} The row `data` is real training samples measured against the held-out set: the floor, the value "
        "that a perfect generator would reach (the classifier used for features was trained on these samples, "
        "classifier_heldout was not); with -train in a name, held-out samples measured against training ones. The "
        "number after @ is the sample count. EWDs are comparable only within a data set. ewd-within: EWD between two "
        "sets of generated samples, lower than that of real ones for a generator of too little spread. ewd-debiased: "
        "twice the EWD minus this one and that between two sets of real samples, which a lack of spread does not "
        "lower. lost-class: ewd-debiased of real samples that lack one class, a unit to compare with. tied-ewd: EWD "
        "between samples generated from the latents tied to the training samples by a full matching, and the training "
        "samples."
    )
    return Table("Distances of samples to the data", caption, by_cell(frame, NAMES))
