"""Min-funnel pairs against their own potential, brute force and matching."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import wasserstein_distance

from pwgan.data.funnels import HALF_WIDTH, Funnels, funnels
from pwgan.transport.empirical import ewd

DIMENSIONS = st.sampled_from([1, 2, 3, 8, 64])
PAIRS = st.integers(0, 50)


@given(DIMENSIONS, PAIRS)
def test_the_move_follows_the_gradient_down_the_potential(dimension, pair):
    f = funnels(dimension, pair=pair)
    x = f.uniform(200, "test")
    moved = f.move(x)
    length = np.linalg.norm(x - moved, axis=1)
    # Along a ray the potential falls by the whole length: with a 1-Lipschitz potential that makes the move optimal.
    np.testing.assert_allclose(f.potential(x) - f.potential(moved), length, atol=1e-12)
    # A point moved onto its centre, up to rounding, has no direction any more.
    kept = np.linalg.norm(moved[:, None] - f.centres, axis=2).min(1) > 1e-6
    np.testing.assert_allclose((moved + length[:, None] * f.direction(moved))[kept], x[kept], atol=1e-6)
    assert kept.mean() > 0.5
    assert abs(moved).max() <= HALF_WIDTH and (length > 0).all()


@given(DIMENSIONS, PAIRS)
def test_the_potential_is_1_lipschitz_and_direction_its_gradient(dimension, pair):
    f = funnels(dimension, pair=pair)
    x, y = f.uniform(100, "x"), f.uniform(100, "y")
    apart = np.linalg.norm(x[:, None] - y, axis=2)
    assert (abs(f.potential(x)[:, None] - f.potential(y)) <= apart + 1e-12).all()
    step = 1e-6
    slopes = [(f.potential(x + step * e) - f.potential(x - step * e)) / (2 * step) for e in np.eye(dimension)]
    # Finite differences straddle a cell's boundary or a centre now and then.
    close = np.isclose(np.stack(slopes, 1), f.direction(x), atol=1e-4).all(1)
    assert close.mean() > 0.95
    np.testing.assert_allclose(np.linalg.norm(f.direction(x), axis=1), 1)


@pytest.mark.parametrize("dimension", [1, 2, 3, 6])
def test_the_share_of_the_ray_becomes_its_eighth_power(dimension):
    f = funnels(dimension, pair=1)
    x = f.uniform(20, "test")
    cell = (np.linalg.norm(x[:, None] - f.centres, axis=2) + f.offsets).argmin(1)
    for point, moved, n in zip(x, f.move(x), cell, strict=True):
        # Where the ray ends is found by walking it outwards.
        unit = (point - f.centres[n]) / np.linalg.norm(point - f.centres[n])
        walked = np.linspace(0, 6 * HALF_WIDTH, 6_001)
        places = f.centres[n] + walked[:, None] * unit
        inside = (abs(places) <= HALF_WIDTH).all(1)
        inside &= (np.linalg.norm(places[:, None] - f.centres, axis=2) + f.offsets).argmin(1) == n
        reach = walked[inside].max()
        share = np.linalg.norm(point - f.centres[n]) / reach
        assert np.linalg.norm(moved - f.centres[n]) == pytest.approx(share**8 * reach, abs=0.05)


def test_a_single_funnel_of_the_line_has_the_distance_of_its_integral():
    # Both rays of one centre at 0 are as long as the cube is wide: W1 = 2.5 E(t - t^8), t uniform on [0, 1].
    f = Funnels(np.zeros((1, 1)), np.zeros(1))
    truth = 2.5 * (1 / 2 - 1 / 9)
    estimate = f.w1(200_000)
    assert abs(estimate.mean - truth) < 4 * estimate.error < 0.02
    p, q = f.pair(20_000, 0)
    assert wasserstein_distance(p[:, 0], q[:, 0]) == pytest.approx(truth, rel=0.02)


@pytest.mark.parametrize("dimension", [1, 2])
def test_matching_many_points_finds_the_true_distance(dimension):
    f = funnels(dimension)
    truth = f.w1(100_000)
    pairs = [f.pair(1024, draw) for draw in range(6)]
    p, q = (torch.from_numpy(np.stack(side)) for side in zip(*pairs, strict=True))
    assert float(ewd(p, q).mean()) == pytest.approx(truth.mean, rel=0.04)
    dual = np.mean([f.potential(q).mean() - f.potential(p).mean() for p, q in pairs])
    assert dual == pytest.approx(truth.mean, rel=0.04)


def test_the_dual_of_the_potential_is_the_distance():
    f = funnels(16)
    truth = f.w1(100_000)
    p, q = f.pair(100_000, "dual")
    up, down = f.potential(q), f.potential(p)
    error = np.sqrt(up.var() + down.var()) / np.sqrt(100_000)
    assert abs(up.mean() - down.mean() - truth.mean) < 4 * (error + truth.error)


def test_draws_are_separate_and_functions_of_their_stream():
    f = funnels(3)
    p, q = f.pair(50, 1)
    again, other = f.pair(50, 1), f.pair(50, 2)
    np.testing.assert_array_equal(p, again[0])
    assert not np.isin(q, other[1]).any() and not np.allclose(f.move(q), p)


@pytest.mark.parametrize("wrong", [{"dimension": 0}, {"dimension": 2, "count": 0}])
def test_invalid_pairs_are_refused(wrong):
    with pytest.raises(ValueError, match="at least 1"):
        funnels(**wrong)


def test_a_mean_of_one_point_is_refused():
    with pytest.raises(ValueError, match="at least 2"):
        funnels(2).w1(1)
