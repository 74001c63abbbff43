"""The semi-dual: its value, its gradient and its assignment by numpy and scipy, with exact potentials and others."""

import numpy as np
import pytest
import torch
from scipy.optimize import approx_fprime, linear_sum_assignment
from scipy.spatial.distance import cdist
from torch import nn

from pwgan.methods import Batch, Nets, SemidiscreteMethod, TiedMethod, methods
from pwgan.methods.semidual import Semidual

S, N, M, D = 3, 12, 5, 2
NETS = Nets(nn.Identity(), nn.Identity())
COSTS = pytest.mark.parametrize("cost", ["euclidean", "sqeuclidean", "cityblock"])


def cloud(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def forbidden(*shape: int) -> torch.Tensor:
    raise AssertionError("this method needs no uniform draws")


def loss(
    real: torch.Tensor, fake: torch.Tensor, potential: torch.Tensor, **options: object
) -> tuple[torch.Tensor, torch.Tensor]:
    """The loss and the indices j*, as the loop asks for them."""
    method = Semidual(**options)
    index = method.assign(real.flatten(2), fake.detach().flatten(2), potential)
    targets = real[torch.arange(len(real))[:, None], index]
    batch = Batch(targets, index, torch.zeros(*fake.shape[:2], 4), fake, forbidden)
    return method.generator_loss(NETS, batch), index


def semidual(x: np.ndarray, y: np.ndarray, psi: np.ndarray, cost: str = "euclidean") -> float:
    return psi.mean() + (cdist(y, x, cost) - psi).min(1).mean()


def test_it_is_found_and_ties_for_its_potentials():
    assert methods()["semidual"] is Semidual
    assert issubclass(Semidual, SemidiscreteMethod) and issubclass(Semidual, TiedMethod)


@COSTS
@pytest.mark.parametrize("shape", [(D,), (1, 6, 6)])
def test_samples_go_to_the_cheapest_target_and_the_loss_is_what_that_costs(cost, shape):
    real, fake, potential = cloud(S, N, *shape), cloud(S, M, *shape, seed=1), cloud(S, N, seed=2)
    found, index = loss(real, fake, potential, cost=cost)
    for s in range(S):
        costs = cdist(fake[s].flatten(1), real[s].flatten(1), cost)
        expected = (costs - potential[s].numpy()).argmin(1)
        assert index[s].tolist() == expected.tolist()
        assert found[s].item() == pytest.approx(costs[range(M), expected].mean(), rel=1e-9)


def test_its_gradient_is_that_of_the_semidual():
    real, fake, potential = cloud(S, N, D), cloud(S, M, D, seed=1).requires_grad_(), cloud(S, N, seed=2)
    loss(real, fake, potential)[0].sum().backward()
    for s in range(S):
        x, psi = real[s].numpy(), potential[s].numpy()
        slope = approx_fprime(
            fake[s].detach().numpy().ravel(), lambda y, x=x, psi=psi: semidual(x, y.reshape(M, D), psi), 1e-7
        )
        np.testing.assert_allclose(fake.grad[s].flatten(), slope, atol=1e-5)


@COSTS
@pytest.mark.parametrize("seed", range(3))
def test_the_potentials_of_the_tie_maximise_the_semidual(cost, seed):
    real, fake = cloud(N, D, seed=seed).float(), cloud(N, D, seed=seed + 10).float() + 1
    found = Semidual(cost=cost).tie(real, fake, None)
    x, y, psi = real.double().numpy(), fake.double().numpy(), found.row_potential.numpy()
    costs = cdist(x, y, cost)
    rows, columns = linear_sum_assignment(costs)
    best = semidual(x, y, psi, cost)
    assert best == pytest.approx(costs[rows, columns].mean(), rel=1e-9)  # no psi has more: weak duality
    noise = np.random.default_rng(seed)
    assert all(semidual(x, y, psi + scale * noise.normal(size=N), cost) <= best for scale in (1e-3, 0.1, 1.0))
    # Each target is the cheapest for its partner: with exact potentials the assignment is the matching.
    for i, j in zip(rows, columns, strict=True):
        assert costs[i, j] - psi[i] == pytest.approx((costs[:, j] - psi).min(), abs=1e-6)


def test_with_exact_potentials_fresh_samples_of_the_data_have_even_shares():
    # Without them each goes to the nearest target: those in the middle of the data are left by samples far away.
    real, far = cloud(1, 40, D).float(), cloud(1, 40, D, seed=1).float() + 4
    fresh = cloud(1, 4000, D, seed=2).float() + 4
    psi = Semidual().tie(real[0], far[0], None).row_potential[None]
    shares = [torch.bincount(Semidual().assign(real, fresh, price)[0], minlength=40) / 4000 for price in (psi, 0 * psi)]
    away = [(share - 1 / 40).abs().sum() / 2 for share in shares]
    assert away[0] < 0.5 < 0.75 < away[1]


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_a_diverged_seed_shows_and_leaves_the_others_as_they_were(bad):
    found = []
    for spoil in (False, True):
        fake = cloud(S, M, D, seed=1, dtype=torch.float32)
        if spoil:
            fake[1, 2] = bad
        fake.requires_grad_()
        losses, index = loss(cloud(S, N, D, dtype=torch.float32), fake, cloud(S, N, seed=2))
        losses[[0, 2]].sum().backward()
        found.append((losses, index, fake.grad))
    (whole, chosen, slope), (hurt, after, other) = found
    assert not hurt[1].isfinite()
    for one, another in ((whole, hurt), (chosen, after), (slope, other)):
        assert torch.equal(one[[0, 2]], another[[0, 2]])


def test_seeds_do_not_depend_on_each_other():
    real, fake, potential = cloud(S, N, D), cloud(S, M, D, seed=1), cloud(S, N, seed=2)
    whole, index = loss(real, fake, potential)
    for s in range(S):
        alone, own = loss(real[s : s + 1], fake[s : s + 1], potential[s : s + 1])
        assert torch.equal(alone[0], whole[s]) and torch.equal(own[0], index[s])
