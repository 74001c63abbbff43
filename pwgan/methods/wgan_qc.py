"""The Wasserstein GAN with quadratic cost, whose critic learns the potentials of exactly matched mini-batches."""

from __future__ import annotations

import math
from typing import ClassVar

from pydantic import NonNegativeFloat, PositiveFloat

from pwgan.lazy import torch
from pwgan.methods.base import AdversarialMethod, Batch, Nets
from pwgan.methods.pwgan import matched
from pwgan.networks.base import CriticNorm


class WGANQC(AdversarialMethod):
    """WGAN-QC (Liu, Gu and Samaras, "Wasserstein GAN with quadratic transport cost", 2019).

    With c(x, y) = ||x - y||^2 / (2d), d the dimension of a sample, and u, v the optimal potentials of a mini-batch,
    max mean(u) + mean(v) subject to u_i + v_j <= c(x_i, y_j), the critic is their regression, which the generator
    climbs:
    min_f  mean (f(x_i) - u_i)^2 / 2 + mean (f(y_j) + v_j)^2 / 2 + penalty sqrt(d)/2 mean (||grad f(y_j)|| - r_j / d)^2,
    min_G  -mean f(G(z)),
    r_j the distance of y_j from its partner in the optimal matching: where f is -v, its slope is that of c. The
    potentials are optimal for any shift u + t, v - t: t is such that the targets u and -v together have mean 0, and so
    are W/2 and -W/2 in the mean, W the least cost. Their other degrees of freedom at a finite m (only the sums
    u_i + v_j of partners are unique) are left to the solver.

    real, fake: (S, m, *sample) -> (S,), the generator's loss in the units of c, the critic's a sum of its square and
    that of its slope; not finite for a seed whose samples are not. Raises nothing. The quadratic cost is chosen over
    the distance (Liu et al., "A two-step computation of the exact GAN Wasserstein distance", 2018) because its slope
    falls with the distance, so that the generator can come to rest. Deviations from the authors' code: f is regressed
    on each u_i, where the code fits their mean; the matching solver of this suite, where it solves a linear program.
    """

    name: ClassVar[str] = "wgan_qc"
    critic_norm: ClassVar[CriticNorm] = "none"

    penalty: NonNegativeFloat = 0.1
    generator_lr: PositiveFloat = 1e-4
    critic_lr: PositiveFloat = 1e-4

    def critic_loss(self, nets: Nets, batch: Batch) -> torch.Tensor:
        """mean (f(x) - u)^2 / 2 + mean (f(y) + v)^2 / 2 + penalty sqrt(d)/2 mean (||grad f(y)|| - r/d)^2."""
        from pwgan.transport.cost import pair_cost, points

        x, y = points(batch.real), points(batch.fake.detach())
        d = x.shape[-1]
        partner, v, u = matched(y, x, "sqeuclidean")
        distance = pair_cost(y, x.gather(1, partner.unsqueeze(-1).expand_as(x)))
        targets = torch.cat([u, -v], 1) / (2 * d)
        targets = (targets - targets.mean(1, keepdim=True)).to(x.dtype)
        # One forward pass for both halves: this critic treats samples independently.
        samples = torch.cat([batch.real, batch.fake], 1).requires_grad_()
        scores = nets.critic(samples)
        (gradient,) = torch.autograd.grad(scores.sum(), samples, create_graph=True)
        slope = gradient.flatten(2)[:, x.shape[1] :].norm(dim=-1)
        # The mean over both halves is half the sum of their means.
        fitted = (scores - targets).square().mean(-1)
        return fitted + self.penalty * math.sqrt(d) / 2 * (slope - distance / d).square().mean(-1)

    def generator_loss(self, nets: Nets, batch: Batch) -> torch.Tensor:
        """-E f(G(z))."""
        return -nets.critic(batch.fake).mean(-1)
