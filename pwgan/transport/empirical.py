"""The empirical Wasserstein distance (EWD)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from pwgan.options import CostName
from pwgan.transport.assignment import match, solve
from pwgan.transport.cost import pair_cost, precise_cost

if TYPE_CHECKING:
    from pwgan.transport.solvers.exact import Potentials

# Points up to which all n^2 costs in float64 take less time than lists of the cheapest, on instances hard for these; on
# easy ones lists are faster from about 1500 on.
DENSE = 2500


@dataclass(frozen=True)
class Transport:
    """An exact EWD and its proof; shapes are those of ``Matching``, ``matching[i]`` is the partner in y of x_i.

    ``rounds``: of bidding and augmenting, 0 where all costs were held at once.
    """

    value: torch.Tensor
    matching: torch.Tensor
    row_potential: torch.Tensor
    column_potential: torch.Tensor
    gap: torch.Tensor
    rounds: int


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

    x, y: (..., n, d) -> value (...,), in the units of the cost. n decides between all n^2 costs and lists of the
    cheapest, n from 2 to 60,000; ``device`` (default: that of x) where they are computed. ``potentials``: (u, v) of a
    problem near this one, (..., n) each, to begin with. Raises ValueError where the counts or dimensions differ, a
    point is not finite or the potentials do not fit. Source: article D1; C1 for the potentials.
    """
    check_pair(x, y)
    if potentials is not None and any(p.shape != x.shape[:-1] or not p.isfinite().all() for p in potentials):
        shapes = " and ".join(str(tuple(p.shape)) for p in potentials)
        raise ValueError(f"potentials must be finite and {tuple(x.shape[:-1])} each, given {shapes}")
    home, device = x.device, x.device if device is None else torch.device(device)
    x, y = x.detach().to(device), y.detach().to(device)
    if x.shape[-2] <= DENSE:
        solved = solve(precise_cost(x, y, cost))
        columns, u, v, value = solved.columns, solved.row_potential, solved.column_potential, solved.value
        rounds = 0
    else:
        columns, u, v, value, rounds = _solve_large(x, y, cost, potentials, progress)
    columns, u, v, value = columns.to(home), u.to(home), v.to(home), value.to(home)
    gap = value - u.mean(-1) - v.mean(-1)
    return Transport(value, columns, u, v, gap, rounds)


def _solve_large(
    x: torch.Tensor,
    y: torch.Tensor,
    cost: CostName,
    potentials: tuple[torch.Tensor, torch.Tensor] | None,
    progress: bool,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, int]:
    """Solve one problem after the other; return matchings, potentials, values and the rounds of all."""
    from pwgan.transport.solvers.exact import solve_exact

    lead, (n, d) = x.shape[:-2], x.shape[-2:]
    nearby: Iterable[Potentials | None] = [None] * lead.numel()
    if potentials is not None:
        sides = (side.detach().cpu().double().reshape(-1, n).numpy() for side in potentials)
        nearby = zip(*sides, strict=True)
    pairs = zip(x.reshape(-1, n, d), y.reshape(-1, n, d), nearby, strict=True)
    found = [solve_exact(a, b, cost, potentials=known, progress=progress) for a, b, known in pairs]
    columns = torch.stack([torch.from_numpy(f.columns) for f in found]).reshape(*lead, n)
    u = torch.stack([torch.from_numpy(f.row_potential) for f in found]).reshape(*lead, n)
    v = torch.stack([torch.from_numpy(f.column_potential) for f in found]).reshape(*lead, n)
    value = torch.stack([torch.from_numpy(f.paid).mean() for f in found]).reshape(lead)
    return columns, u, v, value, sum(f.rounds for f in found)


def ewd(x: torch.Tensor, y: torch.Tensor, cost: CostName = "euclidean") -> torch.Tensor:
    """Return the value of ``wasserstein`` alone, (...,), with the rounding of direct differences."""
    check_pair(x, y)
    if x.shape[-2] > DENSE:
        return wasserstein(x, y, cost).value
    x, y = x.double(), y.double()
    partners = match(precise_cost(x, y, cost)).unsqueeze(-1).expand_as(y)
    return pair_cost(x, y.gather(-2, partners), cost).mean(-1)


def check_pair(x: torch.Tensor, y: torch.Tensor) -> None:
    """Raise ValueError unless x and y are equal numbers of finite points (..., n, d)."""
    if x.shape != y.shape or x.ndim < 2:
        raise ValueError(
            f"EWD matches equally many points of one dimension, (..., n, d) on both sides; "
            f"given {tuple(x.shape)} and {tuple(y.shape)}"
        )
    if not x.numel():
        raise ValueError(f"nothing to match: points of shape {tuple(x.shape)}")
    for side, points in (("x", x), ("y", y)):
        if not torch.isfinite(points).all():
            raise ValueError(f"{side} holds points that are NaN or infinite")
