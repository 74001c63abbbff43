"""The bias of the mini-batch distance, over a ladder of mini-batch sizes."""

from __future__ import annotations

import pandas as pd

from pwgan.report.frames import BIAS, BIAS_PARTS, CELL, ordered
from pwgan.report.statistics import intervals, with_diverged
from pwgan.report.tables._cells import INTERVALS, spread
from pwgan.report.tables._pages import Table

ROWS = [*CELL, "sampler", "eval_batch", "n"]
HEADINGS = {
    "eval_batch": "evaluation m",
    "bias": "bias B",
    "deviation": "deviation D",
    "bound": "bound U",
    "differing": "differing partners",
    "matching_bias": "B of matching",
    "sampling_bias": "B of sampling",
    "cosine_batch": "cosine, one batch",
    "cosine_mean": "cosine, mean of batches",
}


def data(bias: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Return the bias report over the ladder of evaluation m, long: one row for each quantity."""
    parts = [] if bias["partition"].astype(bool).all() else BIAS_PARTS
    tidy = bias.melt([*ROWS, "seed"], [*BIAS, *parts], var_name="measure")
    return ordered(with_diverged(intervals(tidy, [*ROWS, "measure"]), runs).sort_values("eval_batch", kind="stable"))


def readable(frame: pd.DataFrame) -> Table:
    """Lay out one row for each method, mini-batch size in training, sampler and evaluation m."""
    caption = (
        f"{INTERVALS} m is the mini-batch size in training, evaluation m the one of the mini-batch distance, n the "
        "pool that both sides share. B = MBWD - EWD; 0 <= B <= D <= U up to rounding. Subsets of a DPP do not part "
        "the pool: their B is that of matching small batches plus that of sampling other points than the pool's."
    )
    return Table("Bias of the mini-batch distance", caption, spread(frame, ROWS, headings=HEADINGS))
