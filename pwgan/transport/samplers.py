"""Which samples meet in a mini-batch: by chance, one of each stratum, or a diverse subset."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, get_args

import torch

from pwgan.options import SamplerName, nearest
from pwgan.runtime import seed_of
from pwgan.transport.dpp import POOL, k_dpp, kernel, spectrum
from pwgan.transport.stratify import bounds, stratify

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
        return StratifiedSampler(points.flatten(1), batch_size, seeds, device)
    if name == "dpp":
        return DppSampler(points.flatten(1), batch_size, seeds, device)
    return RandomSampler(len(points), batch_size, seeds, device)


def choose(name: SamplerName, points: torch.Tensor, m: int, uniforms: Callable[..., torch.Tensor]) -> torch.Tensor:
    """Choose a batch that follows the law of freshly generated points.

    points: (S, N, *sample), N = OVERSAMPLE m -> indices (S, m) into N: one point of each of m strata of these points
    (``stratified``), a k-DPP subset of the first POOL m of them (``dpp``), the first m (``random``); in random order.
    ``uniforms(*shape)`` -> (S, *shape) are the seeds' draws from [0, 1). A seed whose points are not finite gets a
    batch too, and changes nobody else's. Raises ValueError for an unknown name or fewer points than m.
    """
    nearest(name, get_args(SamplerName), "sampler")
    seeds, count = points.shape[:2]
    if count < m:
        raise ValueError(f"{m} points cannot be chosen out of {count}")
    if name == "random":
        return torch.arange(m, device=points.device).expand(seeds, m)
    points = points.detach().flatten(2)
    points = torch.where(points.isfinite().all(-1).all(-1)[:, None, None], points, 0)
    if name == "dpp":
        pool = points[:, : POOL * m]
        draws = uniforms(pool.shape[1] + m).unsqueeze(1)
        return k_dpp(*spectrum(kernel(pool)), m, draws).squeeze(1).to(points.device)
    starts = torch.tensor(bounds(count, m), device=points.device)
    place, turn = uniforms(2, m).unbind(1)
    # Rounded up to 1, a draw of float32 would point past its stratum.
    place = starts[:-1] + (place * starts.diff()).long().minimum(starts.diff() - 1)
    return stratify(points, m).gather(1, place).gather(1, turn.argsort(-1))


def batches(name: SamplerName, points: torch.Tensor, m: int, streams: Sequence[tuple[object, ...]]) -> torch.Tensor:
    """Return the mini-batches (S, n//m, m) of one epoch, as a sampler would draw them, to measure what they cost.

    points: (n, d), shared by the seeds, or (S, n, d). ``streams`` names one stream of random numbers for each seed.
    ``random`` and ``stratified`` part the points (all of them where m divides n); ``dpp`` draws subsets apart from each
    other. Raises ValueError for an unknown name.
    """
    nearest(name, get_args(SamplerName), "sampler")
    n = points.shape[-2]
    each = n // m
    if name == "random":
        found = torch.stack([random_order(n, *stream)[: each * m] for stream in streams]).unflatten(1, (each, m))
    elif name == "stratified":
        orders = stratify(points, m).expand(len(streams), n).cpu()
        found = torch.stack([_one_of_each(own, m, *stream) for own, stream in zip(orders, streams, strict=True)])
    else:
        found = _subsets(points, m, streams)
    return found.to(points.device)


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


class StratifiedSampler:
    """Mini-batches with one point of each of m strata, n//m of them an epoch, in which no point comes twice.

    Where m does not divide n, as many points as are over sit out each epoch, drawn anew: all are met equally often.
    """

    def __init__(self, points: torch.Tensor, batch_size: int, seeds: range, device: torch.device) -> None:
        self.batch_size, self.seeds, self.device = batch_size, seeds, device
        self._strata = stratify(points, batch_size).cpu()
        self._epoch = -1
        self._batches = torch.empty(0)

    def batch(self, number: int) -> torch.Tensor:
        """Return the indices (S, m) of batch ``number``."""
        epoch, position = divmod(number, len(self._strata) // self.batch_size)
        if epoch != self._epoch:
            drawn = [_one_of_each(self._strata, self.batch_size, "strata", seed, epoch) for seed in self.seeds]
            self._batches = torch.stack(drawn).to(self.device)
            self._epoch = epoch
        return self._batches[:, position]


class DppSampler:
    """Mini-batches that are k-DPP subsets of random pools of POOL m points, POOL of them from each pool.

    The pools part the points anew each epoch; the subsets of one pool may overlap, and diverse points come more often.
    """

    def __init__(self, points: torch.Tensor, batch_size: int, seeds: range, device: torch.device) -> None:
        self.points, self.batch_size, self.seeds, self.device = points, batch_size, seeds, device
        self.size = min(POOL * batch_size, len(points))
        self._whole = spectrum(kernel(points.unsqueeze(0))) if self.size == len(points) else None
        self._pool = -1
        self._subsets = torch.empty(0)

    def batch(self, number: int) -> torch.Tensor:
        """Return the indices (S, m) of batch ``number``."""
        pool, position = divmod(number, POOL)
        if pool != self._pool:
            self._subsets = self._draw(pool).to(self.device)
            self._pool = pool
        return self._subsets[:, position]

    def _draw(self, pool: int) -> torch.Tensor:
        count, n = len(self.seeds), len(self.points)
        uniforms = [_uniforms((POOL, self.size + self.batch_size), "dpp", seed, pool) for seed in self.seeds]
        if self._whole is not None:
            values, vectors = (part.expand(count, *part.shape[1:]) for part in self._whole)
            return k_dpp(values, vectors, self.batch_size, torch.stack(uniforms))
        epoch, place = divmod(pool, n // self.size)
        orders = torch.stack([random_order(n, "pools", seed, epoch) for seed in self.seeds])
        members = orders[:, place * self.size : (place + 1) * self.size]
        values, vectors = spectrum(kernel(self.points[members.to(self.points.device)]))
        drawn = k_dpp(values, vectors, self.batch_size, torch.stack(uniforms))
        return members.gather(1, drawn.flatten(1)).view_as(drawn)


def random_order(n: int, *stream: object) -> torch.Tensor:
    """Return a permutation of 0..n-1 that is a function of the stream's name."""
    return torch.randperm(n, generator=torch.Generator().manual_seed(seed_of(*stream)))


def _uniforms(shape: tuple[int, ...], *stream: object) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed_of(*stream)), dtype=torch.float64)


