"""Certificates of optimality, computed from a matching and its potentials independently of the solver."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import get_args

import torch
from tqdm import tqdm

from pwgan.options import CostName, one_of

BLOCK = 1024  # costs are computed in blocks of this side: 8 MB per array
UNIT = torch.finfo(torch.float64).eps / 2  # the largest relative error of one float64 operation


@dataclass(frozen=True)
class Certificate:
    """Bounds on the least mean cost W of all matchings, from a matching and potentials: lower <= W <= upper.

    ``value``: mean cost of the matched pairs. ``gap``: value - mean(u) - mean(v). ``violation``: the largest
    u_i + v_j - c_ij of all pairs, or 0 if none is positive. All in the units of the cost.
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
    matching: torch.Tensor,
    row_potential: torch.Tensor,
    column_potential: torch.Tensor,
    cost: CostName = "euclidean",
    *,
    progress: bool = False,
) -> Certificate:
    """Bound the suboptimality of a matching pi by potentials u and v of any origin; all costs are recomputed.

    W = min over permutations sigma of (1/n) sum_i c(x_i, y_sigma(i)) is at most the value of pi. With
    e_i = max(0, max_j u_i + v_j - c_ij), the potentials u - e and v are feasible, hence by weak duality
        value - gap - max_i e_i <= mean(u) + mean(v) - mean_i e_i <= W <= value, gap = value - mean(u) - mean(v),
    and W >= 0. ``violation`` is max_i e_i; ``lower`` and ``upper`` are the second term and the value, widened by a
    bound on their rounding, so they hold in exact arithmetic on the float64 points, barring underflow (differences
    below 1e-154) and overflow. A wrong matching or wrong potentials widen the interval but never invalidate it.

    x, y: (n, d); matching (n,): pi; potentials (n,). Memory: O(block^2 + block d) beyond the input; time: one float64
    matrix product, n^2 d. Raises ValueError if shapes differ, the matching is not a permutation, or potentials or costs
    are not finite. Source: article C1 for the dual; Higham 2002, "Accuracy and Stability of Numerical
    Algorithms", section 3.1 for gamma_k.
    """
    one_of(cost, get_args(CostName), "cost")
    n = len(x)
    u, v = (potential.to(x.device, torch.float64) for potential in (row_potential, column_potential))
    _check(x, y, matching, u, v)
    d = x.shape[1]
    matched = _price(x, y, torch.arange(n, device=x.device), matching, cost)
    value = _mean(matched)
    if not math.isfinite(value):
        raise ValueError("the cost of the matched pairs overflows float64; scale the points down")

    violation, excess = _excess(x, y, u, v, cost, progress)
    dual = _mean(u) + _mean(v) - _mean(excess)
    # u_i + v_j, the three means and their sum each round at most a few times.
    rounding = 8 * UNIT * (_mean(u.abs()) + float(v.abs().max()) + _mean(excess))
    return Certificate(
        value=value,
        gap=value - _mean(u) - _mean(v),
        violation=violation,
        lower=max(dual - rounding, 0.0),
        upper=value * (1 + _gamma(d + 8)),
    )


