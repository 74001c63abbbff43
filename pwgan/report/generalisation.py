"""Figures on generalisation: nearest neighbours of generated samples, and Fréchet distance against EWD."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.stats import norm, spearmanr

from pwgan.report.frames import CELL, REFERENCE, is_frechet, methods
from pwgan.report.panels import by_batch_size
from pwgan.report.statistics import LEVEL, summary
from pwgan.report.style import (
    NAMES,
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

NEIGHBOURS = {
    "nn_ratio": "distance to training\nover held-out's",
    "copies": "share of near copies",
    "data_copying": "data-copying test $Z_U$",
}
FEWEST = 4
"""Cells are needed for an interval of their rank correlation, whose standard error divides by their number less 3."""


def neighbours_data(measures: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Pick from the summary the measures of nearest neighbours; ``space`` is where: samples, or features of a name."""
    table = summary(measures, runs)
    parts = table["measure"].str.extract(rf"^({'|'.join(NEIGHBOURS)})(?:-(.+))?@\d+$")
    table = table.assign(quantity=parts[0], space=parts[1].fillna("samples"))
    return table[table["quantity"].notna()].reset_index(drop=True)


@themed
def neighbours(frame: pd.DataFrame) -> Figure:
    """Draw ratio of distances, near copies and test against training m: a row for each data set and space."""
    rows = list(frame[["dataset", "space"]].drop_duplicates().itertuples(index=False, name=None))
    if not rows:
        return empty("No data set of this study holds out enough samples to look for copies.")
    look, names, every = looks(frame["method"]), methods(frame), set(frame["batch_size"].dropna())
    figure, axes = grid(len(rows), len(NEIGHBOURS), 1.6, below=NAMES * crowded(names, every))
    for row, (dataset, space) in enumerate(rows):
        part = frame[(frame["dataset"] == dataset) & (frame["space"] == space)]
        sizes = sorted(part["batch_size"].dropna().unique())
        for ax, (quantity, label) in zip(axes[row], NEIGHBOURS.items(), strict=True):
            chosen = part[part["quantity"] == quantity]
            if quantity == "nn_ratio":
                log_limits(ax, chosen["mean"])
            elif quantity == "data_copying":
                ax.set_yscale("symlog", linthresh=2)
            by_batch_size(ax, chosen, sizes, names, look, row == len(rows) - 1)
            if quantity == "copies":
                ax.set_ylim(0, 1.08 * max((chosen["mean"] + chosen["half_width"].fillna(0)).max(), 0.02))
            ax.set_ylabel(label)
        axes[row, 0].set_title(f"{dataset}, {space}\n{seeds_of(part)}")
        axes[row, 1].set_title(f"{part['measure'].iloc[0].rpartition('@')[2]} samples")
    crosses = "A cross at the bottom: all seeds diverged." if frame["mean"].isna().any() else ""
    head(figure, "Are generated samples copies? Mean and 95 % interval over seeds", crosses)
    legend(figure, entries_of(names, every, look) | {"held-out samples": {"color": "black", "linestyle": "--"}})
    return figure


