"""The interface of a network."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from pwgan.errors import Refused
from pwgan.options import Count, Options

if TYPE_CHECKING:
    from typing import Self

    from torch import nn

CriticNorm = Literal["batch", "spectral", "none"]
"""Normalisation of a critic: of its hidden layers by mini-batch statistics, or of the weights of all its layers."""
LatentLaw = Literal["normal", "uniform"]


class Network(Options):
    """A generator and its critic: options, accepted sample shapes, construction and initialisation.

    Subclasses are registered by the default of the field ``name``. Planning a study imports this class, so torch is
    imported only inside ``build``. Latents are drawn from N(0, I); with ``latent: uniform`` the generator maps each
    coordinate z to erf(z / sqrt 2), which is uniform on [-1, 1].
    """

    name: str
    latent_dim: Count = 64
    latent: LatentLaw = "normal"

    def check(self, shape: tuple[int, ...]) -> None:
        """Raise ``Refused`` if the network cannot generate samples of this shape; by default it accepts all shapes."""

    def weights(self, shape: tuple[int, ...]) -> int:
        """Return the number of weights of one seed's generator and critic, or a lower bound, by default 0."""
        return 0

    def build(self, seeds: range, shape: tuple[int, ...], critic_norm: CriticNorm) -> tuple[nn.Module, nn.Module]:
        """Return generator (S, m, z) -> (S, m, *shape) and critic (S, m, *shape) -> (S, m), not yet initialised."""
        raise NotImplementedError

    def build_velocity(self, seeds: range, shape: tuple[int, ...]) -> nn.Module:
        """Return the velocity network of a flow, (S, m, *shape), times (S, m) -> (S, m, *shape), not yet initialised.

        A network without one cannot be used by a ``FlowMethod``.
        """
        raise NotImplementedError

    def for_flow(self, shape: tuple[int, ...]) -> Self:
        """Return these options for a flow, whose latents are N(0, I) in as many dimensions as a sample has.

        ``latent_dim`` is replaced. Raises ``Refused`` for other latents, and for a network that has no velocities.
        """
        if type(self).build_velocity is Network.build_velocity:
            raise Refused(f"{self.name} has no velocity network, and the generator of this method is a flow")
        if self.latent != "normal":
            raise Refused(f"latent: {self.latent}: the flow of this method starts from N(0, I); allowed: normal")
        return self.model_copy(update={"latent_dim": math.prod(shape)})

    def initialise(self, module: nn.Module, seeds: range, role: str) -> None:
        """Draw the initial parameters of ``module``, each seed from its own generator; by default as torch's layers.

        ``role``: generator, critic or velocity.
        """
        from pwgan.networks.layers.initial import initialise

        initialise(module, seeds, role)
