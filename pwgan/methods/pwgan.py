"""The primal Wasserstein GAN: the optimal matching of each mini-batch instead of a critic."""

from __future__ import annotations

from typing import ClassVar

from pydantic import PositiveFloat

from pwgan.errors import Refused
from pwgan.lazy import torch
from pwgan.methods.base import Batch, Family, Method, Nets
from pwgan.options import CostFeatures, CostName

MOST_COSTS = 1 << 26
"""Costs that are held at once, 256 MB: seeds with more between them are matched in turn."""


class PWGAN(Method):
    """Primal Wasserstein GAN on mini-batches.

    min_G (1/m) sum_j c(x_j, G(z_{pi*(j)})), pi* the optimal matching of the mini-batch, held fixed in the gradient
    (envelope theorem). ``cost`` is ||x - y|| (euclidean), ||x - y||^2 (sqeuclidean), sum |x_k - y_k| (cityblock) or
    1 - cos(x, y) (cosine, for which no training sample may be the zero vector). The matching is optimal for
    ``matching_cost``; the loss is computed from differences of its pairs. Source: article D3, D7.

    With ``features: random``, x and y are images, and the cost is that of their ``random_maps``, those of a network
    with random weights: the same in every study, held fixed, and passed through by the gradient. Images with equal maps
    cost nothing, whatever their pixels. Raises ``Refused`` for samples that are no images.
    """

    name: ClassVar[str] = "pwgan"
    family: ClassVar[Family] = "matching"

    cost: CostName = "euclidean"
    features: CostFeatures = "none"
    generator_lr: PositiveFloat = 1e-3

    def check_shape(self, shape: tuple[int, ...]) -> None:
        """Raise ``Refused`` for features of samples that are no images."""
        if self.features != "none" and len(shape) != 3:
            raise Refused(f"features: {self.features} are of images, got samples of shape {shape}; allowed: none")

    def generator_loss(self, nets: Nets, batch: Batch) -> torch.Tensor:
        """Mean cost of the matched pairs."""
        real, fake = self._points(batch.real), self._points(batch.fake)
        self._check(real, batch.index)
        return self._matched_cost(real, fake)

    def _points(self, samples: torch.Tensor) -> torch.Tensor:
        """What the cost compares: samples (S, n, *sample) as points, or their features, (S, n, d)."""
        from pwgan.networks.layers.classifier import random_maps
        from pwgan.transport.cost import points

        return points(samples) if self.features == "none" else random_maps(samples)

    def _check(self, real: torch.Tensor, index: torch.Tensor | None) -> None:
        """Raise ``Refused`` if the cost is undefined for a training sample."""
        from pwgan.transport.cost import no_zero_vectors

        if self.cost == "cosine":
            no_zero_vectors("training sample" if self.features == "none" else "features of sample", real, index)

    def _matched_cost(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Mean cost of the optimal matching of x and y, (S, n, d) each -> (S,), with gradients to both."""
        from pwgan.transport.cost import pair_cost

        partner = self._partners(x, y).unsqueeze(-1).expand_as(y)
        return pair_cost(x, y.gather(1, partner), self.cost).mean(-1)

    def _partners(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Optimal matching of x and y, (S, n, d) each: x_j with y[partner_j], (S, n)."""
        return partners(x, y, self.cost)


def partners(x: torch.Tensor, y: torch.Tensor, cost: CostName) -> torch.Tensor:
    """Optimal matching of x and y, (S, n, d) each: x_j with y[partner_j], (S, n); any matching for a diverged seed."""
    return matched(x, y, cost)[0]


def matched(x: torch.Tensor, y: torch.Tensor, cost: CostName) -> tuple[torch.Tensor, ...]:
    """Return ``partners`` and optimal potentials of x and y: u_j + v_k <= c(x_j, y_k), float64; all (S, n)."""
    from pwgan.transport.assignment import solve
    from pwgan.transport.cost import matching_cost

    # Points and costs of diverged seeds are replaced by 0, so the other seeds are still solved; their loss stays
    # non-finite.
    finite = (x.isfinite() & y.isfinite()).all(-1).all(-1)[:, None, None]
    x, y = (torch.where(finite, side.detach(), 0) for side in (x, y))
    together = max(1, MOST_COSTS // x.shape[1] ** 2)
    parts = []
    for some_x, some_y in zip(x.split(together), y.split(together), strict=True):
        costs = matching_cost(some_x, some_y, cost)
        # Costs are not negative: the largest of a seed is finite if all are.
        finite = costs.amax((1, 2)).isfinite()
        solved = solve(costs if finite.all() else torch.where(finite[:, None, None], costs, 0))
        parts.append((solved.columns, solved.row_potential, solved.column_potential))
    return tuple(torch.cat(side) for side in zip(*parts, strict=True))
