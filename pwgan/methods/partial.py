"""The generator that minimises the partial transport cost of mini-batches."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from pwgan.lazy import torch
from pwgan.methods.base import Family
from pwgan.methods.pwgan import MOST_COSTS, PWGAN


class Partial(PWGAN):
    """Generator of least partial mini-batch transport: m-POT (Nguyen et al., 2022).

    min_G E min over p of <p, c>, where p moves the mass s = ``fraction`` of each mini-batch: p 1 <= 1/m, p^T 1 <= 1/m,
    sum p = s. The cheapest s m pairs of samples, each sample in at most one, are descended, and the others left where
    they are: two mini-batches have different shares of the modes, and the rest of the matching would move samples from
    one to another. With s = 1 it is ``pwgan``; ``cost`` as there. s m is rounded to a whole number, at least 1, so that
    an optimal plan is a matching.

    It is found exactly, as an assignment with m - s m further rows and as many columns: they cost nothing to a sample,
    and more than 0 to each other, so each of them takes one sample away.

    real, fake: (S, m, *sample) -> (S,), the sum of the costs of the pairs over m; NaN for a seed whose samples are not
    finite. Raises ``Refused`` as ``pwgan`` does. Source: Nguyen et al., "Improving mini-batch optimal transport via
    partial transportation", 2022, section 3; Chapel et al. 2020, section 3.1, for the further rows. Deviations: s m is
    rounded; one-stage, as their two-stage variant serves larger batches than are trained on.
    """

    name: ClassVar[str] = "partial"
    family: ClassVar[Family] = "relaxed matching"

    fraction: Annotated[float, Field(gt=0, le=1)] = 0.8

    def _matched_cost(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Cost of the plan between x and y, (S, m, d) each -> (S,), with gradients to both."""
        from pwgan.transport.cost import pair_cost

        m = x.shape[1]
        partner = self._partners(x, y)
        costs = pair_cost(x, y.gather(1, partner.clamp(max=m - 1).unsqueeze(-1).expand_as(y)), self.cost)
        # Samples that have diverged might be among those left out.
        finite = (x.isfinite() & y.isfinite()).all(-1).all(-1)
        return torch.where(finite, torch.where(partner < m, costs, 0).sum(-1) / m, torch.nan)

    def _partners(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """The partner of each x_j, or a number of at least m for those left out; (S, m, d) each -> (S, m)."""
        from pwgan.transport.assignment import match
        from pwgan.transport.cost import matching_cost

        m = x.shape[1]
        spare = m - max(1, round(self.fraction * m))
        # Points and costs of diverged seeds are replaced by 0, so the other seeds are still solved.
        finite = (x.isfinite() & y.isfinite()).all(-1).all(-1)[:, None, None]
        x, y = (torch.where(finite, side.detach(), 0) for side in (x, y))
        together = max(1, MOST_COSTS // (m + spare) ** 2)
        parts = []
        for some_x, some_y in zip(x.split(together), y.split(together), strict=True):
            costs = matching_cost(some_x, some_y, self.cost)
            finite = costs.isfinite().all(-1).all(-1)[:, None, None]
            extended = costs.new_zeros(len(costs), m + spare, m + spare)
            extended[:, :m, :m] = torch.where(finite, costs, 0)
            extended[:, m:, m:] = extended.amax((1, 2), keepdim=True)
            parts.append(match(extended)[:, :m])
        return torch.cat(parts)
