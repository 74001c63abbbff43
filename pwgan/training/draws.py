"""Random numbers as a function of (seed, stream, number): resuming a run needs no generator state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch

from pwgan.runtime import seed_of

Law = Literal["normal", "uniform"]
_CHUNK = 16  # draws made at once: fewer kernel launches on a GPU, since each seed needs its own call


class Draws:
    """Draws for S seeds, each from its own generators: the draws of a seed do not depend on the other seeds."""

    def __init__(self, seeds: range, device: torch.device) -> None:
        self.seeds, self.device = seeds, device
        self._chunks: dict[tuple[object, ...], tuple[int, torch.Tensor]] = {}

    def draw(self, stream: str, number: int, shape: tuple[int, ...], law: Law = "normal") -> torch.Tensor:
        """Return draw ``number`` of a stream, (S, *shape), standard normal or uniform on [0, 1)."""
        chunk, position = divmod(number, _CHUNK)
        key = (stream, shape, law)
        cached = self._chunks.get(key)
        if cached is None or cached[0] != chunk:
            cached = (chunk, self._chunk(stream, chunk, shape, law))
            self._chunks[key] = cached
        return cached[1][:, position]

    def uniforms(self, stream: str, number: int) -> Callable[..., torch.Tensor]:
        """Return a function uniform(*shape) -> (S, *shape); each call within one batch uses a new stream."""
        calls = 0

        def uniform(*shape: int) -> torch.Tensor:
            nonlocal calls
            calls += 1
            return self.draw(f"{stream} {calls}", number, shape, "uniform")

        return uniform

    def _chunk(self, stream: str, chunk: int, shape: tuple[int, ...], law: Law) -> torch.Tensor:
        sample = torch.randn if law == "normal" else torch.rand
        rows = []
        for seed in self.seeds:
            generator = torch.Generator(self.device).manual_seed(seed_of(stream, seed, chunk, shape, law))
            rows.append(sample(_CHUNK, *shape, generator=generator, device=self.device))
        return torch.stack(rows)
