"""What a generator would learn from a critic that is trained to its optimum."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from pwgan.report.frames import CELL, at_shared
from pwgan.report.panels import facets, lines, told
from pwgan.report.style import empty, head, legend, looks, shown, themed


def data(signal: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Pick the norm of the generator's gradient of each seed, at every recorded step of every critic.

    Generators are those of the m that all methods share, one that no method shares apart.
    """
    columns = [*CELL, "generator", "critic", "seed", "step", "parameter_gradient"]
    if signal.empty:
        return signal.reindex(columns=columns)
    table = at_shared(signal, runs)
    places = {dataset: place for place, dataset in enumerate(runs["dataset"].unique())}
    return table.sort_values("dataset", key=lambda names: names.map(places), kind="stable")[columns]


@themed
def draw(frame: pd.DataFrame, highlight: list[str]) -> Figure:
    """Draw the norm of the generator's gradient against the critic's steps, log-log: generators by data sets."""
    if frame.empty:
        return empty("No critics were trained against generators that stand still in this study.")
    frame = frame.assign(
        value=frame["parameter_gradient"].where(frame["parameter_gradient"] > 0),
        place=frame["generator"] + " generator\nof " + frame["method"],
    )
    # Beside the highlighted critics, the one that the generators were trained with.
    trained_with = frame.loc[frame["critic"] == frame["method"], "critic"].unique()
    critics = list(dict.fromkeys([*shown(frame.assign(method=frame["critic"]), highlight), *trained_with]))
    frame = frame[frame["critic"].isin(critics)]
    figure, axes, panels = facets(frame, "place", "dataset", 2.3, sharex=True, sharey="col")
    for ax, _ in panels:
        ax.set_yscale("log")
        ax.set_xscale("log", base=2)
    for ax, part in panels:
        # On a log axis seaborn averages logarithms.
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
        "Does a critic that is trained further still teach a generator that stands still?",
        "Norm of the generator's gradient; geometric mean over seeds and its 95 % interval, gradients of 0 left out.",
    )
    legend(figure, looks(critics))
    return figure
