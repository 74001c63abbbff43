"""Wasserstein distance as estimated by critics."""

from __future__ import annotations

import math

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pwgan.report.figures.convergence import floors
from pwgan.report.frames import CELL, REFERENCE, at_shared, ordered, with_fates
from pwgan.report.panels import all_diverged, facets, level, lines, means, titles
from pwgan.report.style import LEVEL, Look, empty, head, legend, log_limits, shown, themed

EXACT = "exact EWD"
DUAL: dict[str, Look] = {
    EXACT: {"color": "black", "linestyle": "-"},
    "dual": {"color": "#D55E00", "linestyle": "--"},
    "dual / largest slope": {"color": "#0072B2", "linestyle": "-."},
}


def data(history: pd.DataFrame, measures: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Select EWD and dual at each evaluation, for methods whose critic estimates the distance, at the m shared by all.

    ``quantity`` is the exact EWD, the dual E f(x) - E f(y) on the samples of that EWD, or the dual divided by the
    largest slope of f observed between these samples. Rows of method ``data`` are the floor of the EWD.
    """
    runs = at_shared(runs, runs)
    runs = runs[runs["dual"]]
    rows = history.merge(runs[[*CELL, "seed"]])
    rows = rows[rows["step"].isin(rows.loc[rows["ewd"].notna(), "step"])]
    estimates = rows["ewd"], rows["critic_dual"], rows["critic_dual"] / rows["critic_slope"]
    tidy = rows.assign(**dict(zip(DUAL, estimates, strict=True))).melt(
        [*CELL, "seed", "step"], list(DUAL), var_name="quantity"
    )
    floor = floors(measures[measures["dataset"].isin(runs["dataset"])]).assign(quantity=EXACT)
    columns = [*CELL, "seed", "step", "quantity", "value", "status"]
    parts = ordered(with_fates(tidy, runs)), floor
    return pd.concat([part.reindex(columns=columns) for part in parts], ignore_index=True)


@themed
def draw(frame: pd.DataFrame, highlight: list[str]) -> Figure:
    """Draw the critic's estimates and the exact EWD during training, methods as rows and data sets as columns."""
    names = shown(frame, highlight)
    if not names:
        return empty("No method of this study has a critic that estimates a distance, at an m shared by all methods.")
    curves = frame[frame["method"].isin(names)]
    figure, axes, panels = facets(curves, "method", "dataset", 1.4, row_order=names, sharex="col", sharey="col")
    for ax, part in panels:
        lines(ax, part, "step", DUAL, by="quantity")
        level(ax, frame[frame["dataset"] == part["dataset"].iloc[0]])
        if part["value"].isna().all():
            all_diverged(ax)
        ax.set(xlabel="", ylabel="")
    titles(axes, curves, names, "distance", "training step")
    for top, (dataset, part) in zip(axes[0], curves.groupby("dataset", sort=False), strict=True):
        _limits(top, part, frame[(frame["dataset"] == dataset) & (frame["method"] == REFERENCE)])
    head(
        figure,
        "How well does a critic estimate the Wasserstein distance?",
        "Mean and 95 % interval over seeds. The dual divided by the largest slope is a lower bound of W, up to "
        "sampling error. Log axes, linear around 0 if the estimate is negative.",
    )
    legend(figure, DUAL | {"EWD of real samples": LEVEL})
    return figure


def _limits(ax: Axes, part: pd.DataFrame, floor: pd.DataFrame) -> None:
    """Set a log axis that contains all means; if one is negative, linear below about a tenth of the lowest EWD."""
    average = means(pd.concat([part, floor]).fillna({"step": 0}), "step", "quantity")
    low, high = average["value"].min(), average["value"].max()
    if not low <= 0:
        log_limits(ax, average["value"])
        return
    lowest = average.loc[average["quantity"] == EXACT, "value"].min()
    near = 10.0 ** math.floor(math.log10(0.1 * lowest)) if 0 < lowest < math.inf else 1.0
    ax.set_yscale("symlog", linthresh=near)
    ax.set_ylim(min(1.6 * low, -near), max(1.6 * high, near))
