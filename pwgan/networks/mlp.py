"""The fully connected network."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from pwgan.networks.base import CriticNorm, Network
from pwgan.options import Count

if TYPE_CHECKING:
    from torch import nn


class MLP(Network):
    """Fully connected generator and critic, for samples of any shape."""

    name: Literal["mlp"] = "mlp"
    width: Count = 128
    depth: Count = 3
    latent_dim: Count = 16

    def weights(self, shape: tuple[int, ...]) -> int:
        """Return the number of weights of one seed's generator and critic, without biases."""
        generator = self.width * (self.latent_dim + math.prod(shape))
        critic = self.width * (math.prod(shape) + 1)
        return generator + critic + 2 * (self.depth - 1) * self.width**2

    def build(self, seeds: range, shape: tuple[int, ...], critic_norm: CriticNorm) -> tuple[nn.Module, nn.Module]:
        """Return generator and critic; the critic has no normalisation, and ``critic_norm`` is ignored."""
        from pwgan.networks.layers import mlp

        generator = mlp.Generator(len(seeds), self.latent_dim, self.width, self.depth, shape)
        return generator, mlp.Critic(len(seeds), self.width, self.depth, shape)
