"""Nearest neighbours against brute force and scipy, and what copies, fresh samples and bad generators measure."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from scipy.stats import mannwhitneyu

from pwgan.measures import memorization
from pwgan.measures.frechet import precision_recall as by_torch_fidelity
from pwgan.measures.memorization import (
    data_copying,
    density_coverage,
    memorization_measures,
    near_copies,
    nearest_distances,
    one_nn_accuracy,
    precision_recall,
)


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("d", [1, 2, 8, 9, 40])
@pytest.mark.parametrize("k", [1, 3, 7])
def test_distances_are_those_of_all_pairs(d, k, monkeypatch):
    monkeypatch.setattr(memorization, "ROWS", 10)
    monkeypatch.setattr(memorization, "COLUMNS", 6)  # fewer than k: a block cannot answer alone
    x, y = drawn(23, d), drawn(31, d, seed=1)
    found = nearest_distances(x, y, k)
    assert found.shape == (23, k) and found.dtype == torch.float64
    np.testing.assert_allclose(found, np.sort(cdist(x.double(), y.double()), 1)[:, :k], rtol=1e-9)


@pytest.mark.parametrize("d", [2, 64])
def test_a_copy_far_from_the_origin_is_at_distance_zero_and_a_near_one_keeps_its_digits(d):
    y = drawn(50, d).double() + 1000
    x = y[:20].clone()
    x[10:, 0] += 1e-5
    found = nearest_distances(x, y)[:, 0]
    assert (found[:10] == 0).all()
    np.testing.assert_allclose(found[10:], 1e-5, rtol=1e-6)


@pytest.mark.parametrize(
    ("x", "y", "k"), [((3, 2), (4, 3), 1), ((3,), (4, 1), 1), ((3, 2), (4, 2), 5), ((3, 2), (4, 2), 0)]
)
def test_other_shapes_are_refused(x, y, k):
    with pytest.raises(ValueError, match="m >= k"):
        nearest_distances(torch.zeros(x), torch.zeros(y), k)


def test_data_copying_is_the_z_score_of_mann_whitney():
    rng = np.random.default_rng(0)
    generated, heldout = rng.integers(0, 9, 40).astype(float), rng.integers(2, 12, 55).astype(float)
    u = mannwhitneyu(generated, heldout).statistic
    expected = (u - 40 * 55 / 2) / np.sqrt(40 * 55 * 96 / 12)
    assert data_copying(torch.from_numpy(generated), torch.from_numpy(heldout)) == pytest.approx(expected)
    assert expected < -3


def test_data_copying_is_standard_normal_for_equal_distributions():
    values = [data_copying(drawn(30, seed=2 * i), drawn(40, seed=2 * i + 1)) for i in range(400)]
    assert abs(np.mean(values)) < 4 / 20 and 0.86 < np.std(values) < 1.14  # 4 standard errors each


def test_near_copies_are_below_the_quantile_of_held_out_distances():
    heldout = torch.linspace(1, 2, 101, dtype=torch.float64)  # 5 % lie below 1.05
    generated = torch.tensor([0.0, 1.0, 1.0499, 1.0501, 3.0], dtype=torch.float64)
    assert near_copies(generated, heldout) == pytest.approx(3 / 5)
    assert near_copies(torch.tensor([0.0, 1.0]).double(), torch.zeros(5).double()) == 0.5


def test_one_nn_accuracy_by_hand():
    # On a line: x at 0, 1, 10; y at 1.4, 11, 11.5. Neighbours: 0-1 right, 1-1.4 wrong, 10-11 wrong; 1.4-1 wrong,
    # 11-11.5 right, 11.5-11 right.
    x, y = torch.tensor([[0.0], [1.0], [10.0]]), torch.tensor([[1.4], [11.0], [11.5]])
    assert one_nn_accuracy(x, y) == pytest.approx(3 / 6)
    # Everything at one place: neither side is nearer.
    assert one_nn_accuracy(torch.zeros(4, 2), torch.zeros(4, 2)) == 0.5


@pytest.mark.parametrize(("shift", "low", "high"), [(0.0, 0.45, 0.55), (20.0, 1.0, 1.0)])
def test_one_nn_accuracy_of_equal_and_separate_distributions(shift, low, high):
    assert low <= one_nn_accuracy(drawn(1000, 3), drawn(1000, 3, seed=1) + shift) <= high
    assert one_nn_accuracy(drawn(100, 3), drawn(100, 3)) == 0  # a copy of each point is nearer than its own side


@pytest.mark.parametrize("d", [2, 20])
def test_precision_and_recall_are_those_of_torch_fidelity(d):
    generated, real = (0.7 * drawn(150, d) + 0.4).double(), drawn(200, d, seed=1).double()
    found = precision_recall(generated, real)
    assert found == pytest.approx(by_torch_fidelity(generated, real), abs=1e-7)
    assert 0.05 < found[1] < found[0] <= 1


@pytest.mark.parametrize("d", [2, 20])
@pytest.mark.parametrize("m", [4, 60])
def test_density_and_coverage_are_those_of_their_definition(d, m):
    generated, real = (0.7 * drawn(50, d) + 0.4).double(), drawn(m, d, seed=1).double()
    k = min(5, m - 1)
    reach = [sorted(torch.dist(x, y) for x in real)[k] for y in real]  # the first is the point itself
    inside = [[torch.dist(g, y) <= r for y, r in zip(real, reach, strict=True)] for g in generated]
    expected = np.sum(inside) / (k * 50), np.any(inside, axis=0).mean()
    assert density_coverage(generated, real) == pytest.approx(expected)
    assert m == 4 or 0 < expected[1] < 1


def test_density_and_coverage_of_equal_and_collapsed_distributions():
    density, coverage = density_coverage(drawn(2000, 3), drawn(2000, 3, seed=1))
    assert density == pytest.approx(1, abs=0.05) and coverage == pytest.approx(1 - 2**-5, abs=0.01)
    density, coverage = density_coverage(0.05 * drawn(2000, 3), drawn(2000, 3, seed=1))
    assert density > 1 and coverage < 0.1


@pytest.mark.parametrize("d", [2, 12])
def test_fresh_samples_copies_and_bad_samples_are_distinguished(d):
    train, heldout, fresh = drawn(4000, d), drawn(400, d, seed=1), drawn(400, d, seed=2)
    copies = train[100:500] + 1e-6 * drawn(400, d, seed=3)
    bad = 3 * drawn(400, d, seed=4)
    generated = torch.stack([fresh, copies, bad])
    good, copied, off = memorization_measures(generated, heldout[None], train[None])
    assert good["nn_ratio"] == pytest.approx(1, abs=0.15) and abs(good["data_copying"]) < 4
    assert 0.01 < good["copies"] < 0.1 and 0.43 < good["one_nn_accuracy"] < 0.57
    assert good["nn_train"] == pytest.approx(good["nn_heldout"], rel=0.15)
    assert copied["copies"] == 1 and copied["nn_ratio"] < 1e-3 and copied["data_copying"] < -20
    assert off["nn_ratio"] > 1.5 and off["copies"] < 0.02 and off["data_copying"] > 5 and off["one_nn_accuracy"] > 0.6
    # Of other held-out samples the quantile is another one.
    wide = memorization_measures(generated[:1], heldout[None], train[None], 3 * drawn(50, d, seed=5)[None])
    assert wide[0]["copies"] > 0.15 and wide[0]["nn_ratio"] == good["nn_ratio"]
    # The held-out samples of each seed, where they differ, are its own.
    both = memorization_measures(generated[:2], torch.stack([heldout, fresh]), train[None])
    assert both[0] == good
    assert both[1]["one_nn_accuracy"] == one_nn_accuracy(copies, fresh)
    apart = cdist(copies.double(), train[:400].double()).min(1), cdist(copies.double(), heldout.double()).min(1)
    assert copied["nn_train"] == pytest.approx(np.median(apart[0]), rel=1e-6)
    assert copied["nn_heldout"] == pytest.approx(np.median(apart[1]), rel=1e-6)
