"""The discriminator at its optimum."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from pwgan.report.style import COLOURS, grid, head, themed
from pwgan.theory.figures._looks import SIDES


@themed
def draw(frame: pd.DataFrame) -> Figure:
    """Draw both laws, and the trained discriminators beside the optimal one."""
    figure, axes = grid(1, 2, 2.6)
    laws, found = axes[0]
    one = frame[frame["seed"] == frame["seed"].min()]
    for side, label in (("real", "$p_r$"), ("generated", "$p_g$")):
        laws.plot(one["x"], one[side], color=SIDES[side]["color"], label=label)
    laws.set_ylabel("density")
    for number, (_, own) in enumerate(frame.groupby("seed")):
        label = "" if number else "D, each seed"
        found.plot(own["x"], own["discriminator"], color=COLOURS[1], linewidth=0.8, alpha=0.7, label=label or None)
    found.plot(one["x"], one["optimal"], color="black", linestyle="--", linewidth=1.4, label="$p_r / (p_r + p_g)$")
    found.set_ylabel("discriminator")
    for ax in axes[0]:
        ax.set_xlabel("x")
        ax.legend(frameon=False)
    seeds = frame["seed"].nunique()
    head(figure, "The discriminator at its optimum", f"Trained on samples of two Gaussians, {seeds} seeds.")
    return figure
