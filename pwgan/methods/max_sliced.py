"""The generator that minimises the max-sliced Wasserstein distance of mini-batches."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import NonNegativeInt, PositiveFloat

from pwgan.lazy import F, torch
from pwgan.methods.base import Batch, Family, Method, Nets
from pwgan.methods.sliced import directions, line_costs
from pwgan.options import Count


class MaxSliced(Method):
    """Generator of least max-sliced Wasserstein distance (Deshpande et al., 2019).

    min_G E max_w W(<w, x>, <w, y>), W as in ``sliced``, over directions w of length 1; the best direction is held fixed
    in the gradient (envelope theorem). It is searched anew in each step, from ``projections`` random directions, each
    of which takes ``ascent_steps``: w <- grad W / |grad W|. With the matching along w fixed, W is convex in w, and this
    is the direction in which its linearisation is largest; as the matching changes, W may fall again, so the best of
    all directions that were seen is taken.

    real, fake: (S, m, *sample) -> (S,), in the units of the samples to the power p = ``order``; NaN for a seed whose
    samples are not finite. Raises nothing. Source: Deshpande et al., "Max-sliced Wasserstein distance and its use for
    GANs", 2019, p = 2. Deviations: w maximises the distance itself, where their algorithm takes a
    surrogate from a discriminator that is trained beside, in the space of its features; p = 1 too.
    """

    name: ClassVar[str] = "max_sliced"
    family: ClassVar[Family] = "other distance"

    projections: Count = 16
    ascent_steps: NonNegativeInt = 10
    order: Literal[1, 2] = 2
    generator_lr: PositiveFloat = 1e-3

    def generator_loss(self, nets: Nets, batch: Batch) -> torch.Tensor:
        """Cost on the line along the best direction."""
        from pwgan.transport.cost import points

        x, y = points(batch.real), points(batch.fake)
        best = self._best(x.detach(), y.detach(), directions(batch, self.projections).to(x.dtype))
        return line_costs(x, y, best, self.order).squeeze(1)

    def _best(self, x: torch.Tensor, y: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
        """The best of all directions seen from ``start`` (S, L, d): (S, 1, d)."""
        w = start
        seen, values = list[torch.Tensor](), list[torch.Tensor]()
        for step in range(self.ascent_steps + 1):
            w = w.detach().requires_grad_()
            value = line_costs(x, y, w, self.order)
            seen.append(w.detach())
            values.append(value.detach())
            if step < self.ascent_steps:
                (slope,) = torch.autograd.grad(value.sum(), w)
                w = F.normalize(slope, dim=-1)
        best = torch.cat(values, 1).argmax(1)
        return torch.cat(seen, 1)[torch.arange(len(best), device=best.device), best].unsqueeze(1)
