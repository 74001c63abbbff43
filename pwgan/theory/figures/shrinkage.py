"""The scale of a Gaussian that mini-batches prefer."""

from __future__ import annotations

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pwgan.report.style import MARKERS, Look, band, grid, head, legend, themed
from pwgan.theory.figures._looks import TRUTH

EXACT: Look = {"color": "black", "linestyle": "", "marker": "x", "markersize": 7}
LEAST = 1.5e-3
DASHES = {"plain": "-", "debiased": "--"}


@themed
def draw(frame: pd.DataFrame) -> Figure:
    """Draw theta* against m, one line per dimension, and the shrinkage 1 - theta* of the plain objective, log-log."""
    figure, ((scale, lost),) = grid(1, 2, 3.2)
    dimensions = sorted(frame["dimension"].unique())
    shades = matplotlib.colormaps["viridis"](np.linspace(0, 0.85, len(dimensions)))
    looks: dict[int, Look] = {
        d: {"color": shade, "marker": marker} for d, shade, marker in zip(dimensions, shades, MARKERS, strict=False)
    }
    for objective, dash in DASHES.items():
        for d, look in looks.items():
            line = frame[(frame["dimension"] == d) & (frame["objective"] == objective)]
            band(scale, line["m"], line, look | {"linestyle": dash})
            scale.plot(line["m"], line["quadrature"], **EXACT)
            if objective == "plain":
                band(lost, line["m"], line.assign(mean=1 - line["mean"]), look | {"linestyle": dash}, LEAST)
                lost.plot(line["m"], 1 - line["quadrature"], **EXACT)
    scale.axhline(1, **TRUTH)
    scale.set(ylabel="best scale $\\theta^*$", ylim=(0, 1.1), title="plain and debiased")
    lost.set(yscale="log", ylim=(LEAST, 1.2), ylabel="$1 - \\theta^*$", title="shrinkage of the plain objective")
    sizes = sorted(frame["m"].unique())
    for ax in (scale, lost):
        ax.set_xscale("log", base=2)
        ax.set_xticks(sizes, [str(size) for size in sizes])
        ax.xaxis.minorticks_off()
        ax.set_xlabel("mini-batch size m")
    head(
        figure,
        "Mini-batches shrink a generator: the scale at which N(0, θ²I) is closest to N(0, I) in batches of m points",
        f"Mean and 95 % interval over {frame['seeds'].max()} repetitions. The true scale is 1: debiasing restores it.",
    )
    entries = {f"d = {d}": look for d, look in looks.items()}
    entries |= {name: {"color": "0.3", "linestyle": dash} for name, dash in DASHES.items()}
    legend(figure, entries | {"quadrature": EXACT, "true scale": TRUTH}, columns=4)
    return figure
