"""The solvers that benchmarks/transport.py compares, each with the fastest correct way to build its costs."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

UNLIMITED = 10**9


class NotConverged(RuntimeError):
    """Raised if a solver stopped before convergence."""


def exceeds(status: str) -> bool:
    """Return whether the status of a run means that it exceeded a limit, so larger n are skipped."""
    return status.startswith(("over ", "out of memory", "killed"))


@dataclass(frozen=True)
class Solver:
    """build(x, y, cost) returns the input of solve(...); read(...) -> columns (n,), gap. Only the first two are timed.

    ``exact``: whether it is documented as exact. ``dense``: it builds a cost matrix, which is timed separately.
    ``warm_up``: size of a small problem that is solved first, so that imports and compilation are not timed.
    """

    label: str
    package: str
    build: Callable[[np.ndarray, np.ndarray, str], Any]
    solve: Callable[[Any], Any]
    read: Callable[[Any], tuple[np.ndarray, float]]
    exact: bool = True
    dense: bool = True
    cuda: bool = False
    warm_up: int = 256


def costs(x: np.ndarray, y: np.ndarray, cost: str) -> np.ndarray:
    """Build the costs (n, n) in float64, the dtype of all dense solvers, in the fastest way with numpy and scipy.

    In low dimension these are differences; otherwise one matrix product, ||x||^2 - 2 x.y + ||y||^2 with the norms as
    two more coordinates.
    """
    x, y = x.astype(np.float64), y.astype(np.float64)
    if x.shape[1] <= 4:
        from scipy.spatial.distance import cdist

        return cdist(x, y, cost)
    ones = np.ones((len(x), 1))
    left = np.hstack([-2 * x, np.square(x).sum(1, keepdims=True), ones])
    right = np.hstack([y, ones, np.square(y).sum(1, keepdims=True)]).T
    built = left @ right
    np.maximum(built, 0, out=built)
    return np.sqrt(built, out=built) if cost == "euclidean" else built


def _scipy(built: np.ndarray) -> Any:
    from scipy.optimize import linear_sum_assignment

    return linear_sum_assignment(built)


def _lapx(built: np.ndarray) -> Any:
    import lap

    return lap.lapjvh(built, return_cost=False)


def _columns(assignment: Any) -> tuple[np.ndarray, float]:
    return np.asarray(assignment[1]), math.nan


def _pot(built: np.ndarray) -> Any:
    import ot

    return _converged(*ot.emd([], [], built, numItermax=UNLIMITED, log=True))


def _converged(plan: Any, log: dict[str, Any]) -> Any:
    if log["warning"] is not None:
        raise NotConverged(log["warning"])
    return plan


def _plan(plan: np.ndarray) -> tuple[np.ndarray, float]:
    return plan.argmax(1), math.nan


def _as_double(x: np.ndarray, y: np.ndarray, cost: str) -> Any:
    return x.astype(np.float64), y.astype(np.float64), cost


def _pot_lazy(built: tuple[np.ndarray, np.ndarray, str]) -> Any:
    import ot

    x, y, cost = built
    log = ot.lp.emd2_lazy(x, y, metric=cost, numItermax=UNLIMITED, log=True, return_matrix=True)[1]
    return _converged(log["G"], log)


def _sparse_plan(plan: Any) -> tuple[np.ndarray, float]:
    plan = plan.tocoo()
    # Besides the pairs, each of mass 1/n, the sparse plan may store zeros.
    matched = plan.data > 0.5 / plan.shape[0]
    columns = np.full(plan.shape[0], -1)
    columns[plan.row[matched]] = plan.col[matched]
    return columns, math.nan


def _fastlap(built: np.ndarray) -> Any:
    import fastlap

    return fastlap.solve_lap(built, "auction")


def _listed(assignment: Any) -> tuple[np.ndarray, float]:
    return np.array([-1 if column is None else column for column in assignment[1]]), math.nan


def _tensors(device: str) -> Callable[[np.ndarray, np.ndarray, str], Any]:
    def build(x: np.ndarray, y: np.ndarray, cost: str) -> Any:
        import torch

        return torch.from_numpy(x), torch.from_numpy(y), cost, torch.device(device)

    return build


def _pwgan(built: tuple[Any, ...]) -> Any:
    from pwgan.transport.empirical import wasserstein

    x, y, cost, device = built
    return wasserstein(x, y, cost, device=device)


def _transport(transport: Any) -> tuple[np.ndarray, float]:
    return transport.matching.cpu().numpy(), float(transport.gap)


def _cuda_costs(x: np.ndarray, y: np.ndarray, cost: str) -> Any:
    import torch

    left, right = (torch.from_numpy(side).cuda().double() for side in (x, y))
    distance = torch.cdist(left, right)
    return (distance if cost == "euclidean" else distance.square_())[None]


def _torch_linear_assignment(built: Any) -> Any:
    from torch_linear_assignment import batch_linear_assignment

    with warnings.catch_warnings():
        # It warns when it falls back to scipy, which must not be timed as this solver.
        warnings.simplefilter("error")
        return batch_linear_assignment(built).cpu()


def _first(batch: Any) -> tuple[np.ndarray, float]:
    return batch[0].numpy(), math.nan


# A warm-up of this size uses the sparse solver.
_OURS: Any = {"package": "pwgan", "solve": _pwgan, "read": _transport, "dense": False, "warm_up": 4100}
SOLVERS = {
    "pwgan": Solver("pwgan", build=_tensors("cpu"), **_OURS),
    "pwgan-cuda": Solver("pwgan (GPU)", build=_tensors("cuda"), cuda=True, **_OURS),
    "scipy": Solver("scipy", "scipy", costs, _scipy, _columns),
    # The fastest exact function of lapx: `lapjvs`, and `lapjvh` in float32, have errors of 1e-9 and more.
    "lapx": Solver("lapx lapjvh", "lapx", costs, _lapx, _columns),
    "pot": Solver("POT emd", "POT", costs, _pot, _plan),
    "pot-lazy": Solver("POT emd2_lazy", "POT", _as_double, _pot_lazy, _sparse_plan, dense=False),
    "fastlap": Solver("fastlap auction", "fastlap", costs, _fastlap, _listed, exact=False),
    "torch-linear-assignment": Solver(
        "torch-linear-assignment", "torch-linear-assignment", _cuda_costs, _torch_linear_assignment, _first, cuda=True
    ),
}


def value_of(x: np.ndarray, y: np.ndarray, columns: np.ndarray, cost: str) -> float:
    """Return the mean cost of a matching from differences in float64; raises ValueError if it is not a permutation."""
    if not np.array_equal(np.sort(columns), np.arange(len(x))):
        raise ValueError("the columns are not a permutation")
    return float(_pair_costs(x, y[columns], cost).mean())


def mean_cost(x: np.ndarray, y: np.ndarray, cost: str, pairs: int = 20_000) -> float:
    """Return the mean cost of random pairs: a thousandth of it bounds the scale of relative differences from below."""
    i, j = np.random.default_rng(0).integers(len(x), size=(2, pairs))
    return float(_pair_costs(x[i], y[j], cost).mean())


def _pair_costs(x: np.ndarray, y: np.ndarray, cost: str) -> np.ndarray:
    parts = zip(*(np.array_split(side, 1 + x.size // 2**20) for side in (x, y)), strict=True)
    squared = np.concatenate([np.square(a.astype(np.float64) - b).sum(1) for a, b in parts])
    return np.sqrt(squared) if cost == "euclidean" else squared
