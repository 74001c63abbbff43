"""The interface of a mini-batch sampler."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pwgan.lazy import torch
from pwgan.runtime import seed_of

Stream = tuple[object, ...]
"""The name of a stream of random numbers."""


class Sampler:
    """The real mini-batches of one block of seeds, and the rule by which they are drawn.

    A batch depends only on the seed and the batch number, so a resumed run needs only the number. Subclasses set the
    class attributes and are registered by ``name``.
    """

    name: ClassVar[str]
    partitions: ClassVar[bool]
    """Whether the batches of an epoch partition the points, as the bias B_M and its bounds require."""
    oversample: ClassVar[int] = 1
    """Batches in an epoch of generated samples; 1 if samples need not be known to form them."""

    def __init__(self, points: torch.Tensor, batch_size: int, seeds: range, device: torch.device) -> None:
        """Prepare batches of the training sets ``points`` (S, n, d), float or uint8; S = 1 if all seeds share one."""
        self.points, self.batch_size, self.seeds, self.device = points, batch_size, seeds, device

    def batch(self, number: int) -> torch.Tensor:
        """Return the indices (S, m), int64, of batch ``number`` = 0, 1, 2, ...; floor(n/m) of them make an epoch."""
        raise NotImplementedError

    @staticmethod
    def epoch(points: torch.Tensor, m: int, streams: Sequence[Stream]) -> torch.Tensor:
        """Return the batches (S, n//m, m) of one epoch of points (n, d) or (S, n, d), one epoch per stream."""
        raise NotImplementedError


def random_order(n: int, *stream: object) -> torch.Tensor:
    """Return a permutation of 0..n-1 determined by the name of the stream."""
    return torch.randperm(n, generator=torch.Generator().manual_seed(seed_of(*stream)))


def stream_uniforms(shape: tuple[int, ...], *stream: object) -> torch.Tensor:
    """Return float64 draws from [0, 1) determined by the name of the stream."""
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed_of(*stream)), dtype=torch.float64)
