"""The relativistic pairing GAN with gradient penalties at real and at generated samples."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, PositiveFloat

from pwgan.lazy import F, torch
from pwgan.methods.base import AdversarialMethod, Batch, Nets
from pwgan.networks.base import CriticNorm


class R3GAN(AdversarialMethod):
    """Regularised relativistic GAN (Huang et al., "The GAN is dead; long live the GAN!", 2024).

    min_f  E log(1 + exp(f(G(z)) - f(x))) + gamma/2 (E ||grad f(x)||^2 + E ||grad f(G(z))||^2),
    min_G  E log(1 + exp(f(x) - f(G(z)))),
    x and z independent: each real sample is compared with one generated sample. The penalties, R1 and R2, are of the
    slope itself, not of its distance from 1, so the critic of equal laws is constant. Losses are (S,).

    Deviations from the paper:

    - f is large for real samples, as every critic here; the paper has the opposite sign.
    - The generator has the non-saturating loss, as in the authors' code, where the paper writes a minimax game.
    - Pairs are those of equal rows of the two mini-batches, each in random order.
    - gamma and Adam's second moment are constant (1 and 0.99); the authors' code changes them, and the rates, along
      training, with gamma from 0.05 to 150 by data set. The networks are those of this suite, without normalisation
      in the critic.
    """

    name: ClassVar[str] = "r3gan"
    critic_norm: ClassVar[CriticNorm] = "none"

    gamma: PositiveFloat = 1.0
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = (0.0, 0.99)

    def critic_loss(self, nets: Nets, batch: Batch) -> torch.Tensor:
        """E log(1 + exp(f(G(z)) - f(x))) + gamma/2 (E ||grad f(x)||^2 + E ||grad f(G(z))||^2)."""
        # One forward pass for both halves: this critic treats samples independently.
        samples = torch.cat([batch.real, batch.fake], 1).requires_grad_()
        scores = nets.critic(samples)
        (gradient,) = torch.autograd.grad(scores.sum(), samples, create_graph=True)
        real, fake = scores.chunk(2, 1)
        # The mean over both halves is half the sum of their means.
        return F.softplus(fake - real).mean(-1) + self.gamma * gradient.flatten(2).square().sum(-1).mean(-1)

    def generator_loss(self, nets: Nets, batch: Batch) -> torch.Tensor:
        """E log(1 + exp(f(x) - f(G(z))))."""
        return F.softplus(nets.critic(batch.real) - nets.critic(batch.fake)).mean(-1)
