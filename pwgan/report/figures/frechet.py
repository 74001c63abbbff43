"""Whether a lower distance to the data is better quality."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.stats import norm, spearmanr

from pwgan.measures.names import FRECHET
from pwgan.report.frames import CELL, REFERENCE, ordered, with_fates
from pwgan.report.panels import entries, facets, marks, pairs, seeds_of, sizes_of
from pwgan.report.statistics import CONFIDENCE
from pwgan.report.style import Look, empty, head, legend, shown, themed

FEWEST_CELLS = 4
"""Cells are needed for an interval of their rank correlation, whose standard error divides by their number less 3."""


def data(measures: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Put the Fréchet distance of each seed beside its EWD; ``measure``: the name of the former."""
    ewd = measures.loc[measures["name"] == "ewd", [*CELL, "seed", "value"]].rename(columns={"value": "ewd"})
    distance = measures[measures["name"].isin(FRECHET)].rename(columns={"value": "frechet"})
    both = with_fates(distance.merge(ewd, on=[*CELL, "seed"]), runs)
    return ordered(both[[*CELL, "seed", "measure", "ewd", "frechet", "status"]])


def rank_correlation(x: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    """Return Spearman's rank correlation r of x (n,) and y (n,), and the ends of its 95 % interval.

    tanh(artanh r ± z sqrt((1 + r^2 / 2) / (n - 3))), z = 1.96. NaN where it is undefined: r for n < 2 or where one side
    is constant, the interval for n < 4 or |r| = 1.

    Source: Bonett & Wright, "Sample size requirements for estimating Pearson, Kendall and Spearman correlations", 2000.
    """
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return math.nan, math.nan, math.nan
    r = float(spearmanr(x, y).statistic)
    if len(x) < FEWEST_CELLS or 1 - abs(r) < 1e-12:
        return r, math.nan, math.nan
    reach = norm.ppf((1 + CONFIDENCE) / 2) * math.sqrt((1 + r**2 / 2) / (len(x) - 3))
    return r, math.tanh(math.atanh(r) - reach), math.tanh(math.atanh(r) + reach)


@themed
def draw(frame: pd.DataFrame, highlight: list[str]) -> Figure:
    """Draw the Fréchet distance against EWD on log axes, a panel for each data set, a point for each cell."""
    if frame.empty:
        return empty("No data set of this study has features, between which a Fréchet distance could be taken.")
    names, sizes = shown(frame, highlight), sizes_of(frame)
    panel = frame["dataset"] + " " + frame["measure"]
    figure, _, panels = facets(
        frame.assign(panel=panel), col="panel", height=3.2, col_wrap=3, sharex=False, sharey=False
    )
    for ax, part in panels:
        pairs(ax, part, "ewd", "frechet", names, sizes)
        ax.set_title(f"{part['dataset'].iloc[0]}; {seeds_of(part)}\n{_correlated(part)}")
        ax.set(xlabel="EWD (distance)", ylabel=f"{part['measure'].iloc[0]} (squared distance)")
    head(
        figure,
        "Is a lower Wasserstein distance better quality? Fréchet distance of features against EWD",
        f"Mean and 95 % interval over seeds. {marks(sizes)}",
    )
    star: Look = {"color": "black", "linestyle": "", "marker": "*", "markersize": 9}
    legend(figure, entries(frame, names, linestyle="") | {"real samples": star})
    return figure


def _correlated(part: pd.DataFrame) -> str:
    """Say what the rank correlation is over the means of all trained cells, and how many these are."""
    means = part[part["method"] != REFERENCE].groupby(CELL)[["ewd", "frechet"]].mean().dropna()
    r, low, high = rank_correlation(means["ewd"].to_numpy(float), means["frechet"].to_numpy(float))
    if math.isnan(r):
        return "too few cells for a rank correlation"
    ends = "" if math.isnan(low) else f" [{low:.2f}, {high:.2f}]"
    return f"rank correlation {r:.2f}{ends}, {len(means)} cells"
