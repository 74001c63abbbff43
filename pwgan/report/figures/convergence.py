"""Distance between generators and data during training."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pwgan.measures.names import MeasureName
from pwgan.report.frames import CELL, REFERENCE, ordered, with_fates
from pwgan.report.panels import context, entries, facets, level, lines, means, outer_labels, seeds_of, spread
from pwgan.report.style import LEVEL, Look, empty, head, legend, log_limits, looks, shown, themed


def data(history: pd.DataFrame, measures: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Select the EWD of every seed at each evaluation, and the floor of each data set as rows of method ``data``.

    ``measure`` states the number of samples. The floor is ``ewd-history@n`` of real samples, or ``ewd@n`` with another
    n if the study does not have that measure.
    """
    points = runs.groupby("dataset")["history_points"].max()
    curves = history[history["ewd"].notna()].rename(columns={"ewd": "value"})
    curves = ordered(with_fates(curves, runs))
    curves["measure"] = [str(MeasureName("ewd", None, int(points[dataset]))) for dataset in curves["dataset"]]
    columns = [*CELL, "seed", "step", "measure", "value", "status"]
    parts = curves, floors(measures)
    return pd.concat([part.reindex(columns=columns) for part in parts], ignore_index=True)


def floors(measures: pd.DataFrame) -> pd.DataFrame:
    """Return the floor of the EWD during training, one row per seed of the real samples."""
    real = measures[measures["method"] == REFERENCE]
    exact = real[real["name"] == "ewd-history"]
    return pd.concat([exact, real[(real["name"] == "ewd") & ~real["dataset"].isin(exact["dataset"])]])


@themed
def draw(frame: pd.DataFrame, highlight: list[str]) -> Figure:
    """Draw EWD during training on a log axis, data sets as rows and training m as columns."""
    curves, floor = frame[frame["method"] != REFERENCE], frame[frame["method"] == REFERENCE]
    if curves["value"].isna().all():
        return empty("No EWD was measured during training.")
    names, curves = shown(frame, highlight), spread(curves)
    figure, axes, panels = facets(curves, "dataset", "rank", 2.0, sharex="row", sharey="row")
    for ax, part in panels:
        real = floor[floor["dataset"] == part["dataset"].iloc[0]]
        context(ax, part, "step", names)
        look = {name: {**style, "marker": ""} for name, style in looks(names).items()}
        lines(ax, part, "step", look)
        level(ax, real)
        _ends(ax, part, look)
        everyone = curves[curves["dataset"] == part["dataset"].iloc[0]]
        log_limits(ax, pd.concat([means(everyone, "batch_size", "step")["value"], real["value"]]))
        ax.set_title(f"{part['dataset'].iloc[0]}, m = {part['batch_size'].iloc[0]}\n{seeds_of(part)}")
        ax.set(xlabel="training step", ylabel=f"EWD (distance)\nn = {', '.join(map(str, _counts(part)))}")
        for count in _counts(real) - _counts(part):
            at = (1, real["value"].mean())
            ax.annotate(f"floor for n = {count}", at, xycoords=("axes fraction", "data"), ha="right", va="bottom")
    outer_labels(axes)
    head(
        figure,
        "How close to held-out data do generators get, and how fast?",
        "Mean and 95 % interval over seeds that have not diverged; a cross at the end of a curve: all seeds diverged.",
    )
    legend(figure, entries(curves, names, marker="") | {"real samples": LEVEL})
    return figure


def _counts(part: pd.DataFrame) -> set[int]:
    """Return the sample counts of the EWDs."""
    return {MeasureName.parse(name).count for name in part["measure"].unique()}


def _ends(ax: Axes, part: pd.DataFrame, look: dict[str, Look]) -> None:
    """Mark the last EWD of methods whose seeds all diverged with a cross, at the corner if there is no EWD."""
    for name, style in look.items():
        rows = part[part["method"] == name]
        if len(rows) and (rows["status"] == "diverged").all():
            line = means(rows, "step").dropna()
            cross = {"color": style["color"], "marker": "x", "markersize": 7, "clip_on": False}
            if line.empty:
                ax.plot(0, 0, transform=ax.transAxes, **cross)
            else:
                ax.plot(line["step"].iloc[-1], line["value"].iloc[-1], **cross)
