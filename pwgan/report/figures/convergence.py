"""How near to the data generators come along training."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pwgan.measures.names import MeasureName
from pwgan.report.frames import CELL, REFERENCE, ordered, with_fates
from pwgan.report.panels import context, entries, facets, level, lines, means, seeds_of, spread
from pwgan.report.style import LEVEL, Look, empty, head, legend, log_limits, looks, shown, themed


def data(history: pd.DataFrame, measures: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Pick the EWD of every seed at the evaluations, and the floor of each data set as rows of method ``data``.

    ``measure`` names the number of samples; the floor is ``ewd-history@n`` of real samples, or ``ewd@n`` of another n
    where the study has no such measure.
    """
    points = runs.groupby("dataset")["history_points"].max()
    curves = history[history["ewd"].notna()].rename(columns={"ewd": "value"})
    curves = ordered(with_fates(curves, runs))
    curves["measure"] = [str(MeasureName("ewd", None, int(points[dataset]))) for dataset in curves["dataset"]]
    columns = [*CELL, "seed", "step", "measure", "value", "status"]
    parts = curves, floors(measures)
    return pd.concat([part.reindex(columns=columns) for part in parts], ignore_index=True)


def floors(measures: pd.DataFrame) -> pd.DataFrame:
    """Return the EWD of real samples that EWDs along training are to be held against, a row for each seed."""
    real = measures[measures["method"] == REFERENCE]
    exact = real[real["name"] == "ewd-history"]
    return pd.concat([exact, real[(real["name"] == "ewd") & ~real["dataset"].isin(exact["dataset"])]])


@themed
def draw(frame: pd.DataFrame, highlight: list[str]) -> Figure:
    """Draw EWD over training on a log axis, data sets by trained m."""
    curves, floor = frame[frame["method"] != REFERENCE], frame[frame["method"] == REFERENCE]
    if curves["value"].isna().all():
        return empty("No EWD was measured during training.")
    names, curves = shown(frame, highlight), spread(curves)
    figure, axes, panels = facets(curves, "dataset", "rank", 2.0, sharex="row", sharey="row")
    for ax, part in panels:
        own = floor[floor["dataset"] == part["dataset"].iloc[0]]
        context(ax, part, "step", names)
        look = {name: {**style, "marker": ""} for name, style in looks(names).items()}
        lines(ax, part, "step", look)
        level(ax, own)
        _ends(ax, part, look)
        everyone = curves[curves["dataset"] == part["dataset"].iloc[0]]
        log_limits(ax, pd.concat([means(everyone, "batch_size", "step")["value"], own["value"]]))
        ax.set_title(f"{part['dataset'].iloc[0]}, m = {part['batch_size'].iloc[0]}\n{seeds_of(part)}")
        ax.set(xlabel="training step", ylabel=f"EWD (distance)\nn = {', '.join(map(str, _counts(part)))}")
        for count in _counts(own) - _counts(part):
            at = (1, own["value"].mean())
            ax.annotate(f"floor of n = {count}", at, xycoords=("axes fraction", "data"), ha="right", va="bottom")
    for ax in axes[:, 1:].flat:
        ax.set_ylabel("")
    for ax in axes[:-1].flat:
        ax.set_xlabel("")
    head(
        figure,
        "How near to held-out data do generators come, and how soon?",
        "Mean and 95 % interval over the seeds still running; a curve that ends in a cross: all seeds diverged.",
    )
    legend(figure, entries(curves, names, marker="") | {"real samples": LEVEL})
    return figure


def _counts(part: pd.DataFrame) -> set[int]:
    """Return of how many samples the EWDs are."""
    return {MeasureName.parse(name).count for name in part["measure"].unique()}


def _ends(ax: Axes, part: pd.DataFrame, look: dict[str, Look]) -> None:
    """Put a cross where the last seed of a method diverged: at its last EWD, or on the edge where it has none."""
    for name, style in look.items():
        own = part[part["method"] == name]
        if len(own) and (own["status"] == "diverged").all():
            line = means(own, "step").dropna()
            cross = {"color": style["color"], "marker": "x", "markersize": 7, "clip_on": False}
            if line.empty:
                ax.plot(0, 0, transform=ax.transAxes, **cross)
            else:
                ax.plot(line["step"].iloc[-1], line["value"].iloc[-1], **cross)
