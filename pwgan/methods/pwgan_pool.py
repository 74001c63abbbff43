"""The primal Wasserstein GAN with pools: one matching serves several steps."""

from __future__ import annotations

from typing import ClassVar

from pwgan.lazy import torch
from pwgan.methods.base import Batch, Nets
from pwgan.methods.pairs import PooledMethod
from pwgan.methods.pwgan import PWGAN
from pwgan.options import Count


class PooledPWGAN(PWGAN, PooledMethod):
    """Primal Wasserstein GAN whose steps take pairs of larger matchings.

    A pool of k mini-batches is matched as a whole, min over pi of (1/km) sum_j c(x_j, G(z_pi(j))), and each of the next
    k steps descends (1/m) sum_j c(x_j, G(z_{pi*(j)})) over the pairs of one mini-batch, with pi* held fixed (envelope
    theorem at the first of them). k = ``pool`` leads from mini-batch matching (k = 1) towards the full matching: the
    bias is that of km samples, for the cost of one matching in k steps. Each pair is used once, so that no latent is
    tied to a sample for longer. Source: article D3, D7; the reuse of a matching is that of ``pwgan_full``.
    """

    name: ClassVar[str] = "pwgan_pool"

    pool: Count = 4

    def generator_loss(self, nets: Nets, batch: Batch) -> torch.Tensor:
        """Mean cost of the pairs of the pool in this mini-batch."""
        from pwgan.transport.cost import pair_cost

        if not self.matches_ahead:
            return super().generator_loss(nets, batch)
        return pair_cost(self._points(batch.real), self._points(batch.fake), self.cost).mean(-1)

    def match_latents(
        self, real: torch.Tensor, fake: torch.Tensor, second: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The optimal matching of the pool, and of the second draw with the first in the order of the samples."""
        real, fake = self._points(real), self._points(fake)
        if self.cost == "cosine":
            self._check(real, torch.arange(real.shape[1], device=real.device).expand(len(real), -1))
        order = self._partners(real, fake)
        if second is None:
            return order, None
        return order, self._partners(fake.gather(1, order.unsqueeze(-1).expand_as(fake)), self._points(second))
