"""Gradient of a fixed generator while a critic is trained to its optimum."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from pwgan.report.frames import CELL, at_shared
from pwgan.report.panels import facets, lines, told
from pwgan.report.style import empty, head, legend, looks, shown, themed


def data(signal: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Select the gradient norm of the generator for each seed, at every recorded step of every critic.

    Only generators at the m shared by all methods are included.
    """
    columns = [*CELL, "generator", "critic", "seed", "step", "parameter_gradient"]
    if signal.empty:
        return signal.reindex(columns=columns)
    table = at_shared(signal, runs)
    places = {dataset: place for place, dataset in enumerate(runs["dataset"].unique())}
    return table.sort_values("dataset", key=lambda names: names.map(places), kind="stable")[columns]


@themed
def draw(frame: pd.DataFrame, highlight: list[str]) -> Figure:
    """Draw the generator's gradient norm against critic steps, log-log, generators as rows and data sets as columns."""
    if frame.empty:
        return empty("No critics were trained against fixed generators in this study.")
    frame = frame.assign(
        value=frame["parameter_gradient"].where(frame["parameter_gradient"] > 0),
        place=frame["generator"] + " generator\nof " + frame["method"],
    )
    # In addition to the highlighted critics, show the critic that the generators were trained with.
    trained_with = frame.loc[frame["critic"] == frame["method"], "critic"].unique()
    critics = list(dict.fromkeys([*shown(frame.assign(method=frame["critic"]), highlight), *trained_with]))
    frame = frame[frame["critic"].isin(critics)]
    figure, axes, panels = facets(frame, "place", "dataset", 2.3, sharex=True, sharey="col")
    for ax, _ in panels:
        ax.set_yscale("log")
        ax.set_xscale("log", base=2)
    for ax, part in panels:
        # On a log axis, seaborn averages logarithms.
        lines(ax, part, "step", looks(critics), by="critic", markevery=2)
        ax.set(xlabel="", ylabel="")
    for ax, place in zip(axes[:, 0], frame["place"].unique(), strict=True):
        ax.set_ylabel(f"{place}\n||dL/dθ||")
    for top, bottom, (dataset, part) in zip(axes[0], axes[-1], frame.groupby("dataset", sort=False), strict=True):
        runs = part.assign(lost=part["parameter_gradient"].isna()).groupby([*CELL, "generator", "critic", "seed"])
        lost = runs["lost"].any()
        counts = lost.groupby(level=[*CELL, "generator", "critic"]).size()
        top.set_title(f"{dataset}, m = {part['batch_size'].iloc[0]}\n{told(counts, int(lost.sum()))}")
        bottom.set_xlabel("training step of the critic")
    head(
        figure,
        "Does the generator's gradient vanish as the critic is trained further?",
        "Gradient norm of a fixed generator; geometric mean over seeds with 95 % interval, without gradients of 0.",
    )
    legend(figure, looks(critics))
    return figure
