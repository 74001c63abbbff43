"""The mini-batch Wasserstein distance (MBWD), its bias against the EWD, and the article's bounds on it."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from pwgan.options import CostName
from pwgan.transport.assignment import match
from pwgan.transport.cost import pair_cost, precise_cost
from pwgan.transport.empirical import Transport, check_pair


@dataclass(frozen=True)
class MinibatchTransport:
    """An MBWD and the permutation of all n points that its mini-batch matchings form.

    ``value`` (...,): mean cost over all points. ``matching`` (..., n): the partner in y of x_i.
    """

    value: torch.Tensor
    matching: torch.Tensor


@dataclass(frozen=True)
class BiasReport:
    """Comparison of a mini-batch matching with the full matching; every field is (...,).

    ``bias`` B_M = MBWD - EWD, ``deviation`` D_M, ``bound`` U_M: 0 <= B_M <= D_M <= U_M for a metric cost.
    ``differing``: fraction of points whose partner differs from that of the full matching.
    """

    ewd: torch.Tensor
    mbwd: torch.Tensor
    bias: torch.Tensor
    deviation: torch.Tensor
    bound: torch.Tensor
    differing: torch.Tensor


def minibatch_wasserstein(
    x: torch.Tensor,
    y: torch.Tensor,
    x_batches: torch.Tensor,
    y_batches: torch.Tensor,
    cost: CostName = "euclidean",
) -> MinibatchTransport:
    """Mini-batch Wasserstein distance: the mean over pairs of mini-batches, each matched optimally.

    MBWD = (1/n) sum_i sum_{j in batch i} c(x_j, y_{pi*_i(j)}), pi*_i optimal within batch i.

    x, y: (..., n, d). x_batches, y_batches: (..., n/m, m) int64, each a partition of 0..n-1: batch i of x is matched
    with batch i of y. Raises ValueError unless both are partitions of the same shape. Source: article D3.
    """
    check_pair(x, y, cost)
    n = x.shape[-2]
    every_point = torch.arange(n, device=x.device).expand(x.shape[:-1])
    for side, batches in (("x_batches", x_batches), ("y_batches", y_batches)):
        if batches.ndim < 2 or not torch.equal(batches.flatten(-2).sort(-1).values, every_point):
            raise ValueError(f"{side} of shape {tuple(batches.shape)} is not a partition of the {n} points of each set")
    if x_batches.shape != y_batches.shape:
        raise ValueError(f"x_batches {tuple(x_batches.shape)} and y_batches {tuple(y_batches.shape)} differ in shape")
    shape = (*x.shape[:-2], *x_batches.shape[-2:], x.shape[-1])
    x_parts = _take(x, x_batches.flatten(-2)).reshape(shape)
    y_parts = _take(y, y_batches.flatten(-2)).reshape(shape)
    columns = match(precise_cost(x_parts, y_parts, cost))
    partners = y_batches.gather(-1, columns).flatten(-2)
    matching = torch.empty_like(partners).scatter(-1, x_batches.flatten(-2), partners)
    return MinibatchTransport(pair_cost(x, _take(y, matching), cost).mean(-1), matching)


def bias_report(
    x: torch.Tensor,
    y: torch.Tensor,
    full: Transport | MinibatchTransport,
    minibatch: MinibatchTransport,
    cost: CostName = "euclidean",
) -> BiasReport:
    """Compare a mini-batch matching with the full one over the same points.

    B_M = MBWD - EWD,
    D_M = (1/n) sum over j with pi*_i(j) != pi*(j) of |c(x_j, y_{pi*_i(j)}) - c(x_j, y_{pi*(j)})|,
    U_M = (1/n) sum over the same j of c(y_{pi*_i(j)}, y_{pi*(j)}).

    x, y: (..., n, d), preferably float64. D_M <= U_M requires a metric cost; it may fail for ``sqeuclidean`` and
    ``cosine``. Source: article D4, D5.
    """
    y_full, y_mini = _take(y, full.matching), _take(y, minibatch.matching)
    differs = full.matching != minibatch.matching
    change = pair_cost(x, y_mini, cost) - pair_cost(x, y_full, cost)
    apart = pair_cost(y_mini, y_full, cost)
    return BiasReport(
        ewd=full.value,
        mbwd=minibatch.value,
        bias=minibatch.value - full.value,
        deviation=torch.where(differs, change.abs(), 0).mean(-1),
        bound=torch.where(differs, apart, 0).mean(-1),
        differing=differs.double().mean(-1),
    )


def _take(points: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """Rows of points (..., n, d) at index (..., k) -> (..., k, d)."""
    return points.gather(-2, index.unsqueeze(-1).expand(*index.shape, points.shape[-1]))
