"""The bias of the mini-batch distance, for several evaluation mini-batch sizes."""

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
    """Return the bias and related quantities for every evaluation m as a long frame, one row per quantity."""
    parts = [] if bias["partition"].astype(bool).all() else BIAS_PARTS
    tidy = bias.melt([*ROWS, "seed"], [*BIAS, *parts], var_name="measure")
    return ordered(with_diverged(intervals(tidy, [*ROWS, "measure"]), runs).sort_values("eval_batch", kind="stable"))


def readable(frame: pd.DataFrame) -> Table:
    """Lay out one row per method, training mini-batch size, sampler and evaluation m."""
    caption = (
        f"{INTERVALS} m: mini-batch size in training; evaluation m: mini-batch size of the mini-batch distance; n: "
        "pool size on each side. B = MBWD - EWD; 0 <= B <= D <= U up to rounding. Mini-batches drawn from a DPP do "
        "not partition the pool: their B is the sum of B of matching (small mini-batches) and B of sampling (points "
        "that are not distributed as the pool)."
    )
    return Table("Bias of the mini-batch distance", caption, spread(frame, ROWS, headings=HEADINGS))
