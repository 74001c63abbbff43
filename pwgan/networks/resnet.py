"""The residual network of Miyato et al. (2018)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pwgan.errors import Refused
from pwgan.networks.base import CriticNorm, Network
from pwgan.options import Count

if TYPE_CHECKING:
    from torch import nn


class ResNet(Network):
    """Residual generator and critic for square images, after Miyato et al. (2018), table 4.

    The generator doubles maps of ``width`` channels until they have the size of the image, one block at a time. The
    critic's first two blocks halve the image, and two more keep it. Papers have a width of 256 for the generator and
    128 for the critic; here both have ``width``, or ``critic_width``. Initial weights are Glorot's.
    """

    name: Literal["resnet"] = "resnet"
    width: Count = 64
    critic_width: Count | None = None
    latent_dim: Count = 128

    def check(self, shape: tuple[int, ...]) -> None:
        """Raise ``Refused`` unless samples are square images whose side is a multiple of 4 and at least 8 pixels."""
        if len(shape) != 3 or shape[1] != shape[2] or shape[1] < 8 or shape[1] % 4:
            raise Refused(
                "resnet makes square images (channels, size, size) of size 8, 12, 16, ... (8, 28, 32, 64 are usual); "
                f"got samples of shape {shape}; use network: {{name: mlp}}"
            )

    def weights(self, shape: tuple[int, ...]) -> int:
        """Return a lower bound for one seed: the 3 × 3 kernels of two blocks of each network."""
        return 4 * 9 * (self.width**2 + (self.critic_width or self.width) ** 2)

    def build(self, seeds: range, shape: tuple[int, ...], critic_norm: CriticNorm) -> tuple[nn.Module, nn.Module]:
        """Return generator and critic; ``critic_norm``: normalisation of the critic."""
        from pwgan.networks.layers import resnet

        self.check(shape)
        generator = resnet.Generator(len(seeds), self.latent_dim, self.latent, self.width, shape)
        return generator, resnet.Critic(len(seeds), self.critic_width or self.width, shape, critic_norm)

    def initialise(self, module: nn.Module, seeds: range, role: str) -> None:
        """Draw weights ~ U(-a, a), a^2 = 6 / (fan in + fan out) (Glorot and Bengio, 2010, eq. 16); biases are 0."""
        from pwgan.networks.layers.initial import initialise

        initialise(module, seeds, role, "glorot")
