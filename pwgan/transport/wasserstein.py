"""The empirical Wasserstein distance (EWD)."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from pwgan.options import CostName
from pwgan.transport.assignment import match, solve
from pwgan.transport.cost import cost as cost_matrix
from pwgan.transport.cost import pair_cost


@dataclass(frozen=True)
class Transport:
    """An exact EWD and its proof; shapes are those of ``Matching``, ``matching[i]`` is the partner in y of x_i."""

    value: torch.Tensor
    matching: torch.Tensor
    row_potential: torch.Tensor
    column_potential: torch.Tensor
    gap: torch.Tensor
    rounds: int = 0
    seconds: float = 0.0
    peak_bytes: int = 0


def wasserstein(
    x: torch.Tensor,
    y: torch.Tensor,
    cost: CostName = "euclidean",
    *,
    device: torch.device | None = None,
    potentials: tuple[torch.Tensor, torch.Tensor] | None = None,
    progress: bool = False,
) -> Transport:
    """Exact empirical Wasserstein distance between equal numbers of samples.

    W_n = min over permutations pi of (1/n) sum_i c(x_i, y_{pi(i)}), in float64.

    x, y: (..., n, d) -> value (...,), in the units of the cost. Raises ValueError where the counts or dimensions differ
    or a point is not finite. Source: article D1.
    """
    check_pair(x, y)
    solved = solve(cost_matrix(x.double(), y.double(), cost))
    return Transport(solved.value, solved.columns, solved.row_potential, solved.column_potential, solved.gap)


def ewd(x: torch.Tensor, y: torch.Tensor, cost: CostName = "euclidean") -> torch.Tensor:
    """Return the value of ``wasserstein`` alone, (...,): as exact, without the certificate, in half the time."""
    check_pair(x, y)
    x, y = x.double(), y.double()
    partners = match(cost_matrix(x, y, cost)).unsqueeze(-1).expand_as(y)
    return pair_cost(x, y.gather(-2, partners), cost).mean(-1)


def check_pair(x: torch.Tensor, y: torch.Tensor) -> None:
    """Raise ValueError unless x and y are equal numbers of finite points (..., n, d)."""
    if x.shape != y.shape or x.ndim < 2:
        raise ValueError(
            f"EWD matches equally many points of one dimension, (..., n, d) on both sides; "
            f"given {tuple(x.shape)} and {tuple(y.shape)}"
        )
    for side, points in (("x", x), ("y", y)):
        if not torch.isfinite(points).all():
            raise ValueError(f"{side} holds points that are NaN or infinite")
