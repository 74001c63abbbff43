"""Gradient of a fixed generator while a critic is trained to a standstill, and whether it points to the data."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pwgan.report.frames import CELL, at_shared
from pwgan.report.panels import facets, lines, told
from pwgan.report.style import LEVEL, empty, head, legend, looks, shown, themed

QUANTITIES = {"parameter_gradient": "||dL/dθ||", "cosine": "cosine with the\ntransport direction"}


def data(signal: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Select gradient norm and cosine of the generator for each seed, at every recorded step of every critic.

    Only generators at the m shared by all methods are included.
    """
    columns = [*CELL, "generator", "critic", "seed", "step", *QUANTITIES, "apart", "stationary"]
    if signal.empty:
        return signal.reindex(columns=columns)
    table = at_shared(signal, runs)
    places = {dataset: place for place, dataset in enumerate(runs["dataset"].unique())}
    return table.sort_values("dataset", key=lambda names: names.map(places), kind="stable")[columns]


@themed
def draw(frame: pd.DataFrame, highlight: list[str]) -> Figure:
    """Draw norm (log) and cosine against critic steps, generators and quantities as rows and data sets as columns."""
    if frame.empty:
        return empty("No critics were trained against fixed generators in this study.")
    # In addition to the highlighted critics, show the critic that the generators were trained with.
    trained_with = frame.loc[frame["critic"] == frame["method"], "critic"].unique()
    critics = list(dict.fromkeys([*shown(frame.assign(method=frame["critic"]), highlight), *trained_with]))
    frame = frame[frame["critic"].isin(critics)]
    names = frame["generator"] + " generator\nof " + frame["method"]
    rows = frame.assign(name=names).melt(
        [column for column in [*frame, "name"] if column not in QUANTITIES], list(QUANTITIES), "quantity"
    )
    rows["place"] = rows["name"] + "\n" + rows["quantity"]
    order = [f"{name}\n{quantity}" for name in names.unique() for quantity in QUANTITIES]
    figure, axes, panels = facets(rows, "place", "dataset", 1.7, row_order=order, sharex=True, sharey=False)
    for ax, part in panels:
        # Step 0, the untrained critic, has a place on this axis.
        ax.set_xscale("symlog", base=2, linthresh=1)
        if part["quantity"].iloc[0] == "cosine":
            ax.axhline(0, **LEVEL)
            ax.set(ylim=(-1.05, 1.05))
        else:
            ax.set_yscale("log")
            part = part.assign(value=part["value"].where(part["value"] > 0))
        # On a log axis, seaborn averages logarithms.
        lines(ax, part, "step", looks(critics), by="critic", markevery=2)
        ax.set(xlabel="", ylabel="")
        ax.set_title(_apart(part) if part["quantity"].iloc[0] == "parameter_gradient" else "")
    for ax, place in zip(axes[:, 0], order, strict=True):
        name, _, quantity = place.rpartition("\n")
        ax.set_ylabel(f"{name}\n{QUANTITIES[quantity]}")
    for top, bottom, (dataset, part) in zip(axes[0], axes[-1], frame.groupby("dataset", sort=False), strict=True):
        runs = part.assign(lost=part["parameter_gradient"].isna()).groupby([*CELL, "generator", "critic", "seed"])
        lost = runs["lost"].any()
        counts = lost.groupby(level=[*CELL, "generator", "critic"]).size()
        seeds = told(counts, int(lost.sum()))
        top.set_title(f"{dataset}, m = {part['batch_size'].iloc[0]}\n{seeds}\n{top.get_title()}")
        bottom.set_xlabel("training step of the critic")
    head(
        figure,
        "Does the generator's gradient vanish as the critic is trained further, and where does it point?",
        "Norm (geometric mean, without gradients of 0) and mean cosine over seeds with 95 % interval, for a fixed "
        "generator. At cosine 1, every sample moves to its partner in the exact matching. Above a panel: smallest "
        "distance "
        "between generated and real samples, in standard deviations of a mode or spacings of the data.",
    )
    legend(figure, looks(critics))
    return figure


def _apart(part: pd.DataFrame) -> str:
    """Tell the smallest and largest distance between generated and real samples over the seeds."""
    ends = part["apart"].agg(["min", "max"]).to_numpy(float)
    return "" if np.isnan(ends).any() else "{:.2g} to {:.2g} scales apart".format(*ends)
