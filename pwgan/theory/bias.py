"""Mini-batch bias between two draws of the same distribution, for every sampler."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd
import torch

from pwgan.batches import samplers
from pwgan.data.mixtures import Grid25, Ring8
from pwgan.options import one_of
from pwgan.report.statistics import interval
from pwgan.runtime import seed_of
from pwgan.transport.bias import bias_ladder, full_matching, ladder

DRAWS, PARTITIONS = 5, 4
"""Pairs of draws, and partitions of each pair: every mean is over twenty partitions of both sides."""
DPP_SIZES = (4, 16, 64)
"""Mini-batch sizes for samplers that do not partition: each k-DPP subset needs an eigendecomposition."""
FIT = 16
"""Slopes are fitted where m <= n / FIT: closer to n the bias drops to 0 at m = n for every distribution."""

Pair = tuple[torch.Tensor, torch.Tensor]


def _mixture(data: type[Ring8] | type[Grid25]) -> Callable[[int], Pair]:
    def pair(seed: int) -> Pair:
        rng = np.random.default_rng(seed_of("bias", data.name, seed))
        modes, weights = data.mixture()
        places = modes[rng.choice(len(modes), size=(2, 1024), p=weights)]
        x, y = torch.from_numpy(places + data.sigma * rng.standard_normal(places.shape))
        return x, y

    return pair


def _halves(points: np.ndarray, n: int, *stream: object) -> Pair:
    """Return two disjoint random sets of n rows each."""
    chosen = points[np.random.default_rng(seed_of("bias", *stream)).permutation(len(points))[: 2 * n]]
    return torch.from_numpy(chosen[:n]), torch.from_numpy(chosen[n:])


def _digits(seed: int) -> Pair:
    from sklearn.datasets import load_digits

    return _halves(load_digits().data / 8 - 1, 512, "digits", seed)


def _patches(seed: int) -> Pair:
    """Patches of 8×8 pixels and three colours, without overlap, from the two photographs in scikit-learn."""
    from sklearn.datasets import load_sample_images

    patches = []
    for photograph in load_sample_images().images:
        rows, columns = photograph.shape[0] // 8, photograph.shape[1] // 8
        tiles = photograph[: 8 * rows, : 8 * columns].reshape(rows, 8, columns, 8, 3)
        patches.append(tiles.swapaxes(1, 2).reshape(rows * columns, -1))
    return _halves(np.concatenate(patches) / 127.5 - 1, 512, "patches", seed)


PAIRS: dict[str, Callable[[int], Pair]] = {
    "ring8": _mixture(Ring8),
    "grid25": _mixture(Grid25),
    "digits": _digits,
    "patches": _patches,
}
"""Two draws (n, d) of the distribution of each data set: n = 1024 points or 512 images."""


def bias_curves(datasets: Iterable[str] = tuple(PAIRS), names: Iterable[str] | None = None) -> pd.DataFrame:
    """EWD, MBWD and the bias against m between two draws of one distribution, averaged over partitions.

    One row for each data set, draw (``seed``), sampler of ``names`` (all by default) and m = 4, 8, ..., n (DPP_SIZES
    for a sampler that does not partition), with the columns of ``sampler_bias``, ``n`` and ``partition`` (whether
    the sampler partitions). The ``ewd`` is the floor: no generator can be closer to the data than a second draw of it.
    Raises ``Refused`` for an unknown data set. Source: article D3-D6.
    """
    rows, known = [], samplers()
    partitioning = {name: known[name].partitions for name in names or known}
    for dataset in datasets:
        pairs = [PAIRS[one_of(dataset, PAIRS, "data set")](seed) for seed in range(DRAWS)]
        x, y = (torch.stack(side) for side in zip(*pairs, strict=True))
        n, seeds = x.shape[1], range(DRAWS)
        rungs = {name: ladder(n) if whole else DPP_SIZES for name, whole in partitioning.items()}
        for sampler, m, report in bias_ladder(x, y, full_matching(x, y), rungs, seeds, PARTITIONS, "law"):
            rung = {"sampler": sampler, "partition": partitioning[sampler], "eval_batch": m, "n": n}
            for seed in seeds:
                values = {key: float(value[seed]) for key, value in report.items()}
                rows.append({"dataset": dataset, "seed": seed, **rung, **values})
    return pd.DataFrame(rows)


def bias_slopes(curves: pd.DataFrame, measures: Iterable[str] = ("bias", "deviation", "bound")) -> pd.DataFrame:
    """Exponent s of each quantity, B_M ~ m^s, by log-log least squares over m <= n / FIT.

    Fitted separately for each draw: ``slope`` is the mean, with its 95 % Student interval over the ``draws``; NaN if a
    value is not positive. For two draws of one distribution and random batches, s = -1/2 is expected: if the modes of a
    mixture are far apart, the Wasserstein distance between two samples of size m is dominated by the error of the mode
    proportions, of order m^-1/2. Source: Sommerfeld and Munk 2018 for distributions of finite support.
    """
    fitted = curves[(curves["eval_batch"] * FIT <= curves["n"]) & curves["partition"]]
    rows = []
    for (dataset, sampler), part in fitted.groupby(["dataset", "sampler"], sort=False):
        for measure in measures:
            slopes = [_slope(curve["eval_batch"], curve[measure]) for _, curve in part.groupby("seed")]
            mean, half_width, draws = interval(slopes)
            rungs = {"m_from": part["eval_batch"].min(), "m_to": part["eval_batch"].max()}
            key = {"dataset": dataset, "sampler": sampler, "measure": measure}
            rows.append({**key, "slope": mean, "half_width": half_width, "draws": draws, **rungs})
    return pd.DataFrame(rows)


def bias_ratios(curves: pd.DataFrame, m: int = 64) -> pd.DataFrame:
    """Ratio of the bias of random batches to that of every other sampler at m: ``ratio`` of the means over draws.

    The 95 % interval is that of the per-draw ratios. One row for each data set and sampler except ``random``.
    """
    rung = curves[curves["eval_batch"] == m]
    rows = []
    for dataset, part in rung.groupby("dataset", sort=False):
        biases = part.pivot(index="seed", columns="sampler", values="bias")
        for sampler in biases.columns.drop("random"):
            half_width = interval(biases["random"] / biases[sampler]).half_width
            ratio = biases["random"].mean() / biases[sampler].mean()
            key = {"dataset": dataset, "sampler": sampler, "eval_batch": m}
            rows.append({**key, "ratio": ratio, "half_width": half_width, "draws": len(biases)})
    return pd.DataFrame(rows)


def _slope(m: pd.Series, values: pd.Series) -> float:
    if not (values > 0).all():
        return float("nan")
    return float(np.polyfit(np.log(m), np.log(values), 1)[0])
