"""Diverse mini-batches: subsets drawn from k-determinantal point processes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pwgan.batches.base import Sampler, Stream, random_order, stream_uniforms
from pwgan.batches.kdpp import POOL, k_dpp, kernel, spectrum
from pwgan.data.store import rows_of
from pwgan.lazy import torch


class DppSampler(Sampler):
    """k-DPP mini-batches: POOL subsets of m points from each random pool of POOL m points.

    Each epoch partitions the points into new pools. Subsets of one pool may overlap, and isolated points are drawn
    more often.
    """

    name: ClassVar[str] = "dpp"
    partitions: ClassVar[bool] = False
    oversample: ClassVar[int] = POOL

    def __init__(self, points: torch.Tensor, batch_size: int, seeds: range, device: torch.device) -> None:
        super().__init__(points, batch_size, seeds, device)
        self.size = min(POOL * batch_size, points.shape[1])
        self._whole = spectrum(kernel(points)) if self.size == points.shape[1] else None
        self._pool = -1
        self._subsets = torch.empty(0)

    def batch(self, number: int) -> torch.Tensor:
        pool, position = divmod(number, POOL)
        if pool != self._pool:
            self._subsets = self._draw(pool).to(self.device)
            self._pool = pool
        return self._subsets[:, position]

    def _draw(self, pool: int) -> torch.Tensor:
        count, n = len(self.seeds), self.points.shape[1]
        uniforms = [stream_uniforms((POOL, self.size + self.batch_size), "dpp", seed, pool) for seed in self.seeds]
        if self._whole is not None:
            values, vectors = (part.expand(count, *part.shape[1:]) for part in self._whole)
            return k_dpp(values, vectors, self.batch_size, torch.stack(uniforms))
        epoch, place = divmod(pool, n // self.size)
        orders = torch.stack([random_order(n, "pools", seed, epoch) for seed in self.seeds])
        members = orders[:, place * self.size : (place + 1) * self.size]
        values, vectors = spectrum(kernel(rows_of(self.points, members.to(self.points.device))))
        drawn = k_dpp(values, vectors, self.batch_size, torch.stack(uniforms))
        return members.gather(1, drawn.flatten(1)).view_as(drawn)

    @staticmethod
    def epoch(points: torch.Tensor, m: int, streams: Sequence[Stream]) -> torch.Tensor:
        """n//m subsets, the same number from each pool."""
        seeds, (n, d) = len(streams), points.shape[-2:]
        size = min(POOL * m, n)
        pools = n // size
        each = -(-(n // m) // pools)
        draws = [stream_uniforms((pools, each, size + m), "dpp", *stream) for stream in streams]
        uniforms = torch.stack(draws).flatten(0, 1)
        if size == n:
            values, vectors = spectrum(kernel(points.reshape(-1, n, d)))
            return k_dpp(values.expand(seeds, n), vectors.expand(seeds, n, n), m, uniforms)
        orders = torch.stack([random_order(n, "pools", *stream) for stream in streams])
        members = orders[:, : pools * size].unflatten(1, (pools, size))
        pooled = points.cpu().expand(seeds, n, d).gather(1, members.flatten(1).unsqueeze(-1).expand(-1, -1, d))
        drawn = k_dpp(*spectrum(kernel(pooled.view(seeds * pools, size, d))), m, uniforms)
        return members.gather(2, drawn.view(seeds, pools, each * m)).view(seeds, pools * each, m)[:, : n // m]
