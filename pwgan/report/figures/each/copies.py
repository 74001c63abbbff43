"""Generated images above the training images nearest to them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pwgan.data.store import StoredData
from pwgan.report.frames import CELL, REFERENCE
from pwgan.report.panels import sizes_of, spread, told
from pwgan.report.pictures import missing, sample_rows, show_images, stored
from pwgan.report.style import WIDTH, empty, head, shown, themed

TILES = 12
"""Images of a cell."""


def data(
    dataset: str, law: StoredData, folders: dict[tuple[str, int | None], Path], runs: pd.DataFrame
) -> pd.DataFrame:
    """Return the first images of each cell's first seed, and of each the training image nearest to it.

    ``kind``: generated, or nearest in Euclidean distance; ``distance`` between both, pixels in [-1, 1]. Of method
    ``data`` they are held-out images. A diverged seed has no images. ``trained``, ``diverged``: number of the cell's
    seeds. There are no rows for points.
    """
    columns = [*CELL, "seed", "kind", "index", "distance", "channels", "size", "pixels", "trained", "diverged"]
    if law.kind == "points":
        return pd.DataFrame(columns=columns)
    train = _floats(law.train)
    here = runs[runs["dataset"] == dataset]
    first = int(here["seed"].min())
    parts = []
    for (method, size), folder in folders.items():
        status = here.loc[(here["method"] == method) & (here["batch_size"] == size), "status"]
        made = law.heldout[:TILES] if method == REFERENCE else stored(folder, "samples")[:TILES]
        made = _floats(made)
        if np.isfinite(made).all():
            index, distance = nearest_images(made, train)
            pairs = {"generated": sample_rows(made), "nearest": sample_rows(train[index]).assign(index=index)}
        else:
            distance, pairs = np.full(1, np.nan), {"generated": sample_rows(made).head(1)[["index"]]}
        parts += [
            rows.assign(
                kind=kind,
                distance=distance,
                dataset=dataset,
                method=method,
                batch_size=size,
                seed=first,
                trained=len(status),
                diverged=int((status == "diverged").sum()),
            )
            for kind, rows in pairs.items()
        ]
    frame = pd.concat([part.astype({"batch_size": "Int64"}) for part in parts], ignore_index=True)
    return frame.reindex(columns=columns)


def nearest_images(made: np.ndarray, train: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return for images (n, c, h, w) the row of the nearest of ``train`` (k, c, h, w), and the distance to it, (n,)."""
    from sklearn.metrics import pairwise_distances_argmin

    index = pairwise_distances_argmin(*(side.reshape(len(side), -1) for side in (made, train)))
    # From differences: sklearn expands the square, which has no digits left for copies.
    distance = np.linalg.norm((made - train[index]).reshape(len(made), -1), axis=1)
    return index, distance


def _floats(images: np.ndarray) -> np.ndarray:
    if images.dtype == np.uint8:
        return images.astype(np.float32) / 127.5 - 1
    return images.astype(np.float32)


@themed
def draw(frame: pd.DataFrame, highlight: list[str], law: StoredData) -> Figure:
    """Draw two rows of images for each cell, real ones first: generated, and the nearest training images."""
    if law.kind == "points":
        return empty("These data are points: their nearest neighbours in this study are in the figure neighbours.")
    names, sizes = shown(frame, highlight), sizes_of(spread(frame))
    wanted: list[tuple[str, int]] = [(REFERENCE, 0), *((name, size) for name in names for size in sizes)]
    cells = [(cell, _of(frame, *cell)) for cell in wanted]
    cells = [(cell, part) for cell, part in cells if not part.empty]
    columns = 2
    rows = -(-len(cells) // columns)
    figure = Figure(figsize=(WIDTH, 0.9 * rows + 0.8), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, ((name, size), part) in zip(axes.flat, cells, strict=False):
        ax.set_title("held-out images" if name == REFERENCE else f"{name}, m = {size}")
        if missing(part):
            ax.text(0.5, 0.5, "diverged", transform=ax.transAxes, ha="center", va="center")
        else:
            show_images(ax, part.sort_values("kind", kind="stable"), TILES)
    trained = frame[frame["method"] != REFERENCE].drop_duplicates(CELL)
    counts = told(trained["trained"].astype(int), int(trained["diverged"].sum()))
    head(
        figure,
        f"{frame['dataset'].iloc[0]}: are generated images copies of training images?",
        f"Upper rows: the first images of seed {int(frame['seed'].iloc[0])} ({counts}); lower rows: the training image "
        "nearest to each in pixels. Held-out images show how near a new image is.",
    )
    return figure


def _of(frame: pd.DataFrame, name: str, size: int) -> pd.DataFrame:
    """Return the rows of one cell."""
    return frame[(frame["method"] == name) & frame["batch_size"].eq(size).fillna(name == REFERENCE)]
