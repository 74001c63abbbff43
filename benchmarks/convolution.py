"""Fastest convolution with a seed axis on a CPU: one grouped call, one call per seed, or a matrix product.

    python benchmarks/convolution.py

Milliseconds of forward and backward on one thread, medians of interleaved rounds, for the layers of a DCGAN of 4 seeds
on 8 and 28 pixels. The thresholds of pwgan/networks/layers/seeds.py follow from this table.
"""

from __future__ import annotations

import statistics
import sys
import time

import torch
import torch.nn.functional as F

from pwgan.networks.layers import seeds as layers

SEEDS = 4
WAYS = ("grouped", "per seed", "product")


def milliseconds(layer: layers.Conv2d | layers.ConvTranspose2d, x: torch.Tensor, way: str) -> float:
    """Return the time of one forward and backward pass."""
    layers._FEW_CHANNELS = layers._SMALL_MAP = 1 << 20 if way == "product" else 0
    plain = F.conv2d if isinstance(layer, layers.Conv2d) else F.conv_transpose2d
    started = time.perf_counter()
    if way == "per seed":
        parts = zip(x.chunk(SEEDS, 1), layer.weight, strict=True)
        outputs = torch.cat([plain(part, weight, stride=2, padding=1) for part, weight in parts], 1)
    else:
        outputs = layer(x)
    outputs.square().sum().backward()
    return 1000 * (time.perf_counter() - started)


def main() -> None:
    """Print one row for each layer and mini-batch size."""
    torch.set_num_threads(1)
    sys.stdout.write(f"| layer, {SEEDS} seeds | maps | m | {' | '.join(WAYS)} |\n|---|---|---|{'---|' * len(WAYS)}\n")
    for small, large, size in ((1, 16, 8), (16, 32, 4), (3, 32, 28), (32, 64, 14)):
        for name, cls, sides, extent in (
            ("conv", layers.Conv2d, (small, large), size),
            ("transposed", layers.ConvTranspose2d, (large, small), size // 2),
        ):
            for m in (16, 64):
                layer = cls(SEEDS, *sides, bias=False)
                layers.initialise(layer, range(SEEDS), "benchmark")
                x = torch.randn(m, SEEDS * sides[0], extent, extent, requires_grad=True)
                rounds = [{way: milliseconds(layer, x, way) for way in WAYS} for _ in range(12)]
                medians = [statistics.median(times[way] for times in rounds[2:]) for way in WAYS]
                values = " | ".join(f"{value:.2f}" for value in medians)
                sys.stdout.write(f"| {name} {sides[0]} to {sides[1]} | {extent}×{extent} | {m} | {values} |\n")


if __name__ == "__main__":
    main()
