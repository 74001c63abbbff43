"""The generator that minimises the Sinkhorn divergence of mini-batches."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, PositiveFloat

from pwgan.lazy import torch
from pwgan.methods.base import Batch, Family, Nets
from pwgan.methods.pwgan import PWGAN
from pwgan.options import Count


class Sinkhorn(PWGAN):
    """Generator of least Sinkhorn divergence (Genevay, Peyre and Cuturi, 2018; Feydy et al., 2019).

    min_G E S(x, y), S(x, y) = OT(x, y) - OT(x, x) / 2 - OT(y, y) / 2, where x and y are mini-batches of training and
    generated samples and OT(x, y) = min over plans p of <p, c> + eps KL(p | a b^T), a = b = 1/m. S >= 0 is 0 for equal
    mini-batches; it leads from the transport cost of ``pwgan`` (eps -> 0) to an energy distance (eps -> infinity).
    With ``debias: false`` the loss is OT(x, y), which shows how the entropy alone shrinks a generator.

    eps = ``epsilon`` times the mean cost of two different samples of x (times 1 if all are equal): it has the units of
    the cost, does not depend on G, and carries no gradient. ``iterations`` of Sinkhorn's are taken, always as many, so
    that equal batches have equal losses; in half of them eps falls from the largest cost. ``gradient``: with the
    plan held fixed (``envelope``), or through all iterations (``unrolled``, as Genevay et al.).

    real, fake: (S, m, *sample) -> (S,); NaN for a seed whose costs are not finite. Raises ``Refused`` for a zero vector
    with ``cost: cosine``. Source: Feydy et al., equations 1 and 3, section 3.1. Deviations: the cost is the distance
    itself by default, as in ``pwgan``, and is not learned; OT is the value of the dual, entropy included, where Genevay
    et al., algorithm 1, take <p, c>; eps is relative.
    """

    name: ClassVar[str] = "sinkhorn"
    family: ClassVar[Family] = "relaxed matching"

    epsilon: PositiveFloat = Field(default=0.05, description="entropy, over the mean cost of two real samples")
    iterations: Count = 50
    debias: bool = True
    gradient: Literal["envelope", "unrolled"] = "envelope"

    def generator_loss(self, nets: Nets, batch: Batch) -> torch.Tensor:
        """S(x, y), or OT(x, y) without debiasing."""
        from pwgan.transport.cost import cost

        x, y = self._points(batch.real), self._points(batch.fake)
        self._check(x, batch.index)
        within = cost(x, x, self.cost)
        m = x.shape[1]
        scale = within.sum((1, 2)) / max(1, m * (m - 1))  # a sample is at distance 0 from itself
        scale = torch.where(scale == 0, 1, scale)
        if not self.debias:
            return self._transport(cost(x, y, self.cost), scale)
        # All three at once: as many steps of larger tensors.
        costs = torch.cat([cost(x, y, self.cost), within, cost(y, y, self.cost)])
        between, real, fake = self._transport(costs, scale.repeat(3)).chunk(3)
        return between - (real + fake) / 2

    def _transport(self, costs: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        """OT of each matrix of costs, (B, m, m) and (B,) -> (B,)."""
        from pwgan.transport.entropic import entropic_cost

        return entropic_cost(costs, self.epsilon * scale, self.iterations, unrolled=self.gradient == "unrolled")
