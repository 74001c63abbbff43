"""Article B2 and B3: what the discriminator of a GAN becomes when it is trained to its optimum."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon
from torch import nn

from pwgan.methods import Batch, Nets
from pwgan.methods.gan import GAN
from pwgan.methods.nsgan import NonSaturatingGAN

# How often each point of a small grid occurs in a batch of 40: one pair of laws for each seed.
REAL = np.array([[10, 10, 10, 10, 0], [16, 12, 8, 3, 1], [8, 8, 8, 8, 8], [1, 1, 1, 1, 36]])
FAKE = np.array([[10, 10, 10, 10, 0], [1, 3, 8, 12, 16], [20, 5, 5, 5, 5], [9, 9, 9, 9, 4]])
P_R, P_G = REAL / 40, FAKE / 40


class Table(nn.Module):
    """A critic that can say anything: one free logit for each seed and point."""

    def __init__(self, seeds: int, points: int) -> None:
        super().__init__()
        self.logit = nn.Parameter(torch.zeros(seeds, points, dtype=torch.float64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.logit.gather(1, x[..., 0].long())


def batch_of(real: np.ndarray, fake: np.ndarray) -> Batch:
    """Return a batch in which every point occurs as often as it should: its means are exact expectations."""
    x, y = (
        torch.tensor(np.array([np.repeat(np.arange(len(row)), row) for row in counts]), dtype=torch.float64)[..., None]
        for counts in (real, fake)
    )
    return Batch(x, torch.zeros(x.shape[:2], dtype=torch.int64), torch.zeros(x.shape), y, torch.rand)


def trained(method: GAN, batch: Batch, seeds: int, points: int) -> tuple[Table, np.ndarray]:
    """Train the critic until its loss falls no more; return it and the value of the game, (S,)."""
    critic = Table(seeds, points)
    descent = torch.optim.LBFGS(
        critic.parameters(), max_iter=1000, tolerance_grad=1e-12, tolerance_change=0, line_search_fn="strong_wolfe"
    )

    def loss() -> torch.Tensor:
        descent.zero_grad()
        total = method.critic_loss(Nets(nn.Identity(), critic), batch).sum()
        total.backward()
        return total

    descent.step(loss)
    return critic, -method.critic_loss(Nets(nn.Identity(), critic), batch).detach().numpy()


def divergence(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    return np.array([jensenshannon(a, b) ** 2 for a, b in zip(p, q, strict=True)])


@pytest.mark.parametrize("method", [GAN(), NonSaturatingGAN()])
def test_the_optimal_discriminator_and_its_value(method):
    critic, value = trained(method, batch_of(REAL, FAKE), *REAL.shape)
    somewhere = P_R + P_G > 0
    found = critic.logit.detach().sigmoid().numpy()
    np.testing.assert_allclose(found[somewhere], (P_R / (P_R + P_G + ~somewhere))[somewhere], atol=1e-6)
    np.testing.assert_allclose(value, 2 * divergence(P_R, P_G) - 2 * np.log(2), atol=1e-10)


def test_the_value_for_equal_distributions_is_minus_2_log_2():
    _, value = trained(GAN(), batch_of(REAL, REAL), *REAL.shape)
    np.testing.assert_allclose(value, -2 * np.log(2), atol=1e-12)


def test_the_value_for_disjoint_distributions_approaches_zero():
    # JS = log 2 however near they are (article A5): the value is 0, and the supremum is approached but not reached.
    real, fake = np.array([[20, 20, 0, 0]]), np.array([[0, 0, 30, 10]])
    critic, value = trained(GAN(), batch_of(real, fake), 1, 4)
    np.testing.assert_allclose(divergence(real / 40, fake / 40), np.log(2))
    np.testing.assert_allclose(value, 0, atol=1e-4)
    np.testing.assert_allclose(critic.logit.detach().sigmoid(), [[1, 1, 0, 0]], atol=1e-4)


@pytest.mark.parametrize("draw", [np.random.default_rng(k).normal for k in range(5)])
def test_no_discriminator_does_better(draw: Callable[..., np.ndarray]):
    critic = Table(*REAL.shape)
    with torch.no_grad():
        critic.logit.copy_(torch.from_numpy(draw(scale=2, size=REAL.shape)))
    value = -GAN().critic_loss(Nets(nn.Identity(), critic), batch_of(REAL, FAKE)).detach().numpy()
    assert (value < 2 * divergence(P_R, P_G) - 2 * np.log(2)).all()
