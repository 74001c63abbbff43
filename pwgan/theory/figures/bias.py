"""Bias of mini-batch matching between two draws of one distribution."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from pwgan.report.ladder import GUIDE, QUANTITIES, QUANTITY_LABELS, log_lines
from pwgan.report.statistics import intervals
from pwgan.report.style import SAMPLERS, grid, head, legend, themed

FLOOR = {"color": "black", "linestyle": "-", "linewidth": 0.9}


@themed
def draw(frame: pd.DataFrame) -> Figure:
    """Draw the curves of ``theory.bias.bias_curves``, log-log: B_M by sampler above, B_M, D_M and U_M below.

    There is one column per data set, and below the first row one row per sampler whose batches partition the points.
    Curves are mean and 95 % interval over draws. The black line is the EWD between the draws; a bias above it is larger
    than the distance to be measured.
    """
    keys = ["dataset", "sampler", "eval_batch", "n"]
    tidy = frame.melt([*keys, "seed"], [*QUANTITIES, "ewd"], var_name="measure")
    table = intervals(tidy, [*keys, "measure"])
    datasets = list(table["dataset"].unique())
    samplers = [name for name in SAMPLERS if (table["sampler"] == name).any()]
    partitioning = [name for name in samplers if frame.loc[frame["sampler"] == name, "partition"].all()]
    figure, axes = grid(1 + len(partitioning), len(datasets), 2.1)
    for column, dataset in enumerate(datasets):
        part = table[table["dataset"] == dataset]
        biases = part[part["measure"] == "bias"].groupby("sampler", sort=False)
        by_sampler = {str(name): line for name, line in biases}
        ordered = {name: by_sampler[name] for name in samplers if name in by_sampler}
        log_lines(axes[0, column], ordered, SAMPLERS, f"{dataset}, n = {part['n'].max()}")
        for row, sampler in enumerate(partitioning, start=1):
            chosen = part[(part["sampler"] == sampler) & part["measure"].isin(list(QUANTITIES))]
            lines = {str(name): line for name, line in chosen.groupby("measure", sort=False)}
            log_lines(axes[row, column], lines, QUANTITIES, sampler)
        floor = part.loc[part["measure"] == "ewd", "mean"].mean()
        for ax in axes[:, column]:
            low, high = ax.get_ylim()
            ax.set_ylim(min(low, floor / 1.3), max(high, floor * 1.3))
            ax.axhline(floor, **FLOOR)
        axes[-1, column].set_xlabel("mini-batch size m")
    axes[0, 0].set_ylabel("bias $B_M$ (distance)")
    for row in range(1, len(axes)):
        axes[row, 0].set_ylabel("distance")
    draws = frame["seed"].nunique()
    head(
        figure,
        f"Bias of the mini-batch Wasserstein distance between two draws of one distribution ({draws} pairs)",
        "Mean and 95 % interval. Above: B by sampler; below: B, D and U of each. Zeros up to rounding are omitted.",
    )
    entries = {name: SAMPLERS[name] for name in samplers}
    entries |= {QUANTITY_LABELS[name]: look for name, look in QUANTITIES.items()}
    legend(figure, entries | {"slope $m^{-1/2}$": GUIDE, "EWD of the draws": FLOOR}, columns=4)
    return figure
