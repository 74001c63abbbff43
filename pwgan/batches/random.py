"""Random mini-batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pwgan.batches.base import Sampler, Stream, random_order
from pwgan.lazy import torch


class RandomSampler(Sampler):
    """Random mini-batches: each epoch is a random partition of the data, independent for each seed."""

    name: ClassVar[str] = "random"
    partitions: ClassVar[bool] = True

    def __init__(self, points: torch.Tensor, batch_size: int, seeds: range, device: torch.device) -> None:
        super().__init__(points, batch_size, seeds, device)
        self._epoch = -1
        self._order = torch.empty(0)

    def batch(self, number: int) -> torch.Tensor:
        n, m = self.points.shape[1], self.batch_size
        epoch, position = divmod(number, n // m)
        if epoch != self._epoch:
            orders = [random_order(n, "order", seed, epoch) for seed in self.seeds]
            self._order = torch.stack(orders).to(self.device)
            self._epoch = epoch
        return self._order[:, position * m : (position + 1) * m]

    @staticmethod
    def epoch(points: torch.Tensor, m: int, streams: Sequence[Stream]) -> torch.Tensor:
        n = points.shape[-2]
        orders = [random_order(n, *stream)[: n // m * m] for stream in streams]
        return torch.stack(orders).unflatten(1, (n // m, m))