def _excess(
    x: torch.Tensor, y: torch.Tensor, u: torch.Tensor, v: torch.Tensor, cost: CostName, progress: bool
) -> tuple[float, torch.Tensor]:
    """Return the largest computed u_i + v_j - c_ij, and upper bounds (n,) on the exact e_i; both >= 0.

    A matrix product gives lower bounds of the costs of a block. Centred points a, b have a computed
    |a|^2 + |b|^2 - 2 a.b that is within gamma_{d+2} (|a| + |b|)^2 <= 2 gamma_{d+2} (|a|^2 + |b|^2) of |a - b|^2, in any
    order of summation, and centring moves |a - b|^2 by at most 4 UNIT (|a|^2 + |b|^2). Subtracting
    4 gamma_{d+4} (|a|^2 + |b|^2) covers both, and leaves the same amount for the rounding of the norms, of that product
    and of the comparison. Pairs not cleared by this bound, including the matched ones, are computed from differences.
    """
    n, d = x.shape
    centre = (x.mean(0, dtype=torch.float64) + y.mean(0, dtype=torch.float64)) / 2
    shrink = 1 - 4 * _gamma(d + 4)
    violation = torch.zeros((), dtype=torch.float64, device=x.device)
    excess = torch.zeros_like(u)
    for row in tqdm(range(0, n, BLOCK), desc="certificate", unit="block", leave=False, disable=not progress):
        a = x[row : row + BLOCK].double() - centre
        aa = a.square().sum(1) * shrink
        for column in range(0, n, BLOCK):
            b = y[column : column + BLOCK].double() - centre
            bb = b.square().sum(1) * shrink
            below = torch.addmm(aa[:, None] + bb, a, b.T, alpha=-2).clamp_(min=0)
            needed = (u[row : row + BLOCK, None] + v[column : column + BLOCK]).clamp_(min=0)
            if cost == "euclidean":
                needed.square_()
            # Not ">": pairs with NaN from overflow must not be cleared.
            rows, columns = (~(needed <= below)).nonzero(as_tuple=True)
            if len(rows):
                price = _price(x[row : row + BLOCK], y[column : column + BLOCK], rows, columns, cost)
                wanted = u[row + rows] + v[column + columns]
                violation = torch.maximum(violation, (wanted - price).max())
                excess.scatter_reduce_(0, row + rows, wanted - price * (1 - _gamma(d + 6)), "amax")
    return float(violation), excess


def _price(x: torch.Tensor, y: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor, cost: CostName) -> torch.Tensor:
    """Cost of the pairs (x_rows, y_columns) from differences, within a factor 1 + gamma_{d+5}: (pairs,)."""
    # With many equal costs nearly all pairs remain: computing the whole block is then faster.
    if 8 * len(rows) > len(x) * len(y):
        distances = torch.cdist(x.double(), y.double(), compute_mode="donot_use_mm_for_euclid_dist")
        distance = distances[rows, columns]
        return distance if cost == "euclidean" else distance.square()
    parts = zip(*(index.split(max(1, BLOCK * BLOCK // x.shape[1])) for index in (rows, columns)), strict=True)
    squared = torch.cat([(x[sources].double() - y[partners].double()).square().sum(1) for sources, partners in parts])
    return squared.sqrt() if cost == "euclidean" else squared


def _mean(values: torch.Tensor) -> float:
    """Mean with a correctly rounded sum."""
    return math.fsum(values.tolist()) / len(values)


def _gamma(k: int) -> float:
    """gamma_k = k UNIT / (1 - k UNIT): the largest relative error of k successive roundings."""
    return k * UNIT / (1 - k * UNIT)


def _check(x: torch.Tensor, y: torch.Tensor, matching: torch.Tensor, u: torch.Tensor, v: torch.Tensor) -> None:
    if x.ndim != 2 or x.shape != y.shape or x.numel() == 0:
        raise ValueError(f"x and y must be points (n, d) of equal shape, got {tuple(x.shape)} and {tuple(y.shape)}")
    n = len(x)
    for name, vector in (("matching", matching), ("row_potential", u), ("column_potential", v)):
        if vector.shape != (n,):
            raise ValueError(f"{name} must be ({n},) for {n} points on each side, got {tuple(vector.shape)}")
    if not torch.equal(matching.sort().values, torch.arange(n, device=matching.device)):
        raise ValueError(f"the matching is not a permutation of 0..{n - 1}")
    for name, vector in (("row_potential", u), ("column_potential", v)):
        if not torch.isfinite(vector).all():
            raise ValueError(f"{name} holds {int((~torch.isfinite(vector)).sum())} numbers that are NaN or infinite")
