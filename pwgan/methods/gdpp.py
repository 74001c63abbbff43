"""GDPP: a diversity loss on mini-batches, added to a GAN and to a WGAN-GP."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, cast

from pydantic import NonNegativeFloat

from pwgan.lazy import torch
from pwgan.methods.base import Batch, Nets
from pwgan.methods.diversity import diversity
from pwgan.methods.nsgan import NonSaturatingGAN
from pwgan.methods.wgan_gp import WGANGP


class GDPP(NonSaturatingGAN):
    """GAN with the diversity loss of determinantal point processes (Elfeki et al., "GDPP", 2019, section 4).

    The generator minimises  -E log D(G(z)) + structure S + magnitude M  (see ``diversity``), where the discriminator's
    last hidden layer gives the features of real and generated mini-batches. Deviations from the paper:

    - M is the mean squared difference of eigenvalues, with weight 1e-4 by default, and features have norm 1, as in the
      authors' code; the paper uses the unweighted sum of absolute differences.
    - |cos| instead of cos: the sign of an eigenvector is arbitrary.
    - Only the min(m, d) largest eigenvalues are used, d features: the others are 0, their eigenvectors arbitrary. For
      the same reason |cos| has weight w_i, near 0 if l_i^fake is of the order of rounding, and spectra are in float64.
    - Gradients of eigenvectors are regularised, so they stay finite where eigenvalues (nearly) coincide.
    - The generator's loss is the non-saturating one, as in the authors' code.
    """

    name: ClassVar[str] = "gdpp"
    structure: NonNegativeFloat = 1.0
    magnitude: NonNegativeFloat = 1e-4

    def generator_loss(self, nets: Nets, batch: Batch) -> torch.Tensor:
        """-E log D(G(z)) + diversity loss."""
        return super().generator_loss(nets, batch) + _diversity(nets, batch, self.structure, self.magnitude)


class GDPPWGANGP(WGANGP):
    """WGAN-GP with the diversity loss of ``gdpp`` added to the generator's, with the same deviations."""

    name: ClassVar[str] = "gdpp_wgan_gp"
    structure: NonNegativeFloat = 1.0
    magnitude: NonNegativeFloat = 1e-4

    def generator_loss(self, nets: Nets, batch: Batch) -> torch.Tensor:
        """-E f(G(z)) + diversity loss."""
        return super().generator_loss(nets, batch) + _diversity(nets, batch, self.structure, self.magnitude)


def _diversity(nets: Nets, batch: Batch, structure: float, magnitude: float) -> torch.Tensor:
    features = cast(Callable[[torch.Tensor], torch.Tensor], nets.critic.features)
    with torch.no_grad():
        real = features(batch.real)
    terms = diversity(real, features(batch.fake))
    return structure * terms[0] + magnitude * terms[1]
