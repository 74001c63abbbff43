"""Measure one solver on one pair of point sets in a separate process, with limits on time and memory.

    python benchmarks/transport_measure.py SOLVER COST points.npz FOLDER

writes FOLDER/result.json. Linux only: memory is read from /proc.
"""

from __future__ import annotations

import ctypes
import gc
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from transport_solvers import SOLVERS, NotConverged, Solver, value_of

from pwgan.runtime import write_json

STARTED, RESULT = "started.json", "result.json"
START_UP = 600.0
POLL = 0.02
THREADS = ("OMP", "OPENBLAS", "MKL", "NUMBA", "RAYON")
# Waiting threads must sleep: spinning would count as CPU time.
ASLEEP = {"OMP_WAIT_POLICY": "PASSIVE", "OPENBLAS_THREAD_TIMEOUT": "4"}
# Prevents POT from importing torch, which is not used here.
NUMPY_ALONE = {"POT_BACKEND_DISABLE_PYTORCH": "1"}


def run(name: str, points: Path, cost: str, threads: int, limit: float, memory: float) -> dict[str, Any]:
    """Measure a solver in a new process, and return its result, or the status of a process that was killed.

    limit: wall seconds after the warm-up. memory: GB of resident memory in addition to that after the warm-up.
    """
    counts = {f"{library}_NUM_THREADS": str(threads) for library in THREADS}
    environment = os.environ | ASLEEP | NUMPY_ALONE | counts
    with tempfile.TemporaryDirectory() as name_of_folder:
        folder = Path(name_of_folder)
        command = [sys.executable, __file__, name, cost, str(points), name_of_folder]
        with (folder / "errors").open("wb") as errors:
            process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=errors)
        try:
            ended = _watch(process, folder, limit, memory)
        finally:
            process.kill()
            process.wait()
        if ended is not None:
            return {"status": ended}
        if (folder / RESULT).exists():
            return json.loads((folder / RESULT).read_text())
        return {"status": _death(process.returncode)}


def _watch(process: subprocess.Popen[bytes], folder: Path, limit: float, memory: float) -> str | None:
    """Wait for a process to end or to write its result; return the limit that it exceeded, or None."""
    launched, begun, baseline = time.perf_counter(), math.inf, 0
    while process.poll() is None and not (folder / RESULT).exists():
        now = time.perf_counter()
        if begun == math.inf and (folder / STARTED).exists():
            begun, baseline = now, json.loads((folder / STARTED).read_text())
        if begun == math.inf and now - launched > START_UP:
            return f"no warm-up within {START_UP:g} s"
        if now - begun > limit:
            return f"over {limit:g} s"
        if begun < math.inf and resident(process.pid) - baseline > memory * 1e9:
            return f"over {memory:g} GB"
        time.sleep(POLL)
    return None


def _death(code: int) -> str:
    if code < 0:
        name = signal.Signals(-code).name
        return "killed (out of memory?)" if name == "SIGKILL" else f"died ({name})"
    return f"died (exit status {code})"


def resident(process: int | str = "self", peak: bool = False) -> int:
    """Return the resident memory of a process in bytes, or its peak; 0 if the process has ended."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    fields = status.partition("VmHWM:" if peak else "VmRSS:")[2].split()
    return 1024 * int(fields[0]) if fields else 0


def measure(solver: Solver, x: np.ndarray, y: np.ndarray, cost: str, started: Path) -> dict[str, Any]:
    """Solve once, after a warm-up, and return seconds, MB above those before, value and gap."""
    solver.read(solver.solve(solver.build(x[: solver.warm_up], y[: solver.warm_up], cost)))
    # Return memory freed after the warm-up to the system, so that new allocations count.
    gc.collect()
    _return_memory()
    before = _reset_peak(solver.cuda)
    write_json(started, resident())
    wall, cpu = time.perf_counter(), time.process_time()
    built = solver.build(x, y, cost)
    middle = time.process_time()
    solution = solver.solve(built)
    end, wall_seconds = time.process_time(), time.perf_counter() - wall
    peak = _peak(solver.cuda) - before
    columns, gap = solver.read(solution)
    return {
        "status": "ok",
        "build_seconds": middle - cpu if solver.dense else None,
        "solve_seconds": end - (middle if solver.dense else cpu),
        "cpu_seconds": end - cpu,
        "wall_seconds": wall_seconds,
        "peak_mb": peak / 1e6,
        "value": value_of(x, y, columns, cost),
        "gap": None if math.isnan(gap) else gap,
    }


def _return_memory() -> None:
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc only
    if trim is not None:
        trim(0)


def _reset_peak(cuda: bool) -> int:
    """Reset the peak, and return the memory in use."""
    if not cuda:
        Path("/proc/self/clear_refs").write_text("5")
        return resident()
    import torch

    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    return torch.cuda.memory_allocated()


def _peak(cuda: bool) -> int:
    if not cuda:
        return resident(peak=True)
    import torch

    return torch.cuda.max_memory_allocated()


def status_of(error: Exception) -> str:
    """Return the status of a solver that raised ``error``."""
    if isinstance(error, MemoryError) or any(words in str(error) for words in ("out of memory", "can't allocate")):
        return "out of memory"
    if isinstance(error, NotConverged):
        return "did not converge"
    if isinstance(error, ModuleNotFoundError):
        return f"not installed: {error.name}"
    return f"failed: {type(error).__name__}: {' '.join(str(error).split())[:80]}"


def main() -> None:
    """Measure one solver and write its result; an exception is recorded as its status."""
    name, cost, points, folder = sys.argv[1:]
    # If the machine runs out of memory, this process is killed first.
    Path("/proc/self/oom_score_adj").write_text("1000")
    with np.load(points, allow_pickle=False) as file:
        x, y = file["x"], file["y"]
    try:
        result = measure(SOLVERS[name], x, y, cost, Path(folder) / STARTED)
    # Libraries raise exceptions of any type; none may stop the benchmark.
    except Exception as error:
        result = {"status": status_of(error)}
    write_json(Path(folder) / RESULT, result)


if __name__ == "__main__":
    main()
