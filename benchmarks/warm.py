"""Speed-up by warm potentials in training: every matching of a run of pwgan_full, solved cold and warm-started.

    python benchmarks/warm.py --n 6000 --steps 1000 --every 100

The generator's samples move a little between two matchings. Both solves are of the same problem, in alternating order,
and must agree. Prints a row for each matching after the first, then the ratio of the total times.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from pwgan.data.mixtures import Grid25, Ring8
from pwgan.data.store import read_data, write_data
from pwgan.methods.pwgan_full import FullPWGAN
from pwgan.study import parse_study
from pwgan.training.loop import Trainer
from pwgan.transport.empirical import Transport, wasserstein


def timed(real: torch.Tensor, fake: torch.Tensor, potentials: Any) -> tuple[float, Transport]:
    """Return the CPU seconds of a solve and its result."""
    started = time.process_time()
    transport = wasserstein(real, fake, potentials=potentials)
    return time.process_time() - started, transport


def main() -> None:
    """Train, and solve each matching twice."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", choices=("ring8", "grid25"), default="ring8")
    parser.add_argument("--n", type=int, default=6000)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--every", type=int, default=100)
    options = parser.parse_args()
    torch.set_num_threads(1)
    sums = {"cold": 0.0, "warm": 0.0}
    solved = itertools.count(1)

    def tie(self: FullPWGAN, real: torch.Tensor, fake: torch.Tensor, potentials: Any) -> Transport:
        if potentials is None:
            return wasserstein(real, fake)
        sides = {"cold": None, "warm": potentials}
        number = next(solved)
        order = list(sides) if number % 2 else list(sides)[::-1]
        runs = {side: timed(real, fake, sides[side]) for side in order}
        cold, warm = runs["cold"][1].value, runs["warm"][1].value
        if abs(float(cold - warm)) > 1e-9 * float(cold):
            raise ArithmeticError(f"two exact values differ: {float(cold)!r} and {float(warm)!r}")
        for side in sides:
            sums[side] += runs[side][0]
        seconds = (runs[side][0] for side in ("cold", "warm"))
        sys.stdout.write("| {} | {:.4g} | {:.2f} | {:.2f} |\n".format(number * options.every, cold, *seconds))
        sys.stdout.flush()
        return runs["warm"][1]

    FullPWGAN.tie = tie  # type: ignore[method-assign]
    network = {"name": "mlp", "width": 64, "depth": 2, "latent_dim": 8}
    study = parse_study(
        {
            "study": "benchmark",
            "seeds": 1,
            "seed_block": 1,
            "batch_sizes": [64],
            "steps": options.steps,
            "evaluate_every": options.steps,
            "datasets": {options.data: {"samples": options.n, "network": network}},
            "methods": {"pwgan_full": {"rematch_every": options.every}},
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.safetensors"
        dataset = {"ring8": Ring8, "grid25": Grid25}[options.data](samples=options.n)
        write_data(path, dataset.load(), {"name": options.data})
        sys.stdout.write("| iteration | EWD | from scratch (s) | warm (s) |\n|---|---|---|---|\n")
        cell = next(iter(study.blocks.values())).training
        Trainer(cell, read_data(path), torch.device("cpu")).run(Path(folder) / "checkpoint.pt")
    sys.stdout.write(f"\nwarm / from scratch: {sums['warm'] / sums['cold']:.2f}\n")


if __name__ == "__main__":
    main()
