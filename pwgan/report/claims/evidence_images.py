"""Statistics of generators of images: comparisons in feature spaces, copies, and latent paths."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd

from pwgan.options import REFERENCE
from pwgan.report.claims.evidence_training import MIXTURES, SPACES, Place, Statistic
from pwgan.report.claims.results import DIGITS, Cell, NotMeasured, Parts, Results, Sample, some
from pwgan.report.confidence import unknown

Relative = Callable[[pd.Series, pd.Series], pd.Series]
MATCHED = 0.9
"""Precision, relative to that of real samples, from which on samples are good enough to be asked whether they copy."""
COPY = 0.05
"""Quantile of the distance from held-out samples to the training set, below which a sample counts as a near copy."""
BLEND = 0.5
"""Largest share of averages of two real images on a manifold that tells digits from what is none."""


def compared(
    measure: str, pairs: Iterable[tuple[Place, Place]], relative: Relative, spaces: Iterable[str] = SPACES
) -> Statistic:
    """Compare a measure of two cells on digits by seed, in each feature space.

    That of real samples of the same number is subtracted from Fréchet distances, which have a bias of this size. A
    diverged seed has the worst value of any run in the first cell, and none in the second: a rival that fails proves
    nothing.
    """

    def statistic(results: Results) -> Parts:
        parts: Parts = {}
        for place, other in pairs:
            cells = Cell(DIGITS, *place), Cell(DIGITS, *other)
            for space in spaces:
                first, second = results.filled(cells[0], measure, space), results.values(cells[1], measure, space)
                if measure == "fd":
                    first, second = (
                        side - results.floors(cell, measure, space)
                        for side, cell in zip((first, second), cells, strict=True)
                    )
                versus = f"{other[0]} m={other[1]}" if place[0] != other[0] or place[1] == other[1] else f"m={other[1]}"
                parts[f"{place[0]} m={place[1]} against {versus}, {measure}-{space}"] = Sample(
                    relative(first, second), cells
                )
        return parts

    return statistic


def beyond(factor: float) -> Relative:
    """Return the first minus ``factor`` times the second: positive if the first is larger by more than this factor.

    Unlike a ratio it has a mean if the second is near 0 or negative, as KID may be.
    """
    return lambda first, second: first - factor * second


def minus(first: pd.Series, second: pd.Series) -> pd.Series:
    """Difference."""
    return first - second


def two_sample(first: pd.Series, second: pd.Series) -> pd.Series:
    """Difference of the distances of 1-NN accuracies from chance, |accuracy - 1/2|."""
    return (first - 0.5).abs() - (second - 0.5).abs()


def within(*places: Place) -> Statistic:
    """Logarithm of the spread W(y, y') of generated digits over W(x, x') of real ones, n samples each, by seed."""

    def statistic(results: Results) -> Parts:
        parts: Parts = {}
        for cell in (Cell(DIGITS, *place) for place in places):
            ratio = results.values(cell, "ewd-within") / results.floors(cell, "ewd-within")
            parts[str(cell)] = Sample(np.log(ratio), (cell,))
        return parts

    return statistic


def copies(*places: Place) -> Statistic:
    """Share of the samples of digits that are nearer to the training set than the nearest twentieth of held-out ones.

    A cell whose mean precision is below ``MATCHED`` times that of real samples is not measured: samples far from the
    data copy nothing. Diverged seeds are left out.
    """

    def statistic(results: Results) -> Parts:
        parts: Parts = {}
        least = MATCHED * results.floor(DIGITS, "precision", "classifier")
        for cell in (Cell(DIGITS, *place) for place in places):
            if results.has(cell):
                precise = results.values(cell, "precision", "classifier").mean() >= least
                share = results.values(cell, "copies").dropna() if precise else unknown()
                parts[str(cell)] = Sample(share, (cell,))
        return some(parts, "primal method on digits")

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

    On the manifold: in the third-nearest-neighbour ball of a held-out image, in features of the classifier. No near
    copy: farther from the training set than the nearest twentieth of held-out images, which are the ends of the paths
    of the references. Raises ``NotMeasured`` if half of the averages of two held-out images, which are no digits, lie
    on the manifold so defined.
    """

    def statistic(results: Results) -> Parts:
        paths = results.frame("interpolation").query("dataset == @DIGITS", local_dict={"DIGITS": DIGITS})
        real = paths[paths["method"] == REFERENCE]
        ends, middles = real[real["t"].isin((0.0, 1.0))], real[real["t"] == 0.5]
        if ends.empty or middles["on_manifold"].isna().all():
            raise NotMeasured("no paths between real digits in the features of the classifier")
        blended = middles["on_manifold"].mean()
        if blended >= BLEND:
            raise NotMeasured(f"{blended:.2f} of the averages of two digits lie on the manifold: it tells nothing")
        least = ends["nn_train"].quantile(COPY)
        inner = paths[(paths["t"] > 0) & (paths["t"] < 1)]
        parts: Parts = {}
        for cell in (Cell(DIGITS, *place) for place in places):
            seeds = results.statuses(cell).index
            rows = inner[(inner["method"] == cell.method) & (inner["batch_size"] == cell.m)]
            if len(rows):
                unseen = (rows["on_manifold"] == 1) & (rows["nn_train"] > least)
                known = unseen.astype(float).where(rows["nn_train"].notna())
                parts[str(cell)] = Sample(known.groupby(rows["seed"]).mean().reindex(seeds), (cell,))
        return some(parts, "latent paths")

    return statistic
