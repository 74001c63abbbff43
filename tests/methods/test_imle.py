"""Implicit maximum likelihood: the nearest of many by scipy, many-to-one, and the loss of the pairs it chose."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy.optimize import approx_fprime, linear_sum_assignment
from scipy.spatial.distance import cdist
from torch import nn

from pwgan.errors import Refused
from pwgan.methods import Batch, Nets, PooledMethod, methods
from pwgan.methods.imle import IMLE

S, M, R, D = 3, 6, 4, 2
NETS = Nets(nn.Identity(), nn.Identity())
COSTS = pytest.mark.parametrize("cost", ["euclidean", "sqeuclidean", "cityblock", "cosine"])


def cloud(seed: int, n: int = M, shape: tuple[int, ...] = (D,), dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(S, n, *shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def forbidden(*shape: int) -> torch.Tensor:
    raise AssertionError("this method needs no uniform draws")


def loss(real: torch.Tensor, fake: torch.Tensor, **options: object) -> torch.Tensor:
    """The loss of a pool of one mini-batch: the candidates ``fake`` that are chosen, as the loop hands them on."""
    method = IMLE(**options)
    order, second = method.match_latents(real.flatten(2), fake.detach().flatten(2), None)
    assert order.shape == real.shape[:2] and second is None
    chosen = fake[torch.arange(len(real))[:, None], order]
    batch = Batch(real, torch.arange(M).expand(S, -1), torch.zeros(S, M, 4), chosen, forbidden)
    return method.generator_loss(NETS, batch)


def least(real: np.ndarray, fake: np.ndarray, cost: str = "sqeuclidean") -> float:
    return cdist(real, fake, cost).min(1).mean()


def test_it_is_found_and_chooses_before_each_step():
    assert methods()["imle"] is IMLE and issubclass(IMLE, PooledMethod)
    for pool, candidates in ((1, 1), (1, 5), (3, 1)):
        method = IMLE(pool=pool, candidates=candidates)
        assert method.matches_ahead and method.latents_per_sample == candidates
    for bad in ({"candidates": 0}, {"candidates": 1.5}, {"pool": 0}, {"cost": "chebyshev"}):
        with pytest.raises(ValidationError, match=next(iter(bad))):
            IMLE.model_validate(bad)
    with pytest.raises(ValidationError, match="Did you mean 'candidates'"):
        IMLE.model_validate({"candidate": 2})


@COSTS
@pytest.mark.parametrize("shape", [(D,), (1, 6, 6)])
def test_the_loss_is_the_mean_cost_of_the_nearest(cost, shape):
    real, fake = cloud(0, M, shape), cloud(1, R * M, shape)
    found = loss(real, fake, cost=cost)
    for s in range(S):
        expected = least(real[s].flatten(1).numpy(), fake[s].flatten(1).numpy(), cost)
        assert found[s].item() == pytest.approx(expected, rel=1e-9)


def test_the_cost_of_the_paper_is_the_squared_distance():
    real, fake = cloud(0), cloud(1, R * M)
    expected = torch.cdist(real, fake).square().amin(2).mean(1)
    torch.testing.assert_close(loss(real, fake), expected)


def test_its_gradient_is_that_of_differences():
    real, fake = cloud(0), cloud(1, R * M).requires_grad_()
    loss(real, fake).sum().backward()
    for s in range(S):
        x = real[s].numpy()
        slope = approx_fprime(fake[s].detach().numpy().ravel(), lambda y, x=x: least(x, y.reshape(R * M, D)), 1e-7)
        np.testing.assert_allclose(fake.grad[s].flatten(), slope, atol=1e-5)
    moved = (fake.grad != 0).any(-1).sum(1)
    assert (moved <= M).all()  # the others are not descended


def test_one_generated_sample_may_serve_all_and_no_matching_is_cheaper():
    real, fake = cloud(0), cloud(1)
    fake[:, 2] = real.mean(1)
    fake[:, [0, 1, 3, 4, 5]] += 100
    order, _ = IMLE().match_latents(real, fake, None)
    assert (order == 2).all()
    for s in range(S):
        costs = cdist(real[s], fake[s], "sqeuclidean")
        assert loss(real, fake)[s] < costs[linear_sum_assignment(costs)].mean()


def test_a_zero_vector_is_refused_for_the_cosine_alone():
    real = cloud(0)
    real[1, 4] = 0
    with pytest.raises(Refused, match="training sample 4 is the zero vector"):
        loss(real, cloud(1), cost="cosine")
    assert loss(real, cloud(1)).isfinite().all()


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
@pytest.mark.parametrize("rows", [slice(2, 3), slice(None)])
def test_a_diverged_seed_shows_and_leaves_the_others_as_they_were(bad, rows):
    found = []
    for spoil in (False, True):
        fake = cloud(1, R * M, dtype=torch.float32)
        if spoil:
            fake[1, rows] = bad
        fake.requires_grad_()
        losses = loss(cloud(0, dtype=torch.float32), fake)
        losses[[0, 2]].sum().backward()
        found.append((losses, fake.grad))
    (whole, slope), (hurt, other) = found
    assert torch.equal(hurt[[0, 2]], whole[[0, 2]]) and torch.equal(other[[0, 2]], slope[[0, 2]])
    assert not hurt[1].isfinite()
