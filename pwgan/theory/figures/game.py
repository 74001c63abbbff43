"""The optimal discriminator."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from pwgan.report.style import COLOURS, grid, head, themed
from pwgan.theory.figures._looks import SIDES


@themed
def draw(frame: pd.DataFrame) -> Figure:
    """Draw both densities, and the trained discriminators with the optimal discriminator."""
    figure, axes = grid(1, 2, 2.6)
    densities, discriminators = axes[0]
    one = frame[frame["seed"] == frame["seed"].min()]
    for side, label in (("real", "$p_r$"), ("generated", "$p_g$")):
        densities.plot(one["x"], one[side], color=SIDES[side]["color"], label=label)
    densities.set_ylabel("density")
    for number, (_, rows) in enumerate(frame.groupby("seed")):
        style = {"color": COLOURS[1], "linewidth": 0.8, "alpha": 0.7, "label": None if number else "D, each seed"}
        discriminators.plot(rows["x"], rows["discriminator"], **style)
    optimal = {"color": "black", "linestyle": "--", "linewidth": 1.4, "label": "$p_r / (p_r + p_g)$"}
    discriminators.plot(one["x"], one["optimal"], **optimal)
    discriminators.set_ylabel("discriminator")
    for ax in axes[0]:
        ax.set_xlabel("x")
        ax.legend(frameon=False)
    seeds = frame["seed"].nunique()
    head(figure, "Trained and optimal discriminators", f"Trained on samples of two Gaussians, {seeds} seeds.")
    return figure
