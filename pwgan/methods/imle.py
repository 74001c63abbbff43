"""Implicit maximum likelihood: each training sample attracts the nearest of many generated samples."""

from __future__ import annotations

from typing import ClassVar

from pwgan.lazy import torch
from pwgan.methods.base import Family
from pwgan.methods.pwgan_pool import PooledPWGAN
from pwgan.options import CostName, Count


class IMLE(PooledPWGAN):
    """Implicit maximum likelihood estimation (Li and Malik, 2018).

    min_G E (1/m) sum_i min_j c(x_i, G(z_j)), c = ||x - y||^2 by default, as in the paper: the control for matching.
    Every training sample is near a generated one, so no mode is left out, but nothing holds generated samples to the
    training set: the same latent may serve many samples, and most serve none.

    For k = ``pool`` mini-batches, km times ``candidates`` latents are drawn, and each of the km training samples takes
    the nearest sample of the generator in eval mode; the next k steps descend (1/m) sum_i c(x_i, G(z_j(i))) over one
    mini-batch each, with j(i) held fixed (envelope theorem at the first of them). A larger k offers each sample more
    candidates at the same cost of drawing them, but later steps use those that were nearest before.

    real, fake: (S, m, *sample) -> (S,), in the units of the cost; non-finite for a seed whose samples are not finite.
    Raises ``Refused`` as ``pwgan`` does. Source: Li and Malik, "Implicit maximum likelihood estimation", 2018,
    algorithm 1. Deviations: it draws at least as many latents in each outer iteration as there are training samples,
    which here is left to ``candidates`` and ``pool``; its inner steps take mini-batches at random, here each pair is
    used once; the search is exact; the loss is a mean; other costs may be chosen.
    """

    name: ClassVar[str] = "imle"
    family: ClassVar[Family] = "nearest sample"

    cost: CostName = "sqeuclidean"
    candidates: Count = 10

    @property
    def matches_ahead(self) -> bool:
        """Always: the loss of a batch knows only as many latents as samples."""
        return True

    @property
    def latents_per_sample(self) -> int:
        """``candidates``, among all of which each training sample of the pool may choose."""
        return self.candidates

    def match_latents(
        self, real: torch.Tensor, fake: torch.Tensor, second: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The nearest generated sample of each training sample; several may have the same."""
        from pwgan.transport.nearest import nearest

        real, fake = self._points(real), self._points(fake)
        self._check(real, torch.arange(real.shape[1], device=real.device).expand(len(real), -1))
        return nearest(real, fake, self.cost), None
