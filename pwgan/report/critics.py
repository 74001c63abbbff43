"""Figures of critics along training: their estimate of the distance, and what they still know of earlier batches."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pwgan.methods import methods as algorithms
from pwgan.methods.wgan import WGAN
from pwgan.methods.wgan_gp import WGANGP
from pwgan.report.curves import floors, over_seeds
from pwgan.report.frames import CELL, REFERENCE, at_shared, methods, ordered
from pwgan.report.style import band, empty, filled, folded, grid, head, legend, seeds_of, themed

DUAL: dict[str, dict[str, Any]] = {
    "exact EWD": {"color": "black", "linestyle": "-"},
    "dual": {"color": "#D55E00", "linestyle": "--"},
    "dual / largest slope": {"color": "#0072B2", "linestyle": "-."},
}
CRITICS: dict[str, dict[str, Any]] = {
    "critic of that time": {"color": "#D55E00", "linestyle": "--"},
    "final critic": {"color": "#0072B2", "linestyle": "-"},
}
CHANCE: dict[str, Any] = {"color": "0.45", "linestyle": ":", "linewidth": 1.2}
FLOOR: dict[str, Any] = {"color": "black", "linestyle": ":", "linewidth": 1.1}


def dual_data(history: pd.DataFrame, measures: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Summarise over seeds, at each evaluation of the Wasserstein GANs at the m that all share, EWD and dual.

    ``quantity``: exact EWD; dual, E f(x) - E f(y) on the samples of that EWD; dual over the largest slope of f that was
    seen between them. Rows of method ``data`` are the floor of the EWD.
    """
    known = algorithms()
    dual = {name for name, cls in known.items() if issubclass(cls, WGAN | WGANGP)}
    runs = at_shared(runs, runs)
    runs = runs[runs["algorithm"].isin(dual)]
    rows = history.merge(runs[[*CELL, "seed"]])
    rows = rows[rows["step"].isin(rows.loc[rows["ewd"].notna(), "step"])]
    rows = rows.assign(**dict(zip(DUAL, _estimates(rows), strict=True)))
    tidy = rows.melt([*CELL, "seed", "step"], list(DUAL), var_name="quantity")
    floor = floors(measures, runs).assign(quantity="exact EWD")
    parts = ordered(over_seeds(tidy, [*CELL, "step", "quantity"], runs)), floor[floor["dataset"].isin(runs["dataset"])]
    columns = [*CELL, "step", "quantity", "mean", "half_width", "seeds", "diverged"]
    return pd.concat([part.reindex(columns=columns) for part in parts], ignore_index=True)


def _estimates(rows: pd.DataFrame) -> tuple[pd.Series, pd.Series, pd.Series]:
    return rows["ewd"], rows["critic_dual"], rows["critic_dual"] / rows["critic_slope"]


@themed
def dual(frame: pd.DataFrame) -> Figure:
    """Draw the critic's estimates beside the exact EWD over training, methods by data sets."""
    names = methods(frame)
    if not names:
        return empty("No method of this study has, at an m that all share, a critic that estimates a distance.")
    datasets = list(frame.loc[frame["method"] != REFERENCE, "dataset"].unique())
    figure, axes = grid(len(names), len(datasets), 1.3, sharex="col", sharey="col")
    for column, dataset in enumerate(datasets):
        part = frame[frame["dataset"] == dataset]
        _signed_log(axes[0, column], part)
        for ax, own in filled(axes[:, [column]], frame, names, [dataset]):
            for quantity, look in DUAL.items():
                line = own[own["quantity"] == quantity]
                band(ax, line["step"], line, look)
            for level in part.loc[part["method"] == REFERENCE, "mean"]:
                ax.axhline(level, **FLOOR)
        axes[0, column].set_title(f"{dataset}\n{seeds_of(part)}")
        axes[-1, column].set_xlabel("training step")
    for row, name in enumerate(names):
        axes[row, 0].set_ylabel(f"{folded(name)}\ndistance")
    head(
        figure,
        "What the critic takes the Wasserstein distance for, and the exact EWD; mean and 95 % interval over seeds",
        "Over the largest slope found, the dual bounds W from below, up to sampling. Log axes, linear around 0.",
    )
    legend(figure, DUAL | {"EWD of real samples": FLOOR})
    return figure


def _signed_log(ax: Axes, part: pd.DataFrame) -> None:
    """Hold all means, with some air: linear below about a tenth of the lowest EWD, else logarithmic."""
    lowest = part.loc[part["quantity"] == "exact EWD", "mean"].min()
    near = 10.0 ** math.floor(math.log10(0.1 * lowest)) if 0 < lowest < math.inf else 1.0
    ax.set_yscale("symlog", linthresh=near)
    ax.set_ylim(min(1.6 * part["mean"].min(), -near), max(1.6 * part["mean"].max(), near))


def ranking_data(ranking: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Summarise over seeds how critics rank earlier mini-batches against snapshots of their time, at the m all share.

    ``step``: of mini-batch and snapshot; ``critic``: the one of that time, or the final one; mean of the AUC.
    """
    ranking, runs = at_shared(ranking, runs), at_shared(runs, runs)
    runs = runs.merge(ranking[CELL].drop_duplicates())
    # At step 0 no critic has seen a batch.
    pairs = ranking[ranking["earlier_step"] > 0]
    last = pairs.groupby(CELL)["step"].transform("max")
    chosen = [pairs["step"] == pairs["earlier_step"], pairs["step"] == last]
    parts = [pairs[rows].assign(critic=critic) for critic, rows in zip(CRITICS, chosen, strict=True)]
    tidy = pd.concat(parts).drop(columns="step").rename(columns={"earlier_step": "step", "auc": "value"})
    table = ordered(over_seeds(tidy, [*CELL, "step", "critic"], runs))
    return table[[*CELL, "step", "critic", "mean", "half_width", "seeds", "diverged"]]


@themed
def ranking(frame: pd.DataFrame) -> Figure:
    """Draw the AUC of the final critic and of each earlier one against the step of the batch, methods by data sets."""
    if frame.empty:
        return empty("No method of this study has, at an m that all share, a critic that could forget.")
    datasets, names = list(frame["dataset"].unique()), methods(frame)
    figure, axes = grid(len(names), len(datasets), 1.0, sharex="col", sharey=True)
    for ax, part in filled(axes, frame, names, datasets):
        ax.axhline(0.5, **CHANCE)
        for critic, look in CRITICS.items():
            line = part[part["critic"] == critic]
            band(ax, line["step"], line, look)
        if (part["seeds"] == 0).all():
            ax.text(0.5, 0.5, "all seeds diverged", transform=ax.transAxes, ha="center", va="center")
    for ax, name in zip(axes[:, 0], names, strict=True):
        ax.set_ylabel(f"{folded(name)}\nAUC")
    axes[0, 0].set_ylim(-0.03, 1.03)
    for top, bottom, dataset in zip(axes[0], axes[-1], datasets, strict=True):
        top.set_title(f"{dataset}\n{seeds_of(frame[frame['dataset'] == dataset])}")
        bottom.set_xlabel("step of mini-batch and snapshot")
    head(
        figure,
        "How well critics tell an earlier mini-batch from the samples of its time; mean and 95 % interval over seeds",
        "1: every real sample scores above every generated one. Where the final critic is the lower, it forgot.",
    )
    legend(figure, CRITICS | {"a critic that knows nothing": CHANCE})
    return figure
