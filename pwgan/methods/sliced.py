"""The generator that minimises the sliced Wasserstein distance of mini-batches."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

from pydantic import PositiveFloat

from pwgan.lazy import F, torch
from pwgan.methods.base import Batch, Family, Method, Nets
from pwgan.options import Count


class Sliced(Method):
    """Generator of least sliced Wasserstein distance (Deshpande, Zhang and Schwing, 2018).

    min_G E SW(x, y), SW(x, y) = (1/L) sum_l W(<w_l, x>, <w_l, y>) over L = ``projections`` directions w_l, uniform on
    the unit sphere and drawn anew in each step. On a line the optimal matching is that of the ranks, so
    W = (1/m) sum_i |<w, x>_(i) - <w, y>_(i)|^p, p = ``order``. The mean over directions is unbiased for that over the
    sphere; the matchings have the bias of m samples on a line, which does not grow with the dimension.

    real, fake: (S, m, *sample) -> (S,), in the units of the samples to the power p; NaN for a seed whose samples are
    not finite. Raises nothing. Source: Deshpande et al., "Generative modeling using the sliced Wasserstein
    distance", 2018, algorithm 1, p = 2. Deviations: the features that a discriminator learns for images are left out;
    p = 1 too.
    """

    name: ClassVar[str] = "sliced"
    family: ClassVar[Family] = "other distance"

    projections: Count = 128
    order: Literal[1, 2] = 2
    generator_lr: PositiveFloat = 1e-3

    def generator_loss(self, nets: Nets, batch: Batch) -> torch.Tensor:
        """Mean over the directions of the cost on the line."""
        from pwgan.transport.cost import points

        x, y = points(batch.real), points(batch.fake)
        return line_costs(x, y, directions(batch, self.projections).to(x.dtype), self.order).mean(-1)


def directions(batch: Batch, count: int) -> torch.Tensor:
    """Draw directions uniform on the unit sphere of R^d, d numbers in a sample: (S, count, d), each seed its own.

    Normal numbers point in all directions alike; they are drawn in pairs, sqrt(-2 log(1 - u)) (cos 2 pi v, sin 2 pi v).
    Source: Box and Muller 1958.
    """
    d = math.prod(batch.real.shape[2:])
    u, v = batch.uniform(count, 2, -(-d // 2)).unbind(2)
    radius, angle = (-2 * torch.log1p(-u)).sqrt(), 2 * math.pi * v
    normal = torch.cat([radius * angle.cos(), radius * angle.sin()], -1)[..., :d]
    return F.normalize(normal, dim=-1)


def line_costs(x: torch.Tensor, y: torch.Tensor, directions: torch.Tensor, order: int) -> torch.Tensor:
    """W_p^p of the projections of x and y, (S, m, d) each, on each direction (S, L, d) of length 1: (S, L)."""
    along = ((side @ directions.mT).sort(1).values for side in (x, y))
    gap = next(along) - next(along)
    return (gap.abs() if order == 1 else gap.square()).mean(1)
