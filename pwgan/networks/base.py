"""The interface of a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pwgan.options import Count, Options

if TYPE_CHECKING:
    from torch import nn

CriticNorm = Literal["batch", "none"]


class Network(Options):
    """A generator and its critic: options, accepted sample shapes, construction and initialisation.

    Subclasses are registered by the default of the field ``name``. Planning a study imports this class, so torch is
    imported only inside ``build``.
    """

    init_std: ClassVar[float | None] = None
    """Standard deviation of normal initial weights; None: uniform weights, as torch initialises linear layers."""

    name: str
    latent_dim: Count = 64

    def check(self, shape: tuple[int, ...]) -> None:
        """Raise ``Refused`` if the network cannot generate samples of this shape; by default it accepts all shapes."""

    def weights(self, shape: tuple[int, ...]) -> int:
        """Return the number of weights of one seed's generator and critic, or a lower bound, by default 0."""
        return 0

    def build(self, seeds: range, shape: tuple[int, ...], critic_norm: CriticNorm) -> tuple[nn.Module, nn.Module]:
        """Return generator (S, m, z) -> (S, m, *shape) and critic (S, m, *shape) -> (S, m), not yet initialised."""
        raise NotImplementedError

    def initialise(self, module: nn.Module, seeds: range, role: str) -> None:
        """Draw the initial parameters of ``module``, each seed from its own generator."""
        from pwgan.networks.layers.seeds import initialise

        initialise(module, seeds, role, self.init_std)
