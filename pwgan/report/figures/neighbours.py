"""Whether generated samples are copies of training samples."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from pwgan.report.frames import CELL, ordered, with_fates
from pwgan.report.panels import cells, facets, limits_from_zero, means, seeds_of, sizes_of, values_axis
from pwgan.report.style import LEVEL, empty, head, legend, log_limits, looks, shown, themed

QUANTITIES = {
    "nn_ratio": "distance to training\nover held-out (ratio)",
    "copies": "near copies (share)",
    "data_copying": "data-copying test\n$Z_U$ (score)",
}


def data(measures: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Select the nearest-neighbour measures of every seed; ``space`` is "samples" or the feature extractor."""
    table = measures[measures["name"].isin(list(QUANTITIES))]
    table = table.assign(quantity=table["name"], space=table["extractor"].astype(object).fillna("samples"))
    return ordered(with_fates(table, runs)[[*CELL, "seed", "space", "quantity", "count", "value", "status"]])


@themed
def draw(frame: pd.DataFrame, highlight: list[str]) -> Figure:
    """Draw distance ratio, near copies and copying test of each cell, one row per data set and space."""
    if frame.empty:
        return empty("No data set of this study has enough held-out samples for a search for copies.")
    names, sizes = shown(frame, highlight), sizes_of(frame)
    axis = values_axis(sizes)
    height = 0.65 + 0.17 * (len(names) + 1) if axis == "x" else 1.9
    rows = frame.assign(row=frame["dataset"] + ", " + frame["space"])
    figure, axes, panels = facets(
        rows, "row", "quantity", height, col_order=list(QUANTITIES), sharex=False, sharey=axis == "x"
    )
    for ax, part in panels:
        quantity = part["quantity"].iloc[0]
        cells(ax, part, names, sizes)
        level = means(part, "batch_size")["value"].fillna(0)
        if quantity == "nn_ratio":
            log_limits(ax, level, axis)
        elif quantity == "data_copying":
            ends = min(1.6 * level.min(), -1), max(1.6 * level.max(), 1)
            ax.set(**{f"{axis}scale": "symlog", f"{axis}lim": ends})
            (ax.xaxis if axis == "x" else ax.yaxis).set_major_formatter("{x:g}")
        else:
            limits_from_zero(ax, 1.15 * max(level.max(), 0.02), axis)
        ax.set(**{f"{axis}label": QUANTITIES[quantity]})
        if quantity == "nn_ratio":
            ax.set_title(f"{part['row'].iloc[0]}\n{seeds_of(part)}")
        elif quantity == "copies":
            ax.set_title(f"{part['count'].iloc[0]:.0f} samples")
    for ax in axes[:-1].flat:
        ax.set_xlabel("")
    head(
        figure,
        "Are generated samples copies of training samples?",
        f"Mean and 95 % interval over seeds. Copies lie {'left of' if axis == 'x' else 'below'} the dashed line in the "
        f"first and third column, and {'right of' if axis == 'x' else 'above'} it in the second."
        + (f" All methods were trained with m = {sizes[0]}." if axis == "x" else ""),
    )
    legend(figure, (looks(names) if axis == "y" else {}) | {"held-out samples": LEVEL})
    return figure
