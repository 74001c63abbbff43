"""Relation between the distance to the data and sample quality."""

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
"""Minimum number n of cells for an interval of the rank correlation; its standard error divides by n - 3."""


def data(measures: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Join the Fréchet distance of each seed with its EWD; ``measure`` is the name of the Fréchet distance."""
    ewd = measures.loc[measures["name"] == "ewd", [*CELL, "seed", "value"]].rename(columns={"value": "ewd"})
    distance = measures[measures["name"].isin(FRECHET)].rename(columns={"value": "frechet"})
    both = with_fates(distance.merge(ewd, on=[*CELL, "seed"]), runs)
    return ordered(both[[*CELL, "seed", "measure", "ewd", "frechet", "status"]])


def rank_correlation(x: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    """Return Spearman's rank correlation r of x (n,) and y (n,), and the ends of its 95 % interval.

    The interval is tanh(artanh r ± z sqrt((1 + r^2 / 2) / (n - 3))) with z = 1.96. Undefined values are NaN: r if n < 2
    or if x or y is constant, the interval also if n < 4 or |r| = 1.

    Source: Bonett & Wright, "Sample size requirements for estimating Pearson, Kendall and Spearman correlations", 2000.
    """
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return math.nan, math.nan, math.nan
    r = float(spearmanr(x, y).statistic)
    if len(x) < FEWEST_CELLS or 1 - abs(r) < 1e-12:
        return r, math.nan, math.nan
    margin = norm.ppf((1 + CONFIDENCE) / 2) * math.sqrt((1 + r**2 / 2) / (len(x) - 3))
    return r, math.tanh(math.atanh(r) - margin), math.tanh(math.atanh(r) + margin)


@themed
def draw(frame: pd.DataFrame, highlight: list[str]) -> Figure:
    """Draw the Fréchet distance against EWD on log axes, one panel per data set and one point per cell."""
    if frame.empty:
        return empty("No data set of this study has features for a Fréchet distance.")
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
        "Does a lower EWD mean higher quality? Fréchet distance of features against EWD",
        f"Mean and 95 % interval over seeds. {marks(sizes)}",
    )
    star: Look = {"color": "black", "linestyle": "", "marker": "*", "markersize": 9}
    legend(figure, entries(frame, names, linestyle="") | {"real samples": star})
    return figure


def _correlated(part: pd.DataFrame) -> str:
    """Format the rank correlation over the means of all trained cells, and the number of cells."""
    means = part[part["method"] != REFERENCE].groupby(CELL)[["ewd", "frechet"]].mean().dropna()
    r, low, high = rank_correlation(means["ewd"].to_numpy(float), means["frechet"].to_numpy(float))
    if math.isnan(r):
        return "too few cells for a rank correlation"
    ends = "" if math.isnan(low) else f"[{low:.2f}, {high:.2f}], "
    return f"rank correlation {r:.2f}\n{ends}{len(means)} cells"
