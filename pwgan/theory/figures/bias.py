"""Bias of mini-batch matching between two draws of one distribution."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pwgan.report.ladder import QUANTITIES, QUANTITY_LABELS, log_lines
from pwgan.report.statistics import intervals
from pwgan.report.style import SAMPLERS, Look, grid, head, legend, themed
from pwgan.theory.rates import power_law

FLOOR: Look = {"color": "black", "linestyle": "-", "linewidth": 0.9}
FIT: Look = {"color": "black", "linestyle": ":", "linewidth": 1.4}


@themed
def draw(frame: pd.DataFrame, bias_rates: pd.DataFrame) -> Figure:
    """Draw the curves of ``theory.bias.bias_curves``, log-log: B_M by sampler above, B_M, D_M and U_M below.

    There is one column per data set, and below the first row one row per sampler whose batches partition the points.
    Curves are mean and 95 % interval over draws. Dotted lines are the fits of ``theory.rates.bias_rates``, to B_M above
    and to U_M below; titles state their constants. The black line is the EWD between the draws; a bias above it is
    larger than the distance to be measured.
    """
    keys = ["dataset", "sampler", "eval_batch", "n"]
    tidy = frame.melt([*keys, "seed"], [*QUANTITIES], var_name="measure")
    table = intervals(tidy, [*keys, "measure"])
    keyed = bias_rates.groupby(["dataset", "sampler", "measure"])
    fits: dict[tuple[str, ...], pd.Series] = {tuple(map(str, key)): fit.iloc[0] for key, fit in keyed}
    datasets = list(table["dataset"].unique())
    samplers = [name for name in SAMPLERS if (table["sampler"] == name).any()]
    partitioning = [name for name in samplers if frame.loc[frame["sampler"] == name, "partition"].all()]
    figure, axes = grid(1 + len(partitioning), len(datasets), 2.1)
    for column, dataset in enumerate(datasets):
        part = table[table["dataset"] == dataset]
        biases = part[part["measure"] == "bias"].groupby("sampler", sort=False)
        by_sampler = {str(name): line for name, line in biases}
        ordered = {name: by_sampler[name] for name in samplers if name in by_sampler}
        rates = {name: fits[dataset, name, "bias"] for name in partitioning}
        title = [f"{dataset}, n = {part['n'].max()}"]
        title += [f"{name}: s = {fit['s']:.3f} ± {fit['s_half_width']:.3f}" for name, fit in rates.items()]
        log_lines(axes[0, column], ordered, SAMPLERS, "\n".join(title))
        for fit in rates.values():
            _draw_fit(axes[0, column], fit)
        for row, sampler in enumerate(partitioning, start=1):
            chosen = part[(part["sampler"] == sampler) & part["measure"].isin(list(QUANTITIES))]
            lines = {str(name): line for name, line in chosen.groupby("measure", sort=False)}
            fit = fits[dataset, sampler, "bound"]
            limit = f"limit of U: {fit['limit']:.3g} ± {fit['limit_half_width']:.2g}"
            log_lines(axes[row, column], lines, QUANTITIES, f"{sampler}\n{limit}")
            _draw_fit(axes[row, column], fit)
        floor = frame[frame["dataset"] == dataset].groupby("seed")["ewd"].first().mean()
        for ax in axes[:, column]:
            low, high = ax.get_ylim()
            ax.set_ylim(min(low, floor / 1.3), max(high, floor * 1.3))
            ax.axhline(floor, **FLOOR)
        axes[-1, column].set_xlabel("mini-batch size m")
    axes[0, 0].set_ylabel("bias $B_M$ (distance)")
    for row in range(1, len(axes)):
        axes[row, 0].set_ylabel("distance")
    head(
        figure,
        "How fast does the bias of mini-batches vanish? $B_M = C\\,(m^{-s} - n^{-s})$ between two draws of n points",
        f"Mean and 95 % interval over {frame['seed'].nunique()} draws. Above: B by sampler, with the fitted s; below: "
        "B, D and U, with the value that U approaches as m nears n. Zeros up to rounding are omitted.",
    )
    entries = {name: SAMPLERS[name] for name in samplers}
    entries |= {QUANTITY_LABELS[name]: look for name, look in QUANTITIES.items()}
    legend(figure, entries | {"fit": FIT, "EWD of the draws": FLOOR}, columns=4)
    return figure


def _draw_fit(ax: Axes, fit: pd.Series) -> None:
    """Draw the fitted curve of a row of ``bias_rates`` over the m that it was fitted to."""
    m = np.geomspace(fit["m_from"], fit["m_to"], 100)
    ax.plot(m, power_law(m, *(float(fit[name]) for name in ("n", "C", "s", "limit"))), **FIT)
