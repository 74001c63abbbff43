"""Ground costs between samples."""

from __future__ import annotations

from typing import get_args

import torch

from pwgan.errors import Refused
from pwgan.options import CostName, one_of

FEW_AXES = 32
"""Dimension up to which differences are about as fast as a matrix product."""


def points(samples: torch.Tensor, lead: int = 1) -> torch.Tensor:
    """Flatten samples of any shape to points: (*lead, n, *sample) -> (*lead, n, d), with ``lead`` axes before n."""
    return samples.flatten(lead + 1) if samples.ndim > lead + 2 else samples


def normalised(x: torch.Tensor) -> torch.Tensor:
    """Scale points (..., d) to length 1, each coordinate to a relative error below gamma_{d+6}; NaN for a zero vector.

    Dividing by the largest coordinate first avoids overflow and underflow of the squares. It does not change the
    gradient, since the result does not depend on the length of x.
    """
    x = x / x.detach().abs().amax(-1, keepdim=True)
    return x / x.square().sum(-1, keepdim=True).sqrt()


def no_zero_vectors(kind: str, x: torch.Tensor, index: torch.Tensor | None = None) -> None:
    """Raise ``Refused`` if a point of x (..., n, d) is the zero vector, whose cosine is undefined.

    The message names the first of them by ``kind`` and its row, or its entry of ``index`` (..., n).
    """
    zero = (x == 0).all(-1)
    if zero.any():
        row = int(zero.nonzero()[0, -1] if index is None else index[zero][0])
        raise Refused(f"cost cosine: {kind} {row} is the zero vector, which has no direction; leave it out")


def cost(x: torch.Tensor, y: torch.Tensor, name: CostName = "euclidean") -> torch.Tensor:
    """Cost of matching each point of x with each point of y.

    c_ij = ||x_i - y_j|| (``euclidean``, a metric), ||x_i - y_j||^2 (``sqeuclidean``), sum_k |x_ik - y_jk|
    (``cityblock``, a metric) or 1 - cos(x_i, y_j) (``cosine``), computed as half the squared distance of the points
    scaled to length 1, and NaN for a zero vector.

    x: (..., n, d), y: (..., k, d) -> (..., n, k), in the units of the points (their square for ``sqeuclidean``, none
    for ``cosine``). Computed from differences, not by expanding the square, which would lose digits for near
    duplicates. Raises ValueError if dimensions differ. Source: article D1; A4 for the Euclidean cost.
    """
    one_of(name, get_args(CostName), "cost")
    if x.ndim < 2 or y.ndim < 2 or x.shape[-1] != y.shape[-1]:
        raise ValueError(
            f"points must be (..., n, d) with the same d on both sides, got {tuple(x.shape)}, {tuple(y.shape)}"
        )
    if name == "cosine":
        return cost(normalised(x), normalised(y), "sqeuclidean") / 2
    if name == "cityblock":
        return torch.cdist(x, y, p=1)
    distance = torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")
    return distance if name == "euclidean" else distance.square()


