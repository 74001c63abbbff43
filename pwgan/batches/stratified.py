"""Stratified mini-batches: one point from each of m strata."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pwgan.batches.base import Sampler, Stream, random_order, stream_uniforms
from pwgan.batches.stratify import stratify
from pwgan.lazy import torch


class StratifiedSampler(Sampler):
    """Mini-batches with one point from each of m strata; an epoch has n//m of them and repeats no point.

    If m does not divide n, each epoch leaves out n mod m points, chosen at random: all points are used equally often.
    """

    name: ClassVar[str] = "stratified"
    partitions: ClassVar[bool] = True
    oversample: ClassVar[int] = 8

    def __init__(self, points: torch.Tensor, batch_size: int, seeds: range, device: torch.device) -> None:
        super().__init__(points, batch_size, seeds, device)
        self._strata = stratify(points, batch_size).expand(len(seeds), points.shape[1]).cpu()
        self._epoch = -1
        self._batches = torch.empty(0)

    def batch(self, number: int) -> torch.Tensor:
        epoch, position = divmod(number, self._strata.shape[1] // self.batch_size)
        if epoch != self._epoch:
            drawn = [
                _one_of_each(strata, self.batch_size, "strata", seed, epoch)
                for strata, seed in zip(self._strata, self.seeds, strict=True)
            ]
            self._batches = torch.stack(drawn).to(self.device)
            self._epoch = epoch
        return self._batches[:, position]

    @staticmethod
    def epoch(points: torch.Tensor, m: int, streams: Sequence[Stream]) -> torch.Tensor:
        orders = stratify(points, m).expand(len(streams), points.shape[-2]).cpu()
        return torch.stack([_one_of_each(order, m, *stream) for order, stream in zip(orders, streams, strict=True)])


def _one_of_each(strata: torch.Tensor, m: int, *stream: object) -> torch.Tensor:
    """Split points ordered by ``stratify``, (n,), into batches (n//m, m) with one point from each of m strata."""
    n, each = len(strata), len(strata) // m
    selected = random_order(n, "kept", *stream)[: m * each].sort().values
    cells = strata[selected].view(m, each)
    dealt = cells.gather(1, stream_uniforms((m, each), "dealt", *stream).argsort(-1)).T
    # Shuffled: in stratum order, entry j of a real batch would be close to entry j of a generated one.
    return dealt.gather(1, stream_uniforms((each, m), "turns", *stream).argsort(-1))
