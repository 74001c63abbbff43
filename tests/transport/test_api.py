"""What goes into the public functions and comes out of them."""

from typing import get_args

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

import pwgan
from pwgan.errors import Refused
from pwgan.options import CostName
from pwgan.transport import empirical

X, Y = np.random.default_rng(0).normal(size=(2, 12, 3))


@pytest.mark.parametrize("cost", get_args(CostName))
def test_arrays_give_arrays_and_scipys_value(cost):
    found = pwgan.wasserstein(X, Y, cost)
    costs = cdist(X, Y, cost)
    assert isinstance(found.value, np.float64) and isinstance(found.gap, np.float64)
    assert found.value == pytest.approx(costs[linear_sum_assignment(costs)].mean(), rel=1e-12)
    assert isinstance(found.matching, np.ndarray) and found.matching.dtype == np.int64
    assert (found.row_potential[:, None] + found.column_potential - costs).max() < 1e-13


def test_tensors_give_tensors_and_one_tensor_is_enough():
    expected = pwgan.wasserstein(X, Y)
    for x, y in ((torch.tensor(X), torch.tensor(Y)), (torch.tensor(X), Y), (X, torch.tensor(Y))):
        found = pwgan.wasserstein(x, y)
        assert isinstance(found.value, torch.Tensor) and isinstance(found.matching, torch.Tensor)
        assert float(found.value) == expected.value


def test_lists_and_frames_give_arrays():
    for x, y in ((X.tolist(), Y.tolist()), (pd.DataFrame(X), pd.DataFrame(Y)), ([*X], [*Y])):
        found = pwgan.wasserstein(x, y)
        assert isinstance(found.matching, np.ndarray) and found.value == pwgan.wasserstein(X, Y).value


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "uint64", "float16", "float32", ">f4", ">f8", "<i2"])
def test_every_real_type_is_taken_as_it_is(dtype):
    x, y = (np.random.default_rng(k).integers(0, 2 if dtype == "bool" else 50, (9, 2)).astype(dtype) for k in range(2))
    costs = cdist(x.astype(float), y.astype(float))
    least = costs[linear_sum_assignment(costs)].mean()
    assert pwgan.wasserstein(x, y).value == pytest.approx(least, rel=1e-12)
    x.flags.writeable = False
    assert pwgan.wasserstein(x[::-1], y[:, ::-1][:, ::-1]).value == pytest.approx(least, rel=1e-12)
    sides = (torch.from_numpy(side.astype(side.dtype.newbyteorder("="))) for side in (x, y))
    assert float(pwgan.wasserstein(*sides).value) == pytest.approx(least, rel=1e-12)


def test_small_floats_of_torch_and_potentials_of_any_kind_are_taken(monkeypatch):
    half = torch.tensor(X).bfloat16()
    assert float(pwgan.wasserstein(half, Y).value) == pwgan.wasserstein(half.double().numpy(), Y).value
    monkeypatch.setattr(empirical, "DENSE", 2)
    cold = pwgan.wasserstein(X, Y)
    warm = pwgan.wasserstein(X, Y, potentials=(cold.row_potential.tolist(), torch.tensor(cold.column_potential)))
    assert warm.value == pytest.approx(cold.value, rel=1e-12) and isinstance(warm.matching, np.ndarray)


def test_numbers_are_points_on_a_line():
    found = pwgan.wasserstein([3, 1, 2], [1.5, 3.5, 2.5])
    assert found.value == 0.5 and found.matching.tolist() == [1, 0, 2]
    assert found.row_potential.shape == (3,) and found.value.shape == ()
    assert pwgan.wasserstein(torch.tensor([1.0, 2.0]), np.array([[4.0], [5.0]])).value == 3
    assert pwgan.wasserstein([0.0, 1.0], [0.0, 0.5, 1.0]).value == pytest.approx(1 / 6)


def test_leading_axes_stay():
    x, y = np.random.default_rng(0).normal(size=(2, 4, 5, 6, 2))
    found = pwgan.wasserstein(x, y)
    assert found.value.shape == (4, 5) and found.matching.shape == (4, 5, 6)
    assert found.value[2, 3] == pwgan.wasserstein(x[2, 3], y[2, 3]).value


@pytest.mark.parametrize("kind", [np.asarray, torch.tensor])
def test_a_matching_is_a_plan_too(kind):
    x, y = (kind(side.reshape(2, 6, 3)) for side in (X, Y))
    found = pwgan.wasserstein(x, y)
    assert all(type(part) is type(found.matching) for part in vars(found.plan).values())
    for k in range(2):
        costs = cdist(x[k], y[k])[found.plan.rows[k], found.plan.columns[k]]
        assert float(found.value[k]) == pytest.approx(float((np.asarray(found.plan.mass[k]) * costs).sum()), rel=1e-12)


