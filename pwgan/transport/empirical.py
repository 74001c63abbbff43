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

# n up to which the dense solver on all n^2 costs is faster than the sparse one on its hard instances; on easy instances
# the sparse solver is faster from about n = 1500.
DENSE = 2500


@dataclass(frozen=True)
class Transport:
    """An exact EWD with its certificate; shapes as in ``Matching``, ``matching[i]`` is the partner in y of x_i.

    ``rounds``: rounds of bidding and augmenting of the sparse solver, 0 for the dense solver.
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

    x, y: (..., n, d) -> value (...,), in the units of the cost. The solver is dense (all n^2 costs) for n up to
    DENSE, and sparse (lists of the smallest costs) above, for n up to 60,000. ``device``: device of the solve, default
    that of x. ``potentials``: (u, v) of a similar problem, (..., n) each, for a warm start. Raises ValueError if
    counts or dimensions differ, a point is not finite, or potentials are not finite or have the wrong shape. Source:
    article D1; C1 for the potentials.
    """
    check_pair(x, y)
    if potentials is not None and any(p.shape != x.shape[:-1] or not p.isfinite().all() for p in potentials):
        shapes = " and ".join(str(tuple(p.shape)) for p in potentials)
        raise ValueError(f"potentials must be finite and {tuple(x.shape[:-1])} each, got {shapes}")
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
    """Solve the problems one by one; return matchings, potentials, values and the total number of rounds."""
    from pwgan.transport.solvers.exact import solve_exact

    lead, (n, d) = x.shape[:-2], x.shape[-2:]
    starts: Iterable[Potentials | None] = [None] * lead.numel()
    if potentials is not None:
        sides = (side.detach().cpu().double().reshape(-1, n).numpy() for side in potentials)
        starts = zip(*sides, strict=True)
    pairs = zip(x.reshape(-1, n, d), y.reshape(-1, n, d), starts, strict=True)
    solutions = [solve_exact(a, b, cost, potentials=start, progress=progress) for a, b, start in pairs]
    columns = torch.stack([torch.from_numpy(solution.columns) for solution in solutions]).reshape(*lead, n)
    u = torch.stack([torch.from_numpy(solution.row_potential) for solution in solutions]).reshape(*lead, n)
    v = torch.stack([torch.from_numpy(solution.column_potential) for solution in solutions]).reshape(*lead, n)
    value = torch.stack([torch.from_numpy(solution.paid).mean() for solution in solutions]).reshape(lead)
    return columns, u, v, value, sum(solution.rounds for solution in solutions)


def ewd(x: torch.Tensor, y: torch.Tensor, cost: CostName = "euclidean") -> torch.Tensor:
    """Return only the value of ``wasserstein``, (...,), computed from direct differences."""
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
            f"EWD matches equally many points of the same dimension, (..., n, d) on both sides; "
            f"got {tuple(x.shape)} and {tuple(y.shape)}"
        )
    if not x.numel():
        raise ValueError(f"nothing to match: points of shape {tuple(x.shape)}")
    for side, points in (("x", x), ("y", y)):
        if not torch.isfinite(points).all():
            raise ValueError(f"{side} holds points that are NaN or infinite")
