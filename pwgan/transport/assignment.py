"""Linear assignment of dense cost matrices, batched over leading axes, with a certificate of optimality."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import torch

Array = TypeVar("Array", torch.Tensor, np.ndarray)


@dataclass(frozen=True)
class Matching(Generic[Array]):
    """An optimal one-to-one matching of n rows and n columns, with its certificate.

    ``columns`` (..., n): row i is matched with column columns[i]. ``value`` (...,): mean cost of the matched pairs.
    ``row_potential`` u, ``column_potential`` v (..., n): u_i + v_j <= c_ij for all pairs, up to rounding.
    ``gap`` (...,): duality gap value - mean(u) - mean(v) >= 0, a bound on the suboptimality of the matching.
    """

    columns: Array
    row_potential: Array
    column_potential: Array
    value: Array
    gap: Array


def match(cost: torch.Tensor) -> torch.Tensor:
    """Find the permutation of least total cost: argmin over pi of sum_i c_{i, pi(i)}.

    cost: (..., n, n), float32 or float64 -> columns (..., n), int64. Raises ValueError for a cost that is not square,
    empty, not finite or of another dtype. Source: article D1, D2.
    """
    return _solve(cost)[0]


def solve(cost: torch.Tensor) -> Matching[torch.Tensor]:
    """Solve the assignment problem; return the matching with potentials and duality gap.

    max over u, v of mean(u) + mean(v) subject to u_i + v_j <= c_ij  equals  min over pi of mean_i c_{i, pi(i)}.

    cost: (..., n, n); potentials, value and gap are float64. Raises ValueError as ``match`` does.
    Source: article D1; C1 for the dual.
    """
    columns, u, v = _solve(cost)
    value = cost.detach().gather(-1, columns.unsqueeze(-1)).squeeze(-1).double().mean(-1)
    return Matching(columns, u, v, value, value - u.mean(-1) - v.mean(-1))


def _solve(cost: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return columns, u and v, (..., n): numba kernels on a CPU, Triton kernels on CUDA."""
    _check(cost)
    n = cost.shape[-1]
    stack = cost.detach().reshape(-1, n, n)
    if cost.is_cuda:
        from pwgan.transport.solvers.gpu_batched import solve_batched

        columns, u, v = solve_batched(stack)
        again = imprecise(stack, columns, u, v).nonzero().squeeze(1)
        if len(again):
            for side, exact in zip((columns, u, v), _solve_on_cpu(stack[again].cpu()), strict=True):
                side[again] = exact.to(side.device)
    else:
        columns, u, v = _solve_on_cpu(stack)
    shape = cost.shape[:-1]
    return columns.reshape(shape), u.reshape(shape), v.reshape(shape)


def _solve_on_cpu(stack: torch.Tensor) -> tuple[torch.Tensor, ...]:
    from pwgan.transport.solvers.dense import solve_dense

    return tuple(torch.from_numpy(array) for array in solve_dense(stack.contiguous().numpy(), torch.get_num_threads()))


def imprecise(cost: torch.Tensor, columns: torch.Tensor, u: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """Whether the rounding of the potentials may have made a matching worse by 1e-10 of its value: (B,).

    cost (B, n, n), columns, u, v (B, n). The solver on a CPU checks this itself, and limits the costs of such problems;
    the one on a GPU does not.
    """
    paid = cost.gather(-1, columns.unsqueeze(-1)).squeeze(-1).double()
    error = (paid.mean(-1) - u.mean(-1) - v.mean(-1)).abs() + 2.0**-50 * (u.abs().mean(-1) + v.abs().mean(-1))
    size = paid.abs().mean(-1)
    return (size > 0) & (error > 1e-10 * size)


def _check(cost: torch.Tensor) -> None:
    if cost.ndim < 2 or cost.shape[-1] != cost.shape[-2]:
        raise ValueError(f"a matching is one-to-one: cost must be (..., n, n), got {tuple(cost.shape)}")
    if cost.numel() == 0:
        raise ValueError(f"nothing to match: cost of shape {tuple(cost.shape)} is empty")
    if cost.dtype not in (torch.float32, torch.float64):
        raise ValueError(f"cost must be float32 or float64, got {cost.dtype}")
    # The sum of finite costs is rarely infinite, and takes no memory.
    if not cost.detach().sum().isfinite() and not torch.isfinite(cost).all():
        raise ValueError(f"cost holds {int((~torch.isfinite(cost)).sum())} entries that are NaN or infinite")
