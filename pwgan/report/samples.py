"""Figures of samples: points over the true density, or grids of images; always seed 0, real samples first."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from pwgan.data.base import Split
from pwgan.report.frames import CELL, REFERENCE, methods
from pwgan.report.style import CROWD, WIDTH, crowded, head, looks, themed

SEED = 0
POINTS = 1000
TILES = 6


class Sample(NamedTuple):
    """Where the samples of one cell lie: a file of shape (S, N, *sample), S the seeds of its first block."""

    dataset: str
    method: str
    batch_size: int | None
    path: str | Path


def samples_data(name: str, data: Split, samples: Iterable[Sample], runs: pd.DataFrame) -> pd.DataFrame:
    """Return the samples that are drawn of one data set: held-out ones as method ``data``, and seed 0 of each cell.

    Points (N, d) become rows with x and y, their first two coordinates. Images (N, channels, size, size) become rows
    with channels, size and pixels: bytes 0..255 in hexadecimal, in the order channel, row, column. Where seed 0
    diverged, one row with neither stands for it.
    """
    real = data.heldout[: POINTS if data.heldout.ndim == 2 else TILES**2]
    parts = [sample_rows(real).assign(method=REFERENCE, batch_size=np.nan, seed=np.nan)]
    failed = runs[(runs["dataset"] == name) & (runs["seed"] == SEED) & (runs["status"] == "diverged")]
    lost = set(zip(failed["method"], failed["batch_size"], strict=True))
    for sample in samples:
        made = sample_rows(np.load(sample.path, mmap_mode="r", allow_pickle=False)[SEED, : len(real)])
        if (sample.method, sample.batch_size) in lost:
            made = made[["index"]].head(1)
        parts.append(made.assign(method=sample.method, batch_size=sample.batch_size, seed=SEED))
    frame = pd.concat([part.astype({"batch_size": "Int64", "seed": "Int64"}) for part in parts], ignore_index=True)
    return frame.assign(dataset=name)[[*CELL, "seed", *parts[0].columns.drop(["method", "batch_size", "seed"])]]


def _places(names: list[str], sizes: list[int]) -> list[list[tuple[str, int]]]:
    """Return what each panel shows, as rows of (method, m); a method without a name leaves its panel empty."""
    real, none = (REFERENCE, 0), ("", 0)
    if not crowded(names, sizes):
        rows = [[none, *((name, size) for name in names)] for size in sizes] or [[none]]
        return [[real, *rows[0][1:]], *rows[1:]]
    every = [real, *((name, sizes[0]) for name in names)]
    every += [none] * (-len(every) % CROWD)
    return [every[start : start + CROWD] for start in range(0, len(every), CROWD)]


@themed
def samples(frame: pd.DataFrame, law: Split) -> Figure:
    """Draw methods as columns and m as rows, or many methods of a single m in rows; real samples in the first panel."""
    names, sizes = methods(frame), sorted(frame["batch_size"].dropna().unique())
    images = "pixels" in frame
    panels = _places(names, sizes)
    rows, columns = len(panels), len(panels[0])
    side = min(max(WIDTH / columns, 1.15), 2.4)
    figure = Figure(figsize=(side * columns, side * rows + 0.45), layout="constrained")
    axes: np.ndarray = figure.subplots(rows, columns, squeeze=False)
    look = looks(names)
    for row, column in product(range(rows), range(columns)):
        ax, (name, size) = axes[row, column], panels[row][column]
        chosen = frame[frame["method"] == name]
        if name != REFERENCE:
            chosen = chosen[chosen["batch_size"] == size]
        if chosen.empty:
            ax.set_axis_off()
            continue
        ax.set(xticks=[], yticks=[])
        ax.grid(False)
        ax.spines[:].set_visible(not images)
        if chosen.iloc[:, -1].isna().all():
            ax.text(0.5, 0.5, "diverged", transform=ax.transAxes, ha="center", va="center")
            ax.set_box_aspect(1)
        elif images:
            ax.imshow(mosaic(chosen), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        else:
            _scatter(ax, chosen, law, window(frame, law), look[name]["color"])
        if row == 0 or len(sizes) == 1:
            ax.set_title("real samples" if name == REFERENCE else name)
        if size and (column == 0 or panels[row][column - 1][1] == 0):
            ax.set_ylabel(f"m = {size}")
    note = "real samples are held out"
    if not images:
        left, right, bottom, top = (f"{edge:.3g}" for edge in window(frame, law))
        note = f"[{left}, {right}] by [{bottom}, {top}]"
        note += "; shaded: true density" if law.density is not None else ""
        note += "; +: modes" if law.modes is not None else ""
    head(figure, f"{frame['dataset'].iloc[0]}: samples of seed {SEED}", note)
    return figure


def mosaic(frame: pd.DataFrame) -> np.ndarray:
    """Arrange image rows as a white-ruled square of shape (height, width) or (height, width, 3)."""
    channels, size = int(frame["channels"].iloc[0]), int(frame["size"].iloc[0])
    sheet = np.full((TILES * (size + 1) - 1, TILES * (size + 1) - 1, channels), 255, dtype=np.uint8)
    for place, pixels in enumerate(frame["pixels"]):
        if pd.isna(pixels):
            continue
        top, left = (size + 1) * (place // TILES), (size + 1) * (place % TILES)
        sheet[top : top + size, left : left + size] = tile(pixels, channels, size)
    return sheet[..., 0] if channels == 1 else sheet


def tile(pixels: str, channels: int, size: int) -> np.ndarray:
    """Read one image as (size, size, channels) from the hexadecimal bytes of its row."""
    return np.frombuffer(bytes.fromhex(pixels), dtype=np.uint8).reshape(channels, size, size).transpose(1, 2, 0)


def sample_rows(values: np.ndarray) -> pd.DataFrame:
    """Write samples as rows; images as uint8, or as floats in [-1, 1] that become the nearest of 0..255."""
    index = np.arange(len(values))
    if values.ndim == 2:
        x, y = np.pad(values, ((0, 0), (0, 1)))[:, :2].T
        return pd.DataFrame({"index": index, "x": x, "y": y})
    finite = np.isfinite(values).all(axis=(1, 2, 3))
    if values.dtype != np.uint8:
        values = np.rint(np.clip(np.nan_to_num(values), -1, 1) * 127.5 + 127.5).astype(np.uint8)
    pixels = [image.tobytes().hex() if whole else None for image, whole in zip(values, finite, strict=True)]
    return pd.DataFrame({"index": index, "channels": values.shape[1], "size": values.shape[2], "pixels": pixels})


def window(frame: pd.DataFrame, law: Split) -> tuple[float, float, float, float]:
    """Return what part of the plane is shown: the extent of the law, or the real samples with a tenth of air."""
    if law.extent is not None:
        return law.extent
    real = frame.loc[frame["method"] == REFERENCE, ["x", "y"]].to_numpy()
    low, high = real.min(axis=0), real.max(axis=0)
    air = np.maximum(0.1 * (high - low), 1e-3)
    (left, bottom), (right, top) = low - air, high + air
    return float(left), float(right), float(bottom), float(top)


def _scatter(ax: Axes, part: pd.DataFrame, law: Split, window: tuple[float, float, float, float], colour: str) -> None:
    """Scatter points over the density, and say what share of them lies outside the window."""
    left, right, bottom, top = window
    if law.density is not None and law.extent is not None:
        ax.imshow(
            law.density,
            origin="lower",
            extent=window,
            cmap="Greys",
            norm=PowerNorm(0.5),
            alpha=0.6,
            aspect="auto",
        )
    if law.modes is not None:
        ax.plot(
            law.modes[:, 0], law.modes[:, 1], linestyle="", marker="+", color="0.3", markersize=5, markeredgewidth=0.6
        )
    ax.scatter(part["x"], part["y"], s=3, color=colour, alpha=0.6, linewidths=0, zorder=3)
    ax.set(xlim=(left, right), ylim=(bottom, top))
    ax.set_box_aspect((top - bottom) / (right - left))
    outside = 1 - (part["x"].between(left, right) & part["y"].between(bottom, top)).mean()
    if outside > 0:
        ax.text(0.03, 0.97, f"{100 * outside:.2g} % outside", transform=ax.transAxes, va="top", fontsize=7)
