"""cfm: its loss recomputed, and its minimiser for Gaussian data in closed form."""

import numpy as np
import pytest
import torch
from hypothesis import given as over
from hypothesis import settings
from hypothesis import strategies as st
from scipy.integrate import quad
from torch import nn

from pwgan.methods import Batch, FlowMethod, Nets, methods
from pwgan.methods.cfm import CFM

S, M, D = 3, 6, 2


class Affine(nn.Module):
    """v(x, t) = A_s x + t b_s, with x flattened."""

    def __init__(self, numbers: int = D) -> None:
        super().__init__()
        self.weight = nn.Parameter(draw(5, S, numbers, numbers))
        self.bias = nn.Parameter(draw(6, S, 1, numbers))

    def velocity(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return (x.flatten(2) @ self.weight.mT + t.unsqueeze(-1) * self.bias).view(x.shape)


def draw(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def batch(shape: tuple[int, ...] = (D,), uniform=None) -> Batch:
    real, latent = draw(0, S, M, *shape), draw(1, S, M, int(np.prod(shape)))
    times = torch.rand(S, M, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    return Batch(real, torch.arange(M).expand(S, -1), latent, real[:, :0], uniform or (lambda m: times))


def test_it_is_found_by_its_name_and_has_a_flow():
    assert methods()["cfm"] is CFM and issubclass(CFM, FlowMethod)
    assert CFM().ode_steps == 20


@pytest.mark.parametrize("shape", [(D,), (1, 4, 4)])
def test_the_loss_is_that_of_straight_segments(shape):
    asked = []

    def uniform(*sizes: int) -> torch.Tensor:
        asked.append(sizes)
        return times

    times = torch.rand(S, M, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    given, net = batch(shape, uniform), Affine(int(np.prod(shape)))
    loss = CFM().generator_loss(Nets(net, nn.Identity()), given)
    assert asked == [(M,)] and loss.shape == (S,)
    weight, bias = (parameter.detach().numpy() for parameter in (net.weight, net.bias))
    for s in range(S):
        terms = []
        for j in range(M):
            x0, x1, t = given.latent[s, j].numpy(), given.real[s, j].flatten().numpy(), float(times[s, j])
            velocity = weight[s] @ ((1 - t) * x0 + t * x1) + t * bias[s, 0]
            terms.append(((velocity - (x1 - x0)) ** 2).sum())
        assert loss[s].item() == pytest.approx(np.mean(terms), rel=1e-12)


def test_the_gradient_of_a_constant_velocity():
    constant = nn.Module()
    constant.level = nn.Parameter(draw(3, S, 1, D))
    constant.velocity = lambda x, t: constant.level.expand_as(x)
    given = batch()
    CFM().generator_loss(Nets(constant, nn.Identity()), given).sum().backward()
    moved = (given.real - given.latent).mean(1, keepdim=True)
    torch.testing.assert_close(constant.level.grad, 2 * (constant.level.detach() - moved))


MEAN = torch.tensor([0.7, -1.0], dtype=torch.float64)
COVARIANCE = torch.tensor([[1.5, 0.6], [0.6, 0.5]], dtype=torch.float64)
COUNT = 40_000


def regression(t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Coefficients C_t and covariance of x_1 - x_0 given x_t for x_1 ~ N(mean, covariance), t (...) -> (..., D, D)."""
    t, eye = t[..., None, None], torch.eye(D, dtype=torch.float64)
    together = t * COVARIANCE - (1 - t) * eye  # Cov(x_1 - x_0, x_t)
    coefficients = together @ torch.linalg.inv(t**2 * COVARIANCE + (1 - t) ** 2 * eye)
    return coefficients, COVARIANCE + eye - coefficients @ together.mT


class Optimal(nn.Module):
    """v(x, t) = E[x_1 - x_0 | x_t = x] for Gaussian data, plus ``off``."""

    def __init__(self, off: torch.Tensor) -> None:
        super().__init__()
        self.off = off

    def velocity(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        centred = (x - t.unsqueeze(-1) * MEAN).unsqueeze(-1)
        return MEAN + (regression(t)[0] @ centred).squeeze(-1) + self.off


@pytest.fixture(scope="module")
def gaussian() -> Batch:
    real = MEAN + draw(10, 1, COUNT, D) @ torch.linalg.cholesky(COVARIANCE).T
    times = torch.rand(1, COUNT, dtype=torch.float64, generator=torch.Generator().manual_seed(12))
    return Batch(real, None, draw(11, 1, COUNT, D), real[:, :0], lambda m: times)


def loss_at(off: torch.Tensor, given: Batch) -> float:
    return CFM().generator_loss(Nets(Optimal(off), nn.Identity()), given).item()


def test_at_the_velocity_of_gaussian_data_the_loss_is_the_variance_that_is_left(gaussian):
    left = quad(lambda t: float(regression(torch.tensor(t, dtype=torch.float64))[1].trace()), 0, 1)[0]
    # The standard error of the mean of so many terms is below 0.6 %.
    assert loss_at(torch.zeros(D), gaussian) == pytest.approx(left, rel=0.03)
    assert left < 0.7 * float((gaussian.real - gaussian.latent).square().sum(-1).mean())


@settings(max_examples=8, deadline=None)
@over(st.tuples(*[st.floats(-2, 2)] * D))
def test_any_other_constant_costs_its_square(gaussian, off):
    # Orthogonality of the residual: E ||v + a - u||^2 = E ||v - u||^2 + |a|^2, with 5 standard errors of the product.
    away = torch.tensor(off, dtype=torch.float64)
    excess = loss_at(away, gaussian) - loss_at(torch.zeros(D), gaussian)
    assert excess == pytest.approx(float(away @ away), abs=0.05 * float(away.norm()) + 1e-9)


def test_a_diverged_seed_has_no_finite_loss_and_leaves_the_others_alone():
    outcomes = []
    for spoil in (False, True):
        net = Affine()
        if spoil:
            with torch.no_grad():
                net.weight[1, 0, 0] = torch.nan
        loss = CFM().generator_loss(Nets(net, nn.Identity()), batch())
        loss[[0, 2]].sum().backward()
        outcomes.append((loss.detach(), net.weight.grad))
    (whole, slope), (lost, hurt) = outcomes
    assert not lost[1].isfinite() and torch.equal(lost[[0, 2]], whole[[0, 2]])
    assert torch.equal(hurt[[0, 2]], slope[[0, 2]])
