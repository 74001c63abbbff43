"""Modes: how many are reached, how evenly, and how closely."""

from __future__ import annotations

import pandas as pd

from pwgan.report.tables._cells import INTERVALS, by_cell, summarised
from pwgan.report.tables._pages import Table

NAMES = ("modes", "high-quality", "kl", "std-ratio")


def data(measures: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Return everything that is said of modes, long: mean and interval over seeds."""
    return summarised(measures, runs, NAMES)


def readable(frame: pd.DataFrame) -> Table:
    """Lay out one row for each method and mini-batch size."""
    caption = (
        f"{INTERVALS} modes: those with a sample within 3 sigma, or the classes that a classifier sees. high-quality: "
        "share of samples within 3 sigma of a mode, 0.989 for the true mixture. kl: divergence of the shares of modes "
        "among high-quality samples from the true ones, in nats; a seed without such a sample has none: it is counted. "
        "std-ratio: spread of samples at a mode over the true one. The row `data` measures real training samples."
    )
    return Table("Modes reached by each method", caption, by_cell(frame, NAMES))
