"""Which samples meet in a mini-batch: by chance, one of each stratum, or a diverse subset."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, get_args

import torch

from pwgan.options import SamplerName, nearest
from pwgan.runtime import seed_of
from pwgan.transport.dpp import POOL, k_dpp
from pwgan.transport.stratify import stratify

OVERSAMPLE = 8
"""So many times m fresh points are generated for ``choose`` to take a batch of m from."""


class Sampler(Protocol):
    """A batch is a function of the seed and its number alone: nothing but the number needs keeping after a stop."""

    def batch(self, number: int) -> torch.Tensor:
        """Return the indices (S, m), int64, of batch ``number`` = 0, 1, 2, ...; floor(n/m) of them make an epoch."""


def build_sampler(
    name: SamplerName, points: torch.Tensor, batch_size: int, seeds: range, device: torch.device
) -> Sampler:
    """Return the sampler of real samples for one block of seeds.

    points: the training set (n, *sample), float or uint8, shared by all seeds; the indices are made on ``device``.
    Raises ValueError for an unknown name.
    """
    nearest(name, get_args(SamplerName), "sampler")
    if name == "stratified":
        return StratifiedSampler(stratify(points.flatten(1), batch_size), batch_size, seeds, device)
    if name == "dpp":
        return DppSampler(points.flatten(1), batch_size, seeds, device)
    return RandomSampler(len(points), batch_size, seeds, device)


def choose(name: SamplerName, points: torch.Tensor, m: int, uniforms: Callable[..., torch.Tensor]) -> torch.Tensor:
    """Choose a batch that follows the law of freshly generated points.

    points: (S, N, *sample), N = OVERSAMPLE m, without graph -> indices (S, m) into N: one point of each of m strata of
    these points (``stratified``), a k-DPP subset of the first POOL m of them (``dpp``), the first m (``random``).
    ``uniforms(*shape)`` -> (S, *shape) are the seeds' draws from [0, 1). Raises ValueError for an unknown name.
    """
    nearest(name, get_args(SamplerName), "sampler")
    seeds, count = points.shape[:2]
    if name == "stratified":
        each = count // m
        strata = stratify(points.flatten(2), m)[:, : m * each].unflatten(1, (m, each))
        place = (uniforms(m) * each).long().clamp(max=each - 1)
        return strata.gather(2, place.unsqueeze(-1)).squeeze(-1)
    if name == "dpp":
        pool = points.flatten(2)[:, : POOL * m]
        return k_dpp(pool, m, uniforms(1, pool.shape[1] + m)).squeeze(1)
    return torch.arange(m, device=points.device).expand(seeds, m)


def batches(name: SamplerName, points: torch.Tensor, m: int, streams: Sequence[tuple[object, ...]]) -> torch.Tensor:
    """Return the mini-batches (S, n//m, m) of one epoch, to measure what they cost.

    points: (n, d), shared, or (S, n, d). ``streams`` names one stream of random numbers for each seed. ``random`` and
    ``stratified`` part the points (all of them where m divides n); ``dpp`` draws independent subsets.
    """
    nearest(name, get_args(SamplerName), "sampler")
    raise NotImplementedError


class RandomSampler:
    """Random mini-batches, one partition of the data per epoch, for each seed its own."""

    def __init__(self, n: int, batch_size: int, seeds: range, device: torch.device) -> None:
        self.n, self.batch_size, self.seeds, self.device = n, batch_size, seeds, device
        self._epoch = -1
        self._order = torch.empty(0)

    def batch(self, number: int) -> torch.Tensor:
        """Return the indices (S, m) of batch ``number``."""
        epoch, position = divmod(number, self.n // self.batch_size)
        if epoch != self._epoch:
            orders = [random_order(self.n, "order", seed, epoch) for seed in self.seeds]
            self._order = torch.stack(orders).to(self.device)
            self._epoch = epoch
        return self._order[:, position * self.batch_size : (position + 1) * self.batch_size]


def random_order(n: int, *stream: object) -> torch.Tensor:
    """Return a permutation of 0..n-1 that is a function of the stream's name."""
    return torch.randperm(n, generator=torch.Generator().manual_seed(seed_of(*stream)))
