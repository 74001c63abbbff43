"""Figures over the steps of training: EWD and losses."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pwgan.report.frames import CELL, REFERENCE, methods, ordered, with_lost_cells
from pwgan.report.statistics import intervals, summary
from pwgan.report.style import (
    band,
    crowded,
    empty,
    families,
    filled,
    folded,
    grid,
    head,
    legend,
    log_limits,
    looks,
    seeds_of,
    themed,
)

WINDOWS = 150
"""The number of windows that a loss curve is averaged into: more cannot be told apart on a small panel."""
LOSSES = {
    "critic": {"color": "#0072B2"},
    "generator": {"color": "#D55E00"},
}
SIZES = ("-", "--", ":", "-.")


def convergence_data(history: pd.DataFrame, measures: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Summarise EWD over training at the evaluation steps, with the floor of each data set as rows of method ``data``.

    The floor is the reference's ``ewd-history@n``, or ``ewd@n`` of another n where the study has no such measure.
    """
    points = runs.groupby("dataset")["history_points"].max()
    seen = history.loc[history["ewd"].notna(), ["dataset", "step"]].drop_duplicates()
    curves = over_seeds(history.merge(seen).rename(columns={"ewd": "value"}), [*CELL, "step"], runs)
    names = {dataset: f"ewd@{int(count)}" for dataset, count in points.items()}
    curves["measure"] = curves["dataset"].map(names)
    columns = [*CELL, "step", "measure", "mean", "half_width", "seeds", "diverged"]
    parts = ordered(curves), floors(measures, runs)
    return pd.concat([part.reindex(columns=columns) for part in parts], ignore_index=True)


