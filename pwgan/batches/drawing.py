"""Drawing mini-batches by the name of a sampler: of real samples, of generated ones, and of a pool to evaluate."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pwgan.batches import samplers
from pwgan.batches.base import Sampler, Stream
from pwgan.lazy import torch


def build_sampler(name: str, points: torch.Tensor, batch_size: int, seeds: range, device: torch.device) -> Sampler:
    """Return the sampler of real samples for one block of seeds.

    points: the training sets (S, n, *sample), float or uint8, or (1, n, *sample) if all seeds share one. Indices are on
    ``device``.
    """
    return samplers()[name](points.flatten(2), batch_size, seeds, device)


def choose(name: str, points: torch.Tensor, m: int, uniforms: Callable[..., torch.Tensor]) -> torch.Tensor:
    """Choose a batch that follows the distribution of freshly generated points.

    points: (S, N, *sample) -> indices (S, m) into N. ``uniforms(*shape)`` -> (S, *shape) are the seeds' draws from
    [0, 1). A seed with non-finite points still gets a batch and does not affect the other seeds. Raises ValueError if
    there are fewer than m points.
    """
    if points.shape[1] < m:
        raise ValueError(f"{m} points cannot be chosen out of {points.shape[1]}")
    flat = points.detach().flatten(2)
    finite = torch.where(flat.isfinite().all(-1).all(-1)[:, None, None], flat, 0)
    return samplers()[name].choose(finite, m, uniforms)


def batches(name: str, points: torch.Tensor, m: int, streams: Sequence[Stream]) -> torch.Tensor:
    """Return the mini-batches (S, n//m, m) that a sampler draws in one epoch, for evaluation.

    points: (n, d), shared by the seeds, or (S, n, d). ``streams`` has the name of one random stream per seed. A
    partitioning sampler uses every point exactly once if m divides n.
    """
    return samplers()[name].epoch(points, m, streams).to(points.device)
