"""Whether critics forget the mini-batches that they were trained on."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from pwgan.report.frames import CELL, at_shared, ordered, with_fates
from pwgan.report.panels import all_diverged, facets, lines, titles
from pwgan.report.style import Look, empty, head, legend, shown, themed

CRITICS: dict[str, Look] = {
    "critic of that time": {"color": "#D55E00", "linestyle": "--"},
    "final critic": {"color": "#0072B2", "linestyle": "-"},
}
CHANCE: Look = {"color": "0.45", "linestyle": ":", "linewidth": 1.2}


def data(ranking: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Select the AUC of critics between earlier mini-batches and snapshots of the same step, at the m shared by all.

    ``step``: step of mini-batch and snapshot; ``critic``: critic of that time or final critic; ``value``: the AUC.
    """
    ranking, runs = at_shared(ranking, runs), at_shared(runs, runs)
    # At step 0 the critic has not been trained.
    pairs = ranking[ranking["earlier_step"] > 0]
    last = pairs.groupby(CELL)["step"].transform("max")
    chosen = [pairs["step"] == pairs["earlier_step"], pairs["step"] == last]
    tidy = pd.concat([pairs[rows].assign(critic=critic) for critic, rows in zip(CRITICS, chosen, strict=True)])
    tidy = tidy.drop(columns="step").rename(columns={"earlier_step": "step", "auc": "value"})
    table = with_fates(tidy, runs.merge(pairs[CELL].drop_duplicates()))
    return ordered(table[[*CELL, "seed", "step", "critic", "value", "status"]])


@themed
def draw(frame: pd.DataFrame, highlight: list[str]) -> Figure:
    """Draw the AUC of both critics against the step of the mini-batch, methods as rows and data sets as columns."""
    if frame.empty:
        return empty("No method of this study has a critic whose ranking was recorded, at an m shared by all methods.")
    names = shown(frame, highlight)
    frame = frame[frame["method"].isin(names)]
    figure, axes, panels = facets(frame, "method", "dataset", 1.25, row_order=names, sharex="col", sharey=True)
    for ax, part in panels:
        ax.axhline(0.5, **CHANCE)
        lines(ax, part, "step", CRITICS, by="critic")
        if part["value"].isna().all():
            all_diverged(ax, 0.7)
        ax.set(xlabel="", ylim=(-0.03, 1.03))
    titles(axes, frame, names, "AUC", "step of the mini-batch")
    head(
        figure,
        "Do critics forget earlier mini-batches?",
        "AUC of a critic between an earlier real mini-batch and the samples generated at that time; mean and 95 % "
        "interval over seeds. At 1, every real sample scores higher. If the final critic is lower, it has forgotten.",
    )
    legend(figure, CRITICS | {"chance": CHANCE})
    return figure
