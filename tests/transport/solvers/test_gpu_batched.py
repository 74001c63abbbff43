"""The GPU's batched solver, run by Triton's interpreter and compared with scipy: easy problems and awkward ones."""

import os
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

triton = pytest.importorskip("triton")

from pwgan.transport.solvers import gpu_batched  # noqa: E402
from pwgan.transport.solvers.gpu_batched import LARGEST, solve_batched  # noqa: E402

Make = Callable[[int, np.random.Generator], np.ndarray]


def collapsed(m: int, rng: np.random.Generator) -> np.ndarray:
    modes = rng.normal(size=(5, 2))
    return cdist(
        modes[rng.integers(0, 5, m)] + 0.01 * rng.normal(size=(m, 2)), modes[0] + 0.01 * rng.normal(size=(m, 2))
    )


def duplicates(m: int, rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=(m, m))[rng.integers(0, (m + 1) // 2, m)][:, rng.integers(0, (m + 1) // 2, m)]


def outlier(m: int, rng: np.random.Generator) -> np.ndarray:
    costs = rng.random((m, m))
    costs[rng.integers(m), rng.integers(m)] = 1e12
    return costs


def far_row_and_column(m: int, rng: np.random.Generator) -> np.ndarray:
    costs = rng.random((m, m))
    costs[0] += 1e6
    costs[:, -1] += 1e8
    return costs


def chain(m: int, rng: np.random.Generator) -> np.ndarray:
    """Only the last row's dear way back keeps the identity optimal: its potentials depend on one another in turn."""
    costs = np.full((m, m), 3.0 * m)
    np.fill_diagonal(costs, 1)
    costs[np.arange(m - 1), np.arange(1, m)] = 0
    costs[-1, 0] = m + 1
    return costs[rng.permutation(m)]


KINDS: dict[str, Make] = {
    "points": lambda m, rng: cdist(*rng.normal(size=(2, m, 3))),
    "integers": lambda m, rng: rng.integers(0, 4, (m, m)).astype(float),
    "equal": lambda m, rng: np.full((m, m), 2.5),
    "zero": lambda m, rng: np.zeros((m, m)),
    "negative": lambda m, rng: -5 + rng.normal(size=(m, m)),
    "product": lambda m, rng: np.outer(np.arange(m), np.arange(m)) * 1.0,
    "wide": lambda m, rng: 10.0 ** rng.uniform(-12, 12, (m, m)),
    "largest": lambda m, rng: 1e300 * rng.uniform(-1, 1, (m, m)),
    "smallest": lambda m, rng: 1e-310 * rng.random((m, m)),
    "collapsed": collapsed,
    "duplicates": duplicates,
    "outlier": outlier,
    "far row and column": far_row_and_column,
    "chain": chain,
}

BATCHES: list[tuple[int, list[str], torch.dtype]] = [
    (1, ["points", "zero", "negative", "largest"], torch.float64),
    (2, list(KINDS), torch.float64),
    (3, ["points", "integers", "negative"], torch.float32),
    (5, ["points", "integers", "product", "wide", "duplicates", "outlier", "far row and column"], torch.float64),
    (17, ["collapsed"], torch.float64),
]

INTERPRETED = """
import sys, torch
from pwgan.transport.solvers.gpu_batched import solve_batched  # noqa: E402
torch.save([solve_batched(costs) for costs in torch.load(sys.argv[1], weights_only=True)], sys.argv[2])
"""


def problems(batch: int) -> torch.Tensor:
    m, kinds, dtype = BATCHES[batch]
    return torch.tensor(np.stack([KINDS[kind](m, np.random.default_rng(batch)) for kind in kinds]), dtype=dtype)


def check(costs: np.ndarray, columns: np.ndarray, u: np.ndarray, v: np.ndarray, what: str) -> None:
    m = len(costs)
    rows = np.arange(m)
    assert sorted(columns.tolist()) == list(range(m)), what
    optimum = costs[linear_sum_assignment(costs)].sum()
    excess = abs(costs[rows, columns].sum() - optimum)
    assert excess <= 1e-9 * max(abs(optimum), 1e-3 * m * np.abs(costs).mean()), what
    rounding = 1e-14 * np.abs(costs).max()
    slack = costs - u[:, None] - v
    assert slack.min() >= -rounding and slack[rows, columns].max() <= rounding, what


def test_every_answer_is_optimal_and_proved_so(tmp_path):
    # Triton reads how to run kernels when it is imported: its interpreter needs a process of its own. It is slow to
    # start, hence one test of all problems.
    torch.save([problems(batch) for batch in range(len(BATCHES))], tmp_path / "costs.pt")
    command = [sys.executable, "-c", INTERPRETED, str(tmp_path / "costs.pt"), str(tmp_path / "answers.pt")]
    subprocess.run(command, env=os.environ | {"TRITON_INTERPRET": "1"}, check=True, timeout=300)
    answers = torch.load(tmp_path / "answers.pt", weights_only=True)
    for batch, ((m, kinds, _), (columns, u, v)) in enumerate(zip(BATCHES, answers, strict=True)):
        assert columns.shape == u.shape == v.shape == (len(kinds), m)
        assert columns.dtype == torch.int64 and u.dtype == v.dtype == torch.float64
        for item, kind in enumerate(kinds):
            parts = (part[item].numpy() for part in (columns, u, v))
            check(problems(batch)[item].double().numpy(), *parts, f"{kind}, m = {m}")


@pytest.mark.parametrize(
    ("costs", "message"),
    [
        (torch.zeros(3, 3), r"must be \(B, m, m\) and not empty, got \(3, 3\)"),
        (torch.zeros(2, 3, 4), r"got \(2, 3, 4\)"),
        (torch.zeros(0, 3, 3), r"got \(0, 3, 3\)"),
        (torch.zeros(1, 3, 3, dtype=torch.int64), r"float32 or float64, got torch\.int64"),
        (torch.zeros(1).expand(1, LARGEST + 1, LARGEST + 1), "4096 rows at most, got 4097"),
        (torch.full((1, 2, 2), -2e300, dtype=torch.float64), "within 1e300 of zero, got 2e\\+300"),
        (torch.tensor([[[torch.nan]]]), "must be finite"),
    ],
)
def test_what_cannot_be_solved_is_refused(costs, message):
    with pytest.raises(ValueError, match=message):
        solve_batched(costs)


def test_the_kernel_compiles_for_an_h100(tmp_path, monkeypatch):
    # The interpreter forgives what the compiler does not; compiling needs no GPU.
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    kinds = dict.fromkeys(("least", "price", "first", "floor"), "*fp64")
    kinds |= dict.fromkeys(("column_of", "row_of", "queue"), "*i32")
    kinds |= {"costs": "*fp32", "m": "i32", "BLOCK": "constexpr", "ROWS": "constexpr"}
    source = ASTSource(gpu_batched._solve, kinds, {"BLOCK": 32, "ROWS": 4})
    options = {"num_warps": 1, "num_stages": 1, "enable_fp_fusion": False}
    assert triton.compile(source, target=GPUTarget("cuda", 90, 32), options=options).asm["cubin"]
