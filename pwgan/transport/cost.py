"""Ground costs between samples."""

from __future__ import annotations

from typing import get_args

import torch

from pwgan.options import CostName, nearest


def points(samples: torch.Tensor, lead: int = 1) -> torch.Tensor:
    """Flatten samples of any shape to points: (*lead, n, *sample) -> (*lead, n, d), ``lead`` axes kept before n."""
    return samples.flatten(lead + 1) if samples.ndim > lead + 2 else samples


def cost(x: torch.Tensor, y: torch.Tensor, name: CostName = "euclidean") -> torch.Tensor:
    """Cost of matching each point of x with each point of y.

    c_ij = ||x_i - y_j|| (``euclidean``, a metric) or ||x_i - y_j||^2 (``sqeuclidean``).

    x: (..., n, d), y: (..., k, d) -> (..., n, k), in the units of the points (or their square). Differences are taken
    directly, not by expanding the square, so that near duplicates lose no digits. Raises ValueError where dimensions
    differ. Source: article D1; A4 for the Euclidean cost.
    """
    nearest(name, get_args(CostName), "cost")
    if x.ndim < 2 or y.ndim < 2 or x.shape[-1] != y.shape[-1]:
        raise ValueError(
            f"points must be (..., n, d) with one d on both sides, given {tuple(x.shape)}, {tuple(y.shape)}"
        )
    distance = torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")
    return distance if name == "euclidean" else distance.square()


def pair_cost(x: torch.Tensor, y: torch.Tensor, name: CostName = "euclidean") -> torch.Tensor:
    """Cost of points already paired: c(x_j, y_j), (..., n, d) twice -> (..., n).

    Its gradient at x_j = y_j is 0, the subgradient of least norm, where that of the square root is undefined. NaN stays
    NaN.
    """
    nearest(name, get_args(CostName), "cost")
    squared = (x - y).square().sum(-1)
    if name == "sqeuclidean":
        return squared
    apart = squared != 0
    return torch.where(apart, torch.where(apart, squared, 1).sqrt(), 0)
