"""How figures look: one fixed colour, marker and line style per method, and the parts that panels share."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from pwgan.report.frames import CELL, REFERENCE

WIDTH = 8.0
"""Inches; with DPI it makes pages of 1200 pixels, which a README shows at three quarters of that."""
DPI = 150
RC: Any = {
    "figure.dpi": DPI,
    "savefig.dpi": DPI,
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8.5,
    "figure.titlesize": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "0.92",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.4,
    "lines.markersize": 4.5,
    "legend.frameon": False,
}
themed = matplotlib.rc_context(RC)
"""Decorates every function that draws or saves: nothing depends on, or changes, the reader's own settings."""

# Okabe and Ito's palette without black (the reference's) and yellow (too pale on white).
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#7F7F7F")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
LINES = ("-", "--", "-.", (0, (4, 1, 1, 1, 1, 1)), (0, (2, 1)))
# Of the mini-batch samplers, in colours that no method has.
SAMPLERS: dict[str, dict[str, Any]] = {
    "random": {"color": "#444444", "marker": "o", "linestyle": "-"},
    "stratified": {"color": "#117733", "marker": "s", "linestyle": "--"},
    "dpp": {"color": "#AA4499", "marker": "^", "linestyle": "-."},
}
CROWD = 8
"""Methods that can be told apart in one panel."""
NAMES = 0.7
"""Inches that the names of methods take below an axis, beyond what a number takes."""
REFERENCE_LOOK: dict[str, Any] = {"color": "black", "linestyle": "--", "marker": "."}


def looks(methods: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Give each method its colour, marker and line style by its place among all method names."""
    names = sorted(set(methods) - {REFERENCE})
    found = {
        name: {
            "color": COLOURS[rank % len(COLOURS)],
            "marker": MARKERS[rank % len(MARKERS)],
            "linestyle": LINES[rank % len(LINES)],
        }
        for rank, name in enumerate(names)
    }
    return found | {REFERENCE: REFERENCE_LOOK}


def crowded(names: Collection[str], sizes: Collection[int]) -> bool:
    """Tell whether methods, not mini-batch sizes, are what a figure has many of."""
    return len(sizes) == 1 and len(names) > CROWD


def entries_of(names: Collection[str], sizes: Collection[int], look: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the methods' entries of a legend; none where the axis has their names."""
    return {} if crowded(names, sizes) else {name: look[name] for name in names}


def families(names: Iterable[str]) -> dict[str, list[str]]:
    """Group methods with the one that their names begin with: ``wgan`` with ``wgan_gp`` and ``wgan_k5``."""
    names, found = sorted(names, key=lambda name: (len(name), name)), dict[str, list[str]]()
    for name in names:
        root = next((other for other in found if name.startswith(f"{other}_")), name)
        found.setdefault(root, []).append(name)
    return dict(sorted(found.items()))


def grid(rows: int, columns: int, height: float, below: float = 0.0, **shared: Any) -> tuple[Figure, np.ndarray]:
    """Return a figure and its panels (rows, columns), each ``height`` inches tall; many columns make it wider.

    ``below``: inches that the labels under the lowest panels take beyond the usual.
    """
    size = (max(WIDTH, 2.5 * columns), height * rows + 0.9 + below)
    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **shared)


def folded(name: str) -> str:
    """Break the name of a method at underscores into lines that fit the side of a low panel."""
    lines = [""]
    for part in name.replace("_", "_ ").split():
        if len(lines[-1] + part) > 13:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)


def blank(ax: Axes) -> None:
    """Leave out a panel for which there is nothing, but not the labels of its row and column."""
    ax.spines[:].set_visible(False)
    ax.tick_params(left=False, bottom=False, labelleft=False, labelbottom=False)
    ax.grid(False)


def filled(
    axes: np.ndarray, frame: pd.DataFrame, names: Sequence[str], datasets: Sequence[str]
) -> Iterator[tuple[Axes, pd.DataFrame]]:
    """Yield the panels (methods, data sets) that have rows in ``frame``, each with its rows; leave the others blank."""
    for row, name in zip(axes, names, strict=True):
        for ax, dataset in zip(row, datasets, strict=True):
            part = frame[(frame["method"] == name) & (frame["dataset"] == dataset)]
            if part.empty:
                blank(ax)
            else:
                yield ax, part


def head(figure: Figure, title: str, note: str = "") -> None:
    """Write what the figure shows above it, and how to read it below that."""
    figure.suptitle(f"{title}\n{note}" if note else title)


def legend(figure: Figure, entries: dict[str, dict[str, Any]], columns: int = 6) -> None:
    """Put one legend for all panels below them, with no more columns than fit."""
    handles = [Line2D([], [], label=label, **look) for label, look in entries.items()]
    if handles:
        # Inches that a column takes: line and gaps, and so many letters of 8.5 points.
        fit = int(figure.get_figwidth() / (0.65 + 0.075 * max(len(label) for label in entries)))
        ncols = max(1, min(columns, fit, len(handles)))
        figure.legend(handles=handles, loc="outside lower center", ncols=ncols, handlelength=2.8)


def band(ax: Axes, x: pd.Series, part: pd.DataFrame, look: dict[str, Any], floor: float | None = None) -> None:
    """Draw the mean as a line and its 95 % interval as a band; on a log axis, ``floor`` is where the band ends."""
    ax.plot(x, part["mean"], **look)
    low, high = part["mean"] - part["half_width"], part["mean"] + part["half_width"]
    # A single seed has no interval, and an interval that reaches zero has no lower end on a log axis.
    low, high = low.fillna(part["mean"]), high.fillna(part["mean"])
    ax.fill_between(x, low if floor is None else low.clip(lower=floor), high, color=look["color"], alpha=0.18, lw=0)


def log_limits(ax: Axes, values: pd.Series, axis: str = "y", air: float = 1.6) -> float:
    """Set a log axis that holds every positive value with some air, a factor; return its lower end."""
    seen = values[np.isfinite(values) & (values > 0)]
    low, high = (seen.min() / air, seen.max() * air) if len(seen) else (0.1, 1.0)
    ax.set(**{f"{axis}scale": "log", f"{axis}lim": (low, high)})
    if high / low < 300:
        # Powers of ten alone would leave such an axis with one or two numbers.
        ruler = ax.yaxis if axis == "y" else ax.xaxis
        ruler.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low > 10 else (1, 1.5, 2, 3, 5, 7)))
        ruler.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        ruler.set_minor_formatter(NullFormatter())
    return float(low)


def seeds_of(frame: pd.DataFrame) -> str:
    """Say how many seeds the cells of ``frame`` have, and how many of them all diverged."""
    trained = frame[frame["method"] != REFERENCE]
    cells = trained.assign(total=trained["seeds"] + trained["diverged"]).groupby(CELL, dropna=False)
    totals, diverged = cells["total"].max(), cells["diverged"].max()
    if totals.empty:
        return "no trained cell"
    low, high = int(totals.min()), int(totals.max())
    count = f"{high} seed{'s' * (high != 1)}" if low == high else f"{low} to {high} seeds"
    lost = int(diverged.sum())
    return f"{count}, {lost} of {int(totals.sum())} diverged" if lost else count


def empty(message: str) -> Figure:
    """Return a figure that says why there is nothing to draw."""
    figure = Figure(figsize=(WIDTH, 1.2))
    figure.text(0.5, 0.5, message, ha="center", va="center")
    return figure
