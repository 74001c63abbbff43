"""The generator that minimises the energy distance of mini-batches, or another maximum mean discrepancy."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, PositiveFloat, model_validator

from pwgan.errors import Refused
from pwgan.lazy import torch
from pwgan.methods.base import Batch, Family, Method, Nets

BANDWIDTHS = (0.125, 0.25, 0.5, 1.0, 2.0)


class Energy(Method):
    """Generator of least energy distance, or maximum mean discrepancy (Gretton et al., 2012).

    min_G E M(x, y), M(x, y) = mean of k(x_i, x_j) + mean of k(y_i, y_j) - 2 mean of k(x_i, y_j), pairs of one
    mini-batch with i != j. This U-statistic is unbiased for the distance of the laws at any m, so mini-batches do not
    shrink the generator; it may be negative. ``kernel: distance``: k = -||x - y||, and M is the energy distance
    2 E ||x - y|| - E ||x - x'|| - E ||y - y'||. ``kernel: rbf``: k = mean over b of exp(-||x - y||^2 / (2 b^2 s^2)),
    with b in ``bandwidths`` and s^2 the mean squared distance of two different samples of x (1 if all are equal), which
    does not depend on G, but makes M slightly biased: kernels of several widths, since one is blind to what is far
    narrower or wider.

    real, fake: (S, m, *sample) -> (S,), in the units of the samples, or none (rbf); NaN for a seed whose samples are
    not finite. With m = 1 the terms of one mini-batch are 0. Raises ``Refused`` for bandwidths without ``kernel: rbf``.
    Source: Gretton et al., equation 3; Szekely and Rizzo 2013 and Bellemare et al. 2017 for the distance; Li, Swersky
    and Zemel 2015 for generators trained on mixtures of kernels. Deviations: samples are compared as they are, not in
    learned features (Bellemare et al.) or the code of an autoencoder (Li et al., who also take the square root of the
    biased statistic, and widths in absolute units).
    """

    name: ClassVar[str] = "energy"
    family: ClassVar[Family] = "other distance"

    kernel: Literal["distance", "rbf"] = "distance"
    bandwidths: tuple[PositiveFloat, ...] | None = Field(
        default=None, min_length=1, description=f"over the spread of real samples; by default {BANDWIDTHS} (rbf)"
    )
    generator_lr: PositiveFloat = 1e-3

    @model_validator(mode="after")
    def _used(self) -> Self:
        if self.bandwidths is not None and self.kernel != "rbf":
            raise Refused(f"bandwidths has no effect on kernel: {self.kernel}; allowed with: rbf")
        return self

    def generator_loss(self, nets: Nets, batch: Batch) -> torch.Tensor:
        """The squared discrepancy of the mini-batches."""
        from pwgan.transport.cost import cost, points

        x, y = points(batch.real), points(batch.fake)
        pairs = [(x, x), (y, y), (x, y)]
        if self.kernel == "distance":
            similar = [-cost(one, other) for one, other in pairs]
        else:
            squared = [cost(one, other, "sqeuclidean") for one, other in pairs]
            scale = _between_different(squared[0])[:, None, None]
            scale = 2 * torch.where(scale == 0, 1, scale)
            widths = self.bandwidths or BANDWIDTHS
            similar = [torch.stack([(-d / (b**2 * scale)).exp() for b in widths]).mean(0) for d in squared]
        real, fake, across = similar
        return _between_different(real) + _between_different(fake) - 2 * across.mean((1, 2))


def _between_different(values: torch.Tensor) -> torch.Tensor:
    """Mean off the diagonal, (S, m, m) -> (S,)."""
    m = values.shape[1]
    return (values.sum((1, 2)) - values.diagonal(dim1=1, dim2=2).sum(1)) / max(1, m * (m - 1))
