"""Accuracy of the EWD against a known distance: min-funnel pairs of dimension 2 to 128."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from pwgan.data.funnels import Funnels, funnels
from pwgan.report.statistics import intervals
from pwgan.transport.empirical import Transport, wasserstein

DIMENSIONS = (2, 4, 8, 16, 32, 64, 128)
SIZES = (64, 256, 1024, 4096)
DRAWS = 4  # for the largest size; smaller sizes use more, up to MOST, at the same cost
MOST = 16
TRUTH = 1 << 17  # points of the Monte Carlo estimate of the true distance


def recovery(
    dimensions: tuple[int, ...] = DIMENSIONS, sizes: tuple[int, ...] = SIZES, draws: int = DRAWS
) -> pd.DataFrame:
    """Compare EWD with the true W1 on min-funnel pairs, four funnels each, for each dimension and sample size n.

    Columns: dimension, n, measure, mean, half_width (95 %), seeds (draws), w1 and w1_error (true distance and the
    standard error of its Monte Carlo mean). Measures: ``ratio`` EWD / W1; ``excess`` (EWD - (mean_Q u - mean_P u)) / W1
    with the true potential u, which is non-negative in every draw and has the mean of ratio - 1 with less variance;
    ``cosine``, the mean over the points of P of the cosine between the direction to the partner and the true one.

    Source: article C1, D1; Korotin et al. 2022, section 5.1, for the comparison.
    """
    parts = []
    for dimension in dimensions:
        pair = funnels(dimension)
        truth = pair.w1(TRUTH)
        for n in sizes:
            count = min(MOST, draws * max(sizes) // n)
            pairs = [pair.pair(n, n, draw) for draw in range(count)]
            # All draws in one call, which solves them in parallel if there are several threads.
            x, y = (np.stack(side) for side in zip(*pairs, strict=True))
            transport = wasserstein(torch.from_numpy(x), torch.from_numpy(y))
            ewd = transport.value.numpy()
            dual = np.array([pair.potential(q).mean() - pair.potential(p).mean() for p, q in pairs])
            values = {
                "ratio": ewd / truth.mean,
                "excess": (ewd - dual) / truth.mean,
                "cosine": transport_cosine(pair, x, y, transport),
            }
            parts += [
                pd.DataFrame({"value": value}).assign(
                    dimension=dimension, n=n, measure=measure, w1=truth.mean, w1_error=truth.error
                )
                for measure, value in values.items()
            ]
    return intervals(pd.concat(parts), ["dimension", "n", "measure", "w1", "w1_error"])


def transport_cosine(pair: Funnels, x: np.ndarray, y: np.ndarray, transport: Transport) -> np.ndarray:
    """Mean cosine between the directions from points of P to their partners and the true ones.

    x, y: (draws, n, d) of P and Q, ``transport`` between them -> (draws,).
    """
    towards = np.take_along_axis(y, transport.matching.numpy()[..., None], axis=1) - x
    true = np.stack([pair.direction(part) for part in x])
    return mean_cosine(towards, true)


def mean_cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Mean over n of the cosine between vectors (..., n, d) -> (...,); a zero vector has cosine 0."""
    lengths = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    product = (a * b).sum(-1)
    return np.divide(product, lengths, out=np.zeros_like(product), where=lengths > 0).mean(-1)
