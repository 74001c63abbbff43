"""DCGAN generator and critic with a seed axis (Radford, Metz and Chintala, 2016), for 8, 28, 32, 64 pixels and more.

Their layers also make the velocity network of a flow.
"""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from torch import nn

from pwgan.networks.base import CriticNorm
from pwgan.networks.layers.seeds import (
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Linear,
    SpectralConv2d,
    SpectralLinear,
    from_maps,
    latents,
    to_maps,
)


def levels(size: int) -> int:
    """Return how often an image is halved: down to 4 pixels or an odd size, and at least twice."""
    count = 0
    while size % 2 == 0 and (size > 4 or count < 2):
        size, count = size // 2, count + 1
    return count


class Generator(nn.Module):
    """Latents (S, m, z) -> images (S, m, channels, size, size) in [-1, 1]; every hidden layer is batch-normalised."""

    def __init__(self, seeds: int, latent_dim: int, law: str, width: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.seeds, self.law, depth = seeds, law, levels(shape[1])
        self.start = shape[1] >> depth
        channels = [width << level for level in reversed(range(depth))]
        self.project = Linear(seeds, latent_dim, channels[0] * self.start**2)
        self.norms = nn.ModuleList(BatchNorm(seeds, c) for c in channels)
        self.ups = nn.ModuleList(ConvTranspose2d(seeds, a, b, bias=False) for a, b in itertools.pairwise(channels))
        self.last = ConvTranspose2d(seeds, channels[-1], shape[0], bias=True)

    def forward(self, latent: torch.Tensor) -> torch.Tensor:
        maps = to_maps(self.project(latents(latent, self.law)).unflatten(-1, (-1, self.start, self.start)))
        maps = F.relu(self.norms[0](maps))
        for up, norm in zip(self.ups, self.norms[1:], strict=True):
            maps = F.relu(norm(up(maps)))
        return from_maps(torch.tanh(self.last(maps)), self.seeds)


class Critic(nn.Module):
    """Images (S, m, channels, size, size) -> scores (S, m); ``norm``: of hidden layers, or spectral, of all weights."""

    def __init__(self, seeds: int, width: int, shape: tuple[int, ...], norm: CriticNorm) -> None:
        super().__init__()
        self.seeds, depth = seeds, levels(shape[1])
        channels = [shape[0], *(width << level for level in range(depth))]
        convolution, linear = (SpectralConv2d, SpectralLinear) if norm == "spectral" else (Conv2d, Linear)
        self.downs = nn.ModuleList(
            convolution(seeds, channels[level], channels[level + 1], bias=norm != "batch" or level == 0)
            for level in range(depth)
        )
        # The first layer is not normalised, as in the paper.
        self.norms = nn.ModuleList(
            nn.Identity() if norm != "batch" or level == 0 else BatchNorm(seeds, channels[level + 1])
            for level in range(depth)
        )
        self.score = linear(seeds, channels[-1] * (shape[1] >> depth) ** 2, 1)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Return the last hidden layer, (S, m, features)."""
        maps = to_maps(x)
        for down, norm in zip(self.downs, self.norms, strict=True):
            maps = F.leaky_relu(norm(down(maps)), 0.2)
        return from_maps(maps, self.seeds).flatten(2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.score(self.features(x)).squeeze(-1)


class Velocity(nn.Module):
    """Images (S, m, channels, size, size) and times (S, m) -> velocities of the shape of the images.

    Strided convolutions halve the image as the critic's do, time being one more channel; transposed ones double it
    again, each but the first also given the encoder's maps of its size, as in the U-net (Ronneberger, Fischer and Brox,
    2015, section 2). No layer is normalised: in a step of the ODE all images have the same time, in training they do
    not. The hidden layers are x sigmoid(x), which is smooth, so that the order of an ODE solver holds.
    """

    def __init__(self, seeds: int, width: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.seeds = seeds
        widths = [width << level for level in range(levels(shape[1]))]
        self.downs = nn.ModuleList(
            Conv2d(seeds, a, b, bias=True) for a, b in itertools.pairwise([shape[0] + 1, *widths])
        )
        given = [widths[-1], *(2 * each for each in reversed(widths[:-1]))]
        made = [*reversed(widths[:-1]), shape[0]]
        self.ups = nn.ModuleList(ConvTranspose2d(seeds, a, b, bias=True) for a, b in zip(given, made, strict=True))

    def forward(self, x: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        times = time[:, :, None, None, None].expand_as(x[:, :, :1])
        maps, kept = to_maps(torch.cat([x, times], 2)), []
        for down in self.downs:
            maps = F.silu(down(maps))
            kept.append(maps)
        maps = self.ups[0](kept.pop())
        for up in self.ups[1:]:
            both = [from_maps(part, self.seeds) for part in (F.silu(maps), kept.pop())]
            maps = up(to_maps(torch.cat(both, 2)))
        return from_maps(maps, self.seeds)
