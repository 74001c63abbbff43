"""The optimal discriminator of a GAN between two distributions with known densities."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from scipy.stats import norm

from pwgan.methods import Batch, Nets
from pwgan.methods.gan import GAN
from pwgan.networks.layers.optimisers import Adam
from pwgan.networks.mlp import MLP
from pwgan.training.draws import Draws

CENTRES = (-0.75, 0.75)  # of the real and the generated distribution, Gaussians of standard deviation 1
NETWORK = MLP(width=32, depth=2, latent_dim=1)
STEPS, BATCH, RATE = 1500, 512, 2e-3
GRID = np.linspace(-6, 6, 2001)


def optimal_discriminator() -> pd.DataFrame:
    """Return x, both densities, and D* = p_r / (p_r + p_g) on a grid. Source: article B2."""
    p, q = (norm.pdf(GRID, centre) for centre in CENTRES)
    return pd.DataFrame({"x": GRID, "real": p, "generated": q, "optimal": p / (p + q)})


def game(seeds: range) -> pd.DataFrame:
    """Train the discriminators of ``seeds`` with the generator held fixed; compare them with D* on a grid.

    Returns the columns of ``optimal_discriminator``, and seed and ``discriminator`` D(x).
    """
    method = GAN()
    _, critic = NETWORK.build(seeds, (1,), "none")
    NETWORK.initialise(critic, seeds, "game")
    nets = Nets(torch.nn.Identity(), critic)
    optimiser = Adam(critic.parameters(), RATE, method.betas)
    draws = Draws(seeds, torch.device("cpu"))
    for step in range(STEPS):
        real, fake = (
            draws.draw(stream, step, (BATCH, 1)) + centre
            for stream, centre in zip(("real", "fake"), CENTRES, strict=True)
        )
        unused = torch.empty(0)
        loss = method.critic_loss(nets, Batch(real, unused, unused, fake, draws.uniforms("uniform", step)))
        optimiser.zero_grad()
        loss.sum().backward()
        optimiser.step()
        # With a constant rate the discriminators would oscillate around the optimum.
        optimiser.lr = RATE * (1 - (step + 1) / STEPS)
    with torch.no_grad():
        grid = torch.from_numpy(GRID).float()[None, :, None].expand(len(seeds), -1, -1)
        outputs = torch.sigmoid(critic(grid)).double().numpy()
    optimum = optimal_discriminator()
    return pd.concat(
        [optimum.assign(seed=seed, discriminator=outputs[i]) for i, seed in enumerate(seeds)], ignore_index=True
    )


def game_checks(table: pd.DataFrame) -> pd.DataFrame:
    """Return for each seed the distance of its discriminator from D*, its value, and the optimal value.

    error: int |D - D*| (p_r + p_g) / 2 dx. value: int p_r log D + p_g log(1 - D) dx, at most
    optimum = 2 JS(p_r, p_g) - 2 log 2, by the trapezoidal rule. Source: article B2, B3.
    """
    rows = []
    for seed, rows_of_seed in table.groupby("seed"):
        p, q, d, best = (rows_of_seed[name].to_numpy() for name in ("real", "generated", "discriminator", "optimal"))
        middle = (p + q) / 2
        divergence = (np.trapezoid(p * np.log(p / middle), GRID) + np.trapezoid(q * np.log(q / middle), GRID)) / 2
        rows.append(
            {
                "seed": seed,
                "error": np.trapezoid(np.abs(d - best) * middle, GRID),
                "value": np.trapezoid(p * np.log(d) + q * np.log1p(-d), GRID),
                "optimum": 2 * divergence - 2 * np.log(2),
            }
        )
    return pd.DataFrame(rows)
