"""The energy distance and the kernel discrepancy against sums over pairs, closed forms and differences."""

from functools import partial
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.optimize import approx_fprime
from torch import nn

from pwgan.methods import Batch, Nets
from pwgan.methods.energy import BANDWIDTHS, Energy

S, M, D = 3, 5, 2
NETS = Nets(nn.Identity(), nn.Identity())
OPTIONS = pytest.mark.parametrize("options", [{}, {"kernel": "rbf"}, {"kernel": "rbf", "bandwidths": [0.5]}])


def cloud(seed: int, shape: tuple[int, ...] = (D,), dtype: torch.dtype = torch.float64, m: int = M) -> torch.Tensor:
    return torch.randn(S, m, *shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def forbidden(*shape: int) -> torch.Tensor:
    raise AssertionError("this method needs no uniform draws")


def loss(real: torch.Tensor, fake: torch.Tensor, **options: object) -> torch.Tensor:
    batch = Batch(real, None, torch.zeros(*real.shape[:2], 1), fake, forbidden)
    return Energy(**options).generator_loss(NETS, batch)


def by_pairs(x: np.ndarray, y: np.ndarray, kernel: str = "distance", bandwidths=BANDWIDTHS) -> float:
    """The statistic as a sum over pairs."""
    different = [(i, j) for i, j in product(range(len(x)), repeat=2) if i != j]
    square = np.mean([((x[i] - x[j]) ** 2).sum() for i, j in different])

    def k(a: np.ndarray, b: np.ndarray) -> float:
        r = ((a - b) ** 2).sum()
        return -np.sqrt(r) if kernel == "distance" else np.mean([np.exp(-r / (2 * b**2 * square)) for b in bandwidths])

    within = sum(np.mean([k(side[i], side[j]) for i, j in different]) for side in (x, y))
    return within - 2 * np.mean([k(a, b) for a in x for b in y])


@OPTIONS
@pytest.mark.parametrize("shape", [(D,), (1, 4, 4)])
def test_it_is_the_statistic_over_pairs_of_different_samples(options, shape):
    real, fake = cloud(0, shape), 0.5 * cloud(1, shape) + 0.3
    found = loss(real, fake, **options)
    for s in range(S):
        expected = by_pairs(real[s].flatten(1).numpy(), fake[s].flatten(1).numpy(), **options)
        assert found[s].item() == pytest.approx(expected, rel=1e-9)


@OPTIONS
def test_its_gradient_is_that_of_differences(options):
    real, fake = cloud(0), cloud(1).requires_grad_()
    loss(real, fake, **options).sum().backward()
    for s in range(S):
        x = real[s].numpy()
        slope = approx_fprime(
            fake[s].detach().numpy().ravel(), lambda y, x=x: by_pairs(x, y.reshape(M, D), **options), 1e-7
        )
        np.testing.assert_allclose(fake.grad[s].flatten(), slope, atol=1e-5)


def many(seed: int) -> torch.Tensor:
    return torch.randn(2000, 4, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("shift", "scale"), [(0.0, 1.0), (1.0, 1.0), (0.0, 2.0)])
def test_its_mean_over_small_batches_is_the_energy_distance_of_the_laws(shift, scale):
    # E |N(d, v)| of Gaussians: unbiased, so 2000 batches of four have that mean, zero for equal laws.
    def mean_distance(d: float, v: float) -> float:
        from math import erf, exp, pi, sqrt

        return sqrt(2 * v / pi) * exp(-(d**2) / (2 * v)) + d * erf(d / sqrt(2 * v))

    expected = 2 * mean_distance(shift, 1 + scale**2) - mean_distance(0, 2) - mean_distance(0, 2 * scale**2)
    found = loss(many(0), scale * many(1) + shift)
    assert abs(found.mean().item() - expected) < 4 * found.std().item() / 2000**0.5 < 0.3


def test_the_kernel_discrepancy_of_equal_laws_is_near_zero_and_of_others_not():
    real, fake = (
        torch.randn(50, 64, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) for seed in range(2)
    )
    alike = loss(real, fake, kernel="rbf")
    assert (alike < 0).any() and alike.mean().abs() < 0.01
    for other in (fake + 1, 2 * fake, fake.abs()):
        assert loss(real, other, kernel="rbf").mean() > 0.03


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.01, 100))
def test_scales_rotations_and_the_order_of_samples(seed, scale):
    real, fake = cloud(seed), cloud(seed + 1)
    turn = torch.linalg.qr(cloud(seed + 2)[0, :D]).Q
    for options, power in (({}, 1), ({"kernel": "rbf"}, 0)):
        found = loss(real, fake, **options)
        moved = loss(scale * (real.flip(1) @ turn + 1), scale * (fake @ turn + 1), **options)
        torch.testing.assert_close(moved, scale**power * found, rtol=1e-6, atol=1e-9 * scale**power)


@OPTIONS
def test_coinciding_samples_have_finite_gradients(options):
    for real, fake in ((cloud(0), torch.ones(S, M, D)), (torch.ones(S, M, D), torch.ones(S, M, D))):
        fake = fake.double().requires_grad_()
        found = loss(real.double(), fake, **options)
        found.sum().backward()
        assert found.isfinite().all() and fake.grad.isfinite().all()


@OPTIONS
def test_one_sample_has_no_pair(options):
    found = loss(cloud(0, m=1), cloud(1, m=1), **options)
    expected = 2 * (cloud(0, m=1) - cloud(1, m=1)).norm(dim=-1).squeeze(1)
    if options:
        widths = torch.tensor(options.get("bandwidths", BANDWIDTHS))
        expected = -2 * torch.exp(-((expected[:, None] / 2) ** 2) / (2 * widths**2)).mean(1)
    torch.testing.assert_close(found, expected)


@OPTIONS
@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_a_diverged_seed_shows_and_leaves_the_others_as_they_were(check_diverged, options, bad):
    check_diverged(partial(loss, **options), cloud(0, dtype=torch.float32), cloud(1, dtype=torch.float32), bad)


def test_bandwidths_without_their_kernel_are_refused():
    with pytest.raises(ValidationError, match="bandwidths has no effect on kernel: distance"):
        Energy(bandwidths=[1.0])
    for bad in ([], [0.0], [-1.0]):
        with pytest.raises(ValidationError, match="bandwidths"):
            Energy(kernel="rbf", bandwidths=bad)
