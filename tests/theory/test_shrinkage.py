"""Shrinkage of a Gaussian: against closed forms, brute force, quadrature and an exact identity."""

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from pwgan.theory.figures.shrinkage import DASHES, draw
from pwgan.theory.shrinkage import PRECISION, best_scales, line_cost, line_shrinkage, shrinkage
from pwgan.transport.empirical import wasserstein


@pytest.fixture(scope="module")
def table():
    return shrinkage({1: 1 << 14, 2: 1 << 9}, (4, 16, 64))


def pair(batches, m, d):
    return torch.from_numpy(np.random.default_rng(m * d).standard_normal((2, batches, m, d)))


@pytest.mark.parametrize("theta", [0.3, 1.0, 1.5])
def test_line_cost_of_one_point_is_the_mean_distance_of_two_gaussians(theta):
    # x - theta y is N(0, 1 + theta^2).
    assert line_cost(1, theta) == pytest.approx(np.sqrt(2 / np.pi * (1 + theta**2)), rel=1e-8)


def test_line_cost_of_many_points_is_the_distance_of_the_distributions():
    assert line_cost(4096, 0.5) == pytest.approx(0.5 * np.sqrt(2 / np.pi), rel=1e-3)


def test_line_cost_is_the_mean_over_sorted_samples():
    x, y = np.sort(np.random.default_rng(0).standard_normal((2, 100_000, 6)))
    sampled = np.abs(x - 0.7 * y).mean(1)
    assert line_cost(6, 0.7) == pytest.approx(sampled.mean(), abs=4 * sampled.std() / np.sqrt(len(sampled)))


def test_theta_agrees_with_quadrature_on_the_line(table):
    line = table[table["dimension"] == 1]
    np.testing.assert_allclose(line["mean"], line["quadrature"], atol=0.02)
    assert line.groupby("objective")["m"].count().to_dict() == {"plain": 3, "debiased": 3}
    for m, part in line.groupby("m"):
        assert part["self_cost"].iloc[0] == pytest.approx(line_cost(m, 1.0), rel=0.02)
    assert table.loc[table["dimension"] == 2, "quadrature"].isna().all()


def test_batches_shrink_less_the_larger_they_are_and_not_at_all_if_debiased(table):
    plain, debiased = (table[table["objective"] == name].set_index(["dimension", "m"]) for name in DASHES)
    assert (plain["mean"].unstack().diff(axis=1).iloc[:, 1:] > 0).all(axis=None)
    assert (plain["mean"] + plain["half_width"] < 1).all()
    assert (plain.loc[1, "mean"] > plain.loc[2, "mean"]).all()
    assert (debiased["mean"] - 1).abs().max() < 0.05
    assert (table["seeds"] == 8).all() and (table["half_width"] < 0.05).all()


def test_one_point_shrinks_to_nothing_and_the_debiased_cost_does_not_on_the_line():
    assert line_shrinkage(1)["plain"] == pytest.approx(0.05, abs=1e-3)  # the lower end of SCALES
    assert line_shrinkage(1)["debiased"] == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("d", [1, 3])
def test_the_derivative_at_the_truth_is_half_the_cost_between_two_draws(d):
    """An identity of every pair of batches, d/dtheta [W(x, theta y) + W(y, theta x)] = W(x, y) at theta = 1."""
    x, y = pair(4, 8, d)
    theta = torch.ones(4, dtype=torch.float64, requires_grad=True)
    both = [wasserstein(real, theta[:, None, None] * fake).value for real, fake in ((x, y), (y, x))]
    (slope,) = torch.autograd.grad(sum(both).sum(), theta)
    torch.testing.assert_close(slope, wasserstein(x, y).value)


def test_best_scales_are_those_of_brute_force():
    x, y = pair(16, 6, 2)
    grid = np.arange(0.2, 1.5, 0.004)
    costs = np.zeros(len(grid))
    for real, fake in ((x, y), (y, x)):
        for a, b in zip(real.numpy(), fake.numpy(), strict=True):
            for at, theta in enumerate(grid):
                cost = cdist(a, theta * b)
                costs[at] += cost[linear_sum_assignment(cost)].mean() / 32
    plain, tilted = best_scales(x, y, (0.0, 0.3))
    assert plain == pytest.approx(grid[costs.argmin()], abs=0.004 + PRECISION)
    assert tilted == pytest.approx(grid[(costs - 0.3 * grid).argmin()], abs=0.004 + PRECISION)


def test_the_figure_draws_what_the_table_holds(table):
    scale, lost = draw(table).axes
    for name, dash in DASHES.items():
        lines = [line for line in scale.get_lines() if line.get_linestyle() == dash]
        part = table[table["objective"] == name]
        assert len(lines) == 2
        for line, (_, rows) in zip(lines, part.groupby("dimension"), strict=True):
            np.testing.assert_allclose(line.get_ydata(), rows["mean"])
    drawn = [line for line in lost.get_lines() if line.get_linestyle() == "-"]
    plain = table[table["objective"] == "plain"]
    np.testing.assert_allclose(np.concatenate([line.get_ydata() for line in drawn]), 1 - plain["mean"])
