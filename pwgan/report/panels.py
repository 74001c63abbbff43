"""Figures with one panel per data set: bias, mode coverage, cost."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pwgan.report.frames import REFERENCE, methods
from pwgan.report.statistics import summary
from pwgan.report.style import (
    NAMES,
    SAMPLERS,
    band,
    crowded,
    empty,
    entries_of,
    grid,
    head,
    legend,
    log_limits,
    looks,
    seeds_of,
    themed,
)
from pwgan.report.tables import bias_table, cost_table

# Three of Tol's muted colours: no method has one of them.
QUANTITIES = {
    "bias": {"color": "#332288", "marker": "o", "linestyle": "-"},
    "deviation": {"color": "#999933", "marker": "s", "linestyle": "--"},
    "bound": {"color": "#882255", "marker": "^", "linestyle": "-."},
}
QUANTITY_LABELS = {"bias": "bias $B_M$", "deviation": "deviation $D_M$", "bound": "bound $U_M$"}
GUIDE: dict[str, Any] = {"color": "0.45", "linestyle": ":", "linewidth": 1.2}
SHOWN = "pwgan"
"""The method whose deviation and bound are drawn beside the reference's; the first one where it was not trained."""
COSTS = {
    ("train", "seconds_per_seed"): "training (s)",
    ("measure", "seconds_per_seed"): "measuring (s)",
    ("train", "peak_memory_mb"): "training (MB)",
    ("measure", "peak_memory_mb"): "measuring (MB)",
}
ROUNDING = 1e-6
"""A value this much smaller than the largest of its line is zero up to rounding, and has no place on a log axis."""


