"""The transport direction against the gradient of the distance, and against plans known by hand."""

import pytest
import torch

from pwgan.transport import wasserstein
from pwgan.transport.direction import transport_direction, unit


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 40, 2), (1, 30, 12), (3, 25, 1)])
def test_it_is_the_negative_gradient_of_the_distance_times_n(shape):
    rng = torch.Generator().manual_seed(0)
    x, y = (torch.randn(shape, dtype=torch.float64, generator=rng) for _ in range(2))
    y.requires_grad_()
    (gradient,) = torch.autograd.grad(wasserstein(x, y).value.sum(), y)
    found = transport_direction(x, y)
    torch.testing.assert_close(found, -shape[1] * gradient)
    torch.testing.assert_close(found.norm(dim=-1), torch.ones(shape[:2], dtype=torch.float64))
    moved = wasserstein(x, y.detach() + 1e-6 * found).value
    torch.testing.assert_close(
        (wasserstein(x, y).value - moved).detach(), torch.full_like(moved, 1e-6), rtol=1e-3, atol=0
    )


def test_partners_are_those_of_the_plan_and_points_that_coincide_stay():
    x = torch.tensor([[[0.0, 0.0], [10.0, 0.0], [5.0, 5.0]]])
    y = torch.tensor([[[10.0, 3.0], [5.0, 5.0], [-2.0, 0.0]]])
    assert transport_direction(x, y).tolist() == [[[0.0, -1.0], [0.0, 0.0], [1.0, 0.0]]]


def test_lengths_below_the_range_of_float32_are_scaled_too():
    assert unit(torch.tensor([[3e-30, 4e-30], [0.0, 0.0]])).tolist() == [pytest.approx([0.6, 0.8]), [0.0, 0.0]]
