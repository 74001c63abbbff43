"""Exact transport between unequal numbers of points, by copies of the points or by a network simplex."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from math import lcm
from typing import Generic

import numpy as np
import torch

from pwgan.errors import Refused
from pwgan.options import CostName
from pwgan.transport.assignment import Array
from pwgan.transport.bracket import bracket
from pwgan.transport.cost import normalised, pair_cost, precise_cost
from pwgan.transport.empirical import DENSE, Plan, check_points, mean, total, wasserstein
from pwgan.transport.line import solve_line, staircase

COPIES, OF_ONE = 10_000, 16
"""Points are copied until both sides have lcm(n, k) if that is at most COPIES, with at most OF_ONE copies of a point,
or at most DENSE, where the dense solver takes any number of copies."""
PAIRS = 25_000_000
"""Largest n k for the network simplex, which holds about 65 bytes for each pair: 5,000 by 5,000 points in 1.6 GB."""
ITERATIONS = 10**9
"""Pivots that the network simplex may take; it needs about 10 (n + k)."""
TOLERANCE = 1e-9
"""Largest duality gap of an answer of the network simplex, relative to the value."""


@dataclass(frozen=True)
class Coupling(Generic[Array]):
    """An exact transport of n points to k with its certificate.

    ``value`` (): sum of mass times cost. ``row_potential`` u (n,), ``column_potential`` v (k,): u_i + v_j <= c_ij, up
    to rounding. ``least`` <= W <= ``most`` (): bounds on the true distance, rounding included; ``gap`` () >= 0: value
    - least, so no plan is cheaper by more.
    """

    value: Array
    plan: Plan[Array]
    row_potential: Array
    column_potential: Array
    gap: Array
    least: Array
    most: Array


def coupling(
    x: torch.Tensor,
    y: torch.Tensor,
    cost: CostName = "euclidean",
    *,
    device: torch.device | None = None,
    progress: bool = False,
) -> Coupling[torch.Tensor]:
    """Exact Wasserstein distance between the empirical distributions of n and of k points, in float64.

    min over plans P >= 0 with row sums 1/n and column sums 1/k of sum_ij P_ij c(x_i, y_j)
      =  max over u, v with u_i + v_j <= c_ij of mean(u) + mean(v).

    x (n, d), y (k, d). In units of 1/lcm(n, k), the masses of an optimal plan are integers, so the plan is exact. On a
    line (d = 1), the mass is moved in order, for any n and k; a single point has one plan. Otherwise, where few copies
    suffice (see COPIES), both sides are copied until they have as many points, and matched; elsewhere, up to n k =
    PAIRS, by the network simplex of POT (the extra pwgan[emd]), on a CPU. Which of the two does not depend on what is
    installed. The value is differentiable like that of ``wasserstein``.

    Raises ``Refused`` for other numbers of points, without POT where it is needed, and if the simplex did not reach a
    duality gap of TOLERANCE times the value; ValueError as ``wasserstein`` does. Source: article D1; C1 for the dual;
    Bonneel et al. 2011, "Displacement interpolation using Lagrangian mass transport", for the network simplex.
    """
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1]:
        raise ValueError(
            f"unequal numbers of points are (n, d) and (k, d), without further axes; got {tuple(x.shape)} and "
            f"{tuple(y.shape)}"
        )
    check_points(x, y, cost)
    home, device = x.device, x.device if device is None else torch.device(device)
    with torch.no_grad():
        a, b = x.detach().to(device).double(), y.detach().to(device).double()
        rows, columns, units, u, v = (side.to(home) for side in _solve(a, b, cost, progress))
    order = (rows * len(y) + columns).argsort()
    rows, columns, units = rows[order], columns[order], units[order]
    shares = units.double() / lcm(len(x), len(y))
    value = total(shares * pair_cost(x[rows].double(), y.to(home)[columns].double(), cost))
    least, most = bracket(value.detach(), u, v, cost, x.shape[-1])
    return Coupling(value, Plan(rows, columns, shares), u, v, value.detach() - least, least, most)


def _solve(x: torch.Tensor, y: torch.Tensor, cost: CostName, progress: bool) -> tuple[torch.Tensor, ...]:
    """Return rows, columns and masses in units of 1/lcm(n, k), and the potentials."""
    if cost == "cosine":
        *plan, u, v = _solve(normalised(x), normalised(y), "sqeuclidean", progress)
        return *plan, u / 2, v / 2
    n, k = len(x), len(y)
    if x.shape[1] == 1:
        rows, columns, u, v = solve_line(x[:, 0], y[:, 0], cost)
        return rows, columns, staircase(n, k, x.device)[2], u, v
    if min(n, k) == 1:
        costs = precise_cost(x, y, cost).flatten()
        rows, columns, units = staircase(n, k, x.device)
        zero = costs.new_zeros(1)
        return rows, columns, units, *((zero, costs) if n == 1 else (costs, zero))
    if lcm(n, k) <= max(DENSE, min(COPIES, OF_ONE * min(n, k))):
        return _copied(x, y, cost, progress)
    if n * k > PAIRS:
        raise Refused(
            f"{n} and {k} points: unequal numbers are compared up to a product of {PAIRS:,}, as 5,000 and 5,000, or if "
            f"their least common multiple is at most {COPIES:,}, with {OF_ONE} copies of a point; equal numbers, such "
            f"as the first {min(n, k)} of both, have no such limit"
        )
    return _simplex(x, y, cost)


def _copied(x: torch.Tensor, y: torch.Tensor, cost: CostName, progress: bool) -> tuple[torch.Tensor, ...]:
    """Match lcm(n, k) / n copies of each point of x with lcm(n, k) / k copies of each point of y."""
    n, k = len(x), len(y)
    size = lcm(n, k)
    a, b = (side.repeat_interleave(size // len(side), 0) for side in (x, y))
    solved = wasserstein(a, b, cost, progress=progress)
    pairs = torch.arange(size, device=x.device) // (size // n) * k + solved.matching // (size // k)
    pairs, units = pairs.unique(return_counts=True)
    v = solved.column_potential.reshape(k, -1).amin(1)
    return pairs // k, pairs % k, units, *_feasible(x, y, v, cost)


def _simplex(x: torch.Tensor, y: torch.Tensor, cost: CostName) -> tuple[torch.Tensor, ...]:
    """Solve with POT's network simplex, on integer masses, and check the plan and its duality gap.

    Its potentials are as large as the costs, and rounded accordingly: between far clusters, it takes plans for optimal
    that are not. No pair of an optimal plan, whose mass is at least 1/L, L = lcm(n, k), costs more than L times the
    value of any plan. So if the gap is too large, the problem is solved again with the costs limited to that, which
    changes neither the optimal plans nor their value; the potentials are then feasible for the costs themselves.
    """
    try:
        from ot.lp import emd
    except ImportError as error:
        raise Refused(
            f"{len(x)} and {len(y)} points, whose least common multiple is {lcm(len(x), len(y)):,}, need the network "
            "simplex of POT: pip install 'pwgan[emd]'; or compare equal numbers"
        ) from error
    size = lcm(len(x), len(y))
    masses = [np.full(len(side), size / len(side)) for side in (x, y)]
    costs = precise_cost(x, y, cost).cpu().numpy()
    limit = np.inf
    while True:
        with warnings.catch_warnings():
            # It warns of what is refused below.
            warnings.simplefilter("ignore")
            flow, log = emd(*masses, np.minimum(costs, limit), numItermax=ITERATIONS, log=True)
        rows, columns = np.nonzero(flow)
        units = flow[rows, columns]
        sums = [np.bincount(at, units, len(side)) for at, side in ((rows, x), (columns, y))]
        whole = units.min() > 0 and (units == units.round()).all()
        if log["warning"] is not None or not whole or not all(map(np.array_equal, sums, masses)):
            raise Refused(f"the network simplex found no optimal plan: {log['warning'] or 'its masses do not add up'}")
        value = float((units * costs[rows, columns]).sum() / size)
        # A plan that costs nothing is optimal, and zero potentials prove it.
        u, v = _feasible(x, y, torch.from_numpy(log["v"]).to(x.device) * (value > 0), cost)
        gap = value - float(mean(u) + mean(v))
        if abs(gap) <= TOLERANCE * value + 64 * np.finfo(float).eps * costs[rows, columns].max():
            plan = (torch.from_numpy(part).to(x.device) for part in (rows, columns, units.astype(np.int64)))
            return *plan, u, v
        if not size * value < limit / 2:
            raise Refused(
                f"the plan of the network simplex may be {gap:.2g} above the least cost, and costs {value:.6g}, since "
                "costs of very different sizes exceed its precision; compare equal numbers, or leave out the far points"
            )
        limit = size * value


def _feasible(x: torch.Tensor, y: torch.Tensor, v: torch.Tensor, cost: CostName) -> tuple[torch.Tensor, torch.Tensor]:
    """Make potentials feasible and as large as v allows: u_i = min_j c_ij - v_j, then v_j = min_i c_ij - u_i."""
    size = max(1, 2**22 // len(y))
    u = torch.cat([(precise_cost(part, y, cost) - v).amin(1) for part in x.split(size)])
    best = torch.full_like(v, torch.inf)
    for part, potential in zip(x.split(size), u.split(size), strict=True):
        best = torch.minimum(best, (precise_cost(part, y, cost) - potential[:, None]).amin(0))
    return u, best