def test_unequal_numbers_give_a_plan_of_the_same_kind():
    found = pwgan.wasserstein(X[:8], Y)
    assert isinstance(found.plan.rows, np.ndarray) and isinstance(found.value, np.float64)
    assert found.plan.mass.sum() == pytest.approx(1)
    assert isinstance(pwgan.wasserstein(torch.tensor(X[:8]), Y).plan.mass, torch.Tensor)
    with pytest.raises(Refused, match="potentials are for equal numbers of points, got 8 and 12"):
        pwgan.wasserstein(X[:8], Y, potentials=(np.zeros(8), np.zeros(8)))


@pytest.mark.parametrize("cost", get_args(CostName))
@pytest.mark.parametrize("dense", [2, 2500])
def test_the_gradient_is_the_difference_quotient_by_any_solver(monkeypatch, cost, dense):
    monkeypatch.setattr(empirical, "DENSE", dense)
    x, y = (torch.tensor(side[:7], requires_grad=True) for side in (X, Y))
    assert torch.autograd.gradcheck(lambda a, b: pwgan.wasserstein(a, b, cost).value, (x, y))
    assert torch.autograd.gradcheck(lambda a, b: empirical.ewd(a, b, cost), (x, y))
    line = (side[:, :1].detach().requires_grad_() for side in (x, y))
    if cost != "cosine":
        assert torch.autograd.gradcheck(lambda a, b: pwgan.wasserstein(a, b, cost).value, tuple(line))


def test_a_graph_is_kept_only_where_it_was_asked_for():
    x, y = torch.tensor(X).float().requires_grad_(), torch.tensor(Y).float()
    found = pwgan.wasserstein(x, y)
    assert found.value.requires_grad and not found.gap.requires_grad and not found.row_potential.requires_grad
    found.value.backward()
    assert x.grad.dtype == torch.float32 and x.grad.norm(dim=1).numpy() == pytest.approx(1 / 12, rel=1e-6)
    assert not pwgan.wasserstein(x.detach(), y).value.requires_grad
    with torch.no_grad():
        assert not pwgan.wasserstein(x, y).value.requires_grad


@pytest.mark.parametrize("cost", get_args(CostName))
def test_pairs_that_coincide_have_no_gradient(cost):
    x = torch.tensor(X, requires_grad=True)
    pwgan.wasserstein(x, torch.tensor(X[::-1].copy()), cost).value.backward()
    assert x.grad.abs().max() == 0


def test_an_assignment_problem_may_be_an_array():
    costs = np.random.default_rng(0).integers(0, 9, (2, 7, 7))
    found = pwgan.solve(costs)
    assert isinstance(found.columns, np.ndarray) and found.value.shape == (2,)
    for k in range(2):
        assert found.value[k] == pytest.approx(costs[k][linear_sum_assignment(costs[k])].mean())
    assert pwgan.solve([[1, 0], [0, 1]]).columns.tolist() == [1, 0]
    assert isinstance(pwgan.solve(torch.eye(2, dtype=torch.float16)).columns, torch.Tensor)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (X + 1j, "x must hold truth values, integers or floats of at most 64 bits, got complex128"),
        (torch.tensor(X) + 1j, "x must be a dense tensor of real numbers, got torch.complex128"),
        (torch.tensor(X).to_sparse(), "got torch.float64, torch.sparse_coo"),
        (X.astype(object), "got object"),
        (np.array(["a", "b"]), "got <U1"),
        (X.astype("M8[s]"), "got datetime64"),
        ([[1.0, 2.0], [3.0]], "its rows differ in length"),
        (np.ma.masked_less(X, 0), "got masked values"),
        (np.array([2**53 + 1]), "integers beyond ±2\\^53"),
        (torch.tensor([-(2**60)]), "integers beyond ±2\\^53"),
        (3.0, "x is one number"),
        (np.zeros((0, 3)), "nothing to match"),
        (np.full((12, 3), np.nan), "NaN or infinite"),
        (np.zeros((12, 2)), r"got \(12, 2\) and \(12, 3\)"),
        (np.zeros((2, 12, 3)), r"got \(2, 12, 3\) and \(12, 3\)"),
    ],
)
def test_what_is_no_set_of_points_is_refused(x, message):
    with pytest.raises(ValueError, match=message):
        pwgan.wasserstein(x, Y)


def test_a_cost_that_a_point_or_a_size_does_not_have_is_refused(monkeypatch):
    x = X.copy()
    x[5] = 0
    with pytest.raises(Refused, match="cost cosine: x, row 5 is the zero vector"):
        pwgan.wasserstein(x, Y, "cosine")
    monkeypatch.setattr(empirical, "DENSE", 8)
    monkeypatch.setattr(empirical, "LARGEST_CITYBLOCK", 11)
    with pytest.raises(Refused, match=r"cityblock .* up to 11 points on each side; 12 would take"):
        pwgan.wasserstein(X, Y, "cityblock")
    assert pwgan.wasserstein(X[:11], Y[:11], "cityblock").rounds == 0
    with pytest.raises(Refused, match="Did you mean 'cityblock'"):
        pwgan.wasserstein(X, Y, "cityblok")
