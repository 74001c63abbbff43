"""Networks on the seed axis: their options here, without torch; their layers in the modules of this package."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, PositiveInt

from pwgan.options import Options

if TYPE_CHECKING:
    from torch import nn

CriticNorm = Literal["batch", "none"]


class MLP(Options):
    """Fully connected generator and critic for points."""

    name: Literal["mlp"] = "mlp"
    width: PositiveInt = 128
    depth: PositiveInt = 3
    latent_dim: PositiveInt = 16

    def check(self, shape: tuple[int, ...]) -> None:
        """Refuse samples that this network cannot make: it takes any shape."""

    def build(self, seeds: range, shape: tuple[int, ...], critic_norm: CriticNorm) -> tuple[nn.Module, nn.Module]:
        """Return generator (S, m, z) -> (S, m, *shape) and critic (S, m, *shape) -> (S, m)."""
        from pwgan.networks import mlp

        generator = mlp.Generator(len(seeds), self.latent_dim, self.width, self.depth, shape)
        return generator, mlp.Critic(len(seeds), self.width, self.depth, shape)


class DCGAN(Options):
    """Convolutional generator and critic for square images, after Radford et al. (2016)."""

    name: Literal["dcgan"] = "dcgan"
    width: PositiveInt = 32
    latent_dim: PositiveInt = 64

    def check(self, shape: tuple[int, ...]) -> None:
        """Refuse samples that are not square images of 8 pixels or more whose size divides by 4."""
        if len(shape) != 3 or shape[1] != shape[2] or shape[1] < 8 or shape[1] % 4:
            raise ValueError(
                f"dcgan makes square images (channels, size, size) of size 8, 12, 16, ... (8, 28, 32, 64 are usual); "
                f"given samples of shape {shape}; use network: {{name: mlp}}"
            )

    def build(self, seeds: range, shape: tuple[int, ...], critic_norm: CriticNorm) -> tuple[nn.Module, nn.Module]:
        """Return generator (S, m, z) -> (S, m, *shape) and critic (S, m, *shape) -> (S, m)."""
        from pwgan.networks import dcgan

        self.check(shape)
        generator = dcgan.Generator(len(seeds), self.latent_dim, self.width, shape)
        return generator, dcgan.Critic(len(seeds), self.width, shape, critic_norm)


Network = Annotated[MLP | DCGAN, Field(discriminator="name")]
