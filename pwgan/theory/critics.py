"""Trained critics compared with exact matching on min-funnel pairs, in distance and in gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import nn

from pwgan.data.funnels import HALF_WIDTH, Funnels, funnels
from pwgan.methods import AdversarialMethod, Batch, Nets
from pwgan.methods.wgan import WGAN
from pwgan.methods.wgan_gp import WGANGP
from pwgan.networks.mlp import MLP
from pwgan.theory.recovery import TRUTH, mean_cosine, transport_cosine
from pwgan.training.draws import Draws
from pwgan.transport.empirical import wasserstein

DIMENSIONS = (2, 8, 32, 128)
SEEDS = 4


class Budget(NamedTuple):
    """How critics are trained, on ``steps`` mini-batches of ``batch`` fresh points, and on how many evaluated.

    ``points``: fresh points of P and of Q, on which every solver is evaluated. ``network``: that of a dimension.
    """

    steps: int
    batch: int
    points: int
    network: Callable[[int], MLP]
    methods: dict[str, AdversarialMethod]


BUDGET = Budget(
    steps=500,
    batch=64,
    points=1024,
    network=lambda dimension: MLP(width=128, depth=2),
    methods={"wgan": WGAN(clip=0.05, critic_lr=5e-4), "wgan_gp": WGANGP(critic_lr=1e-3)},
)


def critics(
    dimensions: tuple[int, ...] = DIMENSIONS,
    seeds: int = SEEDS,
    budget: Budget = BUDGET,
    pair_of: Callable[[int], Funnels] = funnels,
    device: torch.device | None = None,
) -> pd.DataFrame:
    """Train WGAN and WGAN-GP critics on min-funnel pairs, and compare them with the EWD and the true W1.

    Critics are trained within ``budget``, Q as real and P as generated, on the pair ``pair_of(dimension)``. Each seed
    has an evaluation pool of P and of Q, the same for every method.

    One row for each dimension, method (wgan, wgan_gp, ewd) and seed: n; w1, w1_error (true distance, standard error);
    estimate, E_Q f - E_P f of the critic f, or the EWD; slope, the largest ||grad f|| on the pool and at the
    midpoints of its pairs; scaled = estimate / slope, for a function that is 1-Lipschitz up to this estimate; cosine,
    the mean over the points of P of the cosine between grad f, or the direction to the partner, and the true direction.
    Slope and scaled are missing for EWD. Source: article C1; Korotin et al. 2022, section 5.1.
    """
    device = torch.device("cpu") if device is None else device
    points = budget.points
    frames = []
    for dimension in dimensions:
        pair = pair_of(dimension)
        truth = pair.w1(TRUTH)
        pools = [pair.pair(points, "critics", seed) for seed in range(seeds)]
        p, q = (np.stack(side) for side in zip(*pools, strict=True))
        transport = wasserstein(torch.from_numpy(p), torch.from_numpy(q))
        parts = {"ewd": pd.DataFrame({"estimate": transport.value, "cosine": transport_cosine(pair, p, q, transport)})}
        for name, method in budget.methods.items():
            critic = _trained(method, pair, range(seeds), budget, device)
            parts[name] = _measured(critic, pair, p, q, device)
        for name, part in parts.items():
            labelled = part.assign(dimension=dimension, method=name, n=points, w1=truth.mean, w1_error=truth.error)
            frames.append(labelled.assign(seed=range(seeds)))
    return pd.concat(frames, ignore_index=True)[
        ["dimension", "method", "seed", "n", "w1", "w1_error", "estimate", "slope", "scaled", "cosine"]
    ]


def _trained(method: AdversarialMethod, pair: Funnels, seeds: range, budget: Budget, device: torch.device) -> nn.Module:
    """Return the critics of all seeds after the budget's steps of the method with a fixed generator."""
    network = budget.network(pair.dimension)
    _, critic = network.build(seeds, (pair.dimension,), method.critic_norm)
    network.initialise(critic, seeds, "critic")
    critic = critic.to(device)
    nets = Nets(nn.Identity(), critic)
    optimiser = method.optimiser(critic.parameters(), method.critic_lr)
    draws = Draws(seeds, device)
    index = torch.zeros(len(seeds), budget.batch, dtype=torch.int64, device=device)
    shape = (budget.batch, pair.dimension)
    for step in range(budget.steps):
        source, real = (2 * HALF_WIDTH * (draws.draw(f"critics {side}", step, shape, "uniform") - 0.5) for side in "PQ")
        moved = pair.move(source.flatten(0, 1).double().cpu().numpy()).reshape(source.shape)
        fake = torch.from_numpy(moved).to(real)
        # The critic losses do not use the latents: pass a batch without coordinates.
        batch = Batch(real, index, fake[..., :0], fake, draws.uniforms("critics penalty", step))
        optimiser.zero_grad()
        method.critic_loss(nets, batch).sum().backward()
        optimiser.step()
        method.after_critic_step(nets)
    return critic


def _measured(critic: nn.Module, pair: Funnels, p: np.ndarray, q: np.ndarray, device: torch.device) -> pd.DataFrame:
    """Estimate, slope, scaled estimate and cosine of each seed's critic on its pool, p and q (S, n, d)."""
    generated, real = (torch.from_numpy(side).float().to(device) for side in (p, q))
    with torch.no_grad():
        estimate = (critic(real).mean(1) - critic(generated).mean(1)).double().cpu().numpy()
    slopes = [_gradient(critic, places) for places in (generated, real, (generated + real) / 2)]
    slope = np.max([np.linalg.norm(each, axis=2).max(1) for each in slopes], axis=0)
    true = np.stack([pair.direction(part) for part in p])
    cosine = mean_cosine(slopes[0], true)
    return pd.DataFrame({"estimate": estimate, "slope": slope, "scaled": estimate / slope, "cosine": cosine})


def _gradient(critic: nn.Module, places: torch.Tensor) -> np.ndarray:
    """grad f, (S, n, d) -> (S, n, d) float64."""
    places = places.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(critic(places).sum(), places)
    return gradient.double().cpu().numpy()
