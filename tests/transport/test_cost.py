"""Ground costs."""

from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from pwgan.options import CostName
from pwgan.transport.cost import cost, pair_cost, points, precise_cost


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


@pytest.mark.parametrize("name", ["euclidean", "sqeuclidean"])
@pytest.mark.parametrize(("n", "k", "d"), [(1, 1, 1), (3, 5, 2), (40, 30, 7)])
def test_every_pair_costs_what_scipy_says(name, n, k, d):
    x, y = draw(2, 3, n, d), draw(2, 3, k, d, seed=1)
    found = cost(x, y, name)
    assert found.shape == (2, 3, n, k)
    for lead in np.ndindex(2, 3):
        np.testing.assert_allclose(found[lead], cdist(x[lead], y[lead], name), rtol=1e-12)


def test_the_euclidean_cost_is_the_default():
    x, y = torch.tensor([[0.0, 0.0]]), torch.tensor([[3.0, 4.0]])
    assert cost(x, y).item() == 5 and pair_cost(x, y).item() == 5
    assert cost(x, y, "sqeuclidean").item() == 25 and pair_cost(x, y, "sqeuclidean").item() == 25


def test_near_duplicates_far_from_the_origin_lose_no_digits():
    x = torch.arange(40.0).unsqueeze(-1) * 1024 + 2.0**14
    y = x + 2.0**-8
    np.testing.assert_array_equal(cost(x, y).diagonal(), np.full(40, 2.0**-8))
    np.testing.assert_array_equal(pair_cost(x, y), np.full(40, 2.0**-8))


@pytest.mark.parametrize("name", ["euclidean", "sqeuclidean"])
def test_pairs_cost_the_diagonal(name):
    x, y = draw(4, 6, 3), draw(4, 6, 3, seed=1)
    torch.testing.assert_close(pair_cost(x, y, name), cost(x, y, name).diagonal(dim1=-2, dim2=-1))


def test_the_gradient_is_a_unit_vector_and_zero_between_equal_points():
    x = torch.tensor([[3.0, 4.0], [1.0, 1.0], [0.0, -2.0]], requires_grad=True)
    y = torch.tensor([[0.0, 0.0], [1.0, 1.0], [0.0, 0.0]])
    pair_cost(x, y).sum().backward()
    torch.testing.assert_close(x.grad, torch.tensor([[0.6, 0.8], [0.0, 0.0], [0.0, -1.0]]))
    x.grad = None
    pair_cost(x, y, "sqeuclidean").sum().backward()
    torch.testing.assert_close(x.grad, torch.tensor([[6.0, 8.0], [0.0, 0.0], [0.0, -4.0]]))


@pytest.mark.parametrize("name", ["euclidean", "sqeuclidean"])
def test_a_cost_that_is_not_finite_is_not_hidden(name):
    x = torch.tensor([[torch.nan, 0.0], [torch.inf, 0.0], [1.0, 0.0]])
    for found in (pair_cost(x, torch.zeros(3, 2), name), cost(x, torch.zeros(1, 2), name).squeeze(-1)):
        assert found.isnan().tolist() == [True, False, False]
        assert found.isinf().tolist() == [False, True, False]


def test_samples_of_any_shape_are_points():
    images = draw(2, 5, 3, 4, 4)
    assert points(images).shape == (2, 5, 48)
    assert torch.equal(points(images)[1, 4], images[1, 4].flatten())
    assert torch.equal(points(images[0], 0), images[0].flatten(1))
    flat = draw(2, 5, 3)
    assert torch.equal(points(flat), flat) and torch.equal(points(flat[0], 0), flat[0])


@pytest.mark.parametrize(("left", "right"), [((3, 2), (3, 1)), ((3,), (3,)), ((3, 2), (2,))])
def test_points_of_different_dimensions_are_refused(left, right):
    with pytest.raises(ValueError, match="same d on both sides, got"):
        cost(torch.zeros(left), torch.zeros(right))


@pytest.mark.parametrize("function", [cost, pair_cost])
def test_an_unknown_cost_is_refused_with_the_nearest_name(function):
    with pytest.raises(ValueError, match=r"Did you mean 'euclidean'\? Allowed: euclidean, sqeuclidean"):
        function(torch.zeros(2, 2), torch.zeros(2, 2), "euclidian")


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(["normal", "offset", "copies", "tight", "clusters", "scales"]),
    st.integers(1, 30),
    st.sampled_from([2, 33, 100, 784]),
    st.sampled_from(get_args(CostName)),
    st.integers(0, 2**32),
)
def test_a_product_prices_as_precisely_as_differences(kind, n, d, name, seed):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(2, 3, n, d))
    if kind == "offset":
        x, y = x + 1e6, y + 1e6
    elif kind == "copies":
        y[:, : n // 2] = x[:, : n // 2] + 1e-9 * rng.normal(size=(3, n // 2, d))
    elif kind == "tight":
        y = x[:, rng.permutation(n)] * (1 + 1e-12)
    elif kind == "clusters":
        x[:, ::2] += 1e4
        y[:, ::3] += 1e4
    elif kind == "scales":
        x, y = x * 10.0 ** rng.integers(-8, 8, (3, n, 1)), y * 10.0 ** rng.integers(-8, 8, (3, n, 1))
    x, y = torch.from_numpy(x), torch.from_numpy(y)
    found = precise_cost(x, y, name)
    differences = (x[:, :, None] - y[:, None]).square().sum(-1)
    expected = differences if name == "sqeuclidean" else differences.sqrt()
    torch.testing.assert_close(found, expected, rtol=1e-11, atol=0)


def test_a_product_that_overflows_is_left_to_differences():
    x = torch.full((4, 40), 1e160, dtype=torch.float64)
    y = x + torch.arange(4.0, dtype=torch.float64)[:, None] * 1e150
    torch.testing.assert_close(precise_cost(x, y), cost(x, y), rtol=1e-13, atol=0)
