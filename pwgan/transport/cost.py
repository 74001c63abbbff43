"""Ground costs between samples."""

from __future__ import annotations

from typing import get_args

import torch

from pwgan.options import CostName, one_of

FEW_AXES = 32
"""Dimension up to which differences are about as fast as a matrix product."""


def points(samples: torch.Tensor, lead: int = 1) -> torch.Tensor:
    """Flatten samples of any shape to points: (*lead, n, *sample) -> (*lead, n, d), with ``lead`` axes before n."""
    return samples.flatten(lead + 1) if samples.ndim > lead + 2 else samples


def cost(x: torch.Tensor, y: torch.Tensor, name: CostName = "euclidean") -> torch.Tensor:
    """Cost of matching each point of x with each point of y.

    c_ij = ||x_i - y_j|| (``euclidean``, a metric) or ||x_i - y_j||^2 (``sqeuclidean``).

    x: (..., n, d), y: (..., k, d) -> (..., n, k), in the units of the points (or their square). Computed from
    differences, not by expanding the square, which would lose digits for near duplicates. Raises ValueError if
    dimensions differ. Source: article D1; A4 for the Euclidean cost.
    """
    one_of(name, get_args(CostName), "cost")
    if x.ndim < 2 or y.ndim < 2 or x.shape[-1] != y.shape[-1]:
        raise ValueError(
            f"points must be (..., n, d) with the same d on both sides, got {tuple(x.shape)}, {tuple(y.shape)}"
        )
    distance = torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")
    return distance if name == "euclidean" else distance.square()


def precise_cost(x: torch.Tensor, y: torch.Tensor, name: CostName = "euclidean") -> torch.Tensor:
    """``cost`` in float64, in high dimension by a matrix product, to a relative error of 1e-11.

    With p, q the centred points, |p|^2 + |q|^2 - 2 p.q is computed within 4 gamma_{d+4} (|p|^2 + |q|^2) of |x - y|^2,
    gamma_k = k u / (1 - k u), u = 2^-53. Pairs so close that this exceeds 1e-11 of their cost are computed from
    differences; if there are many, all pairs are. Source: Higham 2002, section 3.1, for gamma_k.
    """
    x, y = x.double(), y.double()
    d = x.shape[-1]
    if d <= FEW_AXES or not x.numel():
        return cost(x, y, name)
    centre = (x.mean(-2, keepdim=True) + y.mean(-2, keepdim=True)) / 2
    p, q = x - centre, y - centre
    sizes = p.square().sum(-1)[..., :, None] + q.square().sum(-1)[..., None, :]
    squared = torch.sub(sizes, p @ q.mT, alpha=2)
    error = 4 * (d + 4) * 2.0**-53 / (1 - (d + 4) * 2.0**-53)
    near = ~(sizes.mul_(error) <= 1e-11 * squared) | ~squared.isfinite()
    if 8 * int(near.sum()) > near.numel():
        return cost(x, y, name)
    distance = squared if name == "sqeuclidean" else squared.sqrt_()
    *lead, rows, columns = near.nonzero(as_tuple=True)
    for block in torch.arange(len(rows), device=x.device).split(max(1, 2**22 // d)):
        at = tuple(index[block] for index in lead)
        i, j = (*at, rows[block]), (*at, columns[block])
        distance[(*i, columns[block])] = pair_cost(x[i], y[j], name)
    return distance


def pair_cost(x: torch.Tensor, y: torch.Tensor, name: CostName = "euclidean") -> torch.Tensor:
    """Cost of points already paired: c(x_j, y_j), (..., n, d) twice -> (..., n).

    The gradient at x_j = y_j, where the distance is not differentiable, is 0, the subgradient of least norm. NaN is
    propagated.
    """
    one_of(name, get_args(CostName), "cost")
    squared = (x - y).square().sum(-1)
    if name == "sqeuclidean":
        return squared
    apart = squared != 0
    return torch.where(apart, torch.where(apart, squared, 1).sqrt(), 0)
