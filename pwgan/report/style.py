"""How figures look: the theme, one look for each method in every study, and the parts that panels share."""

from __future__ import annotations

import hashlib
import textwrap
from collections.abc import Iterable
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from pwgan.report.frames import REFERENCE

WIDTH = 8.0
"""Inches; with DPI it makes pages of 1200 pixels, which a README shows at three quarters of that."""
DPI = 150
Look = dict[str, Any]

RC: Any = sns.axes_style("whitegrid") | {
    **sns.plotting_context("paper"),
    "figure.dpi": DPI,
    "savefig.dpi": DPI,
    "font.sans-serif": ["DejaVu Sans"],  # matplotlib brings it: text takes the same room everywhere
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "figure.titlesize": 10,
    "grid.color": "0.92",
    "axes.edgecolor": "0.5",
    "lines.linewidth": 1.4,
    "lines.markersize": 4.5,
    "legend.frameon": False,
    "pdf.fonttype": 42,
    "svg.hashsalt": "pwgan",
}
themed = matplotlib.rc_context(RC)
"""Decorates every function that draws or saves: nothing depends on, or changes, the reader's own settings."""

# Okabe and Ito's palette without black (the reference's) and yellow (too pale on white).
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#7F7F7F")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
FAMILIES: dict[str, tuple[str, str]] = {
    "gan": ("#0072B2", "o"),
    "nsgan": ("#D55E00", "s"),
    "wgan": ("#CC79A7", "D"),
    "wgan_gp": ("#E69F00", "v"),
    "gdpp": ("#56B4E9", "P"),
    "gdpp_wgan_gp": ("#8C564B", "X"),
    "pwgan": ("#009E73", "^"),
    "pwgan_full": ("#6B8E23", "<"),
}
"""Colour and marker of each method and of its variants, which are named after it: ``wgan_gp_stratified``."""
SHADES = (-0.5, -0.3, 0.3, 0.5)
"""Of variants: towards black (negative) or white."""
DASHES = ((0, (4, 1.5)), (0, (1, 1)), (0, (5, 1, 1, 1)), (0, (2.5, 1)), (0, (5, 1, 1, 1, 1, 1)))
SALT = b"1255"
"""One under which the variants of this repository's studies differ in shade or marker."""
# Of the mini-batch samplers, in colours that no method has.
SAMPLERS: dict[str, Look] = {
    "random": {"color": "#444444", "marker": "o", "linestyle": "-"},
    "stratified": {"color": "#117733", "marker": "s", "linestyle": "--"},
    "dpp": {"color": "#AA4499", "marker": "^", "linestyle": "-."},
}
REFERENCE_LOOK: Look = {"color": "black", "linestyle": "--", "marker": "."}
LEVEL: Look = {"color": "black", "linestyle": "--", "linewidth": 1.1}
"""The level that real samples reach."""
CONTEXT: Look = {"color": "0.8", "linewidth": 0.8, "zorder": 1}
"""Methods that a figure does not name."""
MOST = 6
"""Methods that can be told apart in one panel."""


def look(method: str) -> Look:
    """Return the colour, marker and line style of a method, the same in every figure and study.

    A variant has the colour of the longest family name that it begins with, in a shade, with a marker and a dash that
    follow from the rest of its name; the hue of a method of no family follows from its name.
    """
    if method == REFERENCE:
        return dict(REFERENCE_LOOK)
    family = max((name for name in FAMILIES if f"{method}_".startswith(f"{name}_")), key=len, default=None)
    if family == method:
        colour, marker = FAMILIES[method]
        return {"color": colour, "marker": marker, "linestyle": "-"}
    rest = method.removeprefix(f"{family}_")
    # Not hash(): that differs between processes.
    shade, dash, form, hue = hashlib.blake2b(rest.encode(), digest_size=4, salt=SALT).digest()
    lightness = SHADES[shade % len(SHADES)]
    if family is None:
        colour = to_hex(sns.husl_palette(256, s=0.8, l=0.5)[hue])
    else:
        red, green, blue = (part * (1 - abs(lightness)) + max(lightness, 0.0) for part in to_rgb(FAMILIES[family][0]))
        colour = to_hex((red, green, blue))
    return {"color": colour, "marker": MARKERS[form % len(MARKERS)], "linestyle": DASHES[dash % len(DASHES)]}


def looks(methods: Iterable[str]) -> dict[str, Look]:
    """Return the look of each method, in the order of their names as given."""
    return {name: look(name) for name in dict.fromkeys(methods)}


def shown(frame: pd.DataFrame, highlight: Iterable[str]) -> list[str]:
    """Return the methods to draw in colour: those of ``highlight`` that the frame has, else the first six it has."""
    names = [name for name in frame["method"].unique() if name != REFERENCE]
    return ([name for name in highlight if name in names] or names)[:MOST]


def grid(rows: int, columns: int, height: float, **shared: Any) -> tuple[Figure, np.ndarray]:
    """Return a figure and its panels (rows, columns), each ``height`` inches tall; many columns make it wider."""
    figure = Figure(figsize=(max(WIDTH, 2.5 * columns), height * rows + 0.9), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **shared)


def head(figure: Figure, title: str, note: str = "") -> None:
    """Write above a figure the question that it answers, and below that how to read it; both wrapped to its width."""
    room = int(figure.get_figwidth() / 0.08)
    figure.suptitle("\n".join(line for text in (title, note) for line in _wrapped(text, room)))


def _wrapped(text: str, room: int) -> list[str]:
    """Fold a text into as few lines as fit, all of about one length."""
    lines = textwrap.wrap(text, room)
    while len(shorter := textwrap.wrap(text, room := room - 1)) == len(lines) and room > 20:
        lines = shorter
    return lines


def legend(figure: Figure, entries: dict[str, Look], columns: int = 6) -> None:
    """Put one legend for all panels below them, with no more columns than fit."""
    handles = [Line2D([], [], label=label, **look) for label, look in entries.items()]
    if handles:
        # Inches that a column takes: line and gaps, and so many letters.
        fit = int(figure.get_figwidth() / (0.65 + 0.075 * max(len(label) for label in entries)))
        rows = -(-len(handles) // max(1, min(columns, fit)))
        ncols = -(-len(handles) // rows)
        figure.legend(handles=handles, loc="outside lower center", ncols=ncols, handlelength=2.8)


def band(ax: Axes, x: pd.Series, part: pd.DataFrame, look: Look, floor: float | None = None) -> None:
    """Draw ``mean`` as a line and its interval as a band; on a log axis, ``floor`` is where the band ends."""
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


def empty(message: str) -> Figure:
    """Return a figure that says why there is nothing to draw."""
    figure = Figure(figsize=(WIDTH, 1.2))
    figure.text(0.5, 0.5, message, ha="center", va="center")
    return figure
