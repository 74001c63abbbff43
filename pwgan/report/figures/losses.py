"""Losses of generator and critic during training."""

from __future__ import annotations

import math
from itertools import cycle, product

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pwgan.report.frames import CELL, ordered, seed_counts
from pwgan.report.panels import all_diverged, facets, sizes_of, spread, titles
from pwgan.report.statistics import intervals
from pwgan.report.style import Look, band, empty, head, legend, shown, themed

WINDOWS = 100
"""Number of windows that a loss curve is averaged over; a small panel cannot show more."""
LOSSES: dict[str, Look] = {"critic": {"color": "#0072B2"}, "generator": {"color": "#D55E00"}}
SIZES = ("-", "--", ":", "-.", (0, (1, 1)))


def data(history: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Average each loss of each seed over windows of steps, then over seeds; ``step`` is the end of a window.

    ``seeds``: number of seeds with a value in the window. ``trained``, ``diverged``: number of seeds of the cell. A
    cell without any recorded loss, because all seeds diverged, has one row of missing values.
    """
    width = math.ceil(max(history["step"].max(), 1) / WINDOWS) if len(history) else 1
    windows = history.assign(step=np.ceil(history["step"] / width).astype(int) * width)
    tidy = windows.rename(columns={f"{loss}_loss": loss for loss in LOSSES}).melt(
        [*CELL, "seed", "step"], list(LOSSES), var_name="loss"
    )
    per_seed = tidy.groupby([*CELL, "seed", "step", "loss"], sort=False)["value"].mean().reset_index()
    table = intervals(per_seed, [*CELL, "step", "loss"])
    # Methods without a critic have no critic loss, and there are no losses at the last step.
    table = table[table["seeds"] > 0]
    cells = seed_counts(runs)
    recorded = cells["dataset"].isin(history["dataset"]) & (
        (cells["diverged"] == cells["trained"]) | cells["method"].isin(table["method"])
    )
    joined = cells[recorded].merge(table, on=CELL, how="left")
    return ordered(joined[[*CELL, "step", "loss", "mean", "half_width", "seeds", "trained", "diverged"]])


@themed
def draw(frame: pd.DataFrame, highlight: list[str]) -> Figure:
    """Draw the losses during training, methods as rows and data sets as columns, with one line style per m."""
    if frame.empty:
        return empty("No loss was recorded during training.")
    names = shown(frame, highlight)
    frame = spread(frame[frame["method"].isin(names)])
    sizes = sizes_of(frame)
    figure, axes, panels = facets(frame, "method", "dataset", 1.35, row_order=names, sharex="col", sharey=False)
    dash = dict(zip(sizes, cycle(SIZES), strict=False))
    for ax, part in panels:
        for loss, size in product(LOSSES, sizes):
            line = part[(part["loss"] == loss) & (part["batch_size"] == size)]
            band(ax, line["step"], line, {**LOSSES[loss], "linestyle": dash[size], "linewidth": 1.0})
        finite = part.loc[np.isfinite(part["mean"]), "mean"]
        if len(finite):
            low, high = np.quantile(finite, [0.005, 0.995])
            air = 0.1 * (high - low) or 0.1 * abs(high) or 1.0
            ax.set_ylim(low - air, high + air)
        else:
            all_diverged(ax)
    titles(axes, frame, names, "loss", "training step")
    head(
        figure,
        "Do the losses of generator and critic settle?",
        "Mean and 95 % interval over seeds, averaged over windows of steps; the axes show 99 % of the points. Losses "
        "of different methods have different units.",
    )
    dashes: dict[str, Look] = {f"m = {size}": {"color": "0.3", "linestyle": dash[size]} for size in sizes}
    marks = dashes if len(sizes) > 1 else {}
    legend(figure, {loss: style for loss, style in LOSSES.items() if (frame["loss"] == loss).any()} | marks)
    return figure
