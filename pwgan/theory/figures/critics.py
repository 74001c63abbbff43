"""Trained critics and exact matching, on pairs with known distance."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from pwgan.report.statistics import intervals
from pwgan.report.style import COLOURS, band, grid, head, legend, log_limits, themed
from pwgan.theory.figures._looks import TRUTH

SOLVERS = {
    ("ewd", "estimate"): ("EWD", {"color": "black", "marker": "o", "linestyle": "-"}),
    ("wgan", "estimate"): ("WGAN", {"color": COLOURS[1], "marker": "s", "linestyle": "-"}),
    ("wgan", "scaled"): ("WGAN / slope", {"color": COLOURS[1], "marker": "D", "linestyle": "--"}),
    ("wgan_gp", "estimate"): ("WGAN-GP", {"color": COLOURS[0], "marker": "^", "linestyle": "-"}),
    ("wgan_gp", "scaled"): ("WGAN-GP / slope", {"color": COLOURS[0], "marker": "v", "linestyle": "--"}),
}


@themed
def draw(frame: pd.DataFrame) -> Figure:
    """Draw estimates relative to the true W1, and cosines, against the dimension, one line per solver."""
    figure, (panels,) = grid(1, 2, 3.2)
    tidy = frame.assign(
        estimate=frame["estimate"] / frame["w1"], scaled=frame["scaled"] / frame["w1"], direction=frame["cosine"]
    ).melt(["dimension", "method"], ["estimate", "scaled", "direction"], var_name="measure")
    table = intervals(tidy.dropna(), ["method", "measure", "dimension"])
    floor = log_limits(panels[0], table.loc[table["measure"] != "direction", "mean"])
    for (method, measure), (_, look) in SOLVERS.items():
        part = table[(table["method"] == method) & (table["measure"] == measure)]
        band(panels[0], part["dimension"], part, look, floor)
        if measure == "estimate":
            part = table[(table["method"] == method) & (table["measure"] == "direction")]
            band(panels[1], part["dimension"], part, look)
    dimensions = sorted(frame["dimension"].unique())
    for ax, label, title in zip(panels, ("estimate / true $W_1$", "mean cosine"), ("value", "direction"), strict=True):
        ax.axhline(1, **TRUTH)
        ax.set_xscale("log", base=2)
        ax.set_xticks(dimensions, [str(d) for d in dimensions])
        ax.xaxis.minorticks_off()
        ax.set(xlabel="dimension d", ylabel=label, title=title)
    head(
        figure,
        f"Critics and exact matching on min-funnel pairs, n = {frame['n'].iloc[0]}",
        f"Mean and 95 % interval over {frame['seed'].nunique()} seeds; / slope: divided by the largest measured slope.",
    )
    legend(figure, {**{label: look for label, look in SOLVERS.values()}, "truth": TRUTH})
    return figure
