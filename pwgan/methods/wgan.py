"""The Wasserstein GAN with weight clipping."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from pydantic import PositiveFloat

from pwgan.lazy import torch
from pwgan.methods.base import AdversarialMethod, Batch, Nets, Optimiser
from pwgan.options import Count


class WGAN(AdversarialMethod):
    """WGAN with weight clipping (Arjovsky, Chintala and Bottou, 2017, algorithm 1).

    W(P_r, P_g) = sup over 1-Lipschitz f of E f(x) - E f(G(z)); clipping every parameter to [-clip, clip] bounds the
    Lipschitz constant of f. RMSprop, because the paper reports that momentum is unstable. Source: article C1.
    """

    name: ClassVar[str] = "wgan"
    dual: ClassVar[bool] = True

    critic_steps: Count = 5
    clip: PositiveFloat = 0.01
    generator_lr: PositiveFloat = 5e-5
    critic_lr: PositiveFloat = 5e-5

    def critic_loss(self, nets: Nets, batch: Batch) -> torch.Tensor:
        """The negative dual: E f(G(z)) - E f(x)."""
        return nets.critic(batch.fake).mean(-1) - nets.critic(batch.real).mean(-1)

    def generator_loss(self, nets: Nets, batch: Batch) -> torch.Tensor:
        """-E f(G(z))."""
        return -nets.critic(batch.fake).mean(-1)

    def after_critic_step(self, nets: Nets) -> None:
        """Clip every parameter of the critic."""
        with torch.no_grad():
            for parameter in nets.critic.parameters():
                parameter.clamp_(-self.clip, self.clip)

    def optimiser(self, parameters: Iterable[torch.nn.Parameter], lr: float) -> Optimiser:
        """RMSprop, as in the paper."""
        from pwgan.networks.layers.optimisers import RMSprop

        return RMSprop(parameters, lr)
