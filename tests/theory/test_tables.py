"""The tables of the theory stage against closed forms, brute force and scipy."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from pwgan.__main__ import main
from pwgan.data.funnels import funnels
from pwgan.theory import TABLES as THEORY
from pwgan.theory import tables
from pwgan.theory.duality import duality
from pwgan.theory.lines import COARSE, lines
from pwgan.theory.picture import BATCH, POINTS, picture
from pwgan.theory.recovery import mean_cosine, recovery


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return lines(points=256, seeds=4)


def part(table: pd.DataFrame, quantity: str, divergence: str, kind: str) -> pd.Series:
    chosen = table[
        (table["quantity"] == quantity) & (table["divergence"] == divergence) & (table["kind"] == kind)
    ].set_index("theta")
    return chosen["mean"]


@pytest.mark.parametrize(("name", "apart"), [("tv", 1.0), ("kl", np.inf), ("js", np.log(2))])
def test_a6_what_jumps_in_closed_form_jumps_in_samples(table, name, apart):
    closed, sampled = (part(table, "value", name, kind) for kind in ("closed", "empirical"))
    assert closed[0] == 0 and (closed.drop(0.0) == apart).all()
    np.testing.assert_allclose(sampled.drop(0.0), apart)
    assert 0 < sampled[0] < 0.2


def test_a6_w1_is_the_distance_of_the_lines_and_ewd_is_close(table):
    closed, sampled = (part(table, "value", "w1", kind) for kind in ("closed", "empirical"))
    np.testing.assert_array_equal(closed, abs(closed.index))
    assert list(sampled.index) == list(COARSE)
    # Two draws of 256 points are never equal: EWD is above W1, the less the farther the lines are apart.
    excess = sampled - abs(sampled.index)
    assert (excess > 0).all() and excess[0] < 0.05 and excess[[-1.0, 1.0]].max() < 0.002


@pytest.mark.parametrize("name", ["tv", "js"])
def test_a5_what_jumps_has_no_gradient(table, name):
    gradient = part(table, "gradient", name, "closed")
    assert np.isnan(gradient[0]) and (gradient.drop(0.0) == 0).all()


def test_a5_kl_has_no_gradient_anywhere(table):
    assert part(table, "gradient", "kl", "closed").isna().all()


def test_a7_the_gradient_of_w1_is_of_length_one(table):
    closed, sampled = (part(table, "gradient", "w1", kind) for kind in ("closed", "empirical"))
    assert np.isnan(closed[0])
    np.testing.assert_allclose(closed.drop(0.0), np.sign(closed.index.drop(0.0)), atol=1e-6)
    far = sampled[abs(sampled.index) > 0.25]
    np.testing.assert_allclose(far, np.sign(far.index), atol=0.02)
    assert sampled[0] == 0 and (abs(sampled) <= 1).all()


def test_d3_the_picture_holds_optimal_matchings():
    frame = picture()
    x, y = frame[["x0", "x1"]].to_numpy(), frame[["y0", "y1"]].to_numpy()
    cost = cdist(x, y)
    assert frame["full_cost"].sum() == pytest.approx(cost[linear_sum_assignment(cost)].sum())
    for _, batch in frame.groupby("batch"):
        assert len(batch) == BATCH and set(batch["minibatch"]) == set(batch["index"])
        block = cost[np.ix_(batch["index"], batch["index"])]
        least = min(block[range(BATCH), order].sum() for order in itertools.permutations(range(BATCH)))
        assert batch["minibatch_cost"].sum() == pytest.approx(least)
    np.testing.assert_allclose(cost[frame["index"], frame["full"]], frame["full_cost"])
    np.testing.assert_array_equal(frame["differs"], frame["full"] != frame["minibatch"])
    assert 0 < frame["differs"].sum() < POINTS
    assert frame["minibatch_cost"].mean() > frame["full_cost"].mean()


def test_recovery_is_near_in_the_plane_and_fails_in_many_dimensions():
    frame = recovery(dimensions=(2, 128), sizes=(64, 512), draws=4)
    assert list(frame["seeds"].unique()) == [16, 4]
    ratio, excess, cosine = (
        frame[frame["measure"] == measure].set_index(["dimension", "n"])["mean"]
        for measure in ("ratio", "excess", "cosine")
    )
    assert ratio[2, 512] == pytest.approx(1, abs=0.05) and ratio[128, 512] > 5
    assert (excess > 0).all()
    # The dual of the true potential scatters with the draw.
    np.testing.assert_allclose(excess, ratio - 1, atol=0.25)
    assert ratio[2, 64] > ratio[2, 512] and ratio[128, 64] > ratio[128, 512]
    assert cosine[2, 512] > 0.8 > cosine[2, 64] > 0.5 and cosine[128, 512] < 0
    truth = frame.groupby("dimension")[["w1", "w1_error"]].first()
    for dimension, (w1, error) in truth.iterrows():
        other = funnels(dimension).w1(20_000)
        assert abs(w1 - other.mean) < 4 * (error + other.error)


def test_cosines_are_those_of_the_vectors():
    a = np.array([[[1.0, 0.0], [0.0, 2.0], [0.0, 0.0], [-1.0, -1.0]]])
    b = np.array([[[3.0, 0.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0]]])
    np.testing.assert_allclose(mean_cosine(a, b), [(1 + np.sqrt(0.5) + 0 - 1) / 4])


def test_c1_potentials_are_a_1_lipschitz_critic_of_the_same_value():
    frame = duality(points=128, draws=2)
    assert len(frame) == 2 * frame["pair"].nunique() == 10
    assert (abs(frame["gap"]) <= 1e-12 * frame["primal"].clip(lower=1)).all()
    assert (frame[["lipschitz_x", "lipschitz_y", "lipschitz"]] <= 1 + 1e-9).all(axis=None)
    # A matched pair pays its whole distance, so that the bound is reached.
    np.testing.assert_allclose(frame["lipschitz"], 1)


def test_the_verb_writes_every_table(tmp_path, monkeypatch):
    assert sorted(tables.TABLES) == list(THEORY)
    made = {name: pd.DataFrame({"name": [name]}) for name in THEORY}
    monkeypatch.setattr(tables, "TABLES", {name: lambda name=name: made[name] for name in THEORY})
    assert main(["theory", "--output", str(tmp_path / "theory")]) == 0
    assert sorted(path.name for path in (tmp_path / "theory").iterdir()) == sorted(f"{name}.csv" for name in THEORY)
    for name in THEORY:
        assert list(pd.read_csv(tmp_path / "theory" / f"{name}.csv")["name"]) == [name]
