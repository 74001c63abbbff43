"""Quality of the primal methods against the mini-batch size that they were trained with."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pwgan.report.frames import CELL, REFERENCE, ordered, with_fates
from pwgan.report.ladder import size_ticks
from pwgan.report.panels import facets, level, lines, seeds_of, sizes_of
from pwgan.report.quality import axis_label, chosen, falls, training_seconds
from pwgan.report.statistics import interval
from pwgan.report.style import LEVEL, Look, empty, head, legend, looks, themed

QUANTITIES = {
    "debiased EWD": ("ewd-debiased",),
    "EWD": ("ewd",),
    "quality": ("high-quality", "fid", "fd"),
    "recall": ("recall",),
}
RIVALS = 3
"""Maximum number of methods with a critic that are drawn as lines."""


def data(measures: pd.DataFrame, runs: pd.DataFrame, history: pd.DataFrame, costs: pd.DataFrame) -> pd.DataFrame:
    """Select four quantities of every seed of all cells, and of real samples.

    ``quantity``: debiased EWD, EWD, quality (high quality, or a Fréchet distance) and recall; ``measure`` is the name
    of the measure. ``critic``: whether the method has one; ``seconds``: training seconds per seed of the cell.
    """
    critics = history.groupby(CELL, sort=False)["critic_loss"].count().gt(0).rename("critic").reset_index()
    rows = with_fates(chosen(measures, QUANTITIES), runs)
    rows = rows.merge(critics, on=CELL, how="left").merge(training_seconds(costs), on=CELL, how="left")
    return ordered(rows[[*CELL, "seed", "quantity", "measure", "critic", "seconds", "value", "status"]])


@themed
def draw(frame: pd.DataFrame, highlight: list[str]) -> Figure:
    """Draw quantities as rows and data sets as columns; methods with a critic are lines at the better of their m."""
    primal = _ladders(frame)
    if primal.empty:
        return empty("No method without a critic was trained with several m in this study.")
    names = list(dict.fromkeys(primal["method"]))
    critics = [name for name in highlight if name in set(frame.loc[_has_critic(frame), "method"])][:RIVALS]
    rows = pd.concat([primal, frame[frame["method"].isin([REFERENCE, *critics])]])
    rows = rows[rows["dataset"].isin(primal["dataset"]) & rows["quantity"].notna()]
    order = [name for name in QUANTITIES if name in set(rows["quantity"])]
    figure, axes, panels = facets(rows, "quantity", "dataset", 1.7, row_order=order, sharex="col", sharey=False)
    for ax, part in panels:
        own = part[part["method"].isin(names)]
        ax.set_xscale("log", base=2)
        lines(ax, own, "batch_size", looks(names))
        for name in critics:
            _rival(ax, part[part["method"] == name], looks([name])[name])
        level(ax, part)
        size_ticks(ax, sizes_of(primal[primal["dataset"] == part["dataset"].iloc[0]]))
        ax.set(xlabel="", ylabel=axis_label(part["measure"].dropna().iloc[0]))
    for ax in axes[-1]:
        ax.set_xlabel("training m (samples)")
    for top, (dataset, part) in zip(axes[0], rows.groupby("dataset", sort=False), strict=True):
        top.set_title(f"{dataset}\n{_times(part)}\n{seeds_of(part)}")
    head(
        figure,
        f"Does a larger mini-batch help at equal training time? {_found(primal)}",
        "Mean and 95 % interval over seeds. Methods with a critic are horizontal lines, each at the better of its m.",
    )
    flat: dict[str, Look] = {name: {**style, "marker": ""} for name, style in looks(critics).items()}
    legend(figure, looks(names) | flat | {"real samples": LEVEL})
    return figure


def _has_critic(frame: pd.DataFrame) -> pd.Series:
    return frame["critic"].astype(str) == "True"


def _ladders(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of methods without a critic that were trained with at least two m on a data set."""
    rows = frame[(frame["method"] != REFERENCE) & ~_has_critic(frame)]
    if rows.empty:
        return rows
    sizes = rows.groupby(["dataset", "method"])["batch_size"].transform("nunique")
    return rows[sizes > 1]


def _rival(ax: Axes, rows: pd.DataFrame, style: Look) -> None:
    """Draw the mean of a method at the better of its m as a horizontal line, with its interval."""
    found = [interval(group["value"]) for _, group in rows.groupby("batch_size")]
    found = [one for one in found if one.seeds]
    if not found:
        return
    lower = falls(str(rows["measure"].iloc[0]))
    mean, half, _ = min(found, key=lambda one: one.mean if lower else -one.mean)
    ax.axhline(mean, color=style["color"], linestyle=style["linestyle"], linewidth=1.2, zorder=1)
    if half > 0:
        ax.axhspan(mean - half, mean + half, color=style["color"], alpha=0.12, linewidth=0, zorder=0)


def _times(part: pd.DataFrame) -> str:
    """Format the range of training times of the cells of a data set."""
    seconds = part["seconds"].dropna()
    return f"{seconds.min():.3g} to {seconds.max():.3g} s per seed" if len(seconds) else "training times unknown"


def _found(primal: pd.DataFrame) -> str:
    """Say how the distance of the plain and of the debiased method changes with m on each data set."""
    rows = primal[primal["quantity"] == "debiased EWD"]
    rows = rows if len(rows) else primal[primal["quantity"] == "EWD"]
    texts = []
    for dataset, part in rows.groupby("dataset", sort=False):
        ends = []
        for name in [name for name in ("pwgan", "pwgan_debiased") if name in set(part["method"])]:
            means = part[part["method"] == name].groupby("batch_size")["value"].mean().dropna()
            if len(means) > 1:
                ends.append(f"{name} {means.iloc[0]:.2g}\u00a0to\u00a0{means.iloc[-1]:.2g}")
        if ends:
            texts.append(f"{dataset}: {', '.join(ends)}")
    quantity = rows["quantity"].iloc[0] if len(rows) else ""
    quantity = quantity[:1].upper() + quantity[1:]
    return f"{quantity} from the smallest to the largest m: {'; '.join(texts)}." if texts else ""
