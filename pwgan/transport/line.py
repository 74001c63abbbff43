"""Optimal transport on a line: sorted points meet, for every convex cost of the difference."""

from __future__ import annotations

from math import lcm

import torch

from pwgan.options import CostName
from pwgan.transport.cost import pair_cost


def staircase(n: int, k: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The plan between n and k sorted points of weights 1/n and 1/k: rows, columns, and masses in units of 1/lcm(n, k).

    The mass is moved in order, at most n + k - 1 pieces; for n = k, each point meets the one of its rank. int64.
    """
    of_row, of_column = lcm(n, k) // n, lcm(n, k) // k
    ends = [torch.arange(1, count + 1, device=device) * mass for count, mass in ((n, of_row), (k, of_column))]
    end = torch.cat(ends).unique()
    start = torch.cat([end.new_zeros(1), end[:-1]])
    return start // of_row, start // of_column, end - start


def solve_line(
    x: torch.Tensor, y: torch.Tensor, cost: CostName
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Transport n points to k points on a line; return rows and columns of the pieces of ``staircase``, and u, v.

    x (..., n), y (..., k), float64; cost |x - y| or its square. In O(n log n). For sorted points such costs satisfy
    c_ij + c_kl <= c_il + c_kj for i < k, j < l (Monge), so potentials are feasible everywhere if they are between
    neighbours. From a piece (i, j) to the next one (i', j'), that is

        c_i'j' - c_i'j  <=  v_j' - v_j  <=  c_ij' - c_ij,   u_i = c_ij - v_j.

    Of that interval the number nearest to 0 is taken: a gap between clusters that are matched within themselves leaves
    the potentials as small as they are. Equal points are matched in their order. Source: article D1; Burkard,
    Dell'Amico and Martello 2012, "Assignment Problems", section 5.1, for Monge costs.
    """
    (x, x_order), (y, y_order) = x.sort(dim=-1, stable=True), y.sort(dim=-1, stable=True)
    rows, columns, _ = staircase(x.shape[-1], y.shape[-1], x.device)
    a, b = x[..., rows], y[..., columns]
    step = b[..., 1:] - b[..., :-1]
    low, high = (_rise(side, b[..., :-1], b[..., 1:], step, cost) for side in (a[..., 1:], a[..., :-1]))
    v = _running_sum(torch.minimum(low.clamp(min=0), high))
    v = v - (v.amax(-1, keepdim=True) + v.amin(-1, keepdim=True)) / 2
    u = pair_cost(a.unsqueeze(-1), b.unsqueeze(-1), cost) - v
    rows, columns = x_order[..., rows], y_order[..., columns]
    # All pieces of a point have the same potential, up to rounding.
    u, v = (
        torch.full_like(side, torch.inf).scatter_reduce(-1, index, potential, "amin")
        for side, index, potential in ((x, rows, u), (y, columns, v))
    )
    return rows, columns, u, v


def _rise(x: torch.Tensor, y: torch.Tensor, after: torch.Tensor, step: torch.Tensor, cost: CostName) -> torch.Tensor:
    """c(x, after) - c(x, y) for y <= after = y + step, to the rounding of the step also where x is far away."""
    if cost == "sqeuclidean":
        return step * ((after - x) + (y - x))
    return step - 2 * torch.minimum((x - y).clamp(min=0), step)


def _running_sum(steps: torch.Tensor) -> torch.Tensor:
    """0 and the running sums of steps: (..., k) -> (..., k + 1), to about the rounding of the result.

    The errors of a plain running sum are found exactly (by Dekker's difference of two numbers) and added.
    """
    start = steps.new_zeros((*steps.shape[:-1], 1))
    total = torch.cat([start, steps.cumsum(-1)], -1)
    after, before = total[..., 1:], total[..., :-1]
    difference = after - before
    part = after - difference
    lost = (after - (difference + part)) - (before - part)
    return torch.cat([start, after + ((steps - difference) - lost).cumsum(-1)], -1)
