"""Figure of the modes that a generator visits and forgets along training."""

from __future__ import annotations

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from pwgan.report.frames import CELL, at_shared, methods, ordered, with_lost_cells
from pwgan.report.style import empty, filled, folded, grid, head, legend, themed

NOTHING = "0.9"
# Without the palest: a single sample must not look like none.
SHADES = ListedColormap(matplotlib.colormaps["Blues"](np.linspace(0.3, 1, 256))).with_extremes(under=NOTHING)
MOST = 2.0  # times an equal share, beyond which shades do not change
SMALL = 8


def forgetting_data(mode_steps: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Pick of each cell of the m that all share the seed whose last snapshot misses most modes that an earlier one had.

    The first of several; diverged seeds are left out. ``share``: samples of high quality at the mode at that step, over
    the 1/K of all samples that K equal modes would have; ``best``, ``last``: modes with a sample in the best and in the
    last snapshot; ``seeds``, ``diverged``: of the cell. A cell whose seeds all diverged keeps a row without values.
    """
    mode_steps, runs = at_shared(mode_steps, runs), at_shared(runs, runs)
    runs = runs[runs["dataset"].isin(mode_steps["dataset"])]
    fates = runs.assign(lost=runs["status"] == "diverged").groupby(CELL)["lost"].agg(seeds="size", diverged="sum")
    sound = mode_steps.merge(runs.loc[runs["status"] != "diverged", [*CELL, "seed"]])
    met = sound.assign(met=sound["count"] > 0).groupby([*CELL, "seed", "step"], sort=False)["met"].sum().reset_index()
    ends = met.sort_values("step").groupby([*CELL, "seed"])["met"].agg(best="max", last="last").reset_index()
    order = ends.assign(loss=ends["last"] - ends["best"]).sort_values([*CELL, "loss", "seed"])
    shown = sound.merge(order.drop_duplicates(CELL).drop(columns="loss"))
    modes = shown.groupby("dataset")["mode"].transform("nunique")
    rows = shown.assign(share=shown["count"] * modes / shown["samples"])
    table = with_lost_cells(rows, runs).merge(fates.reset_index(), on=CELL)
    columns = [*CELL, "seed", "step", "mode", "count", "samples", "share", "best", "last", "seeds", "diverged"]
    whole = dict.fromkeys(["seed", "step", "mode", "count", "samples", "best", "last"], "Int64")
    return ordered(table[columns].astype(whole))


@themed
def forgetting(frame: pd.DataFrame) -> Figure:
    """Draw for each method, by data set, the share of samples at every mode over training, of one seed."""
    if frame.empty:
        return empty("No data set of this study has modes to count, at an m that all methods share.")
    datasets, names = list(frame["dataset"].unique()), methods(frame)
    figure, axes = grid(len(names), len(datasets), 0.9, sharex="col")
    for ax, part in filled(axes, frame, names, datasets):
        _modes(ax, part)
    for ax, name in zip(axes[:, 0], names, strict=True):
        ax.set_ylabel(f"{folded(name)}\nmode")
    for top, bottom, dataset in zip(axes[0], axes[-1], datasets, strict=True):
        top.set_title(f"{dataset}\n{top.get_title()}", fontsize=SMALL, pad=2)
        bottom.set_xlabel("training step")
    head(
        figure,
        "Modes that the generator meets along training, of the seed that loses most of them",
        "Above each panel: modes with a sample in the best snapshot → in the last.",
    )
    square = {"linestyle": "", "marker": "s", "markersize": 8}
    shares = {"half an equal share": 0.5, "an equal share": 1.0, f"{MOST:g} or more": MOST}
    entries = {label: SHADES(share / MOST) for label, share in shares.items()}
    legend(figure, {label: {**square, "color": colour} for label, colour in ({"no sample": NOTHING} | entries).items()})
    return figure


def _modes(ax: Axes, part: pd.DataFrame) -> None:
    """Draw the modes of one run as rows, its snapshots as columns."""
    lost, seeds = (int(part[column].iloc[0]) for column in ("diverged", "seeds"))
    fate = f"; {lost} of {seeds} diverged" if lost else ""
    ax.grid(False)
    if part["share"].isna().all():
        ax.text(0.5, 0.5, "all seeds diverged", transform=ax.transAxes, ha="center", va="center")
        ax.set_yticks([])
        return
    table = part.pivot(index="mode", columns="step", values="share")
    ends = _edges(table.columns.to_numpy(float))
    # No share lies between none and that of a single sample.
    least = 0.5 * len(table) / part["samples"].max()
    ax.pcolormesh(ends, np.arange(len(table) + 1) + 0.5, table.to_numpy(float), cmap=SHADES, vmin=least, vmax=MOST)
    ax.set_yticks([1, len(table)])
    seed, best, last = (int(part[column].iloc[0]) for column in ("seed", "best", "last"))
    ax.set_title(f"seed {seed}: {best} → {last}{fate}", fontsize=SMALL, pad=2)


def _edges(steps: np.ndarray) -> np.ndarray:
    """Return the ends of T columns that stand at ``steps`` (T,), ascending: (T + 1,), halfway between neighbours."""
    if len(steps) == 1:
        return steps[0] + np.array([-0.5, 0.5])
    between = (steps[1:] + steps[:-1]) / 2
    return np.concatenate([[2 * steps[0] - between[0]], between, [2 * steps[-1] - between[-1]]])
