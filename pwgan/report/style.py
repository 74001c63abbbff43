"""Style of figures: the theme, a fixed look for each method, and elements shared by all figures."""

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
"""Width in inches: 1200 pixels at ``DPI``, shown in the README at three quarters of that size."""
DPI = 150
Look = dict[str, Any]

RC: Any = sns.axes_style("whitegrid") | {
    **sns.plotting_context("paper"),
    "figure.dpi": DPI,
    "savefig.dpi": DPI,
    "font.sans-serif": ["DejaVu Sans"],  # included in matplotlib, so that text has the same size everywhere
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
"""Decorator of functions that draw or save figures; neither uses nor changes the user's matplotlib settings."""

# Okabe and Ito's palette without black (used for the reference) and yellow (too pale on white).
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
    "pwgan_pool": ("#A50F15", "H"),
    "pwgan_debiased": ("#54278F", "p"),
}
"""Colour and marker of each method and its variants, whose names start with it, as ``wgan_gp_stratified``."""
SHADES = (-0.5, -0.3, 0.3, 0.5)
"""Shades of variants: towards black (negative) or white (positive)."""
DASHES = ((0, (4, 1.5)), (0, (1, 1)), (0, (5, 1, 1, 1)), (0, (2.5, 1)), (0, (5, 1, 1, 1, 1, 1)))
SALT = b"0"
"""Chosen so that the variants in the studies of this repository differ in shade or marker."""
# Looks of the mini-batch samplers, in colours not used for any method.
SAMPLERS: dict[str, Look] = {
    "random": {"color": "#444444", "marker": "o", "linestyle": "-"},
    "stratified": {"color": "#117733", "marker": "s", "linestyle": "--"},
    "dpp": {"color": "#AA4499", "marker": "^", "linestyle": "-."},
}
REFERENCE_LOOK: Look = {"color": "black", "linestyle": "--", "marker": "."}
LEVEL: Look = {"color": "black", "linestyle": "--", "linewidth": 1.1}
"""Look of the line at the value for real samples."""
CONTEXT: Look = {"color": "0.8", "linewidth": 0.8, "zorder": 1}
"""Look of methods that a figure does not name."""
MOST = 6
"""Maximum number of methods drawn in colour."""


def look(method: str) -> Look:
    """Return the colour, marker and line style of a method, the same in every figure and study.

    A variant has the colour of its family, the longest family name that its name starts with; shade, marker and dash
    are derived from a hash of the rest of its name. For a method without a family, so is the hue.
    """
    if method == REFERENCE:
        return dict(REFERENCE_LOOK)
    family = max((name for name in FAMILIES if f"{method}_".startswith(f"{name}_")), key=len, default=None)
    if family == method:
        colour, marker = FAMILIES[method]
        return {"color": colour, "marker": marker, "linestyle": "-"}
    rest = method.removeprefix(f"{family}_")
    # The built-in hash() differs between processes.
    shade, dash, form, hue = hashlib.blake2b(rest.encode(), digest_size=4, salt=SALT).digest()
    lightness = SHADES[shade % len(SHADES)]
    if family is None:
        colour = to_hex(sns.husl_palette(256, s=0.8, l=0.5)[hue])
    else:
        red, green, blue = (part * (1 - abs(lightness)) + max(lightness, 0.0) for part in to_rgb(FAMILIES[family][0]))
        colour = to_hex((red, green, blue))
    return {"color": colour, "marker": MARKERS[form % len(MARKERS)], "linestyle": DASHES[dash % len(DASHES)]}


def looks(methods: Iterable[str]) -> dict[str, Look]:
    """Return the look of each method, in the given order."""
    return {name: look(name) for name in dict.fromkeys(methods)}


def shown(frame: pd.DataFrame, highlight: Iterable[str]) -> list[str]:
    """Return the methods to draw in colour: those in ``highlight``, or by default the first six of the frame."""
    names = [name for name in frame["method"].unique() if name != REFERENCE]
    return ([name for name in highlight if name in names] or names)[:MOST]


