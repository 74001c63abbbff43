"""Mode coverage: number of modes reached, evenness, and spread within modes."""

from __future__ import annotations

import pandas as pd

from pwgan.report.tables._cells import INTERVALS, by_cell, summarised
from pwgan.report.tables._pages import Table

NAMES = ("modes", "high-quality", "kl", "std-ratio")


def data(measures: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Return all measures of mode coverage as a long frame: mean and interval over seeds."""
    return summarised(measures, runs, NAMES)


def readable(frame: pd.DataFrame) -> Table:
    """Lay out one row per method and mini-batch size."""
    caption = (
        f"{INTERVALS} modes: modes with a sample within 3 sigma, or classes predicted by the classifier. high-quality: "
        "share of samples within 3 sigma of a mode, 0.989 for the true mixture. kl: KL divergence of the shares of "
        "modes among high-quality samples from the true shares, in nats; seeds without a high-quality sample are "
        "counted, but not averaged. std-ratio: standard deviation of samples around a mode, relative to the true one. "
        "The row `data` is real training samples (the floor)."
    )
    return Table("Modes reached by each method", caption, by_cell(frame, NAMES))
