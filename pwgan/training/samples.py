"""Reproducible latents and the samples generated from them, and the real samples that they are compared with."""

from __future__ import annotations

import torch

from pwgan.batches.base import random_order
from pwgan.data.store import StoredData
from pwgan.runtime import seed_of


def latent_samples(seeds: range, stream: str, count: int, latent_dim: int) -> torch.Tensor:
    """Return fresh standard normal latents (S, count, z), each seed from its own stream, the same on every device."""
    generators = [torch.Generator().manual_seed(seed_of("latents", stream, seed)) for seed in seeds]
    return torch.stack([torch.randn(count, latent_dim, generator=generator) for generator in generators])


def training_samples(data: StoredData, seeds: range, count: int) -> torch.Tensor:
    """Return a random subset of the training set for each seed, (S, count, *sample), the same for every method."""
    return data.of_seeds(seeds).train_tensor(torch.stack([training_order(data, seed)[:count] for seed in seeds]))


def training_order(data: StoredData, seed: int) -> torch.Tensor:
    """Return the order of the training samples, (n,), whose first ones are ``training_samples`` of a seed."""
    return random_order(data.train_size, "reference", seed)


@torch.no_grad()
def generate(generator: torch.nn.Module, latents: torch.Tensor, batch: int = 512) -> torch.Tensor:
    """Generate samples (S, n, *sample) from latents (S, n, z) in eval mode: no sample depends on the others."""
    generator.eval()
    return torch.cat([generator(part) for part in latents.split(batch, 1)], 1)


@torch.no_grad()
def update_average(average: torch.nn.Module, module: torch.nn.Module, decay: float) -> None:
    """Move every parameter w of ``average`` to decay w + (1 - decay) v, v that of ``module``; copy its buffers."""
    torch._foreach_lerp_(list(average.parameters()), list(module.parameters()), 1 - decay)
    for kept, new in zip(average.buffers(), module.buffers(), strict=True):
        kept.copy_(new)