def grid(rows: int, columns: int, height: float, **shared: Any) -> tuple[Figure, np.ndarray]:
    """Return a figure and its panels (rows, columns), each ``height`` inches tall; wider if there are many columns."""
    figure = Figure(figsize=(max(WIDTH, 2.5 * columns), height * rows + 0.9), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **shared)


def head(figure: Figure, title: str, note: str = "") -> None:
    """Add a title and a note on how to read the figure, both wrapped to its width."""
    room = int(figure.get_figwidth() / 0.08)
    figure.suptitle("\n".join(line for text in (title, note) for line in _wrapped(text, room)))


def _wrapped(text: str, room: int) -> list[str]:
    """Wrap a text to the minimum number of lines, of about equal length."""
    lines = textwrap.wrap(text, room)
    while len(shorter := textwrap.wrap(text, room := room - 1)) == len(lines) and room > 20:
        lines = shorter
    return lines


def legend(figure: Figure, entries: dict[str, Look], columns: int = 6) -> None:
    """Add one legend for all panels below them, with at most as many columns as fit."""
    handles = [Line2D([], [], label=label, **look) for label, look in entries.items()]
    if handles:
        # Width of a column in inches: line and gaps, plus the letters of the longest label.
        fit = int(figure.get_figwidth() / (0.65 + 0.075 * max(len(label) for label in entries)))
        rows = -(-len(handles) // max(1, min(columns, fit)))
        ncols = -(-len(handles) // rows)
        figure.legend(handles=handles, loc="outside lower center", ncols=ncols, handlelength=2.8)


def band(ax: Axes, x: pd.Series, part: pd.DataFrame, look: Look, floor: float | None = None) -> None:
    """Draw ``mean`` as a line and its interval as a band, clipped at ``floor`` on a log axis."""
    ax.plot(x, part["mean"], **look)
    low, high = part["mean"] - part["half_width"], part["mean"] + part["half_width"]
    # A single seed has no interval; an interval that includes zero has no lower end on a log axis.
    low, high = low.fillna(part["mean"]), high.fillna(part["mean"])
    ax.fill_between(x, low if floor is None else low.clip(lower=floor), high, color=look["color"], alpha=0.18, lw=0)


def log_limits(ax: Axes, values: pd.Series, axis: str = "y", air: float = 1.6) -> float:
    """Set a log axis to the range of the positive values, extended by the factor ``air``; return its lower limit."""
    positive = values[np.isfinite(values) & (values > 0)]
    low, high = (positive.min() / air, positive.max() * air) if len(positive) else (0.1, 1.0)
    ax.set(**{f"{axis}scale": "log", f"{axis}lim": (low, high)})
    if high / low < 300:
        # With powers of ten only, such an axis would have one or two tick labels.
        ruler = ax.yaxis if axis == "y" else ax.xaxis
        ruler.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low > 10 else (1, 1.5, 2, 3, 5, 7)))
        ruler.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        ruler.set_minor_formatter(NullFormatter())
    return float(low)


def distance_limits(ax: Axes, values: pd.Series, air: float = 1.3) -> None:
    """Set a log axis to the range of distances; with values at or below 0, a symmetric log axis and a line at 0.

    Debiased distances may be negative by chance.
    """
    if not (values <= 0).any():
        log_limits(ax, values, air=air)
        return
    # Linear up to a power of ten: other ticks would overlap that at 0.
    least = max(values.abs().max() / 30, 1e-9)
    ax.set_yscale("symlog", linthresh=10 ** np.ceil(np.log10(least)))
    ax.axhline(0, **LEVEL)


def empty(message: str) -> Figure:
    """Return a figure with a message instead of panels."""
    figure = Figure(figsize=(WIDTH, 1.2))
    figure.text(0.5, 0.5, message, ha="center", va="center")
    return figure