def precise_cost(
    x: torch.Tensor, y: torch.Tensor, name: CostName = "euclidean", tolerance: float = 1e-11
) -> torch.Tensor:
    """``cost`` in float64, in high dimension by a matrix product, to a relative error of ``tolerance``.

    With p, q the centred points, |p|^2 + |q|^2 - 2 p.q is computed within 4 gamma_{d+4} (|p|^2 + |q|^2) of |x - y|^2,
    gamma_k = k u / (1 - k u), u = 2^-53. Pairs so close that this exceeds ``tolerance`` times their squared distance
    are computed from differences; in a problem with many of them, all pairs are. ``cityblock`` has no such product.
    Source: Higham 2002, section 3.1, for gamma_k.
    """
    x, y = x.double(), y.double()
    d = x.shape[-1]
    if d <= FEW_AXES or not x.numel() or name == "cityblock":
        return cost(x, y, name)
    if name == "cosine":
        return precise_cost(normalised(x), normalised(y), "sqeuclidean", tolerance).div_(2)
    lead = torch.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    x, y = (side.expand(*lead, *side.shape[-2:]).reshape(-1, *side.shape[-2:]) for side in (x, y))
    # Any centre is valid; the median of a sample is robust to far points.
    sample = torch.cat([side[:, :: -(-side.shape[1] // 64)] for side in (x, y)], 1)
    centre = sample.median(1, keepdim=True).values
    p, q = x - centre, y - centre
    pp, qq = p.square().sum(-1), q.square().sum(-1)
    largest = pp.amax() + qq.amax()
    if not (4 * largest).isfinite():
        return cost(x, y, name).reshape(*lead, x.shape[-2], y.shape[-2])
    squared = (pp[:, :, None] + qq[:, None, :]).baddbmm_(p, q.mT, alpha=-2)
    share = 4 * (d + 4) * 2.0**-53 / (1 - (d + 4) * 2.0**-53) / tolerance
    # Mostly no pair is near, which one pass over the pairs shows.
    near = squared < share * (pp[:, :, None] + qq[:, None, :]) if squared.amin() < share * largest else None
    distance = squared if name == "sqeuclidean" else squared.sqrt_()
    if near is not None:
        _replace(distance, near, x, y, name)
    return distance.reshape(*lead, *distance.shape[1:])


def _replace(distance: torch.Tensor, near: torch.Tensor, x: torch.Tensor, y: torch.Tensor, name: CostName) -> None:
    """Replace the pairs ``near`` of distance (B, n, k) by their costs from differences."""
    many = near.flatten(1).double().mean(1) > 1 / 8
    if many.any():
        # Computing all pairs of such a problem is faster.
        distance[many] = cost(x[many], y[many], name)
        near[many] = False
    at, rows, columns = near.nonzero(as_tuple=True)
    for block in torch.arange(len(rows), device=x.device).split(max(1, 2**22 // x.shape[-1])):
        b, i, j = at[block], rows[block], columns[block]
        distance[b, i, j] = pair_cost(x[b, i], y[b, j], name)


def matching_cost(x: torch.Tensor, y: torch.Tensor, name: CostName = "euclidean") -> torch.Tensor:
    """Costs by which a step of training selects its matching: those of ``cost``, (..., n, k), in the dtype of x.

    In high dimension they are ``precise_cost`` to a relative error of half the machine epsilon of x (at least 1e-11),
    rounded to the dtype of x: from float32 points, every cost is within a fraction delta = 2^-23 of exact. A matching
    that is optimal for them has a mean cost of at most (1 + delta) / (1 - delta) times the least one, since both sums
    change by at most that fraction; which of two matchings closer than that is taken is left to rounding. The loss
    itself is computed from differences of the matched pairs.
    """
    if x.shape[-1] <= FEW_AXES:
        return cost(x, y, name)
    return precise_cost(x, y, name, max(torch.finfo(x.dtype).eps / 2, 1e-11)).to(x.dtype)


def pair_cost(x: torch.Tensor, y: torch.Tensor, name: CostName = "euclidean") -> torch.Tensor:
    """Cost of points already paired: c(x_j, y_j), (..., n, d) twice -> (..., n).

    The gradient at x_j = y_j, where the distance is not differentiable, is 0, the subgradient of least norm. NaN is
    propagated; the ``cosine`` of a zero vector is NaN.
    """
    one_of(name, get_args(CostName), "cost")
    if name == "cosine":
        return pair_cost(normalised(x), normalised(y), "sqeuclidean") / 2
    if name == "cityblock":
        return (x - y).abs().sum(-1)
    squared = (x - y).square().sum(-1)
    if name == "sqeuclidean":
        return squared
    apart = squared != 0
    return torch.where(apart, torch.where(apart, squared, 1).sqrt(), 0)
