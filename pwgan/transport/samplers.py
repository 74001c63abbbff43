"""Which real samples meet in a mini-batch."""

from __future__ import annotations

import torch

from pwgan.runtime import seed_of


class RandomSampler:
    """Random mini-batches, one partition of the data per epoch, for each seed its own.

    A batch is a function of the seed and its number alone: nothing but the number needs keeping to go on after a stop.
    """

    def __init__(self, n: int, batch_size: int, seeds: range, device: torch.device) -> None:
        self.n, self.batch_size, self.seeds, self.device = n, batch_size, seeds, device
        self._epoch = -1
        self._order = torch.empty(0)

    def batch(self, number: int) -> torch.Tensor:
        """Return the indices (S, m) of batch ``number`` = 0, 1, 2, ...; floor(n/m) of them make an epoch."""
        epoch, position = divmod(number, self.n // self.batch_size)
        if epoch != self._epoch:
            orders = [random_order(self.n, "order", seed, epoch) for seed in self.seeds]
            self._order = torch.stack(orders).to(self.device)
            self._epoch = epoch
        return self._order[:, position * self.batch_size : (position + 1) * self.batch_size]


def random_order(n: int, *stream: object) -> torch.Tensor:
    """Return a permutation of 0..n-1 that is a function of the stream's name."""
    return torch.randperm(n, generator=torch.Generator().manual_seed(seed_of(*stream)))
