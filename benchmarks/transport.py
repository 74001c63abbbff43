"""Exact optimal transport: pwgan against scipy, lapx, POT and fastlap, in time, memory and correctness.

    python benchmarks/transport.py --n 500 1000 2000 5000 10000 --repeats 3 --out results/transport
    python benchmarks/transport.py --out results/transport --draw-only

Every solver runs on every instance and n in a separate process (transport_measure.py); the order of the solvers rotates
between repeats, and building the costs is timed. FOLDER/runs.csv gets a row after each run: the same command resumes an
interrupted benchmark. transport.csv (medians), transport.md and transport.png are made from it. Needs pwgan[bench] and
Linux.
"""

from __future__ import annotations

import argparse
import itertools
import os
import platform
import sys
import tempfile
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import transport_report as report
from transport_instances import INSTANCES
from transport_measure import run
from transport_solvers import SOLVERS, exceeds, mean_cost

from pwgan.devices import visible_gpus
from pwgan.errors import Refused
from pwgan.options import one_of
from pwgan.runtime import atomic_write, exclusive, write_json

# Settings shared by all runs of a folder, so that its rows are comparable.
SETTINGS = ("cost", "seed", "threads", "limit", "memory")


def pending(
    runs: pd.DataFrame, ns: Iterable[int], instances: Sequence[str], solvers: Sequence[str], repeats: int
) -> list[tuple[int, str, int, str]]:
    """List the missing runs (n, instance, repeat, solver) in order of execution.

    The order of the solvers rotates between repeats, so that no solver always runs after the same one.
    """
    finished = set(zip(runs["n"], runs["instance"], runs["repeat"], runs["solver"], strict=True))
    todo = []
    for n, (place, instance), repeat in itertools.product(sorted(set(ns)), enumerate(instances), range(repeats)):
        turn = (place + repeat) % len(solvers)
        todo += [(n, instance, repeat, solver) for solver in [*solvers[turn:], *solvers[:turn]]]
    return [key for key in todo if key not in finished]


def hopeless(runs: pd.DataFrame, n: int, instance: str, solver: str) -> str | None:
    """Return why a run is skipped, or None: the solver exceeded a limit on this instance at this n or a smaller one."""
    earlier = runs[(runs["instance"] == instance) & (runs["solver"] == solver) & (runs["n"] <= n)]
    exceeded = earlier[earlier["status"].map(exceeds).astype(bool)].sort_values("n")
    if exceeded.empty:
        return None
    first = exceeded.iloc[0]
    return first["status"] if first["n"] == n else f"skipped: {first['status']} at n = {first['n']}"


def benchmark(options: argparse.Namespace) -> None:
    """Make all missing runs, and update the table after each."""
    path = options.out / "runs.csv"
    runs = report.read_runs(path)
    todo = pending(runs, options.n, options.instances, options.solvers, options.repeats)
    with tempfile.TemporaryDirectory() as folder:
        points = Path(folder) / "points.npz"
        for (n, instance), keys in itertools.groupby(todo, key=lambda key: key[:2]):
            x, y = INSTANCES[instance].draw(n, options.seed)
            np.savez(points, x=x, y=y)
            scale = mean_cost(x, y, options.cost)
            for _, _, repeat, solver in keys:
                reason = hopeless(runs, n, instance, solver)
                result = {"status": reason} if reason else _run(solver, points, options)
                row = {"instance": instance, "d": x.shape[1], "n": n, "solver": solver, "repeat": repeat}
                runs = pd.concat([runs, report.as_runs([row | {"mean_cost": scale} | result])], ignore_index=True)
                with atomic_write(path) as aside:
                    runs.to_csv(aside, index=False)
                _say(n, instance, solver, result)


def _run(solver: str, points: Path, options: argparse.Namespace) -> dict[str, Any]:
    return run(solver, points, options.cost, options.threads, options.limit, options.memory)


