"""Samples on paths between latents, and their distance to the training set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pwgan.data.store import StoredData
from pwgan.report.frames import CELL, REFERENCE, ordered, with_fates
from pwgan.report.panels import lines, means, seeds_of
from pwgan.report.pictures import (
    describe,
    edges,
    frame_points,
    missing,
    sample_rows,
    show_images,
    stored,
    window,
)
from pwgan.report.style import LEVEL, WIDTH, Look, empty, head, legend, log_limits, looks, shown, themed

PATHS_DRAWN = 2
"""Number of image paths shown."""
BLENDS: Look = {"color": "black", "linestyle": "-", "marker": "."}


def data(
    dataset: str, folders: dict[tuple[str, int | None], Path], interpolation: pd.DataFrame, runs: pd.DataFrame
) -> pd.DataFrame:
    """Return, for each method at its largest m, a curve over t for each seed and the paths of the first seed.

    Rows with ``value`` are the curve of a seed: the median of nn_ratio over its paths. Rows with ``path`` are samples
    in the format of ``pictures.sample_rows``; there are none if that seed diverged. The paths of method ``data``
    interpolate linearly between two held-out samples.
    """
    frame, trained = (part[part["dataset"] == dataset] for part in (interpolation, runs))
    if frame.empty:
        return frame.assign(path=None, value=None)
    largest = trained.groupby("method")["batch_size"].max()
    cells = [(name, None if name == REFERENCE else int(largest[name])) for name in frame["method"].unique()]
    at_largest = frame["batch_size"] == frame["method"].map(largest)
    chosen = frame[at_largest.fillna(False) | (frame["method"] == REFERENCE)]
    medians = chosen.groupby([*CELL, "seed", "t"], dropna=False, sort=False)["nn_ratio"].median()
    at_largest_m = trained[trained["batch_size"] == trained["method"].map(largest)]
    parts = [with_fates(medians.rename("value").reset_index(), at_largest_m)]
    first = runs["seed"].min()
    places = np.sort(frame["t"].unique())
    for method, size in cells:
        made = stored(folders[method, size], "strips")
        for path, samples in enumerate(made):
            if np.isfinite(samples).all():
                rows = sample_rows(samples).drop(columns="index")
                parts.append(
                    rows.assign(path=path, t=places, dataset=dataset, method=method, batch_size=size, seed=first)
                )
    joined = ordered(pd.concat([part.astype({"batch_size": "Int64"}) for part in parts], ignore_index=True))
    return joined.astype({"path": "Int64"})


@themed
def draw(frame: pd.DataFrame, highlight: list[str], law: StoredData) -> Figure:
    """Draw paths of samples, one panel per method, and below them their distance to the training set."""
    if frame.empty:
        return empty("No paths between latents were measured in this study.")
    curves, paths = frame[frame["path"].isna()], frame[frame["path"].notna()]
    names = [REFERENCE, *shown(frame, highlight)]
    images = law.kind == "images"
    columns = 2 if images else 4
    rows = -(-len(names) // columns)
    heights = [1.2 if images else WIDTH / columns] * rows + [2.4]
    figure = Figure(figsize=(WIDTH, sum(heights) + 0.8), layout="constrained")
    sheet = figure.add_gridspec(rows + 1, columns, height_ratios=heights)
    for place, name in enumerate(names):
        ax = figure.add_subplot(sheet[place // columns, place % columns])
        part = paths[paths["method"] == name].sort_values(["path", "t"])
        size = curves.loc[curves["method"] == name, "batch_size"].iloc[0]
        ax.set(xticks=[], yticks=[], title="interpolated real pairs" if name == REFERENCE else f"{name}, m = {size}")
        ax.grid(False)
        ax.spines[:].set_visible(not images)
        ax.set_box_aspect(None if images else 1)
        if part.empty or missing(part):
            ax.text(0.5, 0.5, "diverged", transform=ax.transAxes, ha="center", va="center")
        elif images:
            show_images(ax, part[part["path"] < PATHS_DRAWN], part["t"].nunique())
        else:
            _trace(ax, part, law)
    ax = figure.add_subplot(sheet[-1, :])
    styles = looks(names) | {REFERENCE: BLENDS}
    lines(ax, curves, "t", styles)
    ax.axhline(1, **LEVEL)
    drawn = means(curves[curves["method"].isin(names)], "t")["value"]
    log_limits(ax, pd.concat([drawn, pd.Series([1.0])]), air=1.2)
    ax.set(xlim=(-0.02, 1.02), xlabel="position on the path (0, 1: endpoints)", ylabel="distance to training\n(ratio)")
    head(
        figure,
        f"{frame['dataset'].iloc[0]}: are samples between two latents new?",
        f"{seeds_of(curves)}; paths of seed {int(curves['seed'].min())}. Below: distance to the nearest training "
        f"sample, relative to held-out samples; median over paths, mean and 95 % interval over seeds. "
        f"{describe(law) if 'y' in frame else ''}",
    )
    entries = {"interpolated pairs" if name == REFERENCE else name: style for name, style in styles.items()}
    legend(figure, entries | {"held-out samples": LEVEL})
    return figure


def _trace(ax: Axes, rows: pd.DataFrame, law: StoredData) -> None:
    """Draw paths of points over the density, or for one-dimensional data against the position on the path."""
    if "y" in rows:
        frame_points(ax, law)
    else:
        ends = window(law)[:2]
        ax.set(xlim=(-0.02, 1.02), ylim=ends, xlabel="position on the path")
        ax.set_yticks(ends, edges(*ends))
    for _, line in rows.groupby("path"):
        x, y = (line["x"], line["y"]) if "y" in rows else (line["t"], line["x"])
        ax.plot(x, y, marker=".", markersize=3.5, linewidth=0.8)
