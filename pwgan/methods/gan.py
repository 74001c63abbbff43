"""The GAN of the article: the minimax game itself."""

from __future__ import annotations

from typing import ClassVar

from pwgan.lazy import F, torch
from pwgan.methods.base import AdversarialMethod, Batch, Nets


class GAN(AdversarialMethod):
    """Minimax GAN (Goodfellow et al., 2014).

    min_G max_D  E log D(x) + E log(1 - D(G(z))),  D = sigmoid(critic).
    At the optimal D* = p_r / (p_r + p_g) the value is 2 JS(P_r, P_g) - 2 log 2. Source: article B1-B3.
    """

    name: ClassVar[str] = "gan"

    def critic_loss(self, nets: Nets, batch: Batch) -> torch.Tensor:
        """Negative value of the game: -log D(x) = softplus(-f(x)), -log(1 - D(y)) = softplus(f(y))."""
        return F.softplus(-nets.critic(batch.real)).mean(-1) + F.softplus(nets.critic(batch.fake)).mean(-1)

    def generator_loss(self, nets: Nets, batch: Batch) -> torch.Tensor:
        """The term of the value that depends on G: E log(1 - D(G(z)))."""
        return -F.softplus(nets.critic(batch.fake)).mean(-1)
