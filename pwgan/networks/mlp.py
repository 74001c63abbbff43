"""The fully connected network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import PositiveInt

from pwgan.networks.base import CriticNorm, Network

if TYPE_CHECKING:
    from torch import nn


class MLP(Network):
    """Fully connected generator and critic, for samples of any shape."""

    name: Literal["mlp"] = "mlp"
    width: PositiveInt = 128
    depth: PositiveInt = 3
    latent_dim: PositiveInt = 16

    def build(self, seeds: range, shape: tuple[int, ...], critic_norm: CriticNorm) -> tuple[nn.Module, nn.Module]:
        """Return generator and critic; the critic has no normalisation, and ``critic_norm`` is ignored."""
        from pwgan.networks.layers import mlp

        generator = mlp.Generator(len(seeds), self.latent_dim, self.width, self.depth, shape)
        return generator, mlp.Critic(len(seeds), self.width, self.depth, shape)
