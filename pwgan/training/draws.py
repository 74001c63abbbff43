"""Random numbers as a function of (seed, stream, number), so that a resumed run needs no generator's state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch

from pwgan.runtime import seed_of

Law = Literal["normal", "uniform"]
_CHUNK = 16  # draws made at once: fewer launches on a GPU, where each seed's generator is a call of its own


class Draws:
    """Draws for S seeds, each from generators of its own: what one seed sees does not depend on the others."""

    def __init__(self, seeds: range, device: torch.device) -> None:
        self.seeds, self.device = seeds, device
        self._chunks: dict[tuple[object, ...], tuple[int, torch.Tensor]] = {}

    def draw(self, stream: str, number: int, shape: tuple[int, ...], law: Law = "normal") -> torch.Tensor:
        """Return draw ``number`` of a stream, (S, *shape), standard normal or uniform on [0, 1)."""
        chunk, place = divmod(number, _CHUNK)
        key = (stream, shape, law)
        held = self._chunks.get(key)
        if held is None or held[0] != chunk:
            held = (chunk, self._chunk(stream, chunk, shape, law))
            self._chunks[key] = held
        return held[1][:, place]

    def uniforms(self, stream: str, number: int) -> Callable[..., torch.Tensor]:
        """Return a function uniform(*shape) -> (S, *shape); each call within one batch is a stream of its own."""
        calls = 0

        def uniform(*shape: int) -> torch.Tensor:
            nonlocal calls
            calls += 1
            return self.draw(f"{stream} {calls}", number, shape, "uniform")

        return uniform

    def _chunk(self, stream: str, chunk: int, shape: tuple[int, ...], law: Law) -> torch.Tensor:
        make = torch.randn if law == "normal" else torch.rand
        rows = []
        for seed in self.seeds:
            generator = torch.Generator(self.device).manual_seed(seed_of(stream, seed, chunk, shape, law))
            rows.append(make(_CHUNK, *shape, generator=generator, device=self.device))
        return torch.stack(rows)