def frechet_data(measures: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Put the Fréchet distance of each cell beside its EWD, and Spearman's correlation over trained cells beside both.

    Columns: dataset, method, batch_size, seeds, diverged, measure (the name of the Fréchet distance), frechet, ewd,
    each with its half_width, and of the data set: cells, correlation, low, high.
    """
    table = summary(measures, runs)
    ewd = table[table["measure"].str.fullmatch(r"ewd@\d+")]
    distance = table[is_frechet(table["measure"])]
    kept = [*CELL, "mean", "half_width"]
    both = distance.merge(ewd[kept], on=CELL, suffixes=("_frechet", "_ewd"))
    both = both.rename(columns={"mean_frechet": "frechet", "mean_ewd": "ewd"})
    columns, found = ["dataset", "cells", "correlation", "low", "high"], []
    for dataset, part in both[both["method"] != REFERENCE].groupby("dataset", sort=False):
        whole = part.dropna(subset=["frechet", "ewd"])
        found.append((dataset, len(whole), *rank_correlation(whole["ewd"].to_numpy(), whole["frechet"].to_numpy())))
    return both.merge(pd.DataFrame(found, columns=columns), on="dataset", how="left")


def rank_correlation(x: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    """Return Spearman's rank correlation r of x (n,) and y (n,), and the ends of its 95 % interval.

    tanh(artanh r ± z sqrt((1 + r^2 / 2) / (n - 3))), z = 1.96. NaN where it is undefined: r for n < 2 or where one side
    is constant, the interval for n < 4 or |r| = 1.

    Source: Bonett & Wright, "Sample size requirements for estimating Pearson, Kendall and Spearman correlations", 2000.
    """
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return math.nan, math.nan, math.nan
    r = float(spearmanr(x, y).statistic)
    if len(x) < FEWEST or 1 - abs(r) < 1e-12:
        return r, math.nan, math.nan
    reach = norm.ppf((1 + LEVEL) / 2) * math.sqrt((1 + r**2 / 2) / (len(x) - 3))
    return r, math.tanh(math.atanh(r) - reach), math.tanh(math.atanh(r) + reach)


@themed
def frechet(frame: pd.DataFrame) -> Figure:
    """Draw the Fréchet distance against EWD on log axes, a panel for each data set, a point for each cell."""
    if frame.empty:
        return empty("No data set of this study has features, between which a Fréchet distance could be taken.")
    panels = list(frame[["dataset", "measure"]].drop_duplicates().itertuples(index=False, name=None))
    figure, axes = grid(math.ceil(len(panels) / 3), min(len(panels), 3), 3.0)
    look, sizes = looks(frame["method"]), sorted(frame["batch_size"].dropna().unique())
    for ax in axes.flat[len(panels) :]:
        ax.set_axis_off()
    for ax, (dataset, measure) in zip(axes.flat, panels, strict=False):
        part = frame[(frame["dataset"] == dataset) & (frame["measure"] == measure)]
        log_limits(ax, part["frechet"])
        log_limits(ax, part["ewd"], "x", air=1.1)
        for _, row in part.dropna(subset=["frechet", "ewd"]).iterrows():
            style = {**look[row["method"]], "linestyle": ""}
            if row["method"] != REFERENCE:
                style["markersize"] = 4.5 + 2.5 * sizes.index(row["batch_size"])
                style["alpha"] = 0.8
            else:
                style |= {"marker": "*", "markersize": 9}
            widths = {"xerr": row["half_width_ewd"], "yerr": row["half_width_frechet"]}
            known = {key: width for key, width in widths.items() if not math.isnan(width)}
            ax.errorbar(row["ewd"], row["frechet"], elinewidth=0.7, **known, **style)
        ax.set_title(f"{dataset}\n{_told(part)}")
        ax.set_xlabel("EWD")
        ax.set_ylabel(measure)
    head(
        figure,
        "Fréchet distance against EWD; mean and 95 % interval over seeds",
        f"Larger marks: larger training m ({', '.join(str(size) for size in sizes)}).",
    )
    entries = {name: {**look[name], "linestyle": ""} for name in methods(frame)}
    legend(figure, entries | {"real samples": {"color": "black", "linestyle": "", "marker": "*", "markersize": 9}})
    return figure


def _told(part: pd.DataFrame) -> str:
    """Say what the rank correlation is, and over how many cells."""
    trained = part[part["method"] != REFERENCE]
    if trained.empty or math.isnan(trained["correlation"].iloc[0]):
        return "too few cells for a rank correlation"
    row = trained.iloc[0]
    ends = "" if math.isnan(row["low"]) else f" [{row['low']:.2f}, {row['high']:.2f}]"
    return f"rank correlation {row['correlation']:.2f}{ends}, {row['cells']:.0f} cells"
