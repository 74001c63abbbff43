"""The empirical Wasserstein distance (EWD)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar, get_args

import numpy as np
import torch

from pwgan.errors import Refused
from pwgan.options import CostName, one_of
from pwgan.transport.assignment import Array, solve
from pwgan.transport.bracket import bracket
from pwgan.transport.cost import no_zero_vectors, normalised, pair_cost, precise_cost
from pwgan.transport.line import solve_line

if TYPE_CHECKING:
    from pwgan.transport.solvers.exact import Potentials

Debiased = TypeVar("Debiased", float, torch.Tensor)

# n up to which the dense solver on all n^2 costs is faster than the sparse one on its hard instances; on easy instances
# the sparse solver is faster from about n = 1500.
DENSE = 2500
LARGEST_CITYBLOCK = 20_000
"""Largest n for the cost ``cityblock``, which only the dense solver knows: 8 n^2 bytes of costs, 3.2 GB."""


@dataclass(frozen=True)
class Plan(Generic[Array]):
    """A sparse transport plan: ``mass[s]`` > 0 goes from x_i to y_j, i = ``rows[s]``, j = ``columns[s]``.

    (..., s) each, sorted by row, then column, each pair once. The mass of a row adds up to 1/n, of a column to 1/k;
    every mass is a multiple of 1/lcm(n, k).
    """

    rows: Array
    columns: Array
    mass: Array


@dataclass(frozen=True)
class Transport(Generic[Array]):
    """An exact EWD with its certificate; shapes as in ``Matching``, ``matching[i]`` is the partner in y of x_i.

    ``least`` <= W <= ``most`` (...,): bounds on the true distance, rounding included. ``gap`` (...,) >= 0: value -
    least, so no matching is cheaper by more. ``rounds``: rounds of bidding and augmenting of the sparse solver, 0 for
    the dense solver.
    """

    value: Array
    matching: Array
    row_potential: Array
    column_potential: Array
    gap: Array
    least: Array
    most: Array
    rounds: int

    @property
    def plan(self) -> Plan[Array]:
        """The matching as a plan, as unequal numbers of points have one: x_i gives its mass 1/n to its partner."""
        shape = self.matching.shape
        if isinstance(self.matching, np.ndarray):
            return Plan(np.broadcast_to(np.arange(shape[-1]), shape), self.matching, np.full(shape, 1 / shape[-1]))
        rows = torch.arange(shape[-1], device=self.matching.device).expand(shape)
        return Plan(rows, self.matching, torch.full(shape, 1 / shape[-1], dtype=torch.float64, device=rows.device))


def wasserstein(
    x: torch.Tensor,
    y: torch.Tensor,
    cost: CostName = "euclidean",
    *,
    device: torch.device | None = None,
    potentials: tuple[torch.Tensor, torch.Tensor] | None = None,
    progress: bool = False,
) -> Transport[torch.Tensor]:
    """Exact empirical Wasserstein distance between equal numbers of samples.

    W_n = min over permutations pi of (1/n) sum_i c(x_i, y_{pi(i)}), in float64.

    x, y: (..., n, d) -> value (...,), in the units of the cost. On a line (d = 1), sorted points meet. Otherwise the
    solver is dense (all n^2 costs) for n up to DENSE, and sparse (lists of the smallest costs) above, for n up to
    60,000; ``cityblock`` is always dense, for n up to LARGEST_CITYBLOCK. ``cosine`` is solved as half the squared
    distance of the points scaled to length 1.

    The gradient of the value with respect to x and y is that of its matched pairs, the matching held fixed (envelope
    theorem); no graph is built if neither requires one. Matching, potentials and gap have no gradient.

    ``device``: device of the solve, default that of x. ``potentials``: (u, v) of a similar problem, (..., n) each, for
    a warm start of the sparse solver. Raises ValueError if counts or dimensions differ, a point is not finite, or
    potentials are not finite or have the wrong shape, and ``Refused`` for too many points for ``cityblock`` and for a
    zero vector with ``cosine``. Source: article D1; C1 for the potentials.
    """
    check_pair(x, y, cost)
    if potentials is not None and any(p.shape != x.shape[:-1] or not p.isfinite().all() for p in potentials):
        shapes = " and ".join(str(tuple(p.shape)) for p in potentials)
        raise ValueError(f"potentials must be finite and {tuple(x.shape[:-1])} each, got {shapes}")
    home, device = x.device, x.device if device is None else torch.device(device)
    with torch.no_grad():
        solution = _solve(x.detach().to(device), y.detach().to(device), cost, potentials, progress)
    columns, u, v = (side.to(home) for side in solution[:3])
    value = mean(paired(x, y.to(home), columns, cost))
    least, most = bracket(value.detach(), u, v, cost, x.shape[-1])
    return Transport(value, columns, u, v, value.detach() - least, least, most, solution[3])


def _solve(
    x: torch.Tensor,
    y: torch.Tensor,
    cost: CostName,
    potentials: tuple[torch.Tensor, torch.Tensor] | None,
    progress: bool,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, int]:
    """Return the matching, the potentials and the number of rounds, with the solver for this cost and size."""
    if cost == "cosine":
        twice = None if potentials is None else (2 * potentials[0], 2 * potentials[1])
        columns, u, v, rounds = _solve(normalised(x.double()), normalised(y.double()), "sqeuclidean", twice, progress)
        return columns, u / 2, v / 2, rounds
    n, d = x.shape[-2:]
    if d == 1:
        rows, partners, u, v = solve_line(x.double().squeeze(-1), y.double().squeeze(-1), cost)
        return torch.empty_like(partners).scatter(-1, rows, partners), u, v, 0
    if n > DENSE and cost != "cityblock":
        return _solve_large(x, y, cost, potentials, progress)
    if n > LARGEST_CITYBLOCK:
        raise Refused(
            f"cost cityblock is solved with all costs in memory, for up to {LARGEST_CITYBLOCK} points on each side; "
            f"{n} would take {8 * n**2 / 1e9:.1f} GB. Compare fewer points, or use another cost"
        )
    costs = precise_cost(x, y, cost)
    # One problem on a GPU has to fit into one of its processors.
    solved = solve(costs.cpu() if n > DENSE else costs)
    return solved.columns, solved.row_potential, solved.column_potential, 0


def _solve_large(
    x: torch.Tensor,
    y: torch.Tensor,
    cost: CostName,
    potentials: tuple[torch.Tensor, torch.Tensor] | None,
    progress: bool,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, int]:
    """Solve the problems one by one; return matchings, potentials and the total number of rounds."""
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
    return columns, u, v, sum(solution.rounds for solution in solutions)


def ewd(x: torch.Tensor, y: torch.Tensor, cost: CostName = "euclidean") -> torch.Tensor:
    """Return only the value of ``wasserstein``, (...,), with its gradient."""
    return wasserstein(x, y, cost).value


def debiased(across: Debiased, real: Debiased, generated: Debiased) -> Debiased:
    """Return 2 W(x, y) - W(x, x') - W(y, y') from the EWDs of independent samples x, x' of P and y, y' of Q, n each.

    W(x, y) is biased upwards: for Q = P its mean falls like n^(-1/d) if d > 2, and it is smaller for a Q of less
    spread, which therefore wins a comparison of plain EWDs. The debiased value has mean 0 for Q = P, so single values
    may be negative, and tends to 2 W(P, Q) for large n.

    Sources: Weed and Bach, "Sharp asymptotic and finite-sample rates of convergence of empirical measures in
    Wasserstein distance", 2019 (the bias); Salimans et al., "Improving GANs using optimal transport", 2018, equation 5;
    Genevay et al., "Learning generative models with Sinkhorn divergences", 2018; Fatras et al., "Minibatch optimal
    transport distances; properties and applications", 2021.
    """
    return 2 * across - real - generated


def paired(x: torch.Tensor, y: torch.Tensor, columns: torch.Tensor, cost: CostName) -> torch.Tensor:
    """Costs of matched pairs in float64, from differences: x (..., n, d), y (..., k, d), columns (..., n) -> (..., n).

    Computed in blocks of rows: without a graph, memory beyond the input is that of a block.
    """
    rows = max(1, 2**22 // x.shape[-1])
    return torch.cat(
        [
            pair_cost(part.double(), y.gather(-2, index.unsqueeze(-1).expand_as(part)).double(), cost)
            for part, index in zip(x.split(rows, -2), columns.split(rows, -1), strict=True)
        ],
        -1,
    )


def mean(values: torch.Tensor) -> torch.Tensor:
    """Mean over the last axis, added as ``total`` adds."""
    return total(values) / values.shape[-1]


def total(values: torch.Tensor) -> torch.Tensor:
    """Sum over the last axis, in blocks too small for torch to divide: the same bits for any number of threads."""
    return torch.stack([block.sum(-1) for block in values.split(8192, -1)], -1).sum(-1)


def check_pair(x: torch.Tensor, y: torch.Tensor, cost: CostName = "euclidean") -> None:
    """Raise ValueError unless x and y are equal numbers of finite points (..., n, d), not zero for ``cosine``."""
    if x.shape != y.shape or x.ndim < 2:
        raise ValueError(
            f"EWD matches equally many points of the same dimension, (..., n, d) on both sides; "
            f"got {tuple(x.shape)} and {tuple(y.shape)}"
        )
    check_points(x, y, cost)


def check_points(x: torch.Tensor, y: torch.Tensor, cost: CostName) -> None:
    """Raise ValueError unless both sides are finite points, not zero for ``cosine``."""
    one_of(cost, get_args(CostName), "cost")
    for side, points in (("x", x), ("y", y)):
        if not points.numel():
            raise ValueError(f"nothing to match: points of shape {tuple(points.shape)}")
        if not torch.isfinite(points).all():
            raise ValueError(f"{side} holds points that are NaN or infinite")
        if cost == "cosine":
            no_zero_vectors(f"{side}, row", points)
