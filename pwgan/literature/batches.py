"""What a mini-batch distance prefers: real samples, centroids of the data, or its mean."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from pwgan.runtime import seed_of
from pwgan.transport.empirical import debiased, wasserstein

SIZES = (4, 8, 16, 32, 64, 128)
REPEATS = 5


def batch_distances(points: np.ndarray, sizes: tuple[int, ...] = SIZES, repeats: int = REPEATS) -> pd.DataFrame:
    """Compare the EWD from a test batch to real samples, to k-means centroids, and to the mean repeated.

    ``points`` (n, d). In each repeat they are split at random into two training halves, of a quarter of all each, and
    the rest. For each size m: test batches t, t' are m points of the rest each; a candidate a is m points of the first
    half (``real``), its m centroids by k-means (``centroids``), or its mean m times (``mean``), and a' is the same of
    the second half. One row for each repeat, m and candidate: ewd W(t, a); ewd_debiased
    2 W(t, a) - W(t, t') - W(a, a'). Raises ValueError for fewer than 4 max(sizes) points.

    Source: Stanczuk et al. 2021, "Wasserstein GANs work because they fail (to approximate the Wasserstein distance)",
    section on batches: centroids and the mean are nearer to a batch than real samples are.
    """
    most = max(sizes)
    if len(points) < 4 * most:
        raise ValueError(f"batches of {most} need at least {4 * most} points, got {len(points)}")
    rows = []
    for repeat in range(repeats):
        order = np.random.default_rng(seed_of("batches", repeat)).permutation(len(points))
        quarter = len(points) // 4
        halves = points[order[:quarter]], points[order[quarter : 2 * quarter]]
        tests = points[order[2 * quarter :]]
        for m in sizes:
            t, again = tests[:m], tests[m : 2 * m]
            for name, (a, other) in _candidates(halves, m, repeat).items():
                x, y = np.stack([t, t, a]), np.stack([a, again, other])
                across, real, within = wasserstein(torch.from_numpy(x), torch.from_numpy(y)).value.tolist()
                row = {"repeat": repeat, "m": m, "candidate": name, "ewd": across}
                rows.append({**row, "ewd_debiased": debiased(across, real, within)})
    return pd.DataFrame(rows)


def _candidates(halves: tuple[np.ndarray, np.ndarray], m: int, repeat: int) -> dict[str, list[np.ndarray]]:
    """The batches that are compared with a test batch, of each half."""
    from sklearn.cluster import KMeans

    seed = seed_of("centroids", repeat) % 2**32
    return {
        "real": [half[:m] for half in halves],
        "centroids": [KMeans(m, n_init=1, random_state=seed).fit(half).cluster_centers_ for half in halves],
        "mean": [np.repeat(half.mean(0, keepdims=True), m, 0) for half in halves],
    }


def digits() -> np.ndarray:
    """Return the 1,797 digits of scikit-learn, (n, 64), values in [-1, 1]."""
    from sklearn.datasets import load_digits

    return load_digits().data / 8 - 1
