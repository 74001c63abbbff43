"""Conditional flow matching with independent pairs of noise and data."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, cast

from pydantic import PositiveFloat

from pwgan.lazy import torch
from pwgan.methods.base import Batch, FlowMethod, Nets


class CFM(FlowMethod):
    """Conditional flow matching along straight segments (Lipman et al., 2023; Liu et al., 2023; Tong et al., 2024).

    min_v E ||v(x_t, t) - (x_1 - x_0)||^2,  x_t = (1 - t) x_0 + t x_1,  t uniform on [0, 1], x_0 ~ N(0, I) and x_1 a
    training sample, independent. The minimiser v(x, t) = E[x_1 - x_0 | x_t = x] moves the law of x_0 to that of x_1
    along dx/dt = v(x, t), which is the generator (``FlowMethod``). There is no critic and no matching: the control for
    ``ot_cfm``.

    Source: Lipman et al., "Flow matching for generative modeling", 2023, equation 23; Liu et al., "Flow straight and
    fast", 2023, equation 1; Tong et al., "Improving and generalizing flow-based generative models with minibatch
    optimal transport", 2024, equations 14 and 15. Deviations:
    - sigma_min of Lipman et al. and sigma of Tong et al. are 0, as in Liu et al.: the flow ends at the data itself.
    - One time for each pair; samples are by Heun's method with fixed steps instead of an adaptive solver.
    """

    name: ClassVar[str] = "cfm"

    generator_lr: PositiveFloat = 1e-3

    def generator_loss(self, nets: Nets, batch: Batch) -> torch.Tensor:
        """Mean of ||v(x_t, t) - (x_1 - x_0)||^2 over the pairs of ``latent`` and ``real``, row by row, (S,)."""
        velocity = cast(Callable[[torch.Tensor, torch.Tensor], torch.Tensor], nets.generator.velocity)
        noise, time = batch.latent.reshape(batch.real.shape), batch.uniform(batch.real.shape[1])
        between = torch.lerp(noise, batch.real, time.reshape(*time.shape, *[1] * (noise.ndim - 2)))
        return (velocity(between, time) - (batch.real - noise)).flatten(2).square().sum(-1).mean(-1)
