"""Speed-up by the seed axis: time of S seeds in one block against S blocks of one seed, in the same run.

    python benchmarks/seeds.py                    CPU: 8 seeds against eight separate runs
    python benchmarks/seeds.py --device cuda      GPU: 64 seeds against one

Both sides run the same iterations of the same cell, in alternating order; the median of the ratios is printed.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch

from pwgan.cells import Training
from pwgan.data.mixtures import Ring8
from pwgan.data.store import StoredData, read_data, write_data
from pwgan.study import parse_study
from pwgan.training.loop import Trainer

METHODS = ("gan", "nsgan", "wgan", "wgan_gp", "pwgan")


def cell(method: str, batch_size: int, seeds: int) -> Training:
    """Return one MLP cell of ring8."""
    study = parse_study(
        {
            "study": "benchmark",
            "seeds": seeds,
            "seed_block": seeds,
            "batch_sizes": [batch_size],
            "steps": 1,
            "evaluate_every": 1,
            "datasets": {"ring8": {"network": {"name": "mlp", "width": 64, "depth": 2, "latent_dim": 8}}},
            "methods": {method: {}},
        }
    )
    return next(iter(study.blocks.values())).training


def seconds(training: Training, data: StoredData, device: torch.device, iterations: int, repeat: int) -> float:
    """Return the wall seconds of ``repeat`` separate runs of some iterations, after a warm-up of each."""
    total = 0.0
    for _ in range(repeat):
        trainer = Trainer(training, data, device)
        for step in range(iterations + 5):
            if step == 5:
                _synchronise(device)
                started = time.perf_counter()
            trainer._iterate()
            trainer.state.step += 1
        _synchronise(device)
        total += time.perf_counter() - started
    return total


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def main() -> None:
    """Print one row for each method and mini-batch size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--iterations", type=int, default=60)
    options = parser.parse_args()
    device = torch.device(options.device)
    torch.set_num_threads(1)
    # On a GPU the claim is that many seeds cost about as much as one; on a CPU that a block beats separate runs.
    many, repeat = (64, 1) if device.type == "cuda" else (8, 8)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ring8.safetensors"
        write_data(path, Ring8().load(), {"name": "ring8"})
        data = read_data(path)
        other = "one seed" if repeat == 1 else f"{repeat} separate runs"
        sys.stdout.write(f"| method | m | {many} seeds, one block (s) | {other} (s) | ratio |\n|---|---|---|---|---|\n")
        for method in METHODS:
            for m in (16, 64):
                rounds = []
                for number in range(options.rounds):
                    sides = [(cell(method, m, many), 1), (cell(method, m, 1), repeat)]
                    order = (0, 1) if number % 2 == 0 else (1, 0)
                    times = {
                        side: seconds(*(sides[side][0], data, device, options.iterations, sides[side][1]))
                        for side in order
                    }
                    rounds.append((times[0] / times[1], times[0], times[1]))
                ratio = statistics.median(r for r, _, _ in rounds)
                block, separate = (statistics.median(column) for column in list(zip(*rounds, strict=True))[1:])
                sys.stdout.write(f"| {method} | {m} | {block:.2f} | {separate:.2f} | {ratio:.2f} |\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
