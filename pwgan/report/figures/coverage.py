"""Modes that a generator covers, and how close to them its samples lie."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from pwgan.report.frames import CELL, ordered, with_fates
from pwgan.report.panels import cells, facets, limits_from_zero, seeds_of, sizes_of, values_axis
from pwgan.report.style import LEVEL, empty, head, legend, looks, shown, themed

QUANTITIES = {
    "coverage": "modes covered (count)",
    "high-quality": "within 3 sigma (share)",
    "std-ratio": "std at a mode over\nthe true one (ratio)",
}


def data(measures: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Select coverage, high quality and std ratio of every seed; ``extractor`` says which network counted classes."""
    table = measures[measures["name"].isin(list(QUANTITIES))].assign(quantity=lambda rows: rows["name"])
    return ordered(with_fates(table, runs)[[*CELL, "seed", "extractor", "quantity", "count", "value", "status"]])


@themed
def draw(frame: pd.DataFrame, highlight: list[str]) -> Figure:
    """Draw the three measures of each cell as columns, one row per data set and way of counting."""
    if frame.empty:
        return empty("No data set of this study has modes that can be counted.")
    names, sizes = shown(frame, highlight), sizes_of(frame)
    axis = values_axis(sizes)
    height = 0.65 + 0.17 * (len(names) + 1) if axis == "x" else 1.9
    ways = frame["extractor"].astype(object)
    rows = frame.assign(row=frame["dataset"] + ways.map(", {}".format).where(ways.notna(), ""))
    order = [name for name in QUANTITIES if name in set(frame["quantity"])]
    figure, axes, panels = facets(rows, "row", "quantity", height, col_order=order, sharex=False, sharey=axis == "x")
    for ax, part in panels:
        quantity = part["quantity"].iloc[0]
        cells(ax, part, names, sizes)
        limits_from_zero(ax, 1.08 * max(part["value"].fillna(0).max(), 1), axis)
        ax.set(**{f"{axis}label": QUANTITIES[quantity]})
        if quantity == "coverage":
            ax.set_title(f"{part['row'].iloc[0]}, {part['count'].iloc[0]:.0f} samples\n{seeds_of(part)}")
    for column in axes.T:
        # Images have no quality: the lowest panel of a column need not be in the last row.
        for ax in [ax for ax in column if ax.get_xlabel()][:-1]:
            ax.set_xlabel("")
    head(
        figure,
        "How many modes does each generator cover, and how well?",
        "A mode is covered by a fifth of its fair share of samples. Samples that are too concentrated are all within 3 "
        "sigma: the ratio of standard deviations tells. Mean and 95 % interval over seeds; a cross at 0: all seeds "
        "diverged" + (f"; all trained with m = {sizes[0]}." if axis == "x" else "."),
    )
    legend(figure, (looks(names) if axis == "y" else {}) | {"real samples": LEVEL})
    return figure
