"""Statistics of generators of images: comparisons in feature spaces, copies, and latent paths."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd

from pwgan.options import REFERENCE
from pwgan.report.claims.evidence_training import MIXTURES, Place, Statistic
from pwgan.report.claims.results import DIGITS, Cell, NotMeasured, Parts, Results, Sample, some

SPACES = ("classifier", "random")
"""Feature extractors: shaped by the training set, and by no data."""
MATCHED = 0.9
"""Precision, relative to that of real samples, from which on samples are good enough to be asked whether they copy."""
ENDS = (0.01, 0.99)
"""Quantiles of the distance from held-out samples to the training set, between which a sample counts as unseen."""


def compared(
    measure: str,
    pairs: Iterable[tuple[Place, Place]],
    relative: Callable[[pd.Series, pd.Series], pd.Series],
    spaces: Iterable[str] = SPACES,
) -> Statistic:
    """Compare a measure of two cells on digits by seed, in each feature space."""

    def statistic(results: Results) -> Parts:
        parts: Parts = {}
        for place, other in pairs:
            cells = Cell(DIGITS, *place), Cell(DIGITS, *other)
            for space in spaces:
                first, second = (results.values(cell, measure, space) for cell in cells)
                versus = f"{other[0]} m={other[1]}" if place[0] != other[0] or place[1] == other[1] else f"m={other[1]}"
                parts[f"{place[0]} m={place[1]} against {versus}, {measure}-{space}"] = Sample(
                    relative(first, second), cells
                )
        return parts

    return statistic


def log_ratio(first: pd.Series, second: pd.Series) -> pd.Series:
    """Logarithm of the ratio."""
    return (first / second).map(np.log)


def share_of(first: pd.Series, second: pd.Series) -> pd.Series:
    """Difference relative to the mean of the second: for measures that may be negative, as KID."""
    return (first - second) / second.mean()


def minus(first: pd.Series, second: pd.Series) -> pd.Series:
    """Difference."""
    return first - second


def two_sample(first: pd.Series, second: pd.Series) -> pd.Series:
    """Difference of the distances of 1-NN accuracies from chance, |accuracy - 1/2|."""
    return (first - 0.5).abs() - (second - 0.5).abs()


def within(*places: Place) -> Statistic:
    """Logarithm of the spread W(y, y') of generated digits over W(x, x') of real ones, n samples each."""

    def statistic(results: Results) -> Parts:
        real = results.floor(DIGITS, "ewd-within")
        cells = [Cell(DIGITS, *place) for place in places]
        return {str(cell): Sample(np.log(results.values(cell, "ewd-within") / real), (cell,)) for cell in cells}

    return statistic


def copies(*places: Place) -> Statistic:
    """Share of samples that are nearer to the training set than the nearest hundredth of held-out samples.

    Only cells whose mean precision is at least ``MATCHED`` times that of real samples are included: samples far from
    the data copy nothing.
    """

    def statistic(results: Results) -> Parts:
        parts: Parts = {}
        for cell in (Cell(dataset, *place) for place in places for dataset in (*MIXTURES, DIGITS)):
            space = "classifier" if cell.dataset == DIGITS else None
            if not results.has(cell):
                continue
            precision = results.values(cell, "precision", space).mean()
            if precision >= MATCHED * results.floor(cell.dataset, "precision", space):
                parts[str(cell)] = Sample(results.values(cell, "copies"), (cell,))
        return some(parts, "primal method with the precision of real samples")

    return statistic


def tied(*places: Place) -> Statistic:
    """Logarithm of the EWD of training samples and samples of their tied latents over that of real samples.

    Only on mixtures, where both match as many samples as there are training samples.
    """

    def statistic(results: Results) -> Parts:
        cells = [cell for cell in (Cell(name, *place) for place in places for name in MIXTURES) if results.has(cell)]
        parts = {
            str(cell): Sample(np.log(results.values(cell, "tied-ewd") / results.floor(cell.dataset, "ewd")), (cell,))
            for cell in cells
        }
        return some(parts, "tied method on a mixture")

    return statistic


def unseen_on_paths(*places: Place) -> Statistic:
    """Share of the inner points of latent paths that are unseen digits: on the manifold, and no near copies.

    Their distance to the nearest training sample lies between the 1 % and the 99 % quantile of that of held-out
    samples, which are the ends of the paths of the references; 98 % of unseen real samples do.
    """

    def statistic(results: Results) -> Parts:
        paths = results.frame("interpolation").query("dataset == @DIGITS", local_dict={"DIGITS": DIGITS})
        ends = paths[(paths["method"] == REFERENCE) & paths["t"].isin((0.0, 1.0))]
        if ends.empty:
            raise NotMeasured("no paths between real digits")
        low, high = ends["nn_train"].quantile(list(ENDS))
        inner = paths[(paths["t"] > 0) & (paths["t"] < 1)]
        parts: Parts = {}
        for cell in (Cell(DIGITS, *place) for place in places):
            seeds = results.statuses(cell).index
            rows = inner[(inner["method"] == cell.method) & (inner["batch_size"] == cell.m)]
            if len(rows):
                known = rows["nn_train"].between(low, high).astype(float).where(rows["nn_train"].notna())
                parts[str(cell)] = Sample(known.groupby(rows["seed"]).mean().reindex(seeds), (cell,))
        return some(parts, "latent paths")

    return statistic
