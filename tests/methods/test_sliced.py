"""The sliced Wasserstein distance against POT along the same directions, on a line, and under rotations."""

from functools import partial

import numpy as np
import ot
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime
from scipy.special import ndtri
from scipy.stats import kstest, wasserstein_distance
from torch import nn

from pwgan.methods import Batch, Nets
from pwgan.methods.sliced import Sliced, directions, line_costs

S, M, D = 3, 6, 3
NETS = Nets(nn.Identity(), nn.Identity())
ORDER = pytest.mark.parametrize("order", [1, 2])


def cloud(seed: int, shape: tuple[int, ...] = (D,), dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(S, M, *shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def batch(real: torch.Tensor, fake: torch.Tensor) -> Batch:
    """Return a batch whose seeds have equal draws, in each order of the seeds."""

    def uniform(*shape: int) -> torch.Tensor:
        return torch.rand(shape, generator=torch.Generator().manual_seed(7)).expand(len(real), *shape)

    return Batch(real, None, torch.zeros(*real.shape[:2], 1), fake, uniform)


def loss(real: torch.Tensor, fake: torch.Tensor, **options: object) -> torch.Tensor:
    return Sliced(**options).generator_loss(NETS, batch(real, fake))


@ORDER
@pytest.mark.parametrize("shape", [(D,), (1, 4, 4)])
def test_it_is_that_of_pot_along_the_same_directions(order, shape):
    real, fake = cloud(0, shape), 0.5 * cloud(1, shape) + 0.3
    found = loss(real, fake, order=order, projections=20)
    along = directions(batch(real, fake), 20)
    for s in range(S):
        x, y = real[s].flatten(1).numpy(), fake[s].flatten(1).numpy()
        expected = ot.sliced_wasserstein_distance(x, y, p=order, projections=along[s].T.double().numpy())
        assert found[s].item() == pytest.approx(expected**order, rel=1e-6)


@ORDER
def test_its_gradient_is_that_of_differences(order):
    real, fake = cloud(0), cloud(1).requires_grad_()
    loss(real, fake, order=order, projections=5).sum().backward()
    for s in range(S):

        def value(y: np.ndarray, s: int = s) -> float:
            return loss(real[s : s + 1], torch.from_numpy(y).view(1, M, D), order=order, projections=5).item()

        slope = approx_fprime(fake[s].detach().numpy().ravel(), value, 1e-7)
        np.testing.assert_allclose(fake.grad[s].flatten(), slope, atol=1e-6)


@ORDER
def test_on_a_line_it_is_the_wasserstein_distance_whatever_the_directions(order):
    real, fake = cloud(0, (1,)), 2 * cloud(1, (1,)) + 1
    found = loss(real, fake, order=order, projections=3)
    for s in range(S):
        x, y = real[s, :, 0].numpy(), fake[s, :, 0].numpy()
        expected = wasserstein_distance(x, y) if order == 1 else ot.wasserstein_1d(x, y, p=2).item()
        assert found[s].item() == pytest.approx(expected, rel=1e-6)


def test_gaussians_have_the_closed_form_along_every_direction():
    # In the limit of many points, W_2^2 of the projections is <w, a - b>^2 + (s - t)^2; the mean of the first over the
    # sphere is |a - b|^2 / d. A grid of quantiles, in two dimensions, has these projections up to its own error.
    line = torch.from_numpy(ndtri((np.arange(40) + 0.5) / 40))
    grid = torch.cartesian_prod(line, line)[None]
    a, b = torch.tensor([1.0, 0.5], dtype=torch.float64), torch.tensor([-0.5, 0.0], dtype=torch.float64)
    angle = (torch.arange(16, dtype=torch.float64) + 0.3) * torch.pi / 16
    along = torch.stack([angle.cos(), angle.sin()], -1)[None]
    found = line_costs(grid + a, 0.4 * grid + b, along, 2)
    spread = line.square().mean() * 0.36
    torch.testing.assert_close(found, (along @ (a - b)).square() + spread, rtol=1e-6, atol=1e-6)
    assert found.mean().item() == pytest.approx((a - b).square().sum().item() / 2 + spread.item())


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([1, 2]))
def test_rotating_samples_and_directions_changes_nothing_and_scales_are_those_of_the_order(seed, order):
    real, fake = cloud(seed), cloud(seed + 1)
    along = nn.functional.normalize(cloud(seed + 2), dim=-1)
    turn = torch.linalg.qr(cloud(seed + 3)[0, :D]).Q
    found = line_costs(real, fake, along, order)
    torch.testing.assert_close(line_costs(real @ turn, fake @ turn, along @ turn, order), found)
    torch.testing.assert_close(line_costs(10 * real, 10 * fake, along, order), 10**order * found)
    torch.testing.assert_close(line_costs(real.flip(1), fake, -along, order), found)
    assert (line_costs(real, real.flip(1), along, order) < 1e-12).all() and (found > 0).all()


@pytest.mark.parametrize("d", [1, 2, 3, 5])
def test_directions_are_uniform_on_the_sphere_and_each_seed_s_own(d):
    generator = torch.Generator().manual_seed(0)
    real = torch.zeros(2, 1, d)
    draws = Batch(real, None, real, real, lambda *shape: torch.rand(2, *shape, generator=generator))
    along = directions(draws, 20_000)
    torch.testing.assert_close(along.norm(dim=-1), torch.ones(2, 20_000))
    assert not torch.equal(along[0], along[1])
    for other in along:
        second = other.T @ other / len(other)
        torch.testing.assert_close(second, torch.eye(d) / d, atol=0.02, rtol=0)
        assert other.mean(0).abs().max() < 0.03
    if d == 3:  # a coordinate of a point of the sphere is uniform: Archimedes
        assert kstest(along[0, :, 2].numpy(), "uniform", (-1, 2)).pvalue > 1e-3


def test_the_ends_of_the_uniform_draws_give_finite_directions():
    real = torch.zeros(2, 1, 3)
    for value in (0.0, 1 - 2**-24):
        draws = Batch(real, None, real, real, lambda *shape, value=value: torch.full((2, *shape), value))
        assert directions(draws, 4).isfinite().all()


@ORDER
@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_a_diverged_seed_shows_and_leaves_the_others_as_they_were(check_diverged, order, bad):
    check_diverged(partial(loss, order=order), cloud(0, dtype=torch.float32), cloud(1, dtype=torch.float32), bad)
