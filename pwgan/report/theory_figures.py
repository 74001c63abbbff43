"""Figures of the theory stage, each drawn from the CSV beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pwgan.report.bias_figures import bias_law
from pwgan.report.figures import save
from pwgan.report.statistics import intervals
from pwgan.report.style import COLOURS, MARKERS, band, grid, head, legend, log_limits, themed

CLOSED: dict[str, Any] = {"color": "0.25", "linestyle": "-", "linewidth": 1.6}
SAMPLED: dict[str, Any] = {"color": COLOURS[1], "linestyle": "", "marker": "o", "markersize": 4}
UNDEFINED: dict[str, Any] = {"color": "0.25", "linestyle": "", "marker": "x", "markersize": 6, "zorder": 2}
DIVERGENCES = {"tv": "TV", "kl": "KL", "js": "JS", "w1": "$W_1$"}
SIDES = {
    "real": {"color": COLOURS[0], "marker": "o", "linestyle": ""},
    "generated": {"color": COLOURS[1], "marker": "s", "linestyle": ""},
}
SHARED: dict[str, Any] = {"color": "0.55", "linestyle": "-", "linewidth": 1.4}
DIFFERING: dict[str, Any] = {"color": COLOURS[3], "linestyle": "--", "linewidth": 1.8}
TRUTH: dict[str, Any] = {"color": "black", "linestyle": ":", "linewidth": 1.2}
SLOPES = {"lipschitz_x": "within x", "lipschitz_y": "within y", "lipschitz": "between x and y"}
SOLVERS = {
    ("ewd", "estimate"): ("EWD", {"color": "black", "marker": "o", "linestyle": "-"}),
    ("wgan", "estimate"): ("WGAN", {"color": COLOURS[1], "marker": "s", "linestyle": "-"}),
    ("wgan", "scaled"): ("WGAN / slope", {"color": COLOURS[1], "marker": "D", "linestyle": "--"}),
    ("wgan_gp", "estimate"): ("WGAN-GP", {"color": COLOURS[0], "marker": "^", "linestyle": "-"}),
    ("wgan_gp", "scaled"): ("WGAN-GP / slope", {"color": COLOURS[0], "marker": "v", "linestyle": "--"}),
}


def write_theory_figures(folder: Path) -> None:
    """Draw {name}.csv of ``folder`` as {name}.png for every name of ``names.THEORY_FIGURES``."""
    for name, draw in DRAW.items():
        save(draw(pd.read_csv(folder / f"{name}.csv")), folder / f"{name}.png")


@themed
def lines(frame: pd.DataFrame) -> Figure:
    """Draw divergences against theta above and their gradients below; an infinite value stands on the upper edge."""
    figure, axes = grid(2, len(DIVERGENCES), 2.0, sharex=True)
    for row, quantity in enumerate(("value", "gradient")):
        for ax, (name, label) in zip(axes[row], DIVERGENCES.items(), strict=True):
            part = frame[(frame["quantity"] == quantity) & (frame["divergence"] == name)]
            top, bottom = 1.25, -0.08 if quantity == "value" else -1.25
            closed, sampled = (part[part["kind"] == kind] for kind in ("closed", "empirical"))
            _line_with_jump(ax, closed["theta"], closed["mean"].clip(upper=top))
            seen = sampled["mean"].clip(upper=top)
            if len(sampled):
                ax.errorbar(sampled["theta"], seen, sampled["half_width"].fillna(0), clip_on=False, zorder=3, **SAMPLED)
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
        "Parallel lines: divergence of (0, z) and (θ, z), and what a learner that follows it is told",
        f"Samples: {int(sampled['n'].max())} points of each line, mean and 95 % interval over "
        f"{int(sampled['seeds'].max())} seeds; histograms for TV, KL and JS, exact matching for $W_1$.",
    )
    legend(figure, {"closed form": CLOSED, "no gradient at 0": UNDEFINED, "samples": SAMPLED})
    return figure


def _line_with_jump(ax: Axes, theta: pd.Series, value: pd.Series) -> None:
    """Draw a line that breaks where the value jumps at 0, with its value there as a point."""
    at = theta.eq(0).to_numpy()
    beside = value[np.abs(theta) <= np.abs(theta[~at]).min()]
    if beside.max() - beside.min() < 0.1:
        ax.plot(theta, value, **CLOSED)
        return
    ax.plot(theta, value.mask(at), **CLOSED)
    ax.plot(theta[at], value[at], linestyle="", marker="o", color=CLOSED["color"], markersize=5.5)


@themed
def picture(frame: pd.DataFrame) -> Figure:
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
        f"Mini-batch matching is not full matching: {count} of {len(frame)} points change their partner",
        "Letters name the mini-batch of a point.",
    )
    legend(figure, {**SIDES, "same partner in both": SHARED, "partner differs": DIFFERING})
    return figure


@themed
def recovery(frame: pd.DataFrame) -> Figure:
    """Draw EWD over the true W1, and the cosine of its directions, against n, a line for each dimension."""
    figure, axes = grid(1, 2, 3.2)
    dimensions = sorted(frame["dimension"].unique())
    shades = matplotlib.colormaps["viridis"](np.linspace(0, 0.9, len(dimensions)))
    look = {
        d: {"color": shade, "marker": marker}
        for d, shade, marker in zip(dimensions, shades, MARKERS[: len(dimensions)], strict=True)
    }
    sizes = sorted(frame["n"].unique())
    for ax, (measure, label) in zip(
        axes[0], {"ratio": "EWD / true $W_1$", "cosine": "mean cosine"}.items(), strict=True
    ):
        part = frame[frame["measure"] == measure]
        floor = log_limits(ax, part["mean"]) if measure == "ratio" else None
        for d, line in part.groupby("dimension"):
            band(ax, line["n"], line, look[d], floor)
        ax.axhline(1, **TRUTH)
        ax.set_xscale("log", base=2)
        ax.set_xticks(sizes, [str(size) for size in sizes])
        ax.xaxis.minorticks_off()
        ax.set(xlabel="points n of each side", ylabel=label)
    axes[0, 0].set_title("value")
    axes[0, 1].set_title("direction of transport")
    fewest, most = frame["seeds"].min(), frame["seeds"].max()
    head(
        figure,
        "Exact EWD on min-funnel pairs of known $W_1$",
        f"Mean and 95 % interval over {most} draws, {fewest} at n = {sizes[-1]}.",
    )
    legend(figure, {**{f"d = {d}": look[d] for d in dimensions}, "truth": TRUTH}, columns=4)
    return figure


@themed
def duality(frame: pd.DataFrame) -> Figure:
    """Draw dual against primal values, and the steepest slopes of the potentials."""
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
    value.set_title(f"largest gap: {gap:.0e} of the value")
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
        "Kantorovich-Rubinstein on samples: the potentials of an exact matching are a critic",
        f"n = {frame['n'].iloc[0]} points of each side; each mark is one of {frame['draw'].nunique()} draws.",
    )
    legend(figure, looks)
    return figure


@themed
def critics(frame: pd.DataFrame) -> Figure:
    """Draw estimates over the true W1, and cosines, against the dimension, a line for each solver."""
    figure, (panels,) = grid(1, 2, 3.2)
    tidy = frame.assign(
        estimate=frame["estimate"] / frame["w1"], scaled=frame["scaled"] / frame["w1"], direction=frame["cosine"]
    ).melt(["dimension", "method"], ["estimate", "scaled", "direction"], var_name="measure")
    table = intervals(tidy.dropna(), ["method", "measure", "dimension"])
    floor = log_limits(panels[0], table.loc[table["measure"] != "direction", "mean"])
    for (method, measure), (_, look) in SOLVERS.items():
        part = table[(table["method"] == method) & (table["measure"] == measure)]
        band(panels[0], part["dimension"], part, look, floor)
        if measure == "estimate":
            part = table[(table["method"] == method) & (table["measure"] == "direction")]
            band(panels[1], part["dimension"], part, look)
    dimensions = sorted(frame["dimension"].unique())
    for ax, label, title in zip(panels, ("estimate / true $W_1$", "mean cosine"), ("value", "direction"), strict=True):
        ax.axhline(1, **TRUTH)
        ax.set_xscale("log", base=2)
        ax.set_xticks(dimensions, [str(d) for d in dimensions])
        ax.xaxis.minorticks_off()
        ax.set(xlabel="dimension d", ylabel=label, title=title)
    head(
        figure,
        f"Critics and exact matching on min-funnel pairs, n = {frame['n'].iloc[0]}",
        f"Mean and 95 % interval over {frame['seed'].nunique()} seeds; / slope: over the largest gradient measured.",
    )
    legend(figure, {**{label: look for label, look in SOLVERS.values()}, "truth": TRUTH})
    return figure


@themed
def game(frame: pd.DataFrame) -> Figure:
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


DRAW = {
    "lines": lines,
    "picture": picture,
    "recovery": recovery,
    "duality": duality,
    "bias": bias_law,
    "game": game,
    "critics": critics,
}
