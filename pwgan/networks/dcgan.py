"""The convolutional network of Radford et al. (2016)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pwgan.errors import Refused
from pwgan.networks.base import CriticNorm, Network
from pwgan.options import Count

if TYPE_CHECKING:
    from torch import nn


class DCGAN(Network):
    """Convolutional generator and critic for square images, after Radford et al. (2016), with its initial weights.

    The velocity network of a flow has the layers of both: an encoder, and a decoder that is also given the encoder's
    maps. It has no normalisation, and so the initial weights of torch's layers: those of the paper would let it vanish.
    """

    name: Literal["dcgan"] = "dcgan"
    width: Count = 32
    latent_dim: Count = 64

    def check(self, shape: tuple[int, ...]) -> None:
        """Raise ``Refused`` unless samples are square images whose side is a multiple of 4 and at least 8 pixels."""
        if len(shape) != 3 or shape[1] != shape[2] or shape[1] < 8 or shape[1] % 4:
            raise Refused(
                f"dcgan makes square images (channels, size, size) of size 8, 12, 16, ... (8, 28, 32, 64 are usual); "
                f"got samples of shape {shape}; use network: {{name: mlp}}"
            )

    def weights(self, shape: tuple[int, ...]) -> int:
        """Return a lower bound for one seed: both networks have layers of width × 2 width kernels of 4 × 4."""
        return 2 * 16 * 2 * self.width**2 + self.latent_dim * self.width

    def build(self, seeds: range, shape: tuple[int, ...], critic_norm: CriticNorm) -> tuple[nn.Module, nn.Module]:
        """Return generator and critic; ``critic_norm``: normalisation of the critic."""
        from pwgan.networks.layers import dcgan

        self.check(shape)
        generator = dcgan.Generator(len(seeds), self.latent_dim, self.latent, self.width, shape)
        return generator, dcgan.Critic(len(seeds), self.width, shape, critic_norm)

    def build_velocity(self, seeds: range, shape: tuple[int, ...]) -> nn.Module:
        """Return the velocity network of a flow."""
        from pwgan.networks.layers import dcgan

        self.check(shape)
        return dcgan.Velocity(len(seeds), self.width, shape)

    def initialise(self, module: nn.Module, seeds: range, role: str) -> None:
        """Draw weights ~ N(0, 0.02^2) and gains ~ N(1, 0.02^2), as Radford et al. (2016); velocities by default."""
        from pwgan.networks.layers.initial import initialise

        if role == "velocity":
            initialise(module, seeds, role)
        else:
            initialise(module, seeds, role, "normal", 0.02)
