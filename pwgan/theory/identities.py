"""Numerical checks on random pairs: properties of JS, and optimality of permutations among transport plans."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from pwgan.divergences import jensen_shannon, wasserstein_points
from pwgan.runtime import seed_of
from pwgan.transport.empirical import wasserstein

PAIRS = 1000
DIMENSIONS = (1, 2, 8, 64)


def js_checks() -> pd.DataFrame:
    """Return the largest violation of each property of JS over random pairs of distributions on 2 to 20 atoms.

    Half of the pairs have atoms of weight 0, so their supports overlap partly or not at all. Source: article A3.
    """
    rng = np.random.default_rng(seed_of("theory", "js"))
    violations = []
    for pair in range(PAIRS):
        atoms = int(rng.integers(2, 21))
        p, q = (_law(rng, atoms, sparse=pair % 2 == 0) for _ in range(2))
        forward, backward = jensen_shannon(p, q), jensen_shannon(q, p)
        violations.append((abs(forward - backward), -forward, abs(jensen_shannon(p, p)), forward - np.log(2)))
    names = ("symmetric", "not negative", "zero for equal laws", "at most log 2")
    return pd.DataFrame({"check": names, "value": np.maximum(np.max(violations, axis=0), 0), "pairs": PAIRS})


def _law(rng: np.random.Generator, atoms: int, *, sparse: bool) -> np.ndarray:
    weights = rng.exponential(size=atoms)
    if sparse:
        weights[rng.permutation(atoms)[: rng.integers(0, atoms)]] = 0
    return weights / weights.sum()


def plans() -> pd.DataFrame:
    """Compare the optimal permutation with the optimal transport plan, by linear programming, for uniform weights.

    Returns dimension, pair, n, ``permutation`` and ``plan``, the two costs. Source: article D1.
    """
    rows = []
    for dimension in DIMENSIONS:
        for pair in range(5):
            rng = np.random.default_rng(seed_of("theory", "plans", dimension, pair))
            x, y = rng.normal(size=(2, 40, dimension))
            best = wasserstein(torch.from_numpy(x), torch.from_numpy(y)).value
            row = {"dimension": dimension, "pair": pair, "n": len(x)}
            rows.append({**row, "permutation": float(best), "plan": wasserstein_points(x, y)})
    return pd.DataFrame(rows)
