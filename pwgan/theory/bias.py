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
from pwgan.transport.minibatch import MinibatchTransport

DRAWS, PARTITIONS = 20, 1
"""Pairs of draws, and partitions of each pair."""
DPP_DRAWS, DPP_SIZES = 8, (4, 16, 64)
"""Pairs of draws and mini-batch sizes for samplers that do not partition, as each k-DPP needs an eigendecomposition."""

Pair = tuple[torch.Tensor, torch.Tensor]


def _mixture(data: type[Ring8] | type[Grid25]) -> Callable[[int], Pair]:
    def pair(seed: int) -> Pair:
        rng = np.random.default_rng(seed_of("bias", data.name, seed))
        modes, weights = data.mixture()
        places = modes[rng.choice(len(modes), size=(2, 1024), p=weights)]
        x, y = torch.from_numpy(places + data.sigma * rng.standard_normal(places.shape))
        return x, y

    return pair


def _gaussian(seed: int) -> Pair:
    x, y = np.random.default_rng(seed_of("bias", "gaussian8d", seed)).standard_normal((2, 1024, 8))
    return torch.from_numpy(x), torch.from_numpy(y)


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
    "gaussian8d": _gaussian,
    "digits": _digits,
    "patches": _patches,
}
"""Two draws (n, d) of the distribution of each data set: n = 1024 points or 512 images."""


def bias_curves(datasets: Iterable[str] = tuple(PAIRS), names: Iterable[str] | None = None) -> pd.DataFrame:
    """EWD, MBWD and the bias against m between two draws of one distribution, averaged over partitions.

    One row for each data set, draw (``seed``), sampler of ``names`` (all by default) and m = 4, 8, ..., n (the first
    DPP_DRAWS draws and DPP_SIZES for a sampler that does not partition), with the columns of ``sampler_bias``, ``n``
    and ``partition`` (whether the sampler partitions). The ``ewd`` is the floor: no generator can be closer to the data
    than a second draw of it. Raises ``Refused`` for an unknown data set. Source: article D3-D6.
    """
    rows, known = [], samplers()
    for dataset in datasets:
        pairs = [PAIRS[one_of(dataset, PAIRS, "data set")](seed) for seed in range(DRAWS)]
        x, y = (torch.stack(side) for side in zip(*pairs, strict=True))
        n, full = x.shape[1], full_matching(x, y)
        for name in names or known:
            whole = known[name].partitions
            seeds, sizes = (range(DRAWS), ladder(n)) if whole else (range(DPP_DRAWS), DPP_SIZES)
            part = slice(len(seeds))
            matched = MinibatchTransport(full.value[part], full.matching[part])
            reports = bias_ladder(x[part], y[part], matched, {name: sizes}, seeds, PARTITIONS, "law")
            for sampler, m, report in reports:
                rung = {"sampler": sampler, "partition": whole, "eval_batch": m, "n": n}
                for seed in seeds:
                    values = {key: float(value[seed]) for key, value in report.items()}
                    rows.append({"dataset": dataset, "seed": seed, **rung, **values})
    return pd.DataFrame(rows)


def bias_ratios(curves: pd.DataFrame, m: int = 64) -> pd.DataFrame:
    """Ratio of the bias of random batches to that of every other sampler at m: ``ratio`` of the means over draws.

    Both means and the 95 % interval, that of the per-draw ratios, are over the ``draws`` of that sampler. One row for
    each data set and sampler except ``random``.
    """
    rung = curves[curves["eval_batch"] == m]
    rows = []
    for dataset, part in rung.groupby("dataset", sort=False):
        biases = part.pivot(index="seed", columns="sampler", values="bias")
        for sampler in biases.columns.drop("random"):
            both = biases[["random", sampler]].dropna()
            half_width = interval(both["random"] / both[sampler]).half_width
            ratio = both["random"].mean() / both[sampler].mean()
            key = {"dataset": dataset, "sampler": sampler, "eval_batch": m}
            rows.append({**key, "ratio": ratio, "half_width": half_width, "draws": len(both)})
    return pd.DataFrame(rows)
