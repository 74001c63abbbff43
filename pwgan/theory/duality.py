"""Kantorovich-Rubinstein on samples: the potentials of an exact matching are a critic."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch

from pwgan.data.funnels import funnels
from pwgan.data.mixtures import Grid25, Ring8
from pwgan.transport.cost import cost
from pwgan.transport.empirical import wasserstein

POINTS = 1024
DRAWS = 3
DIMENSIONS = (2, 16, 128)


def duality(points: int = POINTS, draws: int = DRAWS) -> pd.DataFrame:
    """Check that the dual value of an exact matching equals its cost and is attained by a 1-Lipschitz function.

    The potentials u, v of the matching become c-transforms, u_i = min_j c_ij - v_j, then v_j = min_i c_ij - u_i, and
    f = u on x, -v on y. W_n = mean(u) + mean(v) = mean_x f - mean_y f.

    One row for each pair and draw: pair, n, draw; primal, dual; gap = primal - dual; lipschitz_x, lipschitz_y and
    lipschitz, the largest |f(a) - f(b)| / ||a - b|| within x, within y, and between both, where a != b. Source: article
    C1; Villani 2009, theorem 5.10 and particular case 5.16.
    """
    rows = []
    for name, draw, x, y in _pairs(points, draws):
        transport = wasserstein(x, y)
        price = cost(x, y)
        u = (price - transport.column_potential).min(1).values
        v = (price - u[:, None]).min(0).values
        dual = float(u.mean() + v.mean())
        rows.append(
            {
                "pair": name,
                "n": points,
                "draw": draw,
                "primal": float(transport.value),
                "dual": dual,
                "gap": float(transport.value) - dual,
                "lipschitz_x": _steepest(u, u, cost(x, x)),
                "lipschitz_y": _steepest(v, v, cost(y, y)),
                "lipschitz": _steepest(u, -v, price),
            }
        )
    return pd.DataFrame(rows)


def _pairs(points: int, draws: int) -> Iterator[tuple[str, int, torch.Tensor, torch.Tensor]]:
    """Yield the name, the number and both sides (n, d) of each pair: two draws of a mixture, or a funnel pair."""
    for name, data in (("ring8", Ring8), ("grid25", Grid25)):
        split = data(samples=points * draws, heldout=points * draws).load()
        for draw in range(draws):
            part = slice(draw * points, (draw + 1) * points)
            x, y = (torch.from_numpy(side[part]).double() for side in (split.train, split.heldout))
            yield name, draw, x, y
    for dimension in DIMENSIONS:
        pair = funnels(dimension)
        for draw in range(draws):
            x, y = (torch.from_numpy(side) for side in pair.pair(points, "duality", draw))
            yield f"funnels, d = {dimension}", draw, x, y


def _steepest(f: torch.Tensor, g: torch.Tensor, distance: torch.Tensor) -> float:
    """max over i, j with distance_ij > 0 of |f_i - g_j| / distance_ij; NaN if there are none."""
    apart = distance > 0
    return float(((f[:, None] - g).abs()[apart] / distance[apart]).max()) if apart.any() else np.nan
