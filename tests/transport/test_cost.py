"""Ground costs."""

from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from pwgan.errors import Refused
from pwgan.options import CostName
from pwgan.transport.cost import cost, matching_cost, no_zero_vectors, pair_cost, points, precise_cost


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


@pytest.mark.parametrize("name", get_args(CostName))
@pytest.mark.parametrize(("n", "k", "d"), [(1, 1, 1), (3, 5, 2), (40, 30, 7)])
def test_every_pair_costs_what_scipy_says(name, n, k, d):
    x, y = draw(2, 3, n, d), draw(2, 3, k, d, seed=1)
    found = cost(x, y, name)
    assert found.shape == (2, 3, n, k)
    for lead in np.ndindex(2, 3):
        np.testing.assert_allclose(found[lead], cdist(x[lead], y[lead], name), rtol=1e-12, atol=1e-15)


def test_the_euclidean_cost_is_the_default():
    x, y = torch.tensor([[0.0, 0.0]]), torch.tensor([[3.0, 4.0]])
    assert cost(x, y).item() == 5 and pair_cost(x, y).item() == 5
    assert cost(x, y, "sqeuclidean").item() == 25 and pair_cost(x, y, "sqeuclidean").item() == 25


def test_near_duplicates_far_from_the_origin_lose_no_digits():
    x = torch.arange(40.0).unsqueeze(-1) * 1024 + 2.0**14
    y = x + 2.0**-8
    np.testing.assert_array_equal(cost(x, y).diagonal(), np.full(40, 2.0**-8))
    np.testing.assert_array_equal(pair_cost(x, y), np.full(40, 2.0**-8))


@pytest.mark.parametrize("name", get_args(CostName))
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
    x.grad = None
    pair_cost(x, y, "cityblock").sum().backward()
    torch.testing.assert_close(x.grad, torch.tensor([[1.0, 1.0], [0.0, 0.0], [0.0, -1.0]]))


@pytest.mark.parametrize("name", get_args(CostName))
def test_the_gradient_is_the_difference_quotient(name):
    x, y = draw(4, 3).requires_grad_(), draw(4, 3, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: pair_cost(a, b, name), (x, y))


def test_the_cosine_depends_on_directions_alone_and_knows_close_ones():
    x = torch.tensor([[1e200, 0.0], [3e-200, 4e-200], [1.0, 0.0], [-2.0, 0.0]], dtype=torch.float64)
    y = torch.tensor([[1.0, 1e-9], [30.0, 40.0], [0.0, 5.0], [1.0, 0.0]], dtype=torch.float64, requires_grad=True)
    found = pair_cost(x, y, "cosine")
    np.testing.assert_allclose(found.detach(), [0.5e-18, 0, 1, 2], rtol=1e-12, atol=1e-32)
    found.sum().backward()
    assert y.grad.isfinite().all() and y.grad[1].norm() < 1e-15
    assert pair_cost(torch.zeros(1, 2), torch.ones(1, 2), "cosine").isnan().all()


def test_a_zero_vector_is_refused_by_its_row():
    x = torch.ones(2, 3, 4)
    no_zero_vectors("row", x)
    x[1, 2] = 0
    with pytest.raises(Refused, match="cost cosine: row 2 is the zero vector"):
        no_zero_vectors("row", x)
    with pytest.raises(Refused, match="training sample 11 is"):
        no_zero_vectors("training sample", x, torch.arange(6, 12).reshape(2, 3))


@pytest.mark.parametrize("name", ["euclidean", "sqeuclidean", "cityblock"])
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
    with pytest.raises(
        ValueError, match=r"Did you mean 'euclidean'\? Allowed: cityblock, cosine, euclidean, sqeuclidean"
    ):
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
    expected = pair_cost(x[:, :, None].expand(-1, -1, n, -1), y[:, None].expand(-1, n, -1, -1), name)
    # Directions are rounded before their distance is taken.
    torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-15 * d if name == "cosine" else 0)


def test_a_product_that_overflows_is_left_to_differences():
    x = torch.full((4, 40), 1e160, dtype=torch.float64)
    y = x + torch.arange(4.0, dtype=torch.float64)[:, None] * 1e150
    torch.testing.assert_close(precise_cost(x, y), cost(x, y), rtol=1e-13, atol=0)


@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from(["normal", "offset", "copies", "clusters", "one point"]),
    st.sampled_from(get_args(CostName)),
    st.integers(0, 2**32),
)
def test_a_step_selects_its_matching_by_costs_within_rounding(kind, name, seed):
    # float32 points far from the origin, of which many coincide: the product of float32 numbers would be noise.
    rng = np.random.default_rng(seed)
    x, y = (torch.from_numpy(side).float() for side in rng.normal(size=(2, 2, 24, 100)))
    if kind == "offset":
        x, y = x + 1e4, y + 1e4
    elif kind == "copies":
        y[:, :12] = x[:, torch.from_numpy(rng.permutation(24)[:12])]
    elif kind == "clusters":
        x[:, ::2] += 1e3
        y[:, ::3] += 1e3
    elif kind == "one point":
        y[0] = x[0, :1]
    found = matching_cost(x, y, name)
    exact = cost(x.double(), y.double(), name)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), exact, rtol=2.0**-23, atol=1e-13 if name == "cosine" else 0)


def test_one_problem_of_near_pairs_leaves_the_others_to_the_product(monkeypatch):
    x, y = draw(3, 20, 50), draw(3, 20, 50, seed=1)
    # Two clusters on both sides: half of the pairs are within 1e-9 of each other.
    for side in (x, y):
        side[1] = 1e-9 * side[1] + torch.arange(20)[:, None] % 2
    shapes = []
    monkeypatch.setattr("pwgan.transport.cost.cost", lambda x, y, name: shapes.append(x.shape) or cost(x, y, name))
    torch.testing.assert_close(precise_cost(x, y), cost(x, y), rtol=1e-11, atol=0)
    assert shapes == [(1, 20, 50)]
