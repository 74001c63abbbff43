"""Certificates of optimality, computed from a matching and its potentials independently of the solver."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

import torch
from tqdm import tqdm

from pwgan.options import CostName, one_of
from pwgan.transport.cost import normalised

if TYPE_CHECKING:
    from pwgan.transport.empirical import Plan

BLOCK = 1024  # costs are computed in blocks of this side: 8 MB per array
UNIT = torch.finfo(torch.float64).eps / 2  # the largest relative error of one float64 operation


@dataclass(frozen=True)
class Certificate:
    """Bounds on the least cost W of all plans, from a plan or matching and potentials: lower <= W <= upper.

    ``value``: cost of the plan; of a matching, the mean cost of its pairs. ``gap``: value - mean(u) - mean(v).
    ``violation``: the largest u_i + v_j - c_ij of all pairs, or 0 if none is positive. All in the units of the cost.
    """

    value: float
    gap: float
    violation: float
    lower: float
    upper: float

    def error(self, value: float) -> float:
        """Return the largest possible |value - W|: max(value - lower, upper - value)."""
        return max(value - self.lower, self.upper - value)


@torch.no_grad()
def certificate(
    x: torch.Tensor,
    y: torch.Tensor,
    plan: torch.Tensor | Plan[torch.Tensor],
    row_potential: torch.Tensor,
    column_potential: torch.Tensor,
    cost: CostName = "euclidean",
    *,
    progress: bool = False,
) -> Certificate:
    """Bound the suboptimality of a plan or a matching by potentials u and v of any origin; all costs are recomputed.

    W, the least cost of moving n masses 1/n at x to k masses 1/k at y, is at most the value of the plan P. With
    e_i = max(0, max_j u_i + v_j - c_ij), the potentials u - e and v are feasible, hence by weak duality
        value - gap - max_i e_i <= mean(u) + mean(v) - mean_i e_i <= W <= value, gap = value - mean(u) - mean(v),
    and W >= 0. ``violation`` is max_i e_i; ``lower`` and ``upper`` are the second term and the value, widened by a
    bound on their rounding, so they hold in exact arithmetic on the float64 points, barring underflow (differences
    below 1e-154) and overflow. A wrong plan or wrong potentials widen the interval but never invalidate it.

    x (n, d), y (k, d); plan: a ``Plan``, or for n = k a matching pi (n,); potentials (n,), (k,). Memory:
    O(block^2 + block d) beyond the input; time: one float64 matrix product, n k d (for ``cityblock`` as many
    differences). Raises ValueError if shapes differ, the plan does not have the marginals 1/n and 1/k, or potentials or
    costs are not finite. Source: article C1 for the dual; Higham 2002, "Accuracy and Stability of Numerical
    Algorithms", section 3.1 for gamma_k.
    """
    one_of(cost, get_args(CostName), "cost")
    u, v = (potential.to(x.device, torch.float64) for potential in (row_potential, column_potential))
    _check(x, y, u, v)
    rows, columns, units = _units(plan, len(x), len(y))
    if cost == "cosine":
        x, y = normalised(x.double()), normalised(y.double())
    d = x.shape[1]
    paid = _price(x, y, rows.to(x.device), columns.to(x.device), cost)
    total = int(units.sum())
    value, most = (
        math.fsum((units.double().to(x.device) * side).tolist()) / total for side in (paid, _above(paid, d, cost))
    )
    if not math.isfinite(value):
        raise ValueError("the cost of the matched pairs is not finite: it overflows, or a direction is undefined")

    violation, excess = _excess(x, y, u, v, cost, progress)
    dual = _mean(u) + _mean(v) - _mean(excess)
    # u_i + v_j, the three means and their sum each round at most a few times.
    rounding = 8 * UNIT * (_mean(u.abs()) + float(v.abs().max()) + _mean(excess))
    return Certificate(
        value=value,
        gap=value - _mean(u) - _mean(v),
        violation=violation,
        lower=max(dual - rounding, 0.0),
        upper=most * (1 + _gamma(4)),
    )


def _excess(
    x: torch.Tensor, y: torch.Tensor, u: torch.Tensor, v: torch.Tensor, cost: CostName, progress: bool
) -> tuple[float, torch.Tensor]:
    """Return the largest computed u_i + v_j - c_ij, and upper bounds (n,) on the exact e_i; both >= 0.

    A matrix product gives lower bounds of the squared distances of a block. Centred points a, b have a computed
    |a|^2 + |b|^2 - 2 a.b that is within gamma_{d+2} (|a| + |b|)^2 <= 2 gamma_{d+2} (|a|^2 + |b|^2) of |a - b|^2, in any
    order of summation, and centring moves |a - b|^2 by at most 4 UNIT (|a|^2 + |b|^2). Subtracting
    4 gamma_{d+4} (|a|^2 + |b|^2) covers both, and leaves the same amount for the rounding of the norms, of that product
    and of the comparison. A distance bounds ``cityblock`` too, since |a - b|_1 >= |a - b|. Pairs not cleared by this
    bound, including those of the plan, are computed from differences.
    """
    d = x.shape[1]
    centre = (x.mean(0, dtype=torch.float64) + y.mean(0, dtype=torch.float64)) / 2
    shrink = 1 - 4 * _gamma(d + 4)
    violation = torch.zeros((), dtype=torch.float64, device=x.device)
    excess = torch.zeros_like(u)
    for row in tqdm(range(0, len(x), BLOCK), desc="certificate", unit="block", leave=False, disable=not progress):
        a = x[row : row + BLOCK].double() - centre
        aa = a.square().sum(1) * shrink
        for column in range(0, len(y), BLOCK):
            b = y[column : column + BLOCK].double() - centre
            bb = b.square().sum(1) * shrink
            below = torch.addmm(aa[:, None] + bb, a, b.T, alpha=-2).clamp_(min=0)
            needed = (u[row : row + BLOCK, None] + v[column : column + BLOCK]).clamp_(min=0)
            if cost == "cosine":
                # The squared distance from which ``_below`` is at least this much.
                needed = ((2 * needed).sqrt_() + 2 * _turned(d)).square_()
            elif cost != "sqeuclidean":
                needed.square_()
            # Not ">": pairs with NaN from overflow must not be cleared.
            rows, columns = (~(needed <= below)).nonzero(as_tuple=True)
            if len(rows):
                price = _price(x[row : row + BLOCK], y[column : column + BLOCK], rows, columns, cost)
                wanted = u[row + rows] + v[column + columns]
                violation = torch.maximum(violation, (wanted - price).max())
                excess.scatter_reduce_(0, row + rows, wanted - _below(price, d, cost), "amax")
    return float(violation), excess


def _price(x: torch.Tensor, y: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor, cost: CostName) -> torch.Tensor:
    """Costs of pairs (rows[p], columns[p]) from differences in float64; for ``cosine``, of normalised points."""
    # With pairs in most places of a block, computing the whole block is faster.
    if 8 * len(rows) > len(x) * len(y):
        mode = "donot_use_mm_for_euclid_dist"
        distances = torch.cdist(x.double(), y.double(), p=1.0 if cost == "cityblock" else 2.0, compute_mode=mode)
        return _of_distance(distances[rows, columns], cost)
    parts = zip(*(index.split(max(1, BLOCK * BLOCK // x.shape[1])) for index in (rows, columns)), strict=True)
    differences = (x[sources].double() - y[partners].double() for sources, partners in parts)
    if cost == "cityblock":
        return torch.cat([part.abs().sum(1) for part in differences])
    squared = torch.cat([part.square().sum(1) for part in differences])
    return _of_distance(squared.sqrt(), cost) if cost == "euclidean" else squared / (2 if cost == "cosine" else 1)


def _of_distance(distance: torch.Tensor, cost: CostName) -> torch.Tensor:
    if cost in ("euclidean", "cityblock"):
        return distance
    return distance.square() / (2 if cost == "cosine" else 1)


def _below(price: torch.Tensor, d: int, cost: CostName) -> torch.Tensor:
    """Lower bound of the exact costs whose computed values are ``price``.

    Sums of d squares or absolute values of differences, their root and a square have a relative error below
    gamma_{d+6}. The cosine is half a squared distance t^2 of unit vectors, each of which was moved by at most
    ``_turned``.
    """
    if cost != "cosine":
        return price * (1 - _gamma(d + 6))
    return ((2 * price).sqrt() * (1 - _gamma(d + 8)) - 2 * _turned(d)).clamp(min=0).square() / 2 * (1 - _gamma(4))


def _above(price: torch.Tensor, d: int, cost: CostName) -> torch.Tensor:
    """Upper bound of the exact costs whose computed values are ``price``; see ``_below``."""
    if cost != "cosine":
        return price * (1 + _gamma(d + 8))
    # Vectors of which the computed directions are equal to the bit may be parallel.
    return ((2 * price).sqrt() * (1 + _gamma(d + 8)) + 2 * _turned(d)).square() / 2 * (1 + _gamma(4))


def _turned(d: int) -> float:
    """Bound on the distance between an exact unit vector and the one that ``normalised`` computes."""
    return _gamma(d + 6)


def _mean(values: torch.Tensor) -> float:
    """Mean with a correctly rounded sum."""
    return math.fsum(values.tolist()) / len(values)


def _gamma(k: int) -> float:
    """gamma_k = k UNIT / (1 - k UNIT): the largest relative error of k successive roundings."""
    return k * UNIT / (1 - k * UNIT)


def _check(x: torch.Tensor, y: torch.Tensor, u: torch.Tensor, v: torch.Tensor) -> None:
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or not x.numel() or not y.numel():
        raise ValueError(f"x and y must be points (n, d) and (k, d), got {tuple(x.shape)} and {tuple(y.shape)}")
    for name, vector, n in (("row_potential", u, len(x)), ("column_potential", v, len(y))):
        if vector.shape != (n,):
            raise ValueError(f"{name} must be ({n},) for {n} points, got {tuple(vector.shape)}")
        if not torch.isfinite(vector).all():
            raise ValueError(f"{name} holds {int((~torch.isfinite(vector)).sum())} numbers that are NaN or infinite")


def _units(plan: torch.Tensor | Plan[torch.Tensor], n: int, k: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return rows, columns and integer masses of a plan, in units of 1/lcm(n, k); raises ValueError if it is none."""
    if isinstance(plan, torch.Tensor):
        if n != k:
            raise ValueError(f"a matching is between equal numbers of points, got {n} and {k}: give a Plan")
        if plan.shape != (n,):
            raise ValueError(f"matching must be ({n},) for {n} points on each side, got {tuple(plan.shape)}")
        if not torch.equal(plan.sort().values, torch.arange(n, device=plan.device)):
            raise ValueError(f"the matching is not a permutation of 0..{n - 1}")
        return torch.arange(n, device=plan.device), plan, torch.ones_like(plan)
    total = math.lcm(n, k)
    units = (plan.mass * total).round().long()
    if len(units) and not ((plan.mass * total - units).abs().max() < 0.01 and units.min() > 0):
        raise ValueError(f"the masses of the plan are not positive multiples of 1/{total}")
    for name, index, count in (("rows", plan.rows, n), ("columns", plan.columns, k)):
        sums = torch.zeros(count, dtype=torch.int64, device=units.device).index_add(0, index, units)
        if not (sums == total // count).all():
            raise ValueError(f"the {name} of the plan do not each hold a mass of 1/{count}")
    return plan.rows, plan.columns, units
