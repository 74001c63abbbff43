"""Mode coverage: modes covered, evenness, quality, and spread within modes."""

from __future__ import annotations

import pandas as pd

from pwgan.report.tables._cells import INTERVALS, by_cell, summarised
from pwgan.report.tables._pages import Table

NAMES = (
    "coverage",
    "coverage-kl",
    "near-modes",
    "high-quality",
    "std-ratio",
    "captured",
    "captured-kl",
    "captured-any",
)


def data(measures: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Return all measures of mode coverage as a long frame: mean and interval over seeds."""
    return summarised(measures, runs, NAMES)


def readable(frame: pd.DataFrame) -> Table:
    """Lay out one row per method and mini-batch size."""
    caption = (
        f"{INTERVALS} coverage: modes with at least a fifth of their fair share of all samples, within a quarter of "
        "the smallest spacing of the modes, or classes that the classifier predicts as often. coverage-kl: KL "
        "divergence of the shares of these samples from the true ones, in nats. near-modes: their share of all "
        "samples; with less than half, coverage says little. high-quality: share of samples within 3 sigma of a mode, "
        "0.989 for the true mixture; samples that are too concentrated score more. std-ratio: standard deviation of "
        "these samples around a mode, relative to the true one. captured, captured-kl: the counts of published tables, "
        "modes with a sample within 3 sigma and the KL divergence of the shares of such samples; for comparison with "
        "papers, and left out for seeds with fewer than three such samples per mode. captured-any: captured without "
        "this limit, or classes that the classifier predicts at least once. The row `data` is real training "
        "samples (the floor)."
    )
    return Table("Modes covered by each method", caption, by_cell(frame, NAMES))
