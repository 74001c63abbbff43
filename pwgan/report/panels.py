"""Grids of panels, and elements drawn in them: means over seeds, other methods in grey, diverged cells."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Literal

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pwgan.report.frames import CELL, REFERENCE
from pwgan.report.quality import most_common_sizes
from pwgan.report.statistics import interval, student
from pwgan.report.style import CONTEXT, LEVEL, WIDTH, Look, log_limits, look, looks

MARGIN = 1.2
"""Height of title and legend in inches."""
OTHERS = "others"
"""Tick label of all methods that are not named, on an axis of methods."""


class _Sheet(sns.FacetGrid):
    """A grid that leaves the layout to the figure instead of adjusting it at every step."""

    def tight_layout(self, *args: Any, **kwargs: Any) -> _Sheet:
        return self


def facets(
    frame: pd.DataFrame, row: str | None = None, col: str | None = None, height: float = 2.0, **options: Any
) -> tuple[Figure, np.ndarray, list[tuple[Axes, pd.DataFrame]]]:
    """Return a figure with a panel for each pair of values of two columns, its axes, and the panels with their rows.

    The figure is as wide as a page, or wider for more than three columns. Panels without rows are left blank and are
    not in the list. ``options`` are passed to ``seaborn.FacetGrid``.
    """
    names = options.get("col_order", [] if col is None else frame[col].dropna().unique())
    columns = max(min(len(names), options.get("col_wrap", len(names))), 1)
    if "col_wrap" in options:
        options["col_wrap"] = columns
    width = max(WIDTH / columns, 2.4)
    sheet = _Sheet(frame, row=row, col=col, height=height, aspect=width / height, dropna=False, **options)
    plt.close(sheet.figure)  # remove it from pyplot, which would keep it in memory
    sheet.figure.set_layout_engine("constrained")
    sheet.figure.set_figheight(sheet.figure.get_figheight() + MARGIN)
    panels = []
    for (i, j, _), part in sheet.facet_data():
        ax = sheet.facet_axis(i, j, modify_state=False)
        ax.set_title("")
        if part.empty:
            ax.spines[:].set_visible(False)
            ax.tick_params(left=False, bottom=False, labelleft=False, labelbottom=False)
            ax.grid(False)
        else:
            panels.append((ax, part))
    return sheet.figure, np.asarray(sheet.axes), panels


def outer_labels(axes: np.ndarray) -> None:
    """Remove the labels of axes inside a grid, which repeat those at its left and bottom."""
    for ax in axes[:, 1:].flat:
        ax.set_ylabel("")
    for ax in axes[:-1].flat:
        ax.set_xlabel("")


def means(frame: pd.DataFrame, *keys: str, value: str = "value") -> pd.DataFrame:
    """Average over seeds within each group of method and ``keys``."""
    return frame.groupby(["method", *keys], dropna=False, sort=False)[value].mean().reset_index()


def lines(ax: Axes, frame: pd.DataFrame, x: str, styles: dict[str, Look], by: str = "method", **options: Any) -> None:
    """Draw mean and 95 % interval of ``value`` over seeds against ``x``, one line per name in ``styles``."""
    for name, style in styles.items():
        part = frame[frame[by] == name].dropna(subset=["value"])
        if len(part):
            sns.lineplot(part, x=x, y="value", errorbar=student, ax=ax, **{**style, **options})


def context(ax: Axes, frame: pd.DataFrame, x: str, named: Iterable[str]) -> None:
    """Draw the means of all methods that are not named as thin grey lines."""
    rest = means(frame[~frame["method"].isin([*named, REFERENCE])], x).dropna()
    if len(rest):
        sns.lineplot(rest, x=x, y="value", units="method", estimator=None, ax=ax, **CONTEXT)


def level(ax: Axes, part: pd.DataFrame, axis: str = "y") -> None:
    """Draw the mean over real samples as a dashed line, if the frame contains real samples."""
    floor = part.loc[part["method"] == REFERENCE, "value"].mean()
    if not math.isnan(floor):
        (ax.axhline if axis == "y" else ax.axvline)(floor, **LEVEL)


def values_axis(sizes: list[int]) -> str:
    """Return the axis on which ``cells`` draws values: x, beside the names of methods, if there is one size, else y."""
    return "x" if len(sizes) == 1 else "y"


def all_diverged(ax: Axes, height: float = 0.5) -> None:
    """Write in a panel, at this fraction of its height, that all seeds diverged."""
    ax.text(0.5, height, "all seeds diverged", transform=ax.transAxes, ha="center", va="center")


def cells(ax: Axes, part: pd.DataFrame, names: list[str], sizes: list[int]) -> None:
    """Draw mean and interval of ``value`` of each named cell, the means of other cells in grey, and real samples.

    The axis that is not that of the values shows methods if the study has one mini-batch size, otherwise the sizes,
    with methods side by side. A cross at the edge means that all seeds of the cell diverged.
    """
    axis, single = values_axis(sizes), len(sizes) == 1
    other = {"x": "y", "y": "x"}[axis]
    rest = part[~part["method"].isin([*names, REFERENCE])]
    ticks = [*names, *([OTHERS] if single and len(rest) else [])] if single else [str(size) for size in sizes]
    place = {str(tick): rank for rank, tick in enumerate(ticks)}
    averages = means(rest, "batch_size").dropna()
    at = pd.Series([place.get(OTHERS if single else str(size), 0) for size in averages["batch_size"]], dtype=float)
    for _, line in averages.assign(at=at.to_numpy()).groupby("method"):
        ax.plot(*_turned(axis, line["at"], line["value"]), **CONTEXT, marker=".", markersize=4)
    level(ax, part, axis)
    for rank, (name, style) in enumerate(looks(names).items()):
        rows = part[part["method"] == name]
        shift = 0.0 if single else 0.5 * ((rank + 0.5) / len(names) - 0.5)
        rows = rows.assign(at=[place[name if single else str(size)] + shift for size in rows["batch_size"]])
        known = rows.dropna(subset=["value"])
        if len(known):
            # Rows at the same position are aggregated along the other axis.
            sides = {other: "at", axis: "value"}
            bars = {"err_style": "bars", "err_kws": {"elinewidth": 1.0}, "markersize": 6}
            sns.lineplot(known, **sides, orient=other, errorbar=student, ax=ax, **bars, **style)
        lost = rows.groupby("at")["value"].count().eq(0)
        crosses = lost.index[lost].to_numpy()
        edge = ax.get_xaxis_transform() if axis == "y" else ax.get_yaxis_transform()
        cross: Look = {"linestyle": "", "marker": "x", "color": style["color"], "clip_on": False}
        # An unclipped line without points has no extent, which breaks the layout of the figure.
        if len(crosses):
            ax.plot(*_turned(axis, crosses, np.zeros(len(crosses))), transform=edge, **cross)
    ax.set(**{f"{other}ticks": range(len(ticks)), f"{other}ticklabels": ticks, f"{other}lim": (-0.5, len(ticks) - 0.5)})
    ax.set(xlabel="" if single else "training m (samples)", ylabel="")
    if axis == "x":
        ax.invert_yaxis()


def limits_from_zero(ax: Axes, top: float, axis: str) -> None:
    """Set the limits of an axis to 0 and ``top``, and a little below 0 so that markers at 0 are not clipped."""
    ax.set(**{f"{axis}lim": (-0.03 * top, top)})


def _turned(axis: str, place: Any, value: Any) -> tuple[Any, Any]:
    return (place, value) if axis == "y" else (value, place)


def pairs(
    ax: Axes,
    part: pd.DataFrame,
    x: str,
    y: str,
    names: list[str],
    sizes: list[int],
    scale: Literal["log", "linear"] = "log",
) -> None:
    """Draw one point per cell: means of two columns with their intervals, larger points for larger m.

    The x axis is logarithmic, the y axis as ``scale`` says. Real samples are drawn as a star, and methods that are not
    named as grey circles.
    """
    drawn = part.groupby(CELL, dropna=False, sort=False)[[x, y]].mean().dropna().reset_index()
    for method, size, left, up in drawn[["method", "batch_size", x, y]].itertuples(index=False):
        rows = part[(part["method"] == method) & part["batch_size"].eq(size).fillna(method == REFERENCE)]
        style: Look = {**look(method), "linestyle": "", "zorder": 3}
        if method == REFERENCE:
            style |= {"marker": "*", "markersize": 9}
        else:
            style["markersize"] = 4.5 + 1.5 * sizes.index(size)
        if method in names or method == REFERENCE:
            errors: Look = {f"{side}err": _half_width(rows[key]) for side, key in (("x", x), ("y", y))}
            ax.errorbar(left, up, elinewidth=0.7, **errors, **style)
        else:
            ax.plot(left, up, **{**style, **CONTEXT, "marker": "o"})
    log_limits(ax, drawn[x], "x", air=1.2)
    if scale == "log":
        log_limits(ax, drawn[y], air=1.3)
    ax.minorticks_off()


def _half_width(values: pd.Series) -> float | None:
    """Return the half width of the interval over seeds; None for a single seed or if all values are equal."""
    half = interval(values).half_width
    return half if half > 0 else None


def marks(sizes: list[int]) -> str:
    """Return a note on the size of markers, or on the m of all methods if there is only one."""
    one = f"All methods were trained with m = {sizes[0]}." if sizes else ""
    return one if len(sizes) < 2 else f"Larger markers: larger training m ({', '.join(str(size) for size in sizes)})."


def sizes_of(frame: pd.DataFrame) -> list[int]:
    """Return the sorted mini-batch sizes that generators were trained with."""
    return sorted(int(size) for size in frame["batch_size"].dropna().unique())


def spread(frame: pd.DataFrame) -> pd.DataFrame:
    """Keep at most three m per data set, with ``rank`` 0, 1, 2: the smallest, the most common, and the largest.

    The most common m is the one with the most methods; ties go to the larger m.
    """
    trained, most = frame[frame["method"] != REFERENCE], most_common_sizes(frame)
    ranks = []
    for dataset, part in trained.groupby("dataset"):
        sizes = sizes_of(part)
        kept = sizes if len(sizes) <= 3 else sorted({sizes[0], most[str(dataset)], sizes[-1]})
        ranks += [{"dataset": dataset, "batch_size": size, "rank": rank} for rank, size in enumerate(kept)]
    table = pd.DataFrame(ranks, columns=["dataset", "batch_size", "rank"]).astype({"batch_size": "Int64"})
    return frame.merge(table, on=["dataset", "batch_size"])


def told(trained: Iterable[int], diverged: int) -> str:
    """Format the number of seeds per cell and the number of diverged runs."""
    counts = sorted(trained)
    if not counts:
        return "no trained cell"
    low, high = counts[0], counts[-1]
    count = f"{high} seed{'s' * (high != 1)}" if low == high else f"{low} to {high} seeds"
    return f"{count}, {diverged} of {sum(counts)} runs diverged" if diverged else f"{count}, none diverged"


def seeds_of(frame: pd.DataFrame) -> str:
    """Format seeds and diverged runs of a frame, from column ``status`` or columns ``trained`` and ``diverged``."""
    trained = frame[frame["method"] != REFERENCE]
    if "status" in frame:
        runs = trained.drop_duplicates([*CELL, "seed"])
        return told(runs.groupby(CELL).size(), int((runs["status"] == "diverged").sum()))
    rows = trained.drop_duplicates(CELL)
    return told(rows["trained"].astype(int), int(rows["diverged"].sum()))


def titles(axes: np.ndarray, frame: pd.DataFrame, names: Iterable[str], unit: str, xlabel: str) -> None:
    """Label a grid: methods on the left, data sets with m and seeds above the columns, and the x axis below.

    An existing title of a top panel is kept as the last line.
    """
    for ax, name in zip(axes[:, 0], names, strict=True):
        ax.set_ylabel(f"{name}\n{unit}")
    for top, bottom, (dataset, part) in zip(axes[0], axes[-1], frame.groupby("dataset", sort=False), strict=True):
        sizes = ", ".join(map(str, sizes_of(part)))
        top.set_title(f"{dataset}, m = {sizes}\n{seeds_of(part)}\n{top.get_title()}".strip())
        bottom.set_xlabel(xlabel)


def entries(frame: pd.DataFrame, names: Iterable[str], **changes: Any) -> dict[str, Look]:
    """Return legend entries of the named methods and one for all others, with ``changes`` applied to their looks."""
    rest = set(frame["method"]) - {*names, REFERENCE}
    grey: dict[str, Look] = {"other methods": {"color": CONTEXT["color"], "marker": "o"}} if rest else {}
    return {name: {**style, **changes} for name, style in (looks(names) | grey).items()}
