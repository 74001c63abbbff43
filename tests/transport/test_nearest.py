"""The nearest point with a price on each, against scipy's distances, and by turns."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from pwgan.transport import nearest as module
from pwgan.transport.nearest import nearest

S = 3


def cloud(n: int, d: int, seed: int) -> torch.Tensor:
    return torch.randn(S, n, d, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("most", [1 << 26, 1])  # all seeds at once, or one after the other
@pytest.mark.parametrize("cost", ["euclidean", "sqeuclidean", "cityblock", "cosine"])
@pytest.mark.parametrize("d", [2, 40])  # costs from differences, or from a matrix product
@pytest.mark.parametrize("priced", [False, True])
def test_it_is_that_of_scipy(monkeypatch, most, cost, d, priced):
    monkeypatch.setattr(module, "MOST_NUMBERS", most)
    x, y = cloud(7, d, 0), cloud(11, d, 1)
    # Prices that vary as costs do.
    potential = cloud(11, 1, 2)[..., 0] * cdist(x[0], y[0], cost).std() if priced else None
    found = nearest(x, y, cost, potential)
    assert found.shape == (S, 7) and found.dtype == torch.int64
    for s in range(S):
        costs = cdist(x[s], y[s], cost) - (potential[s].numpy() if priced else 0)
        assert found[s].tolist() == costs.argmin(1).tolist()
    if priced:
        assert not torch.equal(found, nearest(x, y, cost))


def test_one_set_may_serve_all_seeds_and_nothing_is_changed():
    x, y, potential = cloud(7, 2, 0), cloud(5, 2, 1)[:1].expand(S, -1, -1), cloud(5, 1, 2)[..., 0]
    before = potential.clone()
    found = nearest(x.requires_grad_(), y, "euclidean", potential)
    for s in range(S):
        assert found[s].tolist() == (cdist(x[s].detach(), y[0]) - before[s].numpy()).argmin(1).tolist()
    assert torch.equal(potential, before) and not found.requires_grad


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
@pytest.mark.parametrize("d", [2, 40])
def test_a_diverged_seed_takes_what_is_not_finite_and_leaves_the_others_as_they_were(bad, d):
    x, y = cloud(9, d, 0).float(), cloud(30, d, 1).float()
    sound = nearest(x, y, "euclidean")
    for side in (x, y):
        spoilt = [one.clone() for one in (x, y)]
        spoilt[0 if side is x else 1][1, 3, 0] = bad
        found = nearest(*spoilt, "euclidean")
        assert np.array_equal(found[[0, 2]], sound[[0, 2]])
        assert (found[1] == (3 if side is y else 0)).all()
