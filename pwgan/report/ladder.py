"""Curves against the evaluation mini-batch size m, on log axes."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from pwgan.report.style import Look, band, log_limits

# Three of Tol's muted colours, not used for any method.
QUANTITIES: dict[str, Look] = {
    "bias": {"color": "#332288", "marker": "o", "linestyle": "-"},
    "deviation": {"color": "#999933", "marker": "s", "linestyle": "--"},
    "bound": {"color": "#882255", "marker": "^", "linestyle": "-."},
}
QUANTITY_LABELS = {"bias": "bias $B_M$", "deviation": "deviation $D_M$", "bound": "bound $U_M$"}
GUIDE: Look = {"color": "0.45", "linestyle": ":", "linewidth": 1.2}
ROUNDING = 1e-6
"""Values below this fraction of the maximum of their line count as zero and are not drawn on a log axis."""


def positive(frame: pd.DataFrame, by: str) -> pd.DataFrame:
    """Keep the rows whose mean over seeds is positive beyond rounding, so that they can be drawn on a log axis."""
    mean = frame.groupby([by, "eval_batch"])["value"].transform("mean")
    return frame[mean > ROUNDING * mean.groupby(frame[by]).transform("max")]


def guide(ax: Axes, start: pd.Series, end: float) -> None:
    """Draw a line of slope -1/2 on log axes, from a point up to another evaluation m."""
    ends = np.array([start["eval_batch"], end], dtype=float)
    ax.plot(ends, start["value"] * (ends / ends[0]) ** -0.5, **GUIDE)


def size_ticks(ax: Axes, sizes: Iterable[float]) -> None:
    """Put a tick at every evaluation m of a log axis, with a label if it fits."""
    ticks = sorted({int(size) for size in sizes})
    ax.set_xticks(ticks, _apart(ticks))
    ax.xaxis.minorticks_off()


def log_lines(ax: Axes, lines: dict[str, pd.DataFrame], styles: dict[str, Look], title: str) -> None:
    """Draw ``mean`` against evaluation m on log axes."""
    drawn = {name: line[line["mean"] > ROUNDING * line["mean"].max()] for name, line in lines.items()}
    drawn = {name: line.sort_values("eval_batch") for name, line in drawn.items() if len(line)}
    floor = log_limits(ax, pd.concat([pd.Series(dtype=float), *(line["mean"] for line in drawn.values())]))
    ax.set_xscale("log", base=2)
    for name, line in drawn.items():
        band(ax, line["eval_batch"], line, styles[name], floor)
    sizes = {size for line in lines.values() for size in line["eval_batch"]}
    size_ticks(ax, sizes)
    ax.set_title(title)


def _apart(sizes: list[int]) -> list[str]:
    """Return the tick labels of a log axis; labels that would touch the previous one are empty."""
    labels, last, label = [], -math.inf, ""
    for size in sizes:
        place = math.log(size / sizes[0]) / max(math.log(sizes[-1] / sizes[0]), 1e-9)
        # Half the width of both labels plus a gap, as a fraction of the width of one of three panels.
        fits = place - last > 0.03 + 0.0175 * (len(label) + len(str(size)))
        labels.append(str(size) if fits else "")
        last, label = (place, str(size)) if fits else (last, label)
    return labels
