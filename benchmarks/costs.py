"""Speed-up of pwgan's step by matrix products: images/s with costs from a product against costs from differences.

    python benchmarks/costs.py --out docs/measurements/costs.md

A step matches a mini-batch of real and generated images, 28×28 (scikit-learn's digits, enlarged), by all m² costs.
Both ways train the same cell of two seeds from the same start, in alternating order; the median of the ratios of their
times is printed, and the median of each. Times are CPU seconds of one thread, of a GPU wall seconds.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pages
import torch

import pwgan.transport.cost as costs
from pwgan.cells import Training
from pwgan.data.base import Split
from pwgan.data.embedded import Digits
from pwgan.data.store import StoredData, read_data, write_data
from pwgan.study import parse_study
from pwgan.training.loop import Trainer

SEEDS = 2
NETWORKS = {"mlp": {"width": 256, "depth": 2}, "dcgan": {"width": 16}}
WAYS = {"differences": costs.cost, "product": costs.matching_cost}


def images(size: int = 28) -> Split:
    """Return the digits enlarged to ``size`` pixels."""
    digits = Digits().load()
    train, heldout = (
        torch.nn.functional.interpolate(torch.from_numpy(side), size, mode="bilinear").numpy().astype(np.float32)
        for side in (digits.train, digits.heldout)
    )
    return Split(train, heldout)


def cell(network: str, batch_size: int) -> Training:
    """Return one cell of pwgan on images of 28×28 pixels."""
    study = parse_study(
        {
            "study": "benchmark",
            "seeds": SEEDS,
            "seed_block": SEEDS,
            "batch_sizes": [batch_size],
            "steps": 1,
            "evaluate_every": 1,
            "evaluation_points": 100,
            "datasets": {"mnist": {"network": {"name": network, "latent_dim": 32, **NETWORKS[network]}}},
            "methods": {"pwgan": {}},
        }
    )
    return next(iter(study.blocks.values())).training


@contextmanager
def matching_by(way: str) -> Iterator[None]:
    """Let training select its matchings by the costs of one way."""
    costs.matching_cost = WAYS[way]
    try:
        yield
    finally:
        costs.matching_cost = WAYS["product"]


def seconds(training: Training, data: StoredData, device: torch.device, way: str, steps: int) -> tuple[float, float]:
    """Return the seconds of some steps after two others, and the mean loss of the first."""
    with matching_by(way):
        trainer = Trainer(training, data, device)
        losses = []
        for step in range(steps + 2):
            if step == 2:
                started = now(device)
            losses.append(float(trainer._iterate()[1].mean()))
            trainer.state.step += 1
        return now(device) - started, losses[0]


def now(device: torch.device) -> float:
    """Return CPU seconds of this process, on a GPU wall seconds once it is idle."""
    if device.type == "cuda":
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()


def compare(training: Training, data: StoredData, device: torch.device, rounds: int, steps: int) -> str:
    """Return one row of the table."""
    ratios, times = [], {way: [] for way in WAYS}
    for number in range(rounds):
        order = list(WAYS) if number % 2 == 0 else list(WAYS)[::-1]
        found = {way: seconds(training, data, device, way, steps) for way in order}
        for way in WAYS:
            times[way].append(found[way][0])
        ratios.append(times["differences"][-1] / times["product"][-1])
        if abs(found["differences"][1] - found["product"][1]) > 1e-6 * found["product"][1]:
            raise ArithmeticError(f"the first matchings of {training.network.name} cost {found}")
    m = training.batch_size
    speeds = [SEEDS * m * steps / statistics.median(times[way]) for way in WAYS]
    return f"| {training.network.name} | {m} | {speeds[0]:.0f} | {speeds[1]:.0f} | {statistics.median(ratios):.1f} |"


def machine(device: torch.device) -> str:
    """Name the processor or GPU, without the machine's own name."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.machine()}, {os.cpu_count()} cores, one thread"


def main() -> None:
    """Print the table, and write it to a file on request."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--m", type=int, nargs="+", default=[64, 256, 1024])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--out", type=Path, help="a Markdown file for the table")
    options = parser.parse_args()
    device = torch.device(options.device)
    torch.set_num_threads(1)
    lines = [
        "# Images per second of pwgan",
        "",
        f"{datetime.date.today()}; {machine(device)}; torch {torch.__version__}. Two seeds, 28×28 pixels, "
        f"{options.steps} steps, medians of {options.rounds} rounds: `python benchmarks/costs.py`.",
        "",
        "| network | m | images/s, costs from differences | images/s, costs from a product | ratio |",
        "|---|---|---|---|---|",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "images.safetensors"
        write_data(path, images(), {"name": "mnist"})
        data = read_data(path)
        for network in NETWORKS:
            for m in options.m:
                lines.append(compare(cell(network, m), data, device, options.rounds, options.steps))
                sys.stdout.write(lines[-1] + "\n")
                sys.stdout.flush()
    pages.write(options.out, lines)


if __name__ == "__main__":
    main()
