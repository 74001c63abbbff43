"""Residual generator and critic with a seed axis (Miyato et al., 2018, table 4), for 8, 28, 32, 64 pixels and more."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from pwgan.networks.base import CriticNorm
from pwgan.networks.layers.dcgan import levels
from pwgan.networks.layers.seeds import (
    BatchNorm,
    Conv2d,
    Linear,
    SpectralConv2d,
    SpectralLinear,
    from_maps,
    latents,
    to_maps,
)


class Doubling(nn.Module):
    """Maps (m, S*width, h, w) -> (m, S*width, 2h, 2w): h(x) + shortcut, both of doubled maps."""

    def __init__(self, seeds: int, width: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(BatchNorm(seeds, width) for _ in range(2))
        self.convolutions = nn.ModuleList(Conv2d(seeds, width, width, True, 3) for _ in range(2))
        self.shortcut = Conv2d(seeds, width, width, True, 1)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        first = self.convolutions[0](doubled(F.relu(self.norms[0](maps))))
        # A 1x1 convolution and doubling commute: this order takes a quarter of the work.
        shortcut: torch.Tensor = doubled(self.shortcut(maps)) + self.convolutions[1](F.relu(self.norms[1](first)))
        return shortcut


class Halving(nn.Module):
    """Maps (m, S*inputs, h, w) -> (m, S*outputs, h/2, w/2), or of the same size without ``halve``: h(x) + shortcut.

    The first block of a critic takes an image, which no rectifier and no normalisation precedes.
    """

    def __init__(
        self, seeds: int, inputs: int, outputs: int, norm: CriticNorm, halve: bool, first: bool = False
    ) -> None:
        super().__init__()
        self.halve, self.first = halve, first
        convolution = SpectralConv2d if norm == "spectral" else Conv2d
        batch = norm == "batch"
        sides = (inputs, outputs)
        self.norms = nn.ModuleList(
            BatchNorm(seeds, side) if batch and not (first and k == 0) else nn.Identity()
            for k, side in enumerate(sides)
        )
        self.convolutions = nn.ModuleList(convolution(seeds, side, outputs, True, 3) for side in sides)
        self.shortcut = convolution(seeds, inputs, outputs, True, 1) if halve or inputs != outputs else nn.Identity()

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        hidden = maps if self.first else F.relu(self.norms[0](maps))
        hidden = self.convolutions[1](F.relu(self.norms[1](self.convolutions[0](hidden))))
        if not self.halve:
            kept: torch.Tensor = hidden + self.shortcut(maps)
            return kept
        # A 1x1 convolution and averaging commute: this order takes a quarter of the work.
        made: torch.Tensor = F.avg_pool2d(hidden, 2) + self.shortcut(F.avg_pool2d(maps, 2))
        return made


def doubled(maps: torch.Tensor) -> torch.Tensor:
    """Repeat each number of the maps in a square of 2 x 2."""
    return F.interpolate(maps, scale_factor=2, mode="nearest")


class Generator(nn.Module):
    """Latents (S, m, z) -> images (S, m, channels, size, size) in [-1, 1]."""

    def __init__(self, seeds: int, latent_dim: int, law: str, width: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.seeds, self.law, depth = seeds, law, levels(shape[1])
        self.start = shape[1] >> depth
        self.project = Linear(seeds, latent_dim, width * self.start**2)
        self.blocks = nn.ModuleList(Doubling(seeds, width) for _ in range(depth))
        self.norm = BatchNorm(seeds, width)
        self.last = Conv2d(seeds, width, shape[0], True, 3)

    def forward(self, latent: torch.Tensor) -> torch.Tensor:
        maps = to_maps(self.project(latents(latent, self.law)).unflatten(-1, (-1, self.start, self.start)))
        for block in self.blocks:
            maps = block(maps)
        return from_maps(torch.tanh(self.last(F.relu(self.norm(maps)))), self.seeds)


class Critic(nn.Module):
    """Images (S, m, channels, size, size) -> scores (S, m); ``norm``: of hidden layers, or spectral, of all weights."""

    def __init__(self, seeds: int, width: int, shape: tuple[int, ...], norm: CriticNorm) -> None:
        super().__init__()
        self.seeds = seeds
        self.blocks = nn.Sequential(
            Halving(seeds, shape[0], width, norm, halve=True, first=True),
            Halving(seeds, width, width, norm, halve=True),
            Halving(seeds, width, width, norm, halve=False),
            Halving(seeds, width, width, norm, halve=False),
        )
        self.score = (SpectralLinear if norm == "spectral" else Linear)(seeds, width, 1)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Return the last hidden layer, summed over the maps, (S, m, width)."""
        return from_maps(F.relu(self.blocks(to_maps(x))), self.seeds).sum((-2, -1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.score(self.features(x)).squeeze(-1)
