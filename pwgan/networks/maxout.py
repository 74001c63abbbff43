"""The fully connected network of PacGAN: batch normalisation in the generator, maxout in the critic."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from pydantic import PositiveFloat

from pwgan.networks.base import CriticNorm, Network
from pwgan.options import Count

if TYPE_CHECKING:
    from torch import nn


class Maxout(Network):
    """Fully connected network with maxout in the critic (Lin et al. 2018, PacGAN, section 4.1), for any shape.

    The generator has ``depth`` hidden layers of ``width`` units, each batch-normalised and rectified. The critic has
    ``critic_depth`` hidden layers of ``critic_width`` units, each the largest of ``pieces`` affine maps (Goodfellow et
    al., 2013). Weights ~ N(0, ``init_scale``^2), gains ~ N(1, ``init_scale``^2), biases 0.
    """

    name: Literal["maxout"] = "maxout"
    latent_dim: Count = 2
    width: Count = 400
    depth: Count = 4
    critic_width: Count = 200
    critic_depth: Count = 3
    pieces: Count = 5
    init_scale: PositiveFloat = 0.02

    def weights(self, shape: tuple[int, ...]) -> int:
        """Return the number of weights of one seed's generator and critic, without biases."""
        generator = self.width * (self.latent_dim + math.prod(shape)) + (self.depth - 1) * self.width**2
        hidden = self.critic_width * math.prod(shape) + (self.critic_depth - 1) * self.critic_width**2
        return generator + self.pieces * hidden + self.critic_width

    def build(self, seeds: range, shape: tuple[int, ...], critic_norm: CriticNorm) -> tuple[nn.Module, nn.Module]:
        """Return generator and critic; the critic has no normalisation, and ``critic_norm`` is ignored."""
        from pwgan.networks.layers import maxout

        sizes = [self.latent_dim, *[self.width] * self.depth]
        generator = maxout.Generator(len(seeds), sizes, shape, self.latent)
        return generator, maxout.Critic(len(seeds), [*[self.critic_width] * self.critic_depth], self.pieces, shape)

    def initialise(self, module: nn.Module, seeds: range, role: str) -> None:
        """Draw weights ~ N(0, init_scale^2), each seed from its own generator."""
        from pwgan.networks.layers.initial import initialise

        initialise(module, seeds, role, "normal", self.init_scale)
