"""The pairs of point sets of benchmarks/transport.py, functions of n and a seed, without downloads."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from pwgan.data.photographs import photograph
from pwgan.errors import Refused
from pwgan.runtime import seed_of

Points = tuple[np.ndarray, np.ndarray]
PATCH = 8
KEPT = 5
# Half the iterations that the default study (config.yaml) gives this data set.
HALF = 250


@dataclass(frozen=True)
class Instance:
    """A title for figures, and draw(n, seed) -> x, y, each float32 (n, d)."""

    title: str
    draw: Callable[[int, int], Points]


def _rng(name: str, n: int, seed: int) -> np.random.Generator:
    return np.random.default_rng(seed_of("transport benchmark", name, n, seed))


def gaussian(d: int) -> Callable[[int, int], Points]:
    """Return the draw of two samples of N(0, I) in d dimensions."""

    def draw(n: int, seed: int) -> Points:
        x, y = _rng(f"gaussian {d}", n, seed).standard_normal((2, n, d), dtype=np.float32)
        return x, y

    return draw


def fill_values(n: int, seed: int) -> Points:
    """Draw Gaussians in the plane of which one row in 500 holds the fill value 1e20, on both sides alike."""
    x, y = gaussian(2)(n, seed)
    some = max(n // 500, 1)
    x[:some], y[-some:] = 1e20, 1e20
    return x, y


def outliers(n: int, seed: int) -> Points:
    """Draw Gaussians in the plane, and multiply three rows of x by a million: they have no far partner."""
    x, y = gaussian(2)(n, seed)
    x[:3] *= 1e6
    return x, y


def far_clusters(n: int, seed: int) -> Points:
    """Draw Gaussians in the plane, of which a third each are around 0, 100 and 10,000, on both sides.

    The last float32 coordinates are multiples of 0.001.
    """
    x, y = gaussian(2)(n, seed)
    places = np.array([0, 1e2, 1e4], np.float32)[np.arange(n) % 3, None]
    return x + places, y + _rng("far clusters", n, seed).permutation(places)


def collapsed_grid(n: int, seed: int) -> Points:
    """Draw x from 5 of the 25 modes of the grid, as of a collapsed generator, and y from all 25."""
    from pwgan.data.mixtures import Grid25

    rng = _rng("collapsed grid", n, seed)
    modes, weights = Grid25.mixture()
    remaining = modes[rng.choice(len(modes), KEPT, replace=False)]
    centres = remaining[rng.integers(KEPT, size=n)], modes[rng.choice(len(modes), n, p=weights)]
    x, y = ((c + Grid25.sigma * rng.standard_normal((n, 2))).astype(np.float32) for c in centres)
    return x, y


def patches(n: int, seed: int) -> Points:
    """Cut n patches of 8×8 pixels and three colours, at distinct places, from each of two photographs, in 0..255."""
    rng = _rng("patches", n, seed)
    x, y = (_cut(photograph(file), n, rng) for file in ("astronaut.png", "coffee.png"))
    return x, y


def _cut(pixels: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    windows = np.lib.stride_tricks.sliding_window_view(pixels, (PATCH, PATCH), axis=(0, 1))
    rows, columns = windows.shape[:2]
    if n > rows * columns:
        raise Refused(f"a photograph of {pixels.shape[1]}×{pixels.shape[0]} has {rows * columns} patches, not {n}")
    chosen = np.divmod(rng.choice(rows * columns, n, replace=False), columns)
    return windows[chosen].reshape(n, -1).astype(np.float32)


def _some(images: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return n images: a random subset if there are enough, otherwise draws with replacement, with duplicates."""
    return images[rng.choice(len(images), n, replace=n > len(images))]


def digits(n: int, seed: int) -> Points:
    """Draw x from the 1797 digits (all of them once at n = 1797), and y with replacement: many exact duplicates.

    This resembles a generator that has memorised the training set.
    """
    from sklearn.datasets import load_digits

    rng = _rng("digits", n, seed)
    images = load_digits().data.astype(np.float32)
    return _some(images, n, rng), images[rng.integers(len(images), size=n)]


def half_trained(n: int, seed: int) -> Points:
    """Draw x from a pwgan generator halfway through training on the digits, and y from all 1797 digits."""
    import torch

    from pwgan.training.run import generate, latent_samples

    generator, latent_dim, images = _half_trained()
    latents = latent_samples(range(seed, seed + 1), f"transport benchmark {n}", n, latent_dim)
    with _one_thread():
        x = torch.flatten(generate(generator, latents)[0], 1).numpy()
    return x, _some(images, n, _rng("half-trained", n, seed))


@cache
def _half_trained() -> tuple[Any, int, np.ndarray]:
    """Train an MLP on the digits by mini-batch matching (`pwgan`, m = 64), once per process."""
    import torch

    from pwgan.data.embedded import Digits
    from pwgan.data.store import read_data, write_data
    from pwgan.study import parse_study
    from pwgan.training.loop import Trainer

    study = parse_study(
        {
            "study": "benchmark",
            "seeds": 1,
            "seed_block": 1,
            "batch_sizes": [64],
            "steps": HALF,
            "evaluate_every": HALF,
            "evaluation_points": 64,
            "datasets": {"digits": {"network": {"name": "mlp", "width": 128, "depth": 2, "latent_dim": 16}}},
            "methods": {"pwgan": {"generator_lr": 1e-3}},
        }
    )
    (cell,) = study.blocks.values()
    split = Digits().load()
    with tempfile.TemporaryDirectory() as folder, _one_thread():
        write_data(Path(folder) / "data.safetensors", split, {"name": "digits"})
        trainer = Trainer(cell.training, read_data(Path(folder) / "data.safetensors"), torch.device("cpu"))
        state = trainer.run(Path(folder) / "checkpoint.pt")
    images = np.concatenate([split.train, split.heldout])
    return state.nets.generator, cell.training.network.latent_dim, images.reshape(len(images), -1)


class _one_thread:
    """Results depend on the number of threads: draw the same points for any number of solver threads."""

    def __enter__(self) -> None:
        import torch

        self.before = torch.get_num_threads()
        torch.set_num_threads(1)

    def __exit__(self, *_: object) -> None:
        import torch

        torch.set_num_threads(self.before)


INSTANCES = {
    "gaussian-2": Instance("Gaussians, d = 2", gaussian(2)),
    "gaussian-32": Instance("Gaussians, d = 32", gaussian(32)),
    "gaussian-784": Instance("Gaussians, d = 784", gaussian(784)),
    "fill-values": Instance("Gaussians with fill values 1e20, d = 2", fill_values),
    "outliers": Instance("Gaussians, three rows of one side at 1e6, d = 2", outliers),
    "far-clusters": Instance("clusters around 0, 100 and 10,000, d = 2", far_clusters),
    "collapsed-grid": Instance("25 modes against 5 kept, d = 2", collapsed_grid),
    "patches": Instance("patches of two photographs, d = 192", patches),
    "digits": Instance("digits with duplicates, d = 64", digits),
    "half-trained": Instance("half-trained generator, d = 64", half_trained),
}
