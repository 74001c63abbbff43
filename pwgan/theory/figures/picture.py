"""The article's picture: mini-batch matching and full matching."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from pwgan.report.style import COLOURS, grid, head, legend, themed
from pwgan.theory.figures._looks import SIDES

SHARED: dict[str, Any] = {"color": "0.55", "linestyle": "-", "linewidth": 1.4}
DIFFERING: dict[str, Any] = {"color": COLOURS[3], "linestyle": "--", "linewidth": 1.8}


@themed
def draw(frame: pd.DataFrame) -> Figure:
    """Draw the mini-batch matching and the full matching side by side."""
    figure, axes = grid(1, 2, 3.7)
    names = {"minibatch": "mini-batches of m = 4: MBWD", "full": "all at once: EWD"}
    for ax, (matching, title) in zip(axes[0], names.items(), strict=True):
        partner = frame.set_index("index").loc[frame[matching], ["y0", "y1"]].to_numpy()
        for (_, point), (y0, y1) in zip(frame.iterrows(), partner, strict=True):
            ax.plot([point["x0"], y0], [point["x1"], y1], **(DIFFERING if point["differs"] else SHARED), zorder=1)
        for side, (first, second) in {"real": ("x0", "x1"), "generated": ("y0", "y1")}.items():
            ax.plot(frame[first], frame[second], **{**SIDES[side], "markersize": 10}, zorder=2)
            for _, point in frame.iterrows():
                batch = "AB"[int(point["batch"])]
                at = (point[first], point[second])
                ax.annotate(batch, at, ha="center", va="center_baseline", color="white", fontsize=7, weight="bold")
        ax.set(xticks=[], yticks=[], xlim=(-0.06, 1.06), ylim=(-0.06, 1.06), aspect="equal")
        ax.set_title(f"{title} = {frame[f'{matching}_cost'].mean():.3f}")
    count = int(frame["differs"].sum())
    head(
        figure,
        f"Mini-batch matching is not full matching: {count} of {len(frame)} points have another partner",
        "Letters mark the mini-batch of each point.",
    )
    legend(figure, {**SIDES, "same partner in both": SHARED, "partner differs": DIFFERING})
    return figure
