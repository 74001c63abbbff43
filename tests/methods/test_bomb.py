"""Matched groups of matched samples against brute force over the permutations of groups, and its two ends."""

from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime, linear_sum_assignment
from scipy.spatial.distance import cdist
from torch import nn

from pwgan.errors import Refused
from pwgan.methods import Batch, Nets
from pwgan.methods import pwgan as plain
from pwgan.methods.bomb import BatchOfMiniBatches
from pwgan.methods.pwgan import PWGAN

S, M, D = 3, 12, 2
NETS = Nets(nn.Identity(), nn.Identity())


def cloud(seed: int, shape: tuple[int, ...] = (D,), dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(S, M, *shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def forbidden(*shape: int) -> torch.Tensor:
    raise AssertionError("this method needs no uniform draws")


def loss(
    real: torch.Tensor, fake: torch.Tensor, method: type[PWGAN] = BatchOfMiniBatches, **options: object
) -> torch.Tensor:
    rows = torch.arange(real.shape[1]).expand(len(real), -1)
    batch = Batch(real, rows, torch.zeros(*real.shape[:2], 1), fake, forbidden)
    return method(**options).generator_loss(NETS, batch)


def by_groups(x: np.ndarray, y: np.ndarray, groups: int, cost: str) -> float:
    """The least mean over all permutations of the groups."""
    between = np.empty((groups, groups))
    for i, one in enumerate(np.split(x, groups)):
        for j, other in enumerate(np.split(y, groups)):
            costs = cdist(one, other, cost)
            between[i, j] = costs[linear_sum_assignment(costs)].mean()
    return min(between[range(groups), order].mean() for order in permutations(range(groups)))


@pytest.mark.parametrize("together", [1 << 26, 5])
@pytest.mark.parametrize("cost", ["euclidean", "sqeuclidean", "cosine"])
@pytest.mark.parametrize("groups", [2, 3, 4])
@pytest.mark.parametrize("shape", [(D,), (1, 4, 4)])
def test_it_is_the_least_over_the_permutations_of_groups(monkeypatch, together, cost, groups, shape):
    monkeypatch.setattr(plain, "MOST_COSTS", together)  # all pairs of groups at once, or one after the other
    real, fake = cloud(0, shape), cloud(1, shape) + 0.3
    found = loss(real, fake, cost=cost, groups=groups)
    for s in range(S):
        expected = by_groups(real[s].flatten(1).numpy(), fake[s].flatten(1).numpy(), groups, cost)
        assert found[s].item() == pytest.approx(expected, rel=1e-9)


def test_its_gradient_is_that_of_differences():
    real, fake = cloud(0), cloud(1).requires_grad_()
    loss(real, fake, groups=3).sum().backward()
    for s in range(S):
        x = real[s].numpy()
        slope = approx_fprime(
            fake[s].detach().numpy().ravel(), lambda y, x=x: by_groups(x, y.reshape(M, D), 3, "euclidean"), 1e-7
        )
        np.testing.assert_allclose(fake.grad[s].flatten(), slope, atol=1e-5)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([2, 3, 4, 6]))
def test_it_lies_between_the_whole_matching_and_the_groups_as_drawn(seed, groups):
    real, fake = cloud(seed), cloud(seed + 1)
    found, whole = loss(real, fake, groups=groups), loss(real, fake, PWGAN)
    drawn = torch.stack([loss(*pair, PWGAN) for pair in zip(real.chunk(groups, 1), fake.chunk(groups, 1), strict=True)])
    assert (whole <= found + 1e-12).all() and (found <= drawn.mean(0) + 1e-12).all()
    dealt = torch.cat(fake.chunk(groups, 1)[::-1], 1)  # groups in another order
    torch.testing.assert_close(loss(real, dealt, groups=groups), found)


@pytest.mark.parametrize("groups", [1, M])
def test_one_group_and_groups_of_one_are_pwgan(groups):
    torch.testing.assert_close(loss(cloud(0), cloud(1), groups=groups), loss(cloud(0), cloud(1), PWGAN))


def test_groups_that_do_not_divide_the_batch_are_refused():
    with pytest.raises(Refused, match="5 does not divide the mini-batch size 12"):
        loss(cloud(0), cloud(1), groups=5)
    with pytest.raises(Refused, match="24 does not divide the mini-batch size 12"):
        loss(cloud(0), cloud(1), groups=24)


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_a_diverged_seed_shows_and_leaves_the_others_as_they_were(check_diverged, bad):
    check_diverged(loss, cloud(0, dtype=torch.float32), cloud(1, dtype=torch.float32), bad)
