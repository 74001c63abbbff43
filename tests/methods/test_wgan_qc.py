"""Regression on potentials: what they are against linear programs, the loss against numpy, and its optimum."""

import numpy as np
import pytest
import torch
from scipy.optimize import approx_fprime, linear_sum_assignment, linprog
from scipy.spatial.distance import cdist
from torch import nn

from pwgan.methods import Batch, Nets
from pwgan.methods import pwgan as plain
from pwgan.methods.wgan_qc import WGANQC

S, M, D = 3, 6, 2


class Waves(nn.Module):
    """f(x) = sum_k sin(<w_sk, x>) + b_s."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(noise(S, D, 4, seed=7))
        self.bias = nn.Parameter(noise(S, 1, seed=8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sin(x.flatten(2) @ self.weight).sum(-1) + self.bias


class Free(nn.Module):
    """A score for each sample, whatever it is."""

    def __init__(self, m: int) -> None:
        super().__init__()
        self.score = nn.Parameter(noise(S, 2 * m, seed=9))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.score + 0 * x.flatten(2).sum(-1)


class Bowl(nn.Module):
    """f(z) = W/2 - |z - x|^2 / (2d): the optimal critic of the one pair x, y at a cost of W."""

    def __init__(self, x: torch.Tensor, least: torch.Tensor) -> None:
        super().__init__()
        self.x, self.least = x.flatten(2), least

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        apart = (z.flatten(2) - self.x).square().sum(-1)
        return self.least / 2 - apart / (2 * self.x.shape[-1])


def noise(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def forbidden(*shape: int) -> torch.Tensor:
    raise AssertionError("this method needs no uniform draws")


def batch(m: int = M, shape: tuple[int, ...] = (D,)) -> Batch:
    real, fake = noise(S, m, *shape, seed=0), noise(S, m, *shape, seed=1) + 0.3
    return Batch(real, torch.arange(m).expand(S, -1), torch.zeros(S, m, 4), fake, forbidden)


def costs(made: Batch, s: int) -> np.ndarray:
    x, y = (side[s].flatten(1).numpy() for side in (made.real, made.fake))
    return cdist(x, y, "sqeuclidean") / (2 * x.shape[1])


def targets(made: Batch) -> np.ndarray:
    """Return what the critic is regressed on, from the gradient of its loss by free scores: (score - target) / m."""
    m = made.real.shape[1]
    nets = Nets(nn.Identity(), Free(m))
    (slope,) = torch.autograd.grad(WGANQC(penalty=0).critic_loss(nets, made).sum(), nets.critic.score)
    return (nets.critic.score - m * slope).detach().numpy()


def dual(cost: np.ndarray) -> float:
    """Return max mean(u) + mean(v) subject to u_i + v_j <= c_ij by a linear program."""
    m = len(cost)
    pairs = np.concatenate([np.kron(np.eye(m), np.ones((m, 1))), np.kron(np.ones((m, 1)), np.eye(m))], 1)
    return -linprog(np.full(2 * m, -1 / m), pairs, cost.ravel(), bounds=(None, None)).fun


@pytest.mark.parametrize("together", [1 << 26, 1])
@pytest.mark.parametrize("shape", [(D,), (1, 4, 4)])
def test_the_critic_is_regressed_on_optimal_potentials_of_mean_zero(monkeypatch, together, shape):
    monkeypatch.setattr(plain, "MOST_COSTS", together)  # all seeds at once, or one after the other
    made = batch(shape=shape)
    for s, target in enumerate(targets(made)):
        cost, u, v = costs(made, s), target[:M], -target[M:]
        assert (u[:, None] + v <= cost + 1e-12).all()
        assert u.mean() + v.mean() == pytest.approx(dual(cost), rel=1e-9)
        assert u.mean() == pytest.approx(dual(cost) / 2, rel=1e-9)


@pytest.mark.parametrize("penalty", [0.0, 0.7])
@pytest.mark.parametrize("shape", [(D,), (1, 1, D)])
def test_losses_and_their_gradients_are_those_of_numpy(penalty, shape):
    made, nets, method = batch(shape=shape), Nets(nn.Identity(), Waves()), WGANQC(penalty=penalty)
    made.fake.requires_grad_()
    loss, target = method.critic_loss(nets, made), targets(made)
    push, shift = torch.autograd.grad(loss.sum(), [nets.critic.weight, nets.critic.bias])
    lead = method.generator_loss(nets, made)
    for s in range(S):
        x, y = (side[s].detach().flatten(1).numpy() for side in (made.real, made.fake))
        rows, columns = linear_sum_assignment(cdist(x, y, "sqeuclidean"))
        length = np.empty(M)
        length[columns] = np.linalg.norm(x[rows] - y[columns], axis=1)

        def expected(flat, x=x, y=y, length=length, goal=target[s]):
            weight, bias = flat[:-1].reshape(D, 4), flat[-1]
            scores = np.sin(np.concatenate([x, y]) @ weight).sum(1) + bias
            slope = np.linalg.norm(np.cos(y @ weight) @ weight.T, axis=1)
            parts = np.split((scores - goal) ** 2, 2)
            return parts[0].mean() / 2 + parts[1].mean() / 2 + penalty * D**0.5 / 2 * ((slope - length / D) ** 2).mean()

        flat = np.append(nets.critic.weight[s].detach().numpy(), nets.critic.bias[s].item())
        assert loss[s].item() == pytest.approx(expected(flat), rel=1e-9)
        found = torch.cat([push[s].flatten(), shift[s]])
        np.testing.assert_allclose(found, approx_fprime(flat, expected, 1e-7), rtol=1e-4, atol=1e-5)
        scores = np.sin(y @ nets.critic.weight[s].detach().numpy()).sum(1) + nets.critic.bias[s].item()
        assert lead[s].item() == pytest.approx(-scores.mean(), rel=1e-9)


@pytest.mark.parametrize("shape", [(D,), (1, 4, 4)])
def test_the_optimal_critic_has_no_loss_and_hands_on_the_gradient_of_the_cost(shape):
    made = batch(m=1, shape=shape)
    least = torch.cat([torch.from_numpy(costs(made, s)) for s in range(S)])
    made.fake.requires_grad_()
    nets = Nets(nn.Identity(), Bowl(made.real, least))
    torch.testing.assert_close(WGANQC().critic_loss(nets, made), torch.zeros(S, dtype=torch.float64))
    (pull,) = torch.autograd.grad(WGANQC().generator_loss(nets, made).sum(), made.fake)
    torch.testing.assert_close(pull, (made.fake - made.real).detach() / made.real[0, 0].numel())


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_a_diverged_seed_shows_and_leaves_the_others_as_they_were(bad):
    found = []
    for spoil in (False, True):
        nets, made = Nets(nn.Identity(), Waves()), batch()
        if spoil:
            made.fake[1, 5] = bad
        loss = WGANQC().critic_loss(nets, made)
        loss[[0, 2]].sum().backward()
        found.append((loss, nets.critic.weight.grad))
    (whole, slope), (hurt, other) = found
    assert not hurt[1].isfinite()
    assert torch.equal(hurt[[0, 2]], whole[[0, 2]]) and torch.equal(other[[0, 2]], slope[[0, 2]])
    assert not WGANQC().generator_loss(nets, made)[1].isfinite()
