"""The generator that minimises the unbalanced transport cost of mini-batches."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, PositiveFloat

from pwgan.lazy import torch
from pwgan.methods.sinkhorn import Sinkhorn


class Unbalanced(Sinkhorn):
    """Generator of least unbalanced mini-batch transport: JUMBOT (Fatras et al., 2021).

    min_G E UOT(x, y), UOT(x, y) = min over p >= 0 of <p, c> + eps KL(p | a b^T) + tau KL(p 1 | a) + tau KL(p^T 1 | b),
    a = b = 1/m, KL(p | q) = sum p log(p / q) - p + q. Samples need not be matched: two mini-batches may have different
    shares of the modes, and what costs far more than ``tau`` is left out rather than moved across. It leads to
    ``sinkhorn`` without debiasing as tau grows. ``debias`` (off, as in the paper) subtracts the terms within x and y.

    tau = ``tau``, and eps = ``epsilon``, times the mean cost of two different samples of x, as in ``sinkhorn``; the
    other options are those of ``sinkhorn``. One pair at a cost c has a mass of exp(-c / (eps + 2 tau)): a generator far
    from all samples has almost none, nor a gradient.

    real, fake: (S, m, *sample) -> (S,); NaN for a seed whose costs are not finite. Raises ``Refused`` as ``sinkhorn``
    does. Source: Fatras et al., "Unbalanced minibatch optimal transport; applications to domain adaptation", 2021,
    section 3. Deviations: here it trains generators; tau and eps are relative; the loss is the whole objective, whose
    gradient is that of <p, c> with p held fixed.
    """

    name: ClassVar[str] = "unbalanced"

    tau: PositiveFloat = Field(
        default=1.0, description="weight of the marginals, over the mean cost of two real samples"
    )
    debias: bool = False

    def _transport(self, costs: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        """UOT of each matrix of costs, (B, m, m) and (B,) -> (B,)."""
        from pwgan.transport.entropic import entropic_cost

        unrolled = self.gradient == "unrolled"
        return entropic_cost(costs, self.epsilon * scale, self.iterations, self.tau * scale, unrolled)