def floors(measures: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Return the EWD of real samples that EWDs along training are to be held against, a row for each data set."""
    found = summary(measures[measures["method"] == REFERENCE], runs)
    exact = found[found["measure"].str.startswith("ewd-history@")]
    other = found[found["measure"].str.startswith("ewd@") & ~found["dataset"].isin(exact["dataset"])]
    return pd.concat([exact, other]).drop_duplicates("dataset")


@themed
def convergence(frame: pd.DataFrame) -> Figure:
    """Draw EWD over training on a log axis, data sets by trained m, with the floor as a dashed line.

    Many methods of a single m are drawn by family instead, over all others in grey.
    """
    curves = frame[frame["method"] != REFERENCE]
    if curves.empty:
        return empty("No EWD was measured during training.")
    datasets, sizes = list(curves["dataset"].unique()), sorted(curves["batch_size"].dropna().unique())
    parts: list[tuple[str, list]] = [("batch_size", [size]) for size in sizes]
    if crowded(methods(frame), sizes):
        parts = [("method", names) for names in families(methods(frame)).values()]
    figure, axes = grid(len(datasets), len(parts), 2.0, sharex="row", sharey="row")
    look = looks(frame["method"])
    for row, dataset in enumerate(datasets):
        part = frame[frame["dataset"] == dataset]
        floor = part[part["method"] == REFERENCE]
        bottom = log_limits(axes[row, 0], part["mean"])
        for ax, (key, values) in zip(axes[row], parts, strict=True):
            chosen = part[part[key].isin(values)]
            if key == "method":
                for _, line in part[~part["method"].isin([*values, REFERENCE])].groupby("method"):
                    ax.plot(line["step"], line["mean"], color="0.85", linewidth=0.8, zorder=1)
            for name, line in chosen.groupby("method"):
                style = {**look[str(name)], "marker": ""}
                band(ax, line["step"], line, style, bottom)
                last = line[line["mean"].notna()].tail(1)
                if (line["seeds"] == 0).any():
                    ax.plot(last["step"], last["mean"], **{**style, "marker": "x", "markersize": 7})
            for _, level in floor.iterrows():
                ax.axhline(level["mean"], color="black", linestyle="--", linewidth=1.1)
            told = f"m = {values[0]}" if key == "batch_size" else f"{values[0]}, m = {sizes[0]}"
            ax.set_title(f"{dataset}, {told}\n{seeds_of(chosen)}")
        count = part.loc[part["method"] != REFERENCE, "measure"].dropna().str.split("@").str[-1].unique()
        axes[row, 0].set_ylabel(f"EWD (n = {', '.join(count)})")
        _name_floor(axes[row, -1], floor, list(count))
    for ax in axes[-1]:
        ax.set_xlabel("training step")
    crosses = "A curve that ends in a cross: all seeds diverged." if (curves["seeds"] == 0).any() else ""
    head(figure, "EWD to held-out data over training; mean and 95 % interval over seeds", crosses)
    entries = {name: {**look[name], "marker": ""} for name in methods(frame)}
    legend(figure, entries | {"real samples": {"color": "black", "linestyle": "--"}})
    return figure


def losses_data(history: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Average each loss of each seed within windows of steps, then summarise over seeds; ``step`` ends its window."""
    width = math.ceil(max(history["step"].max(), 1) / WINDOWS) if len(history) else 1
    windows = history.assign(step=np.ceil(history["step"] / width).astype(int) * width)
    tidy = windows.rename(columns={f"{loss}_loss": loss for loss in LOSSES}).melt(
        [*CELL, "seed", "step"], list(LOSSES), var_name="loss"
    )
    per_seed = tidy.groupby([*CELL, "seed", "step", "loss"], sort=False)["value"].mean().reset_index()
    table = over_seeds(per_seed, [*CELL, "step", "loss"], runs)
    # A method without a critic has no critic loss at any step; a cell whose seeds all diverged keeps its rows.
    absent = table.groupby([*CELL, "loss"])["seeds"].transform("max").eq(0)
    trained = table.groupby(CELL)["seeds"].transform("max").gt(0)
    return ordered(table[~(absent & trained)])


@themed
def losses(frame: pd.DataFrame) -> Figure:
    """Draw the losses of critic and generator over training, methods by data sets, one line style for each m."""
    if frame.empty:
        return empty("No loss was recorded during training.")
    datasets, names = list(frame["dataset"].unique()), methods(frame)
    sizes = sorted(frame["batch_size"].dropna().unique())
    figure, axes = grid(len(names), len(datasets), 1.25, sharex="col")
    for ax, part in filled(axes, frame, names, datasets):
        for (loss, size), line in part.dropna(subset="loss").groupby(["loss", "batch_size"]):
            style = {**LOSSES[str(loss)], "linestyle": SIZES[sizes.index(size) % len(SIZES)], "linewidth": 1.0}
            band(ax, line["step"], line, style)
        finite = part.loc[np.isfinite(part["mean"]), "mean"]
        if len(finite):
            low, high = np.quantile(finite, [0.005, 0.995])
            air = 0.1 * (high - low) or 0.1 * abs(high) or 1.0
            ax.set_ylim(low - air, high + air)
        else:
            ax.text(0.5, 0.5, "all seeds diverged", transform=ax.transAxes, ha="center", va="center")
    for ax, name in zip(axes[:, 0], names, strict=True):
        ax.set_ylabel(f"{folded(name)}\nloss")
    for top, bottom, dataset in zip(axes[0], axes[-1], datasets, strict=True):
        top.set_title(f"{dataset}\n{seeds_of(frame[frame['dataset'] == dataset])}")
        bottom.set_xlabel("training step")
    head(
        figure,
        "Losses over training; mean and 95 % interval over seeds",
        "Each point averages a window of steps; the axes hold 99 % of the points.",
    )
    entries = {loss: {**look, "linestyle": "-"} for loss, look in LOSSES.items() if (frame["loss"] == loss).any()}
    marks = {f"m = {size}": {"color": "0.3", "linestyle": SIZES[i % len(SIZES)]} for i, size in enumerate(sizes)}
    legend(figure, entries | marks)
    return figure


def over_seeds(tidy: pd.DataFrame, keys: list[str], runs: pd.DataFrame) -> pd.DataFrame:
    """Summarise over seeds at each step; ``diverged`` counts the seeds of the cell without a value at that step.

    A step at which nothing was recorded, as no loss is at the last, tells of no divergence and is left out.
    """
    table = with_lost_cells(intervals(tidy, keys), runs)
    cells = runs.assign(ok=runs["status"] == "ok").groupby(CELL).agg(total=("seed", "nunique"), ok=("ok", "any"))
    table = table.merge(cells.reset_index(), on=CELL, how="left")
    table["seeds"] = table["seeds"].fillna(0).astype(int)
    table = table[(table["seeds"] > 0) | ~table["ok"]].drop(columns="ok")
    return table.assign(diverged=table["total"] - table["seeds"]).drop(columns="total").reset_index(drop=True)


def _name_floor(ax: Axes, floor: pd.DataFrame, count: list[str]) -> None:
    """Say below the line of what n the floor is, where it is not the n of the curves."""
    for measure in floor["measure"]:
        n = measure.split("@")[1]
        if [n] != count:
            ax.annotate(
                f"floor at n = {n}",
                (1, floor["mean"].iloc[0]),
                xycoords=("axes fraction", "data"),
                xytext=(0, 2),
                textcoords="offset points",
                ha="right",
                va="bottom",
                fontsize=8,
            )
