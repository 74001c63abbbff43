"""The Wasserstein GAN with gradient penalty."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, PositiveFloat

from pwgan.lazy import torch
from pwgan.methods.base import AdversarialMethod, Batch, Nets
from pwgan.networks.base import CriticNorm
from pwgan.options import Count


class WGANGP(AdversarialMethod):
    """WGAN with gradient penalty (Gulrajani et al., 2017, algorithm 1).

    The dual of ``wgan`` with the penalty E (||grad f(x^)|| - 1)^2 instead of clipping, x^ uniform on segments between
    real and generated samples. The critic has no batch normalisation: the penalty is on the gradient at each sample.
    """

    name: ClassVar[str] = "wgan_gp"
    dual: ClassVar[bool] = True
    critic_norm: ClassVar[CriticNorm] = "none"

    critic_steps: Count = 5
    penalty: PositiveFloat = 10.0
    generator_lr: PositiveFloat = 1e-4
    critic_lr: PositiveFloat = 1e-4
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = (0.0, 0.9)

    def critic_loss(self, nets: Nets, batch: Batch) -> torch.Tensor:
        """E f(G(z)) - E f(x) + penalty E (||grad f(x^)|| - 1)^2."""
        # One forward pass for both halves: this critic treats samples independently.
        fake, real = nets.critic(torch.cat([batch.fake, batch.real], 1)).chunk(2, 1)
        dual = fake.mean(-1) - real.mean(-1)
        return dual + self.penalty * (self._slopes(nets, batch) - 1).square().mean(-1)

    def generator_loss(self, nets: Nets, batch: Batch) -> torch.Tensor:
        """-E f(G(z))."""
        return -nets.critic(batch.fake).mean(-1)

    def _slopes(self, nets: Nets, batch: Batch) -> torch.Tensor:
        """Gradient norms of the critic at random points between real and fake, (S, m)."""
        share = batch.uniform(batch.real.shape[1]).reshape(*batch.real.shape[:2], *[1] * (batch.real.ndim - 2))
        between = torch.lerp(batch.real, batch.fake, share).requires_grad_()
        (gradient,) = torch.autograd.grad(nets.critic(between).sum(), between, create_graph=True)
        return gradient.flatten(2).norm(dim=-1)
