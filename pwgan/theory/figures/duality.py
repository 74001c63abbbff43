"""Kantorovich-Rubinstein duality on samples."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pwgan.report.style import COLOURS, MARKERS, grid, head, legend, themed
from pwgan.theory.figures._looks import TRUTH

SLOPES = {"lipschitz_x": "within x", "lipschitz_y": "within y", "lipschitz": "between x and y"}


@themed
def draw(frame: pd.DataFrame) -> Figure:
    """Draw dual against primal values, and the largest slopes of the potentials."""
    figure, axes = grid(1, 2, 3.0)
    value, slope = axes[0]
    pairs = list(frame["pair"].unique())
    looks = {
        name: {"color": colour, "marker": marker, "linestyle": ""}
        for name, colour, marker in zip(pairs, COLOURS, MARKERS, strict=False)
    }
    ends = [frame["primal"].min() / 1.5, frame["primal"].max() * 1.5]
    value.plot(ends, ends, **TRUTH)
    for name, part in frame.groupby("pair"):
        value.plot(part["primal"], part["dual"], **{**looks[name], "markersize": 6})
    value.set(xscale="log", yscale="log", xlabel="primal: cost of the matching", ylabel="dual: mean u + mean v")
    gap = (frame["gap"].abs() / frame["primal"]).max()
    value.set_title(f"largest relative gap: {gap:.0e}")
    for place, column in enumerate(SLOPES):
        for rank, name in enumerate(pairs):
            part = frame[frame["pair"] == name]
            at = place + 0.7 * ((rank + 0.5) / len(pairs) - 0.5)
            slope.plot(np.full(len(part), at), part[column], **{**looks[name], "markersize": 6})
    slope.axhline(1, **TRUTH)
    slope.set_xticks(range(len(SLOPES)), list(SLOPES.values()))
    slope.set(ylim=(0, 1.1), ylabel="largest |f(a) - f(b)| / ||a - b||")
    slope.set_title("1-Lipschitz: no slope above 1")
    head(
        figure,
        "Kantorovich-Rubinstein duality on samples: the potentials of an exact matching are an optimal critic",
        f"n = {frame['n'].iloc[0]} points on each side; each marker is one of {frame['draw'].nunique()} draws.",
    )
    legend(figure, looks)
    return figure
