"""The trained discriminator against the optimal one, and its value against that of the optimum."""

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from pwgan.theory import game


def test_the_optimum_of_the_game_is_twice_js_less_twice_log_two():
    # Checked by adaptive quadrature of the game at D* = 1 / (1 + q/p), log densities kept apart.
    p, q = (norm(centre) for centre in game.CENTRES)

    def value(x):
        ratio = q.logpdf(x) - p.logpdf(x)
        return -p.pdf(x) * np.logaddexp(0, ratio) - q.pdf(x) * np.logaddexp(0, -ratio)

    known = game.optimal_discriminator()
    checked = game.game_checks(known.assign(seed=0, discriminator=known["optimal"]))
    expected = quad(value, -12, 12)[0]
    assert checked["value"][0] == pytest.approx(expected, abs=1e-6)
    assert checked["optimum"][0] == pytest.approx(expected, abs=1e-6)
    assert checked["error"][0] == 0


def test_no_discriminator_beats_the_optimal_one():
    known = game.optimal_discriminator()
    shifted = [
        known.assign(seed=i, discriminator=np.clip(known["optimal"] + s, 0.001, 0.999))
        for i, s in enumerate((-0.1, 0.05))
    ]
    checked = game.game_checks(pd.concat(shifted))
    assert (checked["value"] < checked["optimum"]).all()
    assert (checked["error"] > 0.02).all()


def test_training_brings_the_discriminator_closer_to_the_optimum(monkeypatch):
    def error(steps):
        monkeypatch.setattr(game, "STEPS", steps)
        return game.game_checks(game.game(range(2)))["error"].to_numpy()

    assert (error(300) < 0.5 * error(10)).all()


def test_results_of_a_seed_do_not_depend_on_other_seeds(monkeypatch):
    monkeypatch.setattr(game, "STEPS", 20)
    alone = game.game(range(1, 2))
    beside = game.game(range(2))
    np.testing.assert_allclose(alone["discriminator"], beside.loc[beside["seed"] == 1, "discriminator"], atol=1e-5)
