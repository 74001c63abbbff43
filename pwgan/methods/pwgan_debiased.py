"""The primal Wasserstein GAN without the bias that mini-batches give its gradient."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from pwgan.lazy import torch
from pwgan.methods.base import Batch, Nets
from pwgan.methods.pwgan_pool import PooledPWGAN
from pwgan.options import Count


class DebiasedPWGAN(PooledPWGAN):
    """Primal Wasserstein GAN on the debiased mini-batch distance.

    min_G E [2 W(x, y) - W(y, y')], x a mini-batch of training samples, y and y' independent mini-batches of generated
    samples, W the cost of the optimal matching, held fixed in the gradient. With -W(x, x'), which does not depend on G,
    this is the debiased distance 2 W(x, y) - W(x, x') - W(y, y'): 0 in expectation if both laws are equal, so it does
    not shrink the generator as E W(x, y) does. It is twice the Wasserstein distance as m grows. ``weight`` w in
    2 W(x, y) - w W(y, y') leads from the plain (w = 0) to the debiased distance (w = 1). ``pool`` as in ``pwgan_pool``,
    for both matchings.

    Source: Salimans et al., "Improving GANs using optimal transport", 2018, equation 5, with one pair of mini-batches;
    Genevay et al., "Learning generative models with Sinkhorn divergences", 2018; Fatras et al., "Minibatch optimal
    transport distances", 2021, section 3.
    """

    name: ClassVar[str] = "pwgan_debiased"
    second_draw: ClassVar[bool] = True

    pool: Count = 1
    weight: Annotated[float, Field(ge=0, le=1)] = 1.0

    def generator_loss(self, nets: Nets, batch: Batch) -> torch.Tensor:
        """2 W(x, y) - w W(y, y')."""
        from pwgan.transport.cost import pair_cost

        assert batch.second is not None  # ``second_draw``
        fake, second = self._points(batch.fake), self._points(batch.second)
        within = pair_cost(fake, second, self.cost).mean(-1) if self.pool > 1 else self._matched_cost(fake, second)
        return 2 * super().generator_loss(nets, batch) - self.weight * within
