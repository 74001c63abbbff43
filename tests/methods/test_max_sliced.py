"""The max-sliced distance: the best direction against a fine scan of the circle and against closed forms."""

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from pwgan.methods import Batch, Nets
from pwgan.methods.max_sliced import MaxSliced
from pwgan.methods.sliced import directions, line_costs

S, M, D = 3, 8, 2
NETS = Nets(nn.Identity(), nn.Identity())
ORDER = pytest.mark.parametrize("order", [1, 2])


def cloud(seed: int, shape: tuple[int, ...] = (D,), dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(S, M, *shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def batch(real: torch.Tensor, fake: torch.Tensor) -> Batch:
    """Return a batch whose seeds have equal draws."""

    def uniform(*shape: int) -> torch.Tensor:
        return torch.rand(shape, generator=torch.Generator().manual_seed(7)).expand(len(real), *shape)

    return Batch(real, None, torch.zeros(*real.shape[:2], 1), fake, uniform)


def loss(real: torch.Tensor, fake: torch.Tensor, **options: object) -> torch.Tensor:
    return MaxSliced(**options).generator_loss(NETS, batch(real, fake))


@ORDER
def test_on_the_plane_it_is_the_largest_of_all_directions(order):
    real, fake = cloud(0), 0.6 * cloud(1) + 0.4
    angle = torch.linspace(0, torch.pi, 2001, dtype=torch.float64)
    circle = torch.stack([angle.cos(), angle.sin()], -1).expand(S, -1, -1)
    largest = line_costs(real, fake, circle, order).amax(1)
    found = loss(real, fake, order=order, projections=16, ascent_steps=20)
    assert (found <= 1.0001 * largest).all() and (found >= 0.98 * largest).all()


@ORDER
def test_a_shift_is_found_from_any_direction_in_one_step(order):
    real = cloud(0, (1, 4, 4))
    shift = torch.linspace(-1, 2, 16, dtype=torch.float64).view(1, 4, 4)
    found = loss(real, real + shift, order=order, projections=1, ascent_steps=1)
    torch.testing.assert_close(found, torch.full((S,), shift.norm().item() ** order, dtype=torch.float64))


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([1, 2]), st.integers(1, 5))
def test_more_steps_never_find_less_and_none_leaves_the_random_directions(seed, order, steps):
    real, fake = cloud(seed, (3,)), cloud(seed + 1, (3,))
    found = [loss(real, fake, order=order, projections=4, ascent_steps=count) for count in (0, steps, steps + 1)]
    drawn = line_costs(real, fake, directions(batch(real, fake), 4).double(), order)
    torch.testing.assert_close(found[0], drawn.amax(1))
    assert (found[0] <= found[1]).all() and (found[1] <= found[2]).all()


@ORDER
def test_the_gradient_is_that_along_the_best_direction_held_fixed(order):
    # The envelope theorem, where the best direction is a maximum: along a shift, which it is.
    real = cloud(0)
    shift = torch.tensor([3.0, 4.0], dtype=torch.float64)
    fake = (real + shift).requires_grad_()
    loss(real, fake, order=order).sum().backward()
    slope = shift / shift.norm() if order == 1 else 2 * shift
    torch.testing.assert_close(fake.grad, (slope / M).expand(S, M, D))


@ORDER
@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_a_diverged_seed_shows_and_leaves_the_others_as_they_were(check_diverged, order, bad):
    check_diverged(partial(loss, order=order), cloud(0, dtype=torch.float32), cloud(1, dtype=torch.float32), bad)


def test_equal_batches_have_no_distance_and_no_gradient():
    fake = cloud(0).flip(1).requires_grad_()
    found = loss(cloud(0), fake)
    found.sum().backward()
    np.testing.assert_allclose(found.detach(), 0, atol=1e-24)
    np.testing.assert_allclose(fake.grad, 0, atol=1e-12)
