"""The primal Wasserstein GAN with the full matching of the whole training set."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import PositiveFloat

from pwgan.lazy import torch
from pwgan.methods.base import Batch, Family, Nets
from pwgan.methods.pairs import TiedMethod
from pwgan.options import CostName

if TYPE_CHECKING:
    from pwgan.transport.empirical import Transport


class FullPWGAN(TiedMethod):
    """Primal Wasserstein GAN without mini-batch bias.

    min_G min_pi (1/n) sum_i c(x_i, G(z_{pi(i)})) over n latents drawn once. The optimal pi* is solved exactly for all n
    pairs every ``rematch_every`` iterations and held fixed in between, while gradient steps use mini-batches of its
    pairs (envelope theorem). Source: article D1, D7; D3 and D4 for mini-batch matching.
    """

    name: ClassVar[str] = "pwgan_full"
    family: ClassVar[Family] = "matching"

    cost: CostName = "euclidean"
    generator_lr: PositiveFloat = 1e-3

    def generator_loss(self, nets: Nets, batch: Batch) -> torch.Tensor:
        """Mean cost of the tied pairs in the mini-batch: its mean over an epoch is that of the full matching."""
        from pwgan.transport.cost import pair_cost, points

        return pair_cost(points(batch.real), points(batch.fake), self.cost).mean(-1)

    def tie(
        self, real: torch.Tensor, fake: torch.Tensor, potentials: tuple[torch.Tensor, torch.Tensor] | None
    ) -> Transport:
        """The exact full matching, warm-started from ``potentials``."""
        from pwgan.transport.empirical import wasserstein

        return wasserstein(real, fake, self.cost, potentials=potentials)
