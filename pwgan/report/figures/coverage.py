"""Number of modes that a generator reaches."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from pwgan.report.frames import ordered, with_fates
from pwgan.report.panels import cells, facets, limits_from_zero, seeds_of, sizes_of, values_axis
from pwgan.report.style import LEVEL, empty, head, legend, looks, shown, themed


def data(measures: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Select the number of covered modes of every seed, for every way of counting and sample count."""
    table = measures[measures["name"] == "modes"]
    columns = ["dataset", "method", "batch_size", "seed", "measure", "value", "status"]
    return ordered(with_fates(table, runs)[columns])


@themed
def draw(frame: pd.DataFrame, highlight: list[str]) -> Figure:
    """Draw the number of covered modes of each cell, one panel per data set and way of counting."""
    if frame.empty:
        return empty("No data set of this study has modes that can be counted.")
    names, sizes = shown(frame, highlight), sizes_of(frame)
    axis = values_axis(sizes)
    height = 0.8 + 0.22 * (len(names) + 1) if axis == "x" else 2.4
    panel = frame["dataset"] + ", " + frame["measure"]
    figure, _, panels = facets(
        frame.assign(panel=panel), col="panel", height=height, col_wrap=3, sharex=False, sharey=axis == "x"
    )
    for ax, part in panels:
        cells(ax, part, names, sizes)
        ax.set_title(f"{part['panel'].iloc[0]}\n{seeds_of(part)}")
        limits_from_zero(ax, 1.08 * max(part["value"].fillna(0).max(), 1), axis)
        ax.set(**{f"{axis}label": "modes covered (count)"})
    head(
        figure,
        "How many modes does each generator reach?",
        "Mean and 95 % interval over seeds; a cross at 0: all seeds diverged"
        + (f"; all trained with m = {sizes[0]}." if axis == "x" else "."),
    )
    legend(figure, (looks(names) if axis == "y" else {}) | {"real samples": LEVEL})
    return figure
