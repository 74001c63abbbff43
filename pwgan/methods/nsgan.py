"""The non-saturating GAN, the form in which GANs are trained in practice."""

from __future__ import annotations

from typing import ClassVar

from pwgan.lazy import F, torch
from pwgan.methods.base import Batch, Nets
from pwgan.methods.gan import GAN


class NonSaturatingGAN(GAN):
    """Non-saturating GAN (Goodfellow et al., 2014, section 3).

    The discriminator is that of ``gan``; the generator minimises -E log D(G(z)), whose gradient does not vanish where
    D rejects generated samples with confidence.
    """

    name: ClassVar[str] = "nsgan"

    def generator_loss(self, nets: Nets, batch: Batch) -> torch.Tensor:
        """-E log D(G(z))."""
        return F.softplus(-nets.critic(batch.fake)).mean(-1)
