"""What a mini-batch distance prefers, on laws where it is known."""

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from pwgan.literature import batches as module
from pwgan.literature.batches import batch_distances


@pytest.fixture(scope="module")
def points():
    return np.random.default_rng(0).standard_normal((400, 16))


@pytest.fixture(scope="module")
def table(points):
    return batch_distances(points, sizes=(4, 32), repeats=2)


def test_in_many_dimensions_the_mean_is_nearer_than_real_samples_until_the_bias_is_removed(table):
    means = table.groupby("candidate")[["ewd", "ewd_debiased"]].mean()
    assert (means.loc[["mean", "centroids"], "ewd"] < 0.9 * means.loc["real", "ewd"]).all()

    assert abs(means.loc["real", "ewd_debiased"]) < 1 < means.loc["mean", "ewd_debiased"]


def test_distances_are_those_of_scipy(table, points, monkeypatch):
    kept = []
    original = module._candidates
    monkeypatch.setattr(module, "_candidates", lambda *given: kept.append(original(*given)) or kept[-1])
    again = batch_distances(points, sizes=(4,), repeats=1)
    order = np.random.default_rng(module.seed_of("batches", 0)).permutation(400)
    t, other = points[order[200:204]], points[order[204:208]]

    def matched(x, y):
        costs = cdist(x, y)
        return costs[linear_sum_assignment(costs)].mean()

    for name, (a, b) in kept[0].items():
        row = again[again["candidate"] == name].iloc[0]
        assert row["ewd"] == pytest.approx(matched(t, a))
        assert row["ewd_debiased"] == pytest.approx(2 * matched(t, a) - matched(t, other) - matched(a, b))
    assert again["ewd"].to_numpy() == pytest.approx(table.query("repeat == 0 and m == 4")["ewd"].to_numpy())


def test_too_few_points_are_refused():
    with pytest.raises(ValueError, match="at least 512 points, got 100"):
        batch_distances(np.zeros((100, 2)))
