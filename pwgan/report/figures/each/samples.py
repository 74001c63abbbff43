"""Generated samples beside real samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pwgan.data.store import StoredData
from pwgan.report.frames import CELL, REFERENCE
from pwgan.report.panels import sizes_of, spread, told
from pwgan.report.pictures import describe, missing, sample_rows, show_images, show_points, stored
from pwgan.report.style import WIDTH, head, look, shown, themed

POINTS = 1000
TILES = 6
"""Images per row and column of a grid."""
COLUMNS = 4
"""Number of panel columns if there is a single m."""


def data(
    dataset: str, law: StoredData, folders: dict[tuple[str, int | None], Path], runs: pd.DataFrame
) -> pd.DataFrame:
    """Return the first held-out samples (method ``data``) and samples of the first seed, by ``pictures.sample_rows``.

    If that seed diverged, the cell has one row without a sample. ``trained``, ``diverged``: number of its seeds.
    """
    count = POINTS if law.kind == "points" else TILES**2
    parts = [sample_rows(law.restored(law.heldout[:count])).assign(method=REFERENCE, batch_size=np.nan, seed=np.nan)]
    trained = runs[runs["dataset"] == dataset]
    for (method, size), folder in folders.items():
        if method == REFERENCE:
            continue
        seeds = trained[(trained["method"] == method) & (trained["batch_size"] == size)].set_index("seed")
        lost = seeds["status"] == "diverged"
        first = int(seeds.index.min())
        made = stored(folder, "samples")[:count]
        rows = sample_rows(made)[["index"]].head(1) if lost[first] else sample_rows(made)
        parts.append(
            rows.assign(method=method, batch_size=size, seed=first, trained=len(lost), diverged=int(lost.sum()))
        )
    whole = dict.fromkeys(["batch_size", "seed"], "Int64")
    frame = pd.concat([part.astype(whole) for part in parts], ignore_index=True).assign(dataset=dataset)
    sample = parts[0].columns.drop(["method", "batch_size", "seed"])
    return frame.reindex(columns=[*CELL, "seed", *sample, "trained", "diverged"])


@themed
def draw(frame: pd.DataFrame, highlight: list[str], law: StoredData) -> Figure:
    """Draw methods as columns and m as rows, wrapped if there is a single m; real samples come first."""
    names, sizes = shown(frame, highlight), sizes_of(spread(frame))
    panels: list[tuple[str, int]] = [(REFERENCE, 0), *((name, size) for size in sizes for name in names)]
    columns = min(COLUMNS, len(panels)) if len(sizes) <= 1 else 1 + len(names)
    if len(sizes) > 1:
        # The column of real samples is empty below the first row.
        panels = [cell for size in sizes for cell in [("", 0), *((name, size) for name in names)]]
        panels[0] = (REFERENCE, 0)
    rows = -(-len(panels) // columns)
    side = min(max(WIDTH / columns, 1.15), 2.4)
    figure = Figure(figsize=(max(side * columns, 6.0), (side + 0.15) * rows + 0.5), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, (name, size) in zip(axes.flat, panels, strict=False):
        chosen = frame[(frame["method"] == name) & (frame["batch_size"].eq(size).fillna(name == REFERENCE))]
        if chosen.empty:
            continue
        ax.set_axis_on()
        ax.set(xticks=[], yticks=[])
        ax.grid(False)
        ax.spines[:].set_visible("pixels" not in frame)
        if missing(chosen):
            ax.text(0.5, 0.5, "diverged", transform=ax.transAxes, ha="center", va="center")
            ax.set_box_aspect(1)
        elif "pixels" in frame:
            show_images(ax, chosen, TILES)
        else:
            show_points(ax, chosen, law, look(name)["color"])
        ax.set_title("real samples" if name == REFERENCE else name if len(sizes) == 1 else f"{name}\nm = {size}")
    cells = frame.loc[frame["trained"].notna()].drop_duplicates(CELL)
    counts = told(cells["trained"].astype(int), int(cells["diverged"].sum()))
    description = "Real samples are held-out samples." if "pixels" in frame else describe(law)
    alone = f"m = {sizes[0]}, " if len(sizes) == 1 else ""
    head(
        figure,
        f"{frame['dataset'].iloc[0]}: what do generated samples look like?",
        f"Seed {int(cells['seed'].min())} of each method, {alone}{counts}. {description}",
    )
    return figure
