"""Mini-batches that follow the distribution: one point of each of m strata."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from pwgan.batches.base import Sampler, Stream, random_order, stream_uniforms
from pwgan.batches.stratify import bounds, stratify
from pwgan.lazy import torch


class StratifiedSampler(Sampler):
    """Mini-batches with one point of each of m strata, n//m of them an epoch, in which no point comes twice.

    Where m does not divide n, as many points as are over sit out each epoch, drawn anew: all are met equally often.
    """

    name: ClassVar[str] = "stratified"
    partitions: ClassVar[bool] = True
    oversample: ClassVar[int] = 8

    def __init__(self, points: torch.Tensor, batch_size: int, seeds: range, device: torch.device) -> None:
        super().__init__(points, batch_size, seeds, device)
        self._strata = stratify(points, batch_size).cpu()
        self._epoch = -1
        self._batches = torch.empty(0)

    def batch(self, number: int) -> torch.Tensor:
        epoch, position = divmod(number, len(self._strata) // self.batch_size)
        if epoch != self._epoch:
            drawn = [_one_of_each(self._strata, self.batch_size, "strata", seed, epoch) for seed in self.seeds]
            self._batches = torch.stack(drawn).to(self.device)
            self._epoch = epoch
        return self._batches[:, position]

    @staticmethod
    def choose(points: torch.Tensor, m: int, uniforms: Callable[..., torch.Tensor]) -> torch.Tensor:
        """One point of each of m strata of the points, in random order."""
        starts = torch.tensor(bounds(points.shape[1], m), device=points.device)
        place, turn = uniforms(2, m).unbind(1)
        # Rounded up to 1, a draw of float32 would point past its stratum.
        place = starts[:-1] + (place * starts.diff()).long().minimum(starts.diff() - 1)
        return stratify(points, m).gather(1, place).gather(1, turn.argsort(-1))

    @staticmethod
    def epoch(points: torch.Tensor, m: int, streams: Sequence[Stream]) -> torch.Tensor:
        orders = stratify(points, m).expand(len(streams), points.shape[-2]).cpu()
        return torch.stack([_one_of_each(order, m, *stream) for order, stream in zip(orders, streams, strict=True)])


def _one_of_each(strata: torch.Tensor, m: int, *stream: object) -> torch.Tensor:
    """Part points in the order of ``stratify``, (n,), into batches (n//m, m) with one point of each of m strata."""
    n, each = len(strata), len(strata) // m
    kept = random_order(n, "kept", *stream)[: m * each].sort().values
    cells = strata[kept].view(m, each)
    dealt = cells.gather(1, stream_uniforms((m, each), "dealt", *stream).argsort(-1)).T
    # In the order of the strata, place j of a real and of a generated batch would hold points near each other.
    return dealt.gather(1, stream_uniforms((each, m), "turns", *stream).argsort(-1))
