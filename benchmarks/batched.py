"""Batches of small assignment problems: pwgan's CPU solver, lapx's batched Jonker-Volgenant, and a loop over scipy.

    python benchmarks/batched.py --threads 1

Times are CPU milliseconds per problem (all threads), medians of interleaved repeats, so that other load affects all
solvers alike. All solvers solve the same problems of a batch. If the slowest would exceed the limit, fewer problems are
solved, and their number is shown; if one problem exceeds it, that is solved once. Every value is compared with scipy's.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from statistics import median

import lap
import numpy as np
from scipy.optimize import linear_sum_assignment

from pwgan.transport.solvers.dense import solve_dense

SHAPES = ((1000, 64), (200, 256), (50, 512), (20, 1024), (5, 2048))
REPEATS = 3

Points = np.ndarray


def _distances(x: Points, y: Points) -> np.ndarray:
    squares = (x**2).sum(-1)[..., :, None] + (y**2).sum(-1)[..., None, :] - 2 * x @ y.swapaxes(-1, -2)
    return np.sqrt(np.maximum(squares, 0))


def _grid(rng: np.random.Generator, batch: int, m: int, modes: list[int]) -> Points:
    centres = 2.0 * np.stack(np.meshgrid(np.arange(-2, 3), np.arange(-2, 3)), -1).reshape(25, 2)[modes]
    return centres[rng.integers(len(modes), size=(batch, m))] + 0.05 * rng.standard_normal((batch, m, 2))


def gaussians(rng: np.random.Generator, batch: int, m: int) -> np.ndarray:
    """Two samples of a Gaussian in d = 32."""
    return _distances(*rng.standard_normal((2, batch, m, 32)))


def five_of_25_modes(rng: np.random.Generator, batch: int, m: int) -> np.ndarray:
    """The grid of 25 modes against a generator collapsed to five of them."""
    return _distances(_grid(rng, batch, m, list(range(25))), _grid(rng, batch, m, [0, 6, 12, 13, 24]))


def one_point(rng: np.random.Generator, batch: int, m: int) -> np.ndarray:
    """A Gaussian in d = 32 against a generator collapsed to one point, but for noise of 1e-3."""
    x, y = rng.standard_normal((2, batch, m, 32))
    return _distances(x, 1e-3 * y)


def duplicates(rng: np.random.Generator, batch: int, m: int) -> np.ndarray:
    """Both sides drawn from the same m/8 points, so most occur several times on each side."""
    x = rng.standard_normal((batch, m // 8, 32))
    i, j = rng.integers(m // 8, size=(2, batch, m, 1))
    return _distances(np.take_along_axis(x, i, 1), np.take_along_axis(x, j, 1))


def integers(rng: np.random.Generator, batch: int, m: int) -> np.ndarray:
    """Costs 0..9: almost all choices are ties."""
    return rng.integers(10, size=(batch, m, m)).astype(float)


def _scipy(costs: np.ndarray, threads: int) -> list[np.ndarray]:
    return [linear_sum_assignment(c)[1] for c in costs]


def _lapx(costs: np.ndarray, threads: int) -> list[np.ndarray]:
    return lap.lapjvh_batch(costs, return_cost=False, n_threads=threads)[1]


def _ours(costs: np.ndarray, threads: int) -> np.ndarray:
    return solve_dense(costs, threads)[0]


SOLVERS: dict[str, Callable[[np.ndarray, int], list[np.ndarray] | np.ndarray]] = {
    "ours": _ours,
    "lapx": _lapx,
    "scipy": _scipy,
}


def measure(costs: np.ndarray, threads: int, limit: float) -> tuple[dict[str, float], int]:
    """Return the CPU seconds per problem of each solver, and how many problems they were taken over."""
    times: dict[str, list[float]] = {name: [] for name in SOLVERS}
    values = {}

    def turn(count: int) -> None:
        for name, solve in SOLVERS.items():
            started = time.process_time()
            columns = np.asarray(solve(costs[:count], threads))
            times[name].append((time.process_time() - started) / count)
            paired = np.take_along_axis(costs[:count], columns[..., None].astype(np.int64), 2)
            values[name] = paired.mean((1, 2), dtype=np.float64)

    turn(1)
    slowest = max(max(durations) for durations in times.values())
    count = max(1, min(len(costs), int(limit / slowest / REPEATS)))
    if slowest < limit:
        for durations in times.values():
            durations.clear()
        for _ in range(REPEATS):
            turn(count)
    unit = np.maximum(np.abs(values["scipy"]), 1e-3 * np.abs(costs[:count]).mean((1, 2), dtype=np.float64))
    for name in SOLVERS:
        error = (np.abs(values[name] - values["scipy"]) / unit).max()
        if error > 1e-9:
            raise AssertionError(f"{name} is off by {error:.1e}")
    return {name: median(durations) for name, durations in times.items()}, count


def main() -> None:
    """Print a table of times and of ratios to lapx and scipy."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float64")
    parser.add_argument("--limit", type=float, default=1.5, help="seconds that the slowest solver should take per row")
    options = parser.parse_args()
    solve_dense(np.ones((1, 2, 2)), 1)
    head = f"{'instance':18} {'batch':>9} {'solved':>6} | {'ours':>9} {'lapx':>9} {'scipy':>9} ms |"
    sys.stdout.write(f"{head} {'/ lapx':>6} {'/ scipy':>7} {'/ easy':>6}\n")
    easy: dict[int, float] = {}
    for make in (gaussians, five_of_25_modes, one_point, duplicates, integers):
        for batch, m in SHAPES:
            costs = make(np.random.default_rng(m), batch, m).astype(options.dtype)
            cpu, count = measure(costs, options.threads, options.limit)
            easy.setdefault(m, cpu["ours"])
            row = f"{make.__name__:18} {f'{batch}x{m}':>9} {count:6} |" + "".join(
                f" {1e3 * s:9.3f}" for s in cpu.values()
            )
            ratios = [cpu["ours"] / cpu["lapx"], cpu["ours"] / cpu["scipy"], cpu["ours"] / easy[m]]
            sys.stdout.write(f"{row}    | {ratios[0]:6.2f} {ratios[1]:7.2f} {ratios[2]:6.2f}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
