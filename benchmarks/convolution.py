"""Fastest convolution with a seed axis on a CPU: one grouped call, one call per seed, or a matrix product.

    python benchmarks/convolution.py

Milliseconds of forward and backward on one thread, medians of interleaved rounds, for the layers of a DCGAN of 4 seeds
on 8 and 28 pixels and of a residual network on 28, with the layout of maps channels first (the usual one) or last. The
threshold of pwgan/networks/layers/seeds.py follows from this table.
"""

from __future__ import annotations

import statistics
import sys
import time

import torch
import torch.nn.functional as F

from pwgan.networks.layers import seeds as layers
from pwgan.networks.layers.initial import initialise

SEEDS = 4
WAYS = ("grouped", "grouped, last", "per seed", "per seed, last", "product")
CASES = [(1, 16, 8, 4), (16, 32, 4, 4), (1, 16, 28, 4), (16, 32, 14, 4), (3, 32, 32, 4), (32, 64, 16, 4)]
CASES += [(1, 32, 28, 3), (32, 32, 28, 3), (32, 32, 14, 3), (32, 1, 28, 3)]
"""Channels, channels after it, pixels, window."""
Layer = layers.Conv2d | layers.ConvTranspose2d


def milliseconds(layer: Layer, x: torch.Tensor, way: str) -> float:
    """Return the time of one forward and backward pass."""
    layers._SMALL = 1 << 20 if way == "product" else 0
    plain = F.conv2d if isinstance(layer, layers.Conv2d) else F.conv_transpose2d
    kernel, last = layer.weight, {"memory_format": torch.channels_last}
    window = {"stride": 2, "padding": 1} if kernel.shape[-1] == 4 else {"padding": 1}
    started = time.process_time()
    if way == "per seed":
        outputs = torch.cat([plain(part, w, **window) for part, w in zip(x.chunk(SEEDS, 1), kernel, strict=True)], 1)
    elif way == "per seed, last":
        parts = zip((part.contiguous(**last) for part in x.chunk(SEEDS, 1)), kernel, strict=True)
        outputs = torch.cat([plain(part, w.contiguous(**last), **window) for part, w in parts], 1)
    elif way == "grouped, last":
        outputs = plain(x.contiguous(**last), kernel.flatten(0, 1).contiguous(**last), **window, groups=SEEDS)
    else:
        outputs = layer(x)
    outputs.square().sum().backward()
    return 1000 * (time.process_time() - started)


def main() -> None:
    """Print one row for each layer and mini-batch size."""
    torch.set_num_threads(1)
    sys.stdout.write(f"| layer, {SEEDS} seeds | maps | m | {' | '.join(WAYS)} |\n|---|---|---|{'---|' * len(WAYS)}\n")
    for small, large, size, window in CASES:
        kinds: list[tuple[str, Layer, int]] = [
            (f"conv {window}×{window}", layers.Conv2d(SEEDS, small, large, False, window), size)
        ]
        if window == 4:
            kinds.append(("transposed", layers.ConvTranspose2d(SEEDS, large, small, False), size // 2))
        for name, layer, extent in kinds:
            initialise(layer, range(SEEDS), "benchmark")
            sides = (small, large) if isinstance(layer, layers.Conv2d) else (large, small)
            ways = WAYS if window == 4 else WAYS[:-1]
            for m in (16, 64):
                x = torch.randn(m, SEEDS * sides[0], extent, extent, requires_grad=True)
                rounds = [{way: milliseconds(layer, x, way) for way in ways} for _ in range(8)]
                medians = [statistics.median(times[way] for times in rounds[2:]) for way in ways]
                values = " | ".join([f"{value:.2f}" for value in medians] + ["-"] * (len(WAYS) - len(ways)))
                sys.stdout.write(f"| {name}, {sides[0]} to {sides[1]} | {extent}×{extent} | {m} | {values} |\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