def _one_of_each(strata: torch.Tensor, m: int, *stream: object) -> torch.Tensor:
    """Part points in the order of ``stratify``, (n,), into batches (n//m, m) with one point of each of m strata."""
    n, each = len(strata), len(strata) // m
    kept = random_order(n, "kept", *stream)[: m * each].sort().values
    cells = strata[kept].view(m, each)
    dealt = cells.gather(1, _uniforms((m, each), "dealt", *stream).argsort(-1)).T
    # In the order of the strata, place j of a real and of a generated batch would hold points near each other.
    return dealt.gather(1, _uniforms((each, m), "turns", *stream).argsort(-1))


def _subsets(points: torch.Tensor, m: int, streams: Sequence[tuple[object, ...]]) -> torch.Tensor:
    """Draw n//m k-DPP subsets (S, n//m, m) for each stream, as ``DppSampler`` would: equally many from each pool."""
    seeds, (n, d) = len(streams), points.shape[-2:]
    size = min(POOL * m, n)
    pools = n // size
    each = -(-(n // m) // pools)
    uniforms = torch.stack([_uniforms((pools, each, size + m), "dpp", *stream) for stream in streams]).flatten(0, 1)
    if size == n:
        values, vectors = spectrum(kernel(points.reshape(-1, n, d)))
        return k_dpp(values.expand(seeds, n), vectors.expand(seeds, n, n), m, uniforms)
    orders = torch.stack([random_order(n, "pools", *stream) for stream in streams])
    members = orders[:, : pools * size].unflatten(1, (pools, size))
    held = points.cpu().expand(seeds, n, d).gather(1, members.flatten(1).unsqueeze(-1).expand(-1, -1, d))
    drawn = k_dpp(*spectrum(kernel(held.view(seeds * pools, size, d))), m, uniforms).view(seeds, pools, each * m)
    return members.gather(2, drawn).view(seeds, pools * each, m)[:, : n // m]
