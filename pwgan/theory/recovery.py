"""Where EWD recovers a known distance, and where it fails: min-funnel pairs of dimension 2 to 128."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from pwgan.data.funnels import Funnels, funnels
from pwgan.report.statistics import intervals
from pwgan.transport.empirical import Transport, wasserstein

DIMENSIONS = (2, 4, 8, 16, 32, 64, 128)
SIZES = (64, 256, 1024, 4096)
DRAWS = 4  # of the largest size; a smaller one has more, up to MOST, at no more work
MOST = 16
TRUTH = 1 << 17  # points of the Monte Carlo mean that the true distance is


def recovery(
    dimensions: tuple[int, ...] = DIMENSIONS, sizes: tuple[int, ...] = SIZES, draws: int = DRAWS
) -> pd.DataFrame:
    """Compare EWD with the true W1 on min-funnel pairs, four funnels each, for each dimension and sample size n.

    Columns: dimension, n, measure, mean, half_width (95 %), seeds (draws), w1 and w1_error (true distance and the
    standard error of its Monte Carlo mean). Measures: ``ratio`` EWD / W1; ``excess`` (EWD - (mean_Q u - mean_P u)) / W1
    with the true potential u, at least 0 in every draw, and in the mean ratio - 1 without the scatter of the draws;
    ``cosine``, the mean cosine at the points of P between the direction to their partner and the true one.

    Source: article C1, D1; Korotin et al. 2022, section 5.1, for the comparison.
    """
    parts = []
    for dimension in dimensions:
        law = funnels(dimension)
        truth = law.w1(TRUTH)
        for n in sizes:
            count = min(MOST, draws * max(sizes) // n)
            pairs = [law.pair(n, n, draw) for draw in range(count)]
            # All draws at once, so that they are solved side by side where there are threads.
            x, y = (np.stack(side) for side in zip(*pairs, strict=True))
            found = wasserstein(torch.from_numpy(x), torch.from_numpy(y))
            ewd = found.value.numpy()
            dual = np.array([law.potential(q).mean() - law.potential(p).mean() for p, q in pairs])
            values = {
                "ratio": ewd / truth.mean,
                "excess": (ewd - dual) / truth.mean,
                "cosine": transport_cosine(law, x, y, found),
            }
            parts += [
                pd.DataFrame({"value": value}).assign(
                    dimension=dimension, n=n, measure=measure, w1=truth.mean, w1_error=truth.error
                )
                for measure, value in values.items()
            ]
    return intervals(pd.concat(parts), ["dimension", "n", "measure", "w1", "w1_error"])


def transport_cosine(law: Funnels, x: np.ndarray, y: np.ndarray, found: Transport) -> np.ndarray:
    """Mean cosine between the directions from points of P to their partners and the true ones.

    x, y: (draws, n, d) of P and Q, ``found`` their transport -> (draws,).
    """
    towards = np.take_along_axis(y, found.matching.numpy()[..., None], axis=1) - x
    true = np.stack([law.direction(part) for part in x])
    return mean_cosine(towards, true)


def mean_cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Mean over the second last axis of the cosine of vectors (..., n, d) -> (...,); 0 where a vector is 0."""
    lengths = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    product = (a * b).sum(-1)
    return np.divide(product, lengths, out=np.zeros_like(product), where=lengths > 0).mean(-1)
