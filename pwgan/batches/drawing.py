"""Drawing mini-batches by the name of a sampler: of real samples, of generated ones, and of a pool to evaluate."""

from __future__ import annotations

from collections.abc import Sequence

from pwgan.batches import samplers
from pwgan.batches.base import Sampler, Stream
from pwgan.lazy import torch


def build_sampler(name: str, points: torch.Tensor, batch_size: int, seeds: range, device: torch.device) -> Sampler:
    """Return the sampler of real samples for one block of seeds.

    points: the training sets (S, n, *sample), float or uint8, or (1, n, *sample) if all seeds share one. Indices are on
    ``device``.
    """
    return samplers()[name](points.flatten(2), batch_size, seeds, device)


def batches(name: str, points: torch.Tensor, m: int, streams: Sequence[Stream]) -> torch.Tensor:
    """Return the mini-batches (S, n//m, m) that a sampler draws in one epoch: of generated points, or to evaluate.

    points: (n, d), shared by the seeds, or (S, n, d). ``streams`` has the name of one random stream per seed. A
    partitioning sampler uses every point exactly once if m divides n. A seed with non-finite points still gets batches
    and does not affect the other seeds.
    """
    finite = torch.where(points.isfinite().all(-1).all(-1)[..., None, None], points.detach(), 0)
    return samplers()[name].epoch(finite, m, streams).to(points.device)
