"""Modes that a generator covers and loses during training."""

from __future__ import annotations

import matplotlib
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from pwgan.report.frames import CELL, at_shared, ordered, seed_counts
from pwgan.report.panels import all_diverged, facets, titles
from pwgan.report.style import Look, empty, head, legend, shown, themed

UNCOVERED = "0.9"
# Omit the lightest shades: a mode that is just covered must be distinguishable from one that is not.
SHADES = ListedColormap(matplotlib.colormaps["Blues"](np.linspace(0.3, 1, 256))).with_extremes(under=UNCOVERED)
TOP = 2.0  # shades saturate at this multiple of an equal share


def data(mode_steps: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Select, for each cell at the m shared by all methods, the seed that lost the most modes between snapshots.

    The loss is the number of modes in the best snapshot minus the number in the last; ties go to the first seed, and
    diverged seeds are excluded. ``share``: samples in the cell of the mode at that step, relative to the 1/K of all
    samples that each of K equal modes would have; ``covered``: whether they cover it. ``best``, ``last``: number of
    modes covered in the best and in the last snapshot. ``trained``, ``diverged``: number of seeds of the cell. A cell
    whose seeds all diverged has one row without values.
    """
    mode_steps, runs = at_shared(mode_steps, runs), at_shared(runs, runs)
    runs = runs[runs["dataset"].isin(mode_steps["dataset"])]
    sound = mode_steps.merge(runs.loc[runs["status"] != "diverged", [*CELL, "seed"]])
    number = sound.groupby([*CELL, "seed", "step"], sort=False)["covered"].sum().reset_index()
    ends = number.sort_values("step").groupby([*CELL, "seed"])["covered"].agg(best="max", last="last").reset_index()
    order = ends.assign(loss=ends["last"] - ends["best"]).sort_values([*CELL, "loss", "seed"])
    picked = sound.merge(order.drop_duplicates(CELL).drop(columns="loss"))
    modes = picked.groupby("dataset")["mode"].transform("nunique")
    rows = picked.assign(share=picked["count"] * modes / picked["samples"])
    table = seed_counts(runs).merge(rows, on=CELL, how="left")
    table = table[table["seed"].notna() | (table["diverged"] == table["trained"])]
    columns = [*CELL, "seed", "step", "mode", "count", "samples", "covered", "share"]
    columns += ["best", "last", "trained", "diverged"]
    whole = dict.fromkeys(["seed", "step", "mode", "count", "samples", "best", "last"], "Int64")
    return ordered(table[columns].astype(whole))


@themed
def draw(frame: pd.DataFrame, highlight: list[str]) -> Figure:
    """Draw the share of samples at each mode during training for one seed, methods as rows and data sets as columns."""
    if frame.empty:
        return empty("No data set of this study has modes to count, at an m shared by all methods.")
    names = shown(frame, highlight)
    frame = frame[frame["method"].isin(names)]
    figure, axes, panels = facets(frame, "method", "dataset", 1.2, row_order=names, sharex=False, sharey=False)
    for ax, part in panels:
        _modes(ax, part)
    titles(axes, frame, names, "mode", "training step")
    head(
        figure,
        "Do generators lose modes during training?",
        "The seed of each cell that lost the most modes; above each panel: modes covered in its best → last snapshot.",
    )
    square: Look = {"linestyle": "", "marker": "s", "markersize": 8}
    shares = {"half an equal share": 0.5, "an equal share": 1.0, f"{TOP:g} or more": TOP}
    colours = {"not covered": UNCOVERED} | {label: SHADES(share / TOP) for label, share in shares.items()}
    legend(figure, {label: {**square, "color": colour} for label, colour in colours.items()})
    return figure


def _modes(ax: Axes, part: pd.DataFrame) -> None:
    """Draw the modes of one run as rows and its snapshots as columns."""
    ax.grid(False)
    if part["share"].isna().all():
        all_diverged(ax)
        ax.set(xticks=[], yticks=[])
        return
    shades = part.assign(share=part["share"] * part["covered"].astype(bool))
    table = shades.pivot(index="mode", columns="step", values="share").astype(float)
    # Half the share of a single sample separates 0, of a mode not covered, from all other shares. Of 1000 modes a
    # single sample may be more than the shades show.
    least = 0.5 * min(len(table) / part["samples"].max(), TOP)
    sns.heatmap(table, vmin=least, vmax=TOP, cmap=SHADES, cbar=False, xticklabels=False, yticklabels=False, ax=ax)
    places = [0, len(table.columns) - 1]
    ax.set_xticks([place + 0.5 for place in places], [f"{table.columns[place]:.0f}" for place in places])
    ax.set_yticks([0.5, len(table) - 0.5], ["1", str(len(table))])
    ax.set(xlabel="", ylabel="")
    seed, best, last = (int(part[column].iloc[0]) for column in ("seed", "best", "last"))
    ax.set_title(f"seed {seed}: {best} → {last}")
