"""Batch-normalised generator and maxout critic with a seed axis (Lin et al., 2018)."""

from __future__ import annotations

import itertools
import math

import torch
import torch.nn.functional as F
from torch import nn

from pwgan.networks.layers.seeds import BatchNorm, Linear, from_maps, latents, to_maps


class Generator(nn.Module):
    """Latents (S, m, z) -> samples (S, m, *shape); ``sizes``: z and the width of each hidden layer."""

    def __init__(self, seeds: int, sizes: list[int], shape: tuple[int, ...], law: str) -> None:
        super().__init__()
        self.seeds, self.shape, self.law = seeds, shape, law
        self.layers = nn.ModuleList(Linear(seeds, a, b) for a, b in itertools.pairwise(sizes))
        self.norms = nn.ModuleList(BatchNorm(seeds, width) for width in sizes[1:])
        self.last = Linear(seeds, sizes[-1], math.prod(shape))

    def forward(self, latent: torch.Tensor) -> torch.Tensor:
        hidden = latents(latent, self.law)
        for layer, norm in zip(self.layers, self.norms, strict=True):
            # The normalisation takes one channel axis for all seeds.
            hidden = F.relu(from_maps(norm(to_maps(layer(hidden))), self.seeds))
        return self.last(hidden).unflatten(-1, self.shape)


class Critic(nn.Module):
    """Samples (S, m, *shape) -> scores (S, m); a hidden unit is the largest of ``pieces`` affine maps."""

    def __init__(self, seeds: int, widths: list[int], pieces: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.pieces = pieces
        sizes = [math.prod(shape), *widths]
        self.layers = nn.ModuleList(Linear(seeds, a, pieces * b) for a, b in itertools.pairwise(sizes))
        self.score = Linear(seeds, widths[-1], 1)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Return the last hidden layer, (S, m, width)."""
        hidden = x.flatten(2)
        for layer in self.layers:
            hidden = layer(hidden).unflatten(-1, (self.pieces, -1)).amax(-2)
        return hidden

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.score(self.features(x)).squeeze(-1)
