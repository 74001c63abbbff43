"""Bounds on the least cost from potentials, without looking at the pairs again: least <= true <= most."""

from __future__ import annotations

import torch

from pwgan.options import CostName
from pwgan.transport.certificate import UNIT
from pwgan.transport.cost import FEW_AXES

# Roundings of one key c_ij - v_j in any solver: the subtraction, and shifts of all prices by a number.
SHIFTS = 64


def bracket(
    value: torch.Tensor, u: torch.Tensor, v: torch.Tensor, cost: CostName, d: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return bounds (...,) on the least cost of all plans, from a plan's value and the potentials of a solver.

    The solvers give u_i = min_j of computed c_ij - v_j. If computed costs are within a factor 1 +- e of the true ones,
    u_i + v_j <= c_ij + e (max(u_i, 0) + max(v_j, 0)) + SHIFTS UNIT (|u_i| + max(v_j, 0)), since costs are not negative:
    where v_j < 0, a pair that rounding concerns costs at most u_i. By weak duality, the mean of u + v less these terms,
    and less the rounding of the means, is at most the least cost; so ``least`` >= 0 bounds it from below. ``most`` is
    the value and its rounding. Both hold for the points as float64 numbers, unless squares under- or overflow.
    ``certificate`` computes every cost again and needs no assumption on the solver.

    value: (...,), u (..., n), v (..., k), d: dimension of the points. Source: article C1 for the dual.
    """
    # ``precise_cost`` is within 1e-11 in many dimensions; sums along a line have one rounding for each point.
    terms = u.shape[-1] + v.shape[-1] if d == 1 else d
    relative = 1e-11 if d > FEW_AXES and cost != "cityblock" else (terms + 8) * UNIT
    absolute = 8 * UNIT if cost == "cosine" else 0.0  # of the points scaled to length 1
    high = v.amax(-1).clamp(min=0)
    rounding = relative * (u.clamp(min=0).mean(-1) + high) + absolute
    rounding = rounding + SHIFTS * UNIT * (u.abs().mean(-1) + v.abs().mean(-1) + high)
    least = (u.mean(-1) + v.mean(-1) - rounding).clamp(min=0)
    return torch.minimum(least, value), value * (1 + (d + 16) * UNIT) + absolute
