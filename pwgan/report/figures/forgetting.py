"""Which modes a generator visits and loses along training."""

from __future__ import annotations

import matplotlib
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from pwgan.report.frames import CELL, at_shared, ordered
from pwgan.report.panels import facets, titles
from pwgan.report.style import Look, empty, head, legend, shown, themed

NOTHING = "0.9"
# Without the palest: a single sample must not look like none.
SHADES = ListedColormap(matplotlib.colormaps["Blues"](np.linspace(0.3, 1, 256))).with_extremes(under=NOTHING)
TOP = 2.0  # times an equal share, beyond which shades do not change


def data(mode_steps: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Pick of each cell of the m that all share the seed whose last snapshot misses most modes that an earlier one had.

    The first of several; diverged seeds are left out. ``share``: samples of high quality at the mode at that step, over
    the 1/K of all samples that K equal modes would have; ``best``, ``last``: modes with a sample in the best and in the
    last snapshot; ``trained``, ``diverged``: seeds of the cell. A cell whose seeds all diverged keeps an empty row.
    """
    mode_steps, runs = at_shared(mode_steps, runs), at_shared(runs, runs)
    runs = runs[runs["dataset"].isin(mode_steps["dataset"])]
    sound = mode_steps.merge(runs.loc[runs["status"] != "diverged", [*CELL, "seed"]])
    met = sound.assign(met=sound["count"] > 0).groupby([*CELL, "seed", "step"], sort=False)["met"].sum().reset_index()
    ends = met.sort_values("step").groupby([*CELL, "seed"])["met"].agg(best="max", last="last").reset_index()
    order = ends.assign(loss=ends["last"] - ends["best"]).sort_values([*CELL, "loss", "seed"])
    picked = sound.merge(order.drop_duplicates(CELL).drop(columns="loss"))
    modes = picked.groupby("dataset")["mode"].transform("nunique")
    rows = picked.assign(share=picked["count"] * modes / picked["samples"])
    fates = runs.assign(lost=runs["status"] == "diverged").groupby(CELL, sort=False)["lost"]
    table = fates.agg(trained="size", diverged="sum").reset_index().merge(rows, on=CELL, how="left")
    table = table[table["seed"].notna() | (table["diverged"] == table["trained"])]
    columns = [*CELL, "seed", "step", "mode", "count", "samples", "share", "best", "last", "trained", "diverged"]
    whole = dict.fromkeys(["seed", "step", "mode", "count", "samples", "best", "last"], "Int64")
    return ordered(table[columns].astype(whole))


@themed
def draw(frame: pd.DataFrame, highlight: list[str]) -> Figure:
    """Draw for each method, by data set, the share of samples at every mode over training, of one seed."""
    if frame.empty:
        return empty("No data set of this study has modes to count, at an m that all methods share.")
    names = shown(frame, highlight)
    frame = frame[frame["method"].isin(names)]
    figure, axes, panels = facets(frame, "method", "dataset", 1.2, row_order=names, sharex=False, sharey=False)
    for ax, part in panels:
        _modes(ax, part)
    titles(axes, frame, names, "mode", "training step")
    head(
        figure,
        "Does a generator lose modes that it had?",
        "Of each cell the seed that loses most; above each panel: modes with a sample in its best → its last snapshot.",
    )
    square: Look = {"linestyle": "", "marker": "s", "markersize": 8}
    shares = {"half an equal share": 0.5, "an equal share": 1.0, f"{TOP:g} or more": TOP}
    colours = {"no sample": NOTHING} | {label: SHADES(share / TOP) for label, share in shares.items()}
    legend(figure, {label: {**square, "color": colour} for label, colour in colours.items()})
    return figure


def _modes(ax: Axes, part: pd.DataFrame) -> None:
    """Draw the modes of one run as rows, its snapshots as columns."""
    ax.grid(False)
    if part["share"].isna().all():
        ax.text(0.5, 0.5, "all seeds diverged", transform=ax.transAxes, ha="center", va="center")
        ax.set(xticks=[], yticks=[])
        return
    table = part.pivot(index="mode", columns="step", values="share").astype(float)
    # No share lies between none and that of a single sample.
    least = 0.5 * len(table) / part["samples"].max()
    sns.heatmap(table, vmin=least, vmax=TOP, cmap=SHADES, cbar=False, xticklabels=False, yticklabels=False, ax=ax)
    places = [0, len(table.columns) - 1]
    ax.set_xticks([place + 0.5 for place in places], [f"{table.columns[place]:.0f}" for place in places])
    ax.set_yticks([0.5, len(table) - 0.5], ["1", str(len(table))])
    ax.set(xlabel="", ylabel="")
    seed, best, last = (int(part[column].iloc[0]) for column in ("seed", "best", "last"))
    ax.set_title(f"seed {seed}: {best} → {last}")
