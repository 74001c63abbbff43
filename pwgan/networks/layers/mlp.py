"""Fully connected generator and critic with a seed axis."""

from __future__ import annotations

import itertools
import math

import torch
import torch.nn.functional as F
from torch import nn

from pwgan.networks.layers.seeds import Linear


class Generator(nn.Module):
    """Latents (S, m, z) -> samples (S, m, *shape) through ``depth`` ReLU layers."""

    def __init__(self, seeds: int, latent_dim: int, width: int, depth: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape
        sizes = [latent_dim, *[width] * depth, math.prod(shape)]
        self.layers = nn.ModuleList(Linear(seeds, a, b) for a, b in itertools.pairwise(sizes))

    def forward(self, latent: torch.Tensor) -> torch.Tensor:
        hidden = latent
        for layer in self.layers[:-1]:
            hidden = F.relu(layer(hidden))
        return self.layers[-1](hidden).unflatten(-1, self.shape)


class Critic(nn.Module):
    """Samples (S, m, *shape) -> scores (S, m), without a final sigmoid (article C1)."""

    def __init__(self, seeds: int, width: int, depth: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        sizes = [math.prod(shape), *[width] * depth]
        self.layers = nn.ModuleList(Linear(seeds, a, b) for a, b in itertools.pairwise(sizes))
        self.score = Linear(seeds, width, 1)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Return the last hidden layer, (S, m, width)."""
        hidden = x.flatten(2)
        for layer in self.layers:
            hidden = F.leaky_relu(layer(hidden), 0.2)
        return hidden

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.score(self.features(x)).squeeze(-1)
