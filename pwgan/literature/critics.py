"""Critics trained within the budget of the benchmark that introduced pairs of known distance."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import torch

from pwgan.data.funnels import Funnels
from pwgan.methods.base import Method, Nets, Optimiser
from pwgan.methods.wgan import WGAN
from pwgan.methods.wgan_gp import WGANGP
from pwgan.networks.mlp import MLP
from pwgan.theory.critics import Budget, critics


class WeightClippingWGAN(WGAN):
    """The critic of ``wgan`` as the benchmark trains it: by Adam, with weights clipped and biases free."""

    def after_critic_step(self, nets: Nets) -> None:
        """Clip every weight of the critic."""
        with torch.no_grad():
            for name, parameter in nets.critic.named_parameters():
                if name.endswith("weight"):
                    parameter.clamp_(-self.clip, self.clip)

    def optimiser(self, parameters: Iterable[torch.nn.Parameter], lr: float) -> Optimiser:
        """Adam."""
        return Method.optimiser(self, parameters, lr)


DIMENSIONS = (2, 8, 32)
SEEDS = 4
PUBLISHED = Budget(
    steps=5000,
    batch=1024,
    points=4096,
    network=lambda dimension: MLP(width=max(2 * dimension, 128), depth=2),
    methods={
        "wgan": WeightClippingWGAN(clip=0.04, critic_lr=2e-4, betas=(0.0, 0.9)),
        "wgan_gp": WGANGP(penalty=10, critic_lr=2e-4, betas=(0.0, 0.9)),
    },
)


def published_pair(dimension: int) -> Funnels:
    """Return the published pair of four funnels in 2, 8 or 32 dimensions; raises KeyError for other dimensions.

    Source: the authors' repository, benchmarks/nd/dim_{dimension}/width_4 (seed 987), centres and offsets.
    """
    table = pd.read_csv(Path(__file__).with_name("pairs.csv"))
    wide = table[table["dimension"] == dimension].pivot(index="funnel", columns="coordinate", values="value")
    return Funnels(wide[[str(axis) for axis in range(dimension)]].to_numpy(), wide["offset"].to_numpy())


def published_critics(
    dimensions: tuple[int, ...] = DIMENSIONS,
    seeds: int = SEEDS,
    budget: Budget = PUBLISHED,
    device: torch.device | None = None,
) -> pd.DataFrame:
    """Train critics of each method on the published min-funnel pairs, within the published budget.

    Published values are of one training run; how much our seeds differ says how far ours may lie from them. Columns as
    ``theory.critics``, and steps. Source: Korotin et al. 2022, section 5.1 and Table 1, and the authors' code for what
    these leave open: the pairs, optimiser, what is clipped, and the steps, 5,000 with clipping and 60,000 with the
    penalty, of which ours has 5,000.
    """
    return critics(dimensions, seeds, budget, published_pair, device).assign(steps=budget.steps)
