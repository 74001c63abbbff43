"""Fully connected generator, critic and velocity network with a seed axis."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

from pwgan.networks.base import CriticNorm
from pwgan.networks.layers.seeds import Linear, SpectralLinear, latents

ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "relu": F.relu,
    "tanh": torch.tanh,
    "leaky": partial(F.leaky_relu, negative_slope=0.2),
}


class Generator(nn.Module):
    """Latents (S, m, z) -> samples (S, m, *shape); ``sizes``: z and the width of each hidden layer."""

    def __init__(self, seeds: int, sizes: list[int], shape: tuple[int, ...], law: str, activation: str) -> None:
        super().__init__()
        self.shape, self.law, self.activation = shape, law, ACTIVATIONS[activation]
        self.layers = nn.ModuleList(Linear(seeds, a, b) for a, b in itertools.pairwise([*sizes, math.prod(shape)]))

    def forward(self, latent: torch.Tensor) -> torch.Tensor:
        hidden = latents(latent, self.law)
        for layer in self.layers[:-1]:
            hidden = self.activation(layer(hidden))
        return self.layers[-1](hidden).unflatten(-1, self.shape)


class Velocity(nn.Module):
    """Samples (S, m, *shape) and times (S, m) -> velocities (S, m, *shape): a ``Generator`` that is given both.

    Time is one more input, as in Tong et al., 2024; ``widths`` of hidden layers.
    """

    def __init__(self, seeds: int, widths: list[int], shape: tuple[int, ...], activation: str) -> None:
        super().__init__()
        self.generator = Generator(seeds, [math.prod(shape) + 1, *widths], shape, "normal", activation)

    def forward(self, x: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        return self.generator(torch.cat([x.flatten(2), time.unsqueeze(-1)], -1))


class Critic(nn.Module):
    """Samples (S, m, *shape) -> scores (S, m), without a final sigmoid (article C1); ``widths`` of hidden layers.

    ``norm`` spectral is of the weights of all layers; the hidden layers are never batch-normalised.
    """

    def __init__(
        self, seeds: int, widths: list[int], shape: tuple[int, ...], activation: str, norm: CriticNorm
    ) -> None:
        super().__init__()
        layer = SpectralLinear if norm == "spectral" else Linear
        self.activation = ACTIVATIONS[activation]
        self.layers = nn.ModuleList(layer(seeds, a, b) for a, b in itertools.pairwise([math.prod(shape), *widths]))
        self.score = layer(seeds, widths[-1], 1)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Return the last hidden layer, (S, m, width)."""
        hidden = x.flatten(2)
        for layer in self.layers:
            hidden = self.activation(layer(hidden))
        return hidden

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.score(self.features(x)).squeeze(-1)
