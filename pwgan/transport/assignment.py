"""Linear assignment of dense cost matrices, batched over leading axes, with the certificate of its optimality.

On a CPU the matching comes from lapx (``lapjvh``: Jonker-Volgenant), on CUDA from torch-linear-assignment. Both return
the permutation alone; the dual potentials that prove it optimal are recovered from it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from pwgan.runtime import Refused


@dataclass(frozen=True)
class Matching:
    """An optimal one-to-one matching of n rows and n columns, and the proof of it.

    ``columns`` (..., n): row i is matched with column columns[i]. ``value`` (...,): mean cost of the matched pairs.
    ``row_potential`` u, ``column_potential`` v (..., n): u_i + v_j <= c_ij for all pairs, up to rounding.
    ``gap`` (...,): value - mean(u) - mean(v) >= 0, a bound on how far from optimal the matching can be.
    """

    columns: torch.Tensor
    row_potential: torch.Tensor
    column_potential: torch.Tensor
    value: torch.Tensor
    gap: torch.Tensor


def match(cost: torch.Tensor) -> torch.Tensor:
    """Find the permutation of least total cost: argmin over pi of sum_i c_{i, pi(i)}.

    cost: (..., n, n), float32 or float64 -> columns (..., n), int64. Raises ValueError for a cost that is not square,
    empty, not finite or of another dtype. Source: article D1, D2.
    """
    _check(cost)
    n = cost.shape[-1]
    stack = cost.detach().reshape(-1, n, n)
    columns = _match_cuda(stack) if cost.is_cuda else _match_cpu(stack)
    return columns.reshape(cost.shape[:-1])


def solve(cost: torch.Tensor) -> Matching:
    """Solve the assignment problem and certify the answer with potentials and duality gap.

    max over u, v of mean(u) + mean(v) subject to u_i + v_j <= c_ij  equals  min over pi of mean_i c_{i, pi(i)}.

    cost: (..., n, n); potentials, value and gap are float64. Raises ValueError as ``match`` does.
    Source: article D1; C1 for the dual.
    """
    columns = match(cost)
    return certify(cost.detach().double(), columns)


def certify(cost: torch.Tensor, columns: torch.Tensor) -> Matching:
    """Recover potentials from a matching by shortest paths in its residual graph.

    Handing row i from its own column pi(i) on to column j changes the cost by w_ij = c_ij - c_{i, pi(i)}. Relaxing
    v_j <- min_i (v_{pi(i)} + w_ij) from v = 0 (Bellman-Ford) ends after at most n rounds, since an optimal matching has
    no negative cycle; u_i = min_j (c_ij - v_j) then makes the pair feasible for any v, so that the gap is honest even
    for a matching that is not optimal.

    cost: (..., n, n) float64, columns: (..., n).
    """
    n = cost.shape[-1]
    own = cost.gather(-1, columns.unsqueeze(-1))
    problems = zip((cost - own).reshape(-1, n, n), columns.reshape(-1, n), cost.reshape(-1, n, n), strict=True)
    # A decrease below the rounding of the costs goes round a cycle of length zero for ever.
    v = torch.stack([_shortest(w, pi, torch.finfo(c.dtype).eps * float(c.abs().max())) for w, pi, c in problems])
    v = v.reshape(columns.shape)
    u = (cost - v.unsqueeze(-2)).amin(-1)
    value = own.squeeze(-1).mean(-1)
    return Matching(columns, u, v, value, value - u.mean(-1) - v.mean(-1))


def _shortest(handed_on: torch.Tensor, columns: torch.Tensor, rounding: float) -> torch.Tensor:
    """Return the shortest path lengths v (n,) from any column, by relaxing the rows of columns that just improved."""
    row_of = columns.argsort()
    v = torch.zeros_like(handed_on[0])
    rows = torch.arange(len(v), device=v.device)
    for _ in range(len(v)):
        reached = (handed_on[rows] + v[columns[rows], None]).amin(0)
        improved = reached < v - rounding
        v = torch.where(improved, reached, v)
        rows = row_of[improved]
        if not len(rows):
            break
    return v


def _check(cost: torch.Tensor) -> None:
    if cost.ndim < 2 or cost.shape[-1] != cost.shape[-2]:
        raise ValueError(f"a matching is one-to-one: cost must be (..., n, n), given {tuple(cost.shape)}")
    if cost.numel() == 0:
        raise ValueError(f"nothing to match: cost of shape {tuple(cost.shape)} is empty")
    if cost.dtype not in (torch.float32, torch.float64):
        raise ValueError(f"cost must be float32 or float64, given {cost.dtype}")
    if not torch.isfinite(cost).all():
        raise ValueError(f"cost holds {int((~torch.isfinite(cost)).sum())} entries that are NaN or infinite")


def _match_cpu(stack: torch.Tensor) -> torch.Tensor:
    import lap

    _, columns = lap.lapjvh_batch(stack.numpy(), return_cost=False, n_threads=torch.get_num_threads())
    return torch.stack([torch.as_tensor(c) for c in columns])


def _match_cuda(stack: torch.Tensor) -> torch.Tensor:
    try:
        from torch_linear_assignment import batch_linear_assignment
    except ModuleNotFoundError as error:
        raise Refused("matching on a GPU needs torch-linear-assignment: install pwgan[gpu]") from error
    return batch_linear_assignment(stack)
