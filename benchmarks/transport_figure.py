"""The figure of benchmarks/transport.py: time and memory against n, one row of panels per instance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from transport_instances import INSTANCES
from transport_solvers import SOLVERS, exceeds

from pwgan.report.style import COLOURS, MARKERS, WIDTH, head, log_limits

HEIGHT = 1.6
# Each solver has the same style in every figure; pwgan is drawn on top.
LOOKS: dict[str, dict[str, Any]] = {
    name: {"color": (*COLOURS, "black")[rank], "marker": MARKERS[rank]}
    | ({"linewidth": 2.6, "zorder": 5} if name.startswith("pwgan") else {})
    for rank, name in enumerate(SOLVERS)
}
COLUMNS = {"seconds": "CPU seconds", "peak_mb": "peak memory, MB"}


def spread(places: Sequence[float], distance: float, low: float, high: float) -> list[float]:
    """Move positions as little as possible so that they are ``distance`` apart and within [low, high], in order.

    Isotonic least squares on position - rank * distance, by pooling adjacent violators.
    """
    order = np.argsort(places, kind="stable")
    ranks = np.arange(len(order)) * min(distance, (high - low) / max(len(order) - 1, 1))
    pools: list[list[float]] = []
    for wanted in np.asarray(places, float)[order] - ranks:
        pools.append([wanted])
        while len(pools) > 1 and np.mean(pools[-2]) > np.mean(pools[-1]):
            pools[-2:] = [pools[-2] + pools[-1]]
    level = np.concatenate([np.full(len(pool), np.mean(pool)) for pool in pools]) if pools else np.empty(0)
    placed = np.empty(len(order))
    placed[order] = np.clip(level, low, high - (ranks[-1] if len(ranks) else 0)) + ranks
    return placed.tolist()


def draw(summary: pd.DataFrame, settings: dict[str, Any]) -> Figure:
    """Draw seconds (left) and memory (right) against n, log-log, each line labelled at its end."""
    instances = [name for name in INSTANCES if name in set(summary["instance"])]
    figure = Figure(figsize=(WIDTH, HEIGHT * len(instances) + 0.8), layout="constrained")
    axes = figure.subplots(len(instances), 2, squeeze=False, sharex=True)
    for row, instance in zip(axes, instances, strict=True):
        part = summary[summary["instance"] == instance]
        for ax, (column, title) in zip(row, COLUMNS.items(), strict=True):
            _panel(ax, part, column, settings)
            ax.set_ylabel(title)
        row[0].set_title(INSTANCES[instance].title, loc="left", fontweight="bold")
    for ax in axes[-1]:
        ax.set_xlabel("points n")
    threads = f"{settings['threads']} thread{'s' * (settings['threads'] != 1)}"
    limits = f"limits {settings['limit']:g} s of wall time and {settings['memory']:g} GB (×: exceeded)"
    head(
        figure,
        "Exact optimal transport between n and n points: time and memory, costs included",
        f"{settings['cost']} cost, {threads}, {settings['machine']['processor']}; {limits}",
    )
    return figure


def _panel(ax: Axes, part: pd.DataFrame, column: str, settings: dict[str, Any]) -> None:
    """Draw each solver up to its last finished n, and a dotted line to the limit that it then exceeded, if any."""
    ends: dict[str, tuple[float, float, str]] = {}
    sizes = sorted(set(part["n"]))
    for name in dict.fromkeys(part["solver"]):
        rows = part[part["solver"] == name]
        known, look = rows[rows[column].notna()], LOOKS[name]
        ax.plot(known["n"], known[column], **look)
        places = known[["n", column]].to_numpy(float).tolist()
        stopped = rows[rows["status"].map(exceeds).astype(bool)].head(1)
        status = "".join(stopped["status"])
        limit = settings["limit"] if column == "seconds" else 1000 * settings["memory"]
        if status and (column == "seconds") == status.endswith(" s"):
            places.append([float(stopped["n"].iloc[0]), limit])
            ax.plot(*zip(*places[-2:], strict=True), color=look["color"], linestyle=":", marker="", linewidth=1.1)
            ax.plot(*places[-1], color=look["color"], marker="x", markersize=6, markeredgewidth=1.6)
        if places:
            ends[name] = (places[-1][0], places[-1][1], status)
    ax.set_xscale("log")
    ax.set_xlim(sizes[0] / 1.15, sizes[-1] * 1.15)
    ax.xaxis.set_major_locator(FixedLocator(sizes))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    log_limits(ax, pd.Series([*part[column].dropna(), *(y for _, y, _ in ends.values())], dtype=float))
    _label(ax, ends)


def _label(ax: Axes, ends: dict[str, tuple[float, float, str]]) -> None:
    """Name each line at the right of the panel, at the height of its end, with the limit that it exceeded."""
    low, high = np.log(ax.get_ylim())
    heights = [(np.log(y) - low) / (high - low) for _, y, _ in ends.values()]
    for (name, (n, y, status)), height in zip(ends.items(), spread(heights, 0.125, 0.03, 0.97), strict=True):
        colour = LOOKS[name]["color"]
        ax.annotate(
            f"{SOLVERS[name].label}: {status}" if status else SOLVERS[name].label,
            *((n, y), (1.05, height)),
            textcoords=ax.transAxes,
            color=colour,
            fontsize=7.5,
            fontweight="bold" if name.startswith("pwgan") else "normal",
            verticalalignment="center",
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.6, "alpha": 0.6, "relpos": (0, 0.5)},
        )
