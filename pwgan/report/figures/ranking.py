"""Whether critics forget the mini-batches that they were trained with."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from pwgan.report.frames import CELL, at_shared, ordered, with_fates
from pwgan.report.panels import facets, lines, titles
from pwgan.report.style import Look, empty, head, legend, shown, themed

CRITICS: dict[str, Look] = {
    "critic of that time": {"color": "#D55E00", "linestyle": "--"},
    "final critic": {"color": "#0072B2", "linestyle": "-"},
}
CHANCE: Look = {"color": "0.45", "linestyle": ":", "linewidth": 1.2}


def data(ranking: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Pick how critics rank earlier mini-batches against snapshots of their time, at the m that all methods share.

    ``step``: of mini-batch and snapshot; ``critic``: the one of that time, or the final one; ``value``: the AUC.
    """
    ranking, runs = at_shared(ranking, runs), at_shared(runs, runs)
    # At step 0 no critic has seen a batch.
    pairs = ranking[ranking["earlier_step"] > 0]
    last = pairs.groupby(CELL)["step"].transform("max")
    chosen = [pairs["step"] == pairs["earlier_step"], pairs["step"] == last]
    tidy = pd.concat([pairs[rows].assign(critic=critic) for critic, rows in zip(CRITICS, chosen, strict=True)])
    tidy = tidy.drop(columns="step").rename(columns={"earlier_step": "step", "auc": "value"})
    table = with_fates(tidy, runs.merge(pairs[CELL].drop_duplicates()))
    return ordered(table[[*CELL, "seed", "step", "critic", "value", "status"]])


@themed
def draw(frame: pd.DataFrame, highlight: list[str]) -> Figure:
    """Draw the AUC of the final critic and of each earlier one against the step of the batch, methods by data sets."""
    if frame.empty:
        return empty("No method of this study has, at an m that all share, a critic that could forget.")
    names = shown(frame, highlight)
    frame = frame[frame["method"].isin(names)]
    figure, axes, panels = facets(frame, "method", "dataset", 1.25, row_order=names, sharex="col", sharey=True)
    for ax, part in panels:
        ax.axhline(0.5, **CHANCE)
        lines(ax, part, "step", CRITICS, by="critic")
        if part["value"].isna().all():
            ax.text(0.5, 0.7, "all seeds diverged", transform=ax.transAxes, ha="center", va="center")
        ax.set(xlabel="", ylim=(-0.03, 1.03))
    titles(axes, frame, names, "AUC", "step of the mini-batch")
    head(
        figure,
        "Do critics forget earlier mini-batches?",
        "How well a critic tells an earlier real mini-batch from the samples of its time: mean and 95 % interval over "
        "seeds; at 1 every real sample scores higher. Where the final critic is the lower, it forgot.",
    )
    legend(figure, CRITICS | {"a critic that knows nothing": CHANCE})
    return figure
