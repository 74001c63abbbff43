"""The primal Wasserstein GAN: the optimal matching of each mini-batch instead of a critic."""

from __future__ import annotations

from typing import ClassVar

from pydantic import PositiveFloat

from pwgan.lazy import torch
from pwgan.methods.base import Batch, Method, Nets
from pwgan.options import CostName


class PWGAN(Method):
    """Primal Wasserstein GAN on mini-batches.

    min_G (1/m) sum_j c(x_j, G(z_{pi*(j)})), pi* the optimal matching of the mini-batch, held fixed in the gradient
    (envelope theorem). ``cost`` is ||x - y|| (euclidean), ||x - y||^2 (sqeuclidean), sum |x_k - y_k| (cityblock) or
    1 - cos(x, y) (cosine, for which no training sample may be the zero vector). The matching is optimal for
    ``matching_cost``; the loss is computed from differences of its pairs. Source: article D3, D7.
    """

    name: ClassVar[str] = "pwgan"

    cost: CostName = "euclidean"
    generator_lr: PositiveFloat = 1e-3

    def generator_loss(self, nets: Nets, batch: Batch) -> torch.Tensor:
        """Mean cost of the matched pairs."""
        from pwgan.transport.assignment import match
        from pwgan.transport.cost import matching_cost, no_zero_vectors, pair_cost, points

        real, fake = points(batch.real), points(batch.fake)
        if self.cost == "cosine":
            no_zero_vectors("training sample", real, batch.index)
        # Points and costs of diverged seeds are replaced by 0, so the other seeds are still solved; their loss stays
        # non-finite.
        finite = fake.isfinite().all(-1).all(-1)[:, None, None]
        costs = matching_cost(real, torch.where(finite, fake.detach(), 0), self.cost)
        finite = costs.isfinite().all(-1).all(-1)[:, None, None]
        partner = match(torch.where(finite, costs, 0)).unsqueeze(-1).expand_as(fake)
        return pair_cost(real, fake.gather(1, partner), self.cost).mean(-1)
