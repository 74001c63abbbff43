"""Exact EWD on pairs with known distance."""

from __future__ import annotations

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pwgan.report.style import MARKERS, band, grid, head, legend, log_limits, themed
from pwgan.theory.figures._looks import TRUTH


@themed
def draw(frame: pd.DataFrame) -> Figure:
    """Draw EWD relative to the true W1, and cosines of transport directions, against n, one line per dimension."""
    figure, axes = grid(1, 2, 3.2)
    dimensions = sorted(frame["dimension"].unique())
    shades = matplotlib.colormaps["viridis"](np.linspace(0, 0.9, len(dimensions)))
    look = {
        d: {"color": shade, "marker": marker}
        for d, shade, marker in zip(dimensions, shades, MARKERS[: len(dimensions)], strict=True)
    }
    sizes = sorted(frame["n"].unique())
    for ax, (measure, label) in zip(
        axes[0], {"ratio": "EWD / true $W_1$", "cosine": "mean cosine"}.items(), strict=True
    ):
        part = frame[frame["measure"] == measure]
        floor = log_limits(ax, part["mean"]) if measure == "ratio" else None
        for d, line in part.groupby("dimension"):
            band(ax, line["n"], line, look[d], floor)
        ax.axhline(1, **TRUTH)
        ax.set_xscale("log", base=2)
        ax.set_xticks(sizes, [str(size) for size in sizes])
        ax.xaxis.minorticks_off()
        ax.set(xlabel="points n on each side", ylabel=label)
    axes[0, 0].set_title("value")
    axes[0, 1].set_title("direction of transport")
    fewest, most = frame["seeds"].min(), frame["seeds"].max()
    head(
        figure,
        "Exact EWD on min-funnel pairs with known $W_1$",
        f"Mean and 95 % interval over {most} draws, {fewest} at n = {sizes[-1]}.",
    )
    legend(figure, {**{f"d = {d}": look[d] for d in dimensions}, "truth": TRUTH}, columns=4)
    return figure
