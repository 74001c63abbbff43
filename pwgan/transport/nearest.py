"""The cheapest point of a set for each point of another, with a price on each point."""

from __future__ import annotations

import torch

from pwgan.options import CostName
from pwgan.transport.cost import matching_cost

MOST_NUMBERS = 1 << 26
"""Costs, or coordinates in a copy of the points, that are held at once, 256 MB: seeds with more take turns."""


def nearest(x: torch.Tensor, y: torch.Tensor, name: CostName, potential: torch.Tensor | None = None) -> torch.Tensor:
    """Return for each x_i the j of the least c(x_i, y_j) - psi_j, psi = ``potential``, by default 0.

    x: (S, n, d), y: (S, k, d), psi: (S, k) in the units of the cost -> (S, n), without a graph; of several least ones
    any. The points with the same j lie in one cell of a Laguerre diagram, without psi of a Voronoi diagram. Costs are
    those of ``matching_cost``, exact to a fraction 2^-23 from float32 points. In a seed with points that are not
    finite, every x_i takes one of those of y, if there are any, so that the cost of the pairs shows it.
    """
    together = max(1, MOST_NUMBERS // (y.shape[1] * max(x.shape[1:])))
    parts = []
    for start in range(0, len(x), together):
        seeds = slice(start, start + together)
        one, other = x[seeds].detach(), y[seeds].detach()
        # Points of diverged seeds are replaced by 0: in high dimension, how costs are computed depends on their size.
        sound = other.isfinite().all(-1)
        finite = (one.isfinite().all(-1).all(-1) & sound.all(-1))[:, None, None]
        costs = matching_cost(torch.where(finite, one, 0), torch.where(finite, other, 0), name)
        if potential is not None:
            costs = costs - potential[seeds, None].to(costs.dtype)
        parts.append(torch.where(finite, costs, sound[:, None].to(costs.dtype)).argmin(-1))
    return torch.cat(parts)
