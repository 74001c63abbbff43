"""pwgan_full: the pairs it is given are descended as they are, and the ones it ties are those of scipy's optimum."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy.optimize import approx_fprime, linear_sum_assignment
from scipy.spatial.distance import cdist
from torch import nn

from pwgan.methods import Batch, Nets, TiedMethod, methods
from pwgan.methods.pwgan_full import FullPWGAN

S, M, D = 3, 6, 2
NETS = Nets(nn.Identity(), nn.Identity())
COSTS = pytest.mark.parametrize("cost", ["euclidean", "sqeuclidean"])


def cloud(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def forbidden(*shape: int) -> torch.Tensor:
    raise AssertionError("this method needs no uniform draws")


def pairs(shape: tuple[int, ...] = (D,)) -> Batch:
    real, fake = cloud(S, M, *shape), cloud(S, M, *shape, seed=1)
    return Batch(real, torch.arange(M).expand(S, -1), torch.zeros(S, M, 4), fake.requires_grad_(), forbidden)


def optimum(real: np.ndarray, fake: np.ndarray, cost: str) -> tuple[float, np.ndarray]:
    costs = cdist(real, fake, cost)
    rows, columns = linear_sum_assignment(costs)
    return costs[rows, columns].mean(), columns


def test_it_is_a_method_that_ties():
    assert methods()["pwgan_full"] is FullPWGAN and issubclass(FullPWGAN, TiedMethod)
    with pytest.raises(ValidationError, match="Did you mean 'rematch_every'"):
        FullPWGAN.model_validate({"rematch_evry": 5})
    with pytest.raises(ValidationError, match="rematch_every"):
        FullPWGAN.model_validate({"rematch_every": 0})


@COSTS
@pytest.mark.parametrize("shape", [(D,), (1, 2, 2)])
def test_the_loss_is_the_mean_cost_of_the_pairs_as_given(cost, shape):
    given = pairs(shape)
    loss = FullPWGAN(cost=cost).generator_loss(NETS, given)
    away = (given.fake - given.real).detach().flatten(2).numpy()
    length = np.linalg.norm(away, axis=2)
    np.testing.assert_allclose(loss.detach(), (length if cost == "euclidean" else length**2).mean(1), rtol=1e-12)
    loss.sum().backward()
    expected = (away / length[..., None] if cost == "euclidean" else 2 * away) / M
    np.testing.assert_allclose(given.fake.grad.flatten(2), expected, rtol=1e-12)


def test_a_pair_that_coincides_has_a_finite_gradient():
    given = pairs()
    with torch.no_grad():
        given.fake[0, 0] = given.real[0, 0]
    FullPWGAN().generator_loss(NETS, given).sum().backward()
    assert (given.fake.grad[0, 0] == 0).all() and given.fake.grad.isfinite().all()


@COSTS
@pytest.mark.parametrize("n", [1, 2, 7, 60])
def test_the_tie_is_the_optimal_matching(cost, n):
    real, fake = cloud(n, D, seed=2).float(), cloud(n, D, seed=3).float() + 1
    value, columns = optimum(real.double().numpy(), fake.double().numpy(), cost)
    first = FullPWGAN(cost=cost).tie(real, fake, None)
    again = FullPWGAN(cost=cost).tie(real, fake, (first.row_potential, first.column_potential))
    for found in (first, again):
        assert found.value.item() == pytest.approx(value, rel=1e-9)
        assert found.matching.tolist() == columns.tolist()
        assert found.gap.item() <= 1e-9 * value


def test_warm_potentials_of_another_problem_change_nothing_but_the_work():
    real, fake = cloud(40, D, seed=4).float(), cloud(40, D, seed=5).float()
    before = FullPWGAN().tie(real, fake, None)
    moved = fake + 0.05 * cloud(40, D, seed=6).float()
    warm = FullPWGAN().tie(real, moved, (before.row_potential, before.column_potential))
    value, columns = optimum(real.double().numpy(), moved.double().numpy(), "euclidean")
    assert warm.value.item() == pytest.approx(value, rel=1e-9) and warm.matching.tolist() == columns.tolist()


@pytest.mark.parametrize("seed", range(3))
def test_descending_tied_pairs_descends_the_full_wasserstein_distance(seed):
    # The envelope theorem: where the optimal matching is unique, holding it fixed changes no derivative. A mini-batch
    # has the gradient of its own samples: together, the batches of an epoch have all of it.
    real, fake = cloud(M, D, seed=seed), cloud(M, D, seed=seed + 10).requires_grad_()
    matching = FullPWGAN().tie(real.float(), fake.detach().float(), None).matching
    for part in torch.arange(M).split(2):
        batch = Batch(real[None, part], part[None], torch.zeros(1, 2, 4), fake[matching[part]][None], forbidden)
        (FullPWGAN().generator_loss(NETS, batch) * 2 / M).sum().backward()
    point = fake.detach().numpy().ravel()
    slope = approx_fprime(point, lambda y: optimum(real.numpy(), y.reshape(M, D), "euclidean")[0], 1e-7)
    np.testing.assert_allclose(fake.grad.flatten(), slope, atol=1e-5)


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_a_diverged_seed_shows_and_leaves_the_others_right(bad):
    sound, spoilt = pairs(), pairs()
    with torch.no_grad():
        spoilt.fake[1, 2] = bad
    whole, hurt = (FullPWGAN().generator_loss(NETS, batch) for batch in (sound, spoilt))
    assert not hurt[1].isfinite() and torch.equal(hurt[[0, 2]], whole[[0, 2]])
