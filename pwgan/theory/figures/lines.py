"""Divergences between parallel lines."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pwgan.report.style import COLOURS, grid, head, legend, themed

CLOSED: dict[str, Any] = {"color": "0.25", "linestyle": "-", "linewidth": 1.6}
SAMPLED: dict[str, Any] = {"color": COLOURS[1], "linestyle": "", "marker": "o", "markersize": 4}
UNDEFINED: dict[str, Any] = {"color": "0.25", "linestyle": "", "marker": "x", "markersize": 6, "zorder": 2}
DIVERGENCES = {"tv": "TV", "kl": "KL", "js": "JS", "w1": "$W_1$"}


@themed
def draw(frame: pd.DataFrame) -> Figure:
    """Draw divergences against theta above and gradients below; infinite values are drawn at the upper edge."""
    figure, axes = grid(2, len(DIVERGENCES), 2.0, sharex=True)
    for row, quantity in enumerate(("value", "gradient")):
        for ax, (name, label) in zip(axes[row], DIVERGENCES.items(), strict=True):
            part = frame[(frame["quantity"] == quantity) & (frame["divergence"] == name)]
            top, bottom = 1.25, -0.08 if quantity == "value" else -1.25
            closed, sampled = (part[part["kind"] == kind] for kind in ("closed", "empirical"))
            _line_with_jump(ax, closed["theta"], closed["mean"].clip(upper=top))
            clipped = sampled["mean"].clip(upper=top)
            if len(sampled):
                half_width = sampled["half_width"].fillna(0)
                ax.errorbar(sampled["theta"], clipped, half_width, clip_on=False, zorder=3, **SAMPLED)
            ax.set_ylim(bottom, top)
            if np.isinf(closed["mean"]).any():
                ax.set_yticks([0, 0.5, 1, top], ["0", "0.5", "1", "$\\infty$"])
            if closed["mean"].isna().all():
                ax.text(0.5, 0.5, "undefined:\n$\\infty - \\infty$", transform=ax.transAxes, ha="center", va="center")
            elif quantity == "gradient":
                ax.plot(0, 0, **UNDEFINED)
            ax.set_title(label if quantity == "value" else f"d {label} / d$\\theta$")
    for ax in axes[-1]:
        ax.set_xlabel("$\\theta$")
    axes[0, 0].set_ylabel("divergence")
    axes[1, 0].set_ylabel("gradient")
    sampled = frame[frame["kind"] == "empirical"]
    head(
        figure,
        "Parallel lines: divergence between (0, z) and (θ, z), and its gradient in θ",
        f"Samples: {int(sampled['n'].max())} points on each line, mean and 95 % interval over "
        f"{int(sampled['seeds'].max())} seeds; histograms for TV, KL and JS, exact matching for $W_1$.",
    )
    legend(figure, {"closed form": CLOSED, "no gradient at 0": UNDEFINED, "samples": SAMPLED})
    return figure


def _line_with_jump(ax: Axes, theta: pd.Series, value: pd.Series) -> None:
    """Draw a line; if the value jumps at 0, break the line there and draw the value at 0 as a point."""
    at = theta.eq(0).to_numpy()
    beside = value[np.abs(theta) <= np.abs(theta[~at]).min()]
    if beside.max() - beside.min() < 0.1:
        ax.plot(theta, value, **CLOSED)
        return
    ax.plot(theta, value.mask(at), **CLOSED)
    ax.plot(theta[at], value[at], linestyle="", marker="o", color=CLOSED["color"], markersize=5.5)