def _say(n: int, instance: str, solver: str, result: dict[str, Any]) -> None:
    measured = "{cpu_seconds:.3g} s of CPU, {wall_seconds:.3g} s, {peak_mb:.4g} MB, {value:.12g}"
    text = measured.format(**result) if result["status"] == "ok" else result["status"]
    sys.stdout.write(f"n = {n:5}  {instance:15} {solver:12} {text}\n")
    sys.stdout.flush()


def machine() -> dict[str, str]:
    """Return the processor, cores and versions."""
    model = Path("/proc/cpuinfo").read_text().partition("model name")[2].partition("\n")[0].strip("\t: ")
    facts = {"processor": model or platform.machine(), "cores": str(len(os.sched_getaffinity(0)))}
    facts["python"] = platform.python_version()
    for package in dict.fromkeys(["numpy", "numba", "torch", *(solver.package for solver in SOLVERS.values())]):
        try:
            facts[package] = version(package)
        except PackageNotFoundError:
            facts[package] = "not installed"
    return facts


def _settle(options: argparse.Namespace) -> None:
    """Write the settings of the folder; raises ``Refused`` if existing runs have other settings."""
    path, settings = options.out / "settings.json", {key: getattr(options, key) for key in SETTINGS}
    if path.exists():
        before = report.read_settings(path)
        changed = [f"--{key} {before[key]}" for key in SETTINGS if before[key] != settings[key]]
        here, there = machine(), before["machine"]
        changed += [f"{key} {value}" for key, value in there.items() if here.get(key) != value]
        if changed:
            raise Refused(f"the runs in {options.out} were made with {', '.join(changed)}: use another --out")
    else:
        write_json(path, settings | {"machine": machine()})


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse and validate the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    default = [name for name, solver in SOLVERS.items() if visible_gpus() or not solver.cuda]
    parser.add_argument("--n", type=int, nargs="+", default=[500, 1000, 2000, 5000, 10000], help="numbers of points")
    parser.add_argument("--instances", nargs="+", default=list(INSTANCES), help=", ".join(INSTANCES))
    parser.add_argument("--solvers", nargs="+", default=default, help=", ".join(SOLVERS))
    parser.add_argument("--cost", choices=("euclidean", "sqeuclidean"), default="euclidean")
    parser.add_argument("--limit", type=float, default=120.0, help="wall seconds of one run")
    parser.add_argument("--memory", type=float, default=8.0, help="GB of memory of one run")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2, help="of every solver that can use them")
    parser.add_argument("--seed", type=int, default=0, help="of the points")
    parser.add_argument("--out", type=Path, default=Path("results/transport"))
    parser.add_argument("--draw-only", action="store_true", help="make table and figure from the existing runs")
    options = parser.parse_args(arguments)
    try:
        options.instances = list(dict.fromkeys(one_of(name, INSTANCES, "instance") for name in options.instances))
        options.solvers = list(dict.fromkeys(one_of(name, SOLVERS, "solver") for name in options.solvers))
        for key, least in (("n", 2), ("repeats", 1), ("threads", 1), ("limit", 0), ("memory", 0)):
            value = getattr(options, key)
            if min(value if isinstance(value, list) else [value]) < least:
                raise ValueError(f"--{key} {value} is too small: at least {least}")
    except ValueError as error:
        parser.error(str(error))
    return options


def main() -> None:
    """Make the missing runs, then write table and figure."""
    options = parse()
    try:
        if sys.platform != "linux":
            raise Refused("memory is measured and limited through /proc: this benchmark runs on Linux only")
        with exclusive(options.out / ".lock"):
            if not options.draw_only:
                _settle(options)
                benchmark(options)
            report.write(options.out)
    except (Refused, FileNotFoundError) as error:
        sys.exit(f"{Path(__file__).name}: {error}")
    except KeyboardInterrupt:
        sys.exit("\nstopped; the same command resumes, --draw-only draws the existing runs")


if __name__ == "__main__":
    main()
