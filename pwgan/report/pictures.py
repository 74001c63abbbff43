"""Samples as rows of a CSV and as pictures: scatter plots of points and grids of images."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm

from pwgan.data.base import Split
from pwgan.options import REFERENCE
from pwgan.report.style import Look
from pwgan.seals import check, read_array

BINS = 50
MODES: Look = {"linestyle": "", "marker": "+", "color": "0.3", "markersize": 5, "markeredgewidth": 0.6}
EDGE = ((0, 1), (0, 1), (0, 0))  # one white pixel below and to the right of each image of a grid

Window = tuple[float, float, float, float]


def sample_rows(values: np.ndarray) -> pd.DataFrame:
    """Convert samples (n, *sample) to rows of a frame.

    Points (n, d) have columns x and y, the first two coordinates, or only x if d = 1. Images (n, channels, size, size)
    have columns channels, size and pixels: bytes 0..255 in hexadecimal, in the order channel, row, column. Floats in
    [-1, 1] are rounded to the nearest byte. Samples with non-finite values become missing values.
    """
    index = np.arange(len(values))
    if values.ndim == 2:
        finite = np.where(np.isfinite(values).all(axis=1, keepdims=True), values, np.nan)
        return pd.DataFrame({"index": index, **dict(zip("xy", finite.T, strict=False))})
    finite = np.isfinite(values).all(axis=(1, 2, 3))
    if values.dtype != np.uint8:
        values = np.rint(np.clip(np.nan_to_num(values), -1, 1) * 127.5 + 127.5).astype(np.uint8)
    pixels = [image.tobytes().hex() if whole else None for image, whole in zip(values, finite, strict=True)]
    return pd.DataFrame({"index": index, "channels": values.shape[1], "size": values.shape[2], "pixels": pixels})


def stored(folder: Path, kind: Literal["samples", "strips"]) -> np.ndarray:
    """Read the samples or the paths of the first seed of a block, or the paths of a reference, from its folder.

    It is always the first seed that is shown: none is selected.
    """
    name = {"samples": "samples.npy", "strips": "interpolation.npy"}[kind]
    real = folder.parent.name == REFERENCE
    of = (check(folder / "measures.json", "costs") if real else check(folder / "run.json", "run")).of
    return read_array(folder / name, kind, of)[0]


def missing(rows: pd.DataFrame) -> bool:
    """Return whether the rows contain no sample, as for a diverged seed."""
    return bool(rows["pixels" if "pixels" in rows else "x"].isna().all())


def tile(pixels: str, channels: int, size: int) -> np.ndarray:
    """Decode one image (size, size, channels) from the hexadecimal bytes of its row."""
    return np.frombuffer(bytes.fromhex(pixels), dtype=np.uint8).reshape(channels, size, size).transpose(1, 2, 0)


def show_images(ax: Axes, rows: pd.DataFrame, columns: int) -> None:
    """Show images as a grid with white lines and ``columns`` images per row."""
    channels, size = int(rows["channels"].iloc[0]), int(rows["size"].iloc[0])
    blank = np.full((size, size, channels), 255, dtype=np.uint8)
    tiles = [blank if pd.isna(pixels) else tile(pixels, channels, size) for pixels in rows["pixels"]]
    tiles += [blank] * (-len(tiles) % columns)
    ruled = [np.pad(one, EDGE, constant_values=255) for one in tiles]
    lines = [np.concatenate(ruled[start : start + columns], 1) for start in range(0, len(ruled), columns)]
    sheet = np.concatenate(lines)[:-1, :-1]
    ax.imshow(sheet[..., 0] if channels == 1 else sheet, cmap="gray", vmin=0, vmax=255, interpolation="nearest")


def window(law: Split) -> Window:
    """Return the axis limits (left, right, bottom, top) of a panel of points.

    They are the extent of the distribution if known, else the range of the held-out samples with a margin of a tenth.
    One-dimensional data have bottom 0 and top 1.
    """
    if law.extent is not None:
        return law.extent
    points = law.restored(law.heldout).astype(float)[:, :2]
    low, high = points.min(axis=0), points.max(axis=0)
    air = np.where(high > low, 0.1 * (high - low), 1e-3 * np.maximum(np.abs(high), 1))
    ends = [float(end) for pair in zip(low - air, high + air, strict=True) for end in pair]
    left, right, bottom, top = ends if len(ends) == 4 else [*ends, 0.0, 1.0]
    return left, right, bottom, top


def edges(low: float, high: float) -> tuple[str, str]:
    """Format both ends of a range with three digits, or as many more as tell them apart far from zero."""
    digits = 3 + max(0, math.ceil(math.log10(max(abs(low), abs(high)) / (high - low))))
    return f"{low:.{digits}g}", f"{high:.{digits}g}"


def describe(law: Split) -> str:
    """Return a note on the contents of a panel of points."""
    horizontal, vertical = window(law)[:2], window(law)[2:]
    left, right, bottom, top = (*edges(*horizontal), *edges(*vertical))
    count = law.heldout.shape[1]
    if count == 1:
        return f"Density from {left} to {right}; black: real samples."
    shown = f"Window: {left} to {right} by {bottom} to {top}"
    shown += f", the first two of {count} coordinates" if count > 2 else ""
    shown += "; shaded: true density" if law.density is not None else ""
    return shown + ("; +: modes." if law.modes is not None else ".")


def frame_points(ax: Axes, law: Split) -> None:
    """Set the limits of a panel of points and draw true density and modes; square if the aspect ratio is extreme."""
    left, right, bottom, top = limits = window(law)
    if law.density is not None and law.extent is not None:
        ax.imshow(
            law.density, origin="lower", extent=limits, cmap="Greys", norm=PowerNorm(0.5), alpha=0.6, aspect="auto"
        )
    if law.modes is not None and law.modes.shape[1] > 1:
        ax.plot(law.modes[:, 0], law.modes[:, 1], **MODES)
    ax.set(xlim=(left, right), ylim=(bottom, top))
    ratio = (top - bottom) / (right - left)
    ax.set_box_aspect(ratio if 1 / 2 <= ratio <= 2 else 1)


def show_points(ax: Axes, rows: pd.DataFrame, law: Split, colour: str) -> None:
    """Scatter points over the density, or draw a histogram if d = 1, and state the share outside the window."""
    left, right, bottom, top = window(law)
    inside = rows["x"].between(left, right)
    if "y" in rows:
        frame_points(ax, law)
        ax.scatter(rows["x"], rows["y"], s=3, color=colour, alpha=0.6, linewidths=0, zorder=3)
        inside &= rows["y"].between(bottom, top)
    else:
        bars = {"bins": np.linspace(left, right, BINS + 1), "stat": "density", "element": "step", "ax": ax}
        sns.histplot(x=rows.loc[inside, "x"], color=colour, alpha=0.5, linewidth=0, **bars)
        sns.histplot(x=law.restored(law.heldout)[:, 0], fill=False, color="black", linewidth=0.7, **bars)
        ax.set(xlim=(left, right), xlabel="", ylabel="")
        ax.set_box_aspect(1)
    outside = 1 - inside.mean()
    if outside > 0:
        ax.text(0.03, 0.97, f"{100 * outside:.2g} % outside", transform=ax.transAxes, va="top", fontsize=7)