def bias_data(bias: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Pick from the bias table what is drawn, at each method's largest training m.

    B_M of all, and D_M and U_M of two rows, under the first sampler of the study; B_M of those two under the others.
    """
    table = bias_table(bias, runs)
    largest = table.groupby(["dataset", "method"])["batch_size"].transform("max")
    table = table[(table["batch_size"] == largest) | (table["method"] == REFERENCE)]
    detailed, first = table["method"].isin([REFERENCE, _shown(table)]), table["sampler"].isin(_samplers(table)[:1])
    wanted = (table["measure"] == "bias") & (first | detailed)
    return table[wanted | (table["measure"].isin(list(QUANTITIES)) & first & detailed)].reset_index(drop=True)


@themed
def bias(frame: pd.DataFrame) -> Figure:
    """Draw bias against evaluation m, log-log: B_M of all methods above; B_M, D_M and U_M of two of them below.

    Where a study has several samplers, that is of the first, and below stands B_M of the two methods under each.
    """
    datasets, shown, samplers = list(frame["dataset"].unique()), _shown(frame), _samplers(frame)
    details = [name for name in (REFERENCE, shown) if name is not None and (frame["method"] == name).any()]
    if not datasets:
        return empty("No bias was measured in this study.")
    compared = details if len(samplers) > 1 else []
    figure, axes = grid(1 + len(details) + len(compared), len(datasets), 2.2)
    look = looks(frame["method"])
    by_first = frame[frame["sampler"].isin(samplers[:1])]
    for column, dataset in enumerate(datasets):
        part = by_first[by_first["dataset"] == dataset]
        log_lines(axes[0, column], _lines_of(part, "bias", "method"), look, f"{dataset}\n{seeds_of(part)}")
        for row, name in enumerate(details, start=1):
            chosen = part[part["method"] == name]
            lines = {key: line for key, line in chosen.groupby("measure", sort=False)}
            log_lines(axes[row, column], lines, QUANTITIES, f"{_label(name)}{_trained(chosen, name)}")
        for row, name in enumerate(compared, start=1 + len(details)):
            chosen = frame[(frame["dataset"] == dataset) & (frame["method"] == name)]
            title = f"{_label(name)}{_trained(chosen, name)}, by sampler"
            log_lines(axes[row, column], _lines_of(chosen, "bias", "sampler"), SAMPLERS, title)
        axes[-1, column].set_xlabel("evaluation m")
    for row in range(len(axes)):
        axes[row, 0].set_ylabel("distance" if 0 < row <= len(details) else "bias $B_M$ (distance)")
    head(
        figure,
        "Bias of the mini-batch Wasserstein distance; mean and 95 % interval over seeds",
        "Values that are zero up to rounding, as at m = n, or negative are not shown on the log axis."
        + (f"\nAbove, batches are {samplers[0]}; in the lowest panels, by sampler." if compared else ""),
    )
    entries = {_label(name): look[name] for name in look if name in set(frame["method"])}
    entries |= {QUANTITY_LABELS[name]: QUANTITIES[name] for name in QUANTITIES}
    entries |= {name: SAMPLERS[name] for name in samplers if compared}
    legend(figure, entries | {"slope $m^{-1/2}$": GUIDE}, columns=5)
    return figure


def _lines_of(part: pd.DataFrame, measure: str, key: str) -> dict[str, pd.DataFrame]:
    return {str(name): line for name, line in part[part["measure"] == measure].groupby(key, sort=False)}


def _samplers(frame: pd.DataFrame) -> list[str]:
    """Return the samplers of a study in a fixed order."""
    return [name for name in SAMPLERS if (frame["sampler"] == name).any()]


def _trained(chosen: pd.DataFrame, name: str) -> str:
    return "" if name == REFERENCE else f" (m = {chosen['batch_size'].max()})"


def coverage_data(measures: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Pick from the summary every measure that counts covered modes, whatever its rule and sample count."""
    table = summary(measures, runs)
    return table[table["measure"].str.fullmatch(r"modes(-.*)?@\d+")].reset_index(drop=True)


def by_batch_size(
    ax: Axes, part: pd.DataFrame, sizes: list[int], names: list[str], look: dict[str, Any], lowest: bool = True
) -> None:
    """Draw mean and interval of each method against training m, over the level of the reference.

    A cross on the lower edge stands for a cell whose seeds all diverged. ``lowest``: no panel below has the same axis.
    """
    for level in part.loc[part["method"] == REFERENCE, "mean"]:
        ax.axhline(level, color="black", linestyle="--", linewidth=1.1)
    for x, line, name in side_by_side(ax, part, sizes, names, lowest):
        ax.errorbar(x, line["mean"], line["half_width"].fillna(0), capsize=2, elinewidth=1, **look[name])
        lost = line["mean"].isna().to_numpy()
        if lost.any():
            cross = {"linestyle": "", "marker": "x", "color": look[name]["color"], "clip_on": False}
            ax.plot(x[lost], np.zeros(lost.sum()), transform=ax.get_xaxis_transform(), **cross)


@themed
def coverage(frame: pd.DataFrame) -> Figure:
    """Draw covered modes against training m, one panel for each data set and way of counting."""
    panels = list(frame[["dataset", "measure"]].drop_duplicates().itertuples(index=False, name=None))
    if not panels:
        return empty("No data set of this study has modes that can be counted.")
    look, names, every = looks(frame["method"]), methods(frame), set(frame["batch_size"].dropna())
    rows = math.ceil(len(panels) / 3)
    figure, axes = grid(rows, min(len(panels), 3), 2.6, below=rows * NAMES * crowded(names, every))
    for ax in axes.flat[len(panels) :]:
        ax.set_axis_off()
    for ax, (dataset, measure) in zip(axes.flat, panels, strict=False):
        part = frame[(frame["dataset"] == dataset) & (frame["measure"] == measure)]
        sizes = sorted(part["batch_size"].dropna().unique())
        by_batch_size(ax, part, sizes, names, look)
        ax.set_ylim(0, 1.08 * max((part["mean"] + part["half_width"].fillna(0)).max(), 1))
        ax.set_title(f"{dataset}, {measure}\n{seeds_of(part)}")
        ax.set_ylabel("covered modes")
    crosses = "A cross at 0: all seeds diverged." if frame["mean"].isna().any() else ""
    head(figure, "Covered modes; mean and 95 % interval over seeds", crosses)
    legend(figure, entries_of(names, every, look) | {"real samples": {"color": "black", "linestyle": "--"}})
    return figure


def cost_data(costs: pd.DataFrame) -> pd.DataFrame:
    """Return the cost table of the trained cells."""
    drawn = costs["stage"].isin({stage for stage, _ in COSTS})
    return cost_table(costs[drawn & (costs["method"] != REFERENCE)])


@themed
def cost(frame: pd.DataFrame) -> Figure:
    """Draw seconds per seed and peak memory of each stage against training m, one column of panels per data set."""
    datasets = list(frame["dataset"].unique())
    if not datasets:
        return empty("No cost was recorded in this study.")
    look, names, every = looks(frame["method"]), methods(frame), set(frame["batch_size"].dropna())
    figure, axes = grid(len(COSTS), len(datasets), 1.55, below=NAMES * crowded(names, every))
    for column, dataset in enumerate(datasets):
        part = frame[frame["dataset"] == dataset]
        sizes = sorted(part["batch_size"].dropna().unique())
        for ax, (stage, quantity) in zip(axes[:, column], COSTS, strict=True):
            chosen = part[part["stage"] == stage]
            for x, line, name in side_by_side(ax, chosen, sizes, names, ax is axes[-1, column]):
                ax.plot(x, line[quantity], **look[name])
            ax.set_ylim(0, 1.08 * max(chosen[quantity].max(), 1e-9) if len(chosen) else 1)
        axes[0, column].set_title(f"{dataset}\n{', '.join(sorted(part['device'].unique()))}")
    for row, label in enumerate(COSTS.values()):
        axes[row, 0].set_ylabel(label)
    head(figure, "Cost of each method: seconds per seed, and the highest peak memory of its blocks of seeds")
    legend(figure, entries_of(names, every, look))
    return figure


def side_by_side(
    ax: Axes, part: pd.DataFrame, sizes: list[int], names: list[str], lowest: bool
) -> Iterator[tuple[np.ndarray, pd.DataFrame, str]]:
    """Set one tick per m and yield where each method's points stand, its rows, and its name.

    Methods with the same m stand side by side; otherwise those with equal values would hide each other. Many methods of
    a single m have a tick each, with its name in the ``lowest`` panel.
    """
    single = crowded(names, sizes)
    ticks = (names if lowest else [""] * len(names)) if single else [str(size) for size in sizes]
    ax.set_xticks(range(len(ticks)), ticks, rotation=90 if single else 0, fontsize=6.5 if single else 8)
    ax.set_xlim(-0.5, max(len(ticks), 1) - 0.5)
    if lowest:
        ax.set_xlabel(f"method, trained with m = {sizes[0]}" if single else "training m")
    for rank, name in enumerate(names):
        line = part[part["method"] == name]
        places = np.array([sizes.index(size) for size in line["batch_size"]], dtype=float)
        yield places + (rank if single else 0.6 * ((rank + 0.5) / len(names) - 0.5)), line, name


def _shown(frame: pd.DataFrame) -> str | None:
    names = methods(frame)
    return SHOWN if SHOWN in names else next(iter(names), None)


def _label(method: str) -> str:
    return "real samples" if method == REFERENCE else method


def log_lines(ax: Axes, lines: dict, look: dict, title: str) -> None:
    """Draw lines over evaluation m on log axes, and a guide of slope -1/2 through the first point of the first."""
    positive = {
        name: line[line["mean"] > ROUNDING * line["mean"].max()].sort_values("eval_batch")
        for name, line in lines.items()
    }
    drawn = pd.concat([line["mean"] for line in positive.values()]) if positive else pd.Series(dtype=float)
    floor = log_limits(ax, drawn)
    ax.set_xscale("log", base=2)
    for name, line in positive.items():
        band(ax, line["eval_batch"], line, look[name], floor)
    start = next((line.iloc[0] for line in positive.values() if len(line)), None)
    if start is not None:
        reach = np.array([start["eval_batch"], max(line["eval_batch"].max() for line in lines.values())], dtype=float)
        ax.plot(reach, start["mean"] * (reach / reach[0]) ** -0.5, **GUIDE)
    sizes = sorted({int(size) for line in lines.values() for size in line["eval_batch"]})
    ax.set_xticks(sizes, _apart(sizes))
    ax.xaxis.minorticks_off()
    ax.set_title(title)


def _apart(sizes: list[int]) -> list[str]:
    """Return the labels of ticks on a log axis, empty where one would touch the label before it."""
    labels, last, shown = [], -math.inf, ""
    for size in sizes:
        place = math.log(size / sizes[0]) / max(math.log(sizes[-1] / sizes[0]), 1e-9)
        # Half of each label's width and a gap, in parts of a panel that is one of three.
        fits = place - last > 0.03 + 0.0175 * (len(shown) + len(str(size)))
        labels.append(str(size) if fits else "")
        last, shown = (place, str(size)) if fits else (last, shown)
    return labels
