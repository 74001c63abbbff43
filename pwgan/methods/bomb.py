"""The generator that minimises the cost of matched batches of matched samples."""

from __future__ import annotations

from typing import ClassVar

from pwgan.errors import Refused
from pwgan.lazy import torch
from pwgan.methods.base import Family
from pwgan.methods.pwgan import PWGAN
from pwgan.options import Count


class BatchOfMiniBatches(PWGAN):
    """Generator of least transport of mini-batches by transport of their samples: BoMb-OT (Nguyen et al., 2022).

    A batch is k = ``groups`` groups of m/k samples. min_G E min over sigma of (1/k) sum_i W(x_i, y_sigma(i)), x_i and
    y_j the groups of real and generated samples, W the cost of the optimal matching, sigma a permutation of the groups.
    Both matchings are held fixed in the gradient (envelope theorem). It lies between the mean of W over pairs of groups
    as they were drawn and W of the whole batch, to which k = 1 and k = m lead: k^2 matchings of m/k samples each, of
    which those descend that have nearly the same shares of the modes. ``cost`` as in ``pwgan``.

    real, fake: (S, m, *sample) -> (S,), in the units of the cost; non-finite for a seed whose samples are not finite.
    Raises ``Refused`` if k does not divide m, and as ``pwgan`` does. Source: Nguyen et al., "On transportation of
    mini-batches: a hierarchical approach", 2022. Deviations: the k mini-batches are parts
    of one, so one generator step sees all of them; the transport between them is exact, without entropy.
    """

    name: ClassVar[str] = "bomb"
    family: ClassVar[Family] = "relaxed matching"

    groups: Count = 4

    def _partners(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """The matching of samples, (S, m), within the optimal matching of groups."""
        from pwgan.transport.assignment import match
        from pwgan.transport.cost import pair_cost

        seeds, m, d = x.shape
        k = self.groups
        if m % k:
            raise Refused(f"bomb: groups of equal size: {k} does not divide the mini-batch size {m}")
        size = m // k
        # Every group of x beside every group of y.
        x, y = (side.detach().reshape(seeds, k, size, d) for side in (x, y))
        x, y = (
            side.unsqueeze(axis).expand(seeds, k, k, size, d).reshape(-1, size, d) for side, axis in ((x, 2), (y, 1))
        )
        within = super()._partners(x, y)
        costs = pair_cost(x, y.gather(1, within.unsqueeze(-1).expand_as(y)), self.cost).mean(-1).view(seeds, k, k)
        finite = costs.isfinite().all(-1).all(-1)[:, None, None]
        group = match(torch.where(finite, costs, 0)).unsqueeze(-1)
        within = within.view(seeds, k, k, size).gather(2, group.unsqueeze(-1).expand(-1, -1, 1, size)).squeeze(2)
        return (group * size + within).view(seeds, m)
