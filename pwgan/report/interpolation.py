"""Figures of paths between latents: their samples, and how far those are from the training set."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pwgan.data.base import Split
from pwgan.report.frames import CELL, REFERENCE, methods, ordered
from pwgan.report.samples import SEED, Sample, sample_rows, tile, window
from pwgan.report.statistics import interval
from pwgan.report.style import WIDTH, band, head, log_limits, looks, seeds_of, themed

EDGE = ((0, 1), (0, 1), (0, 0))  # a white pixel below and beside each image of a sheet


def interpolation_data(frame: pd.DataFrame, strips: Iterable[Sample]) -> pd.DataFrame:
    """Return what is drawn of one data set: of each method at its largest m, a curve over t and the paths of seed 0.

    Rows with ``mean``, ``half_width``, ``seeds`` and ``diverged`` are the curve: the median of nn_ratio over paths,
    summarised over seeds. Rows with ``path`` are samples, as in the figures of samples; where seed 0 diverged, there
    are none. The paths of method ``data`` are straight blends of two held-out samples.
    """
    largest = frame.groupby("method")["batch_size"].transform("max")
    chosen = frame[(frame["batch_size"] == largest) | (frame["method"] == REFERENCE)]
    per_seed = chosen.groupby([*CELL, "seed", "t"], dropna=False, sort=False)["nn_ratio"].median().reset_index()
    curves = []
    for (*cell, t), values in per_seed.groupby([*CELL, "t"], dropna=False, sort=False)["nn_ratio"]:
        mean, half_width, seeds = interval(values)
        lost = int(values.isna().sum())
        found: dict[str, Any] = dict(zip(CELL, cell, strict=True))
        curves.append(found | {"t": t, "mean": mean, "half_width": half_width, "seeds": seeds, "diverged": lost})
    parts = [pd.DataFrame(curves)]
    drawn = set(chosen[["method", "batch_size"]].fillna(0).itertuples(index=False, name=None))
    places = np.sort(frame["t"].unique())
    for strip in strips:
        if (strip.method, strip.batch_size or 0) not in drawn:
            continue
        made = np.load(strip.path, mmap_mode="r", allow_pickle=False)[SEED]
        for path, samples in enumerate(made):
            if np.isfinite(samples).all():
                rows = sample_rows(samples).drop(columns="index").assign(path=path, t=places)
                parts.append(rows.assign(**dict(zip(CELL, strip[:3], strict=True)), seed=SEED))
    typed = [part.astype({"batch_size": "Int64"}) for part in parts]
    joined = ordered(pd.concat(typed, ignore_index=True))
    return joined.astype(dict.fromkeys(["path", "seed", "seeds", "diverged"], "Int64"))


@themed
def interpolation(frame: pd.DataFrame, law: Split) -> Figure:
    """Draw a row for each method: samples along paths on the left, distance to the training set on the right."""
    curves, names = frame[frame["path"].isna()], [REFERENCE, *methods(frame)]
    images = "pixels" in frame or law.train.ndim > 2
    figure = Figure(figsize=(WIDTH, 1.3 * len(names) + 0.8), layout="constrained")
    axes: np.ndarray = figure.subplots(len(names), 2, squeeze=False, width_ratios=(1.6, 1) if images else (1, 2.6))
    look = looks(frame["method"])
    for (left, right), name in zip(axes, names, strict=True):
        own, curve = (part[part["method"] == name] for part in (frame[frame["path"].notna()], curves))
        left.set(xticks=[], yticks=[])
        left.grid(False)
        left.spines[:].set_visible(not images)
        if own.empty:
            left.set_box_aspect(None if images else 1)
            left.text(0.5, 0.5, "diverged", transform=left.transAxes, ha="center", va="center")
        elif images:
            left.imshow(_sheet(own), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        else:
            _trace(left, own, law, frame)
        label = "blends of\nheld-out pairs" if name == REFERENCE else f"{name}\nm = {curve['batch_size'].iloc[0]}"
        left.set_ylabel(label)
        bottom = log_limits(right, pd.concat([curves["mean"], pd.Series([1.0])]))
        band(right, curve["t"], curve, {**look[name], "linestyle": "-"}, bottom)
        right.axhline(1, color="black", linestyle="--", linewidth=1.1)
        right.set_xticks([0, 0.5, 1])
        right.set_xlim(-0.03, 1.03)
    axes[-1, 1].set_xlabel("place on the path")
    axes[0, 1].set_title("distance to training over held-out's")
    axes[0, 0].set_title(f"samples of seed {SEED}")
    dataset = frame["dataset"].iloc[0]
    head(
        figure,
        f"{dataset}: paths between two latents; {seeds_of(curves)}",
        "Distance to the nearest training sample; median of paths, mean and 95 % interval over seeds; dashed: held-out",
    )
    return figure


def _sheet(rows: pd.DataFrame) -> np.ndarray:
    """Arrange images as a white-ruled sheet with one path a line, (height, width) or (height, width, 3)."""
    lines = []
    for _, line in rows.sort_values(["path", "t"]).groupby("path"):
        shape = int(line["channels"].iloc[0]), int(line["size"].iloc[0])
        tiles = [np.pad(tile(pixels, *shape), EDGE, constant_values=255) for pixels in line["pixels"]]
        lines.append(np.concatenate(tiles, 1))
    sheet = np.concatenate(lines)[:-1, :-1]
    return sheet[..., 0] if sheet.shape[2] == 1 else sheet


def _trace(ax: Axes, rows: pd.DataFrame, law: Split, frame: pd.DataFrame) -> None:
    """Draw paths of points as lines over the modes."""
    left, right, bottom, top = window(frame, law)
    if law.modes is not None:
        ax.plot(*law.modes[:, :2].T, linestyle="", marker="+", color="0.3", markersize=5, markeredgewidth=0.6)
    for _, line in rows.sort_values(["path", "t"]).groupby("path"):
        ax.plot(line["x"], line["y"], marker=".", markersize=3.5, linewidth=0.8)
    ax.set(xlim=(left, right), ylim=(bottom, top))
    ax.set_box_aspect((top - bottom) / (right - left))
