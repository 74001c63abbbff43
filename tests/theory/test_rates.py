"""Fitted rates against curves whose constants are known."""

import numpy as np
import pandas as pd
import pytest

from pwgan.theory.rates import bias_rates, fit_power_law, power_law

M = 2.0 ** np.arange(2, 10)
N = 1024


def curves(values, noise=0.0, draws=20, seed=0):
    """The frame of ``bias_curves`` for given mean curves, {(sampler, measure): values at M}, with log-normal noise."""
    rng = np.random.default_rng(seed)
    frames = {}
    for draw in range(draws):
        for (sampler, measure), line in values.items():
            shared = {"dataset": "a", "seed": draw, "sampler": sampler, "n": N, "ewd": 1.0 + draw}
            rungs = shared | {"eval_batch": [*M.astype(int), N], "partition": sampler != "dpp"}
            frame = frames.setdefault((draw, sampler), pd.DataFrame(rungs))
            frame[measure] = [*(line * np.exp(noise * rng.standard_normal(len(M)))), 0.0]
    return pd.concat(frames.values(), ignore_index=True)


@pytest.mark.parametrize("limit", [0.0, 0.3])
@pytest.mark.parametrize(("C", "s"), [(3.0, 0.5), (2.0, 0.09), (1.5, 1.2), (-0.2, -0.3)])
def test_constants_of_exact_curves_are_found(C, s, limit):
    found = fit_power_law(M, N, power_law(M, N, C, s, limit), limited=True)
    assert [found["C"], found["s"], found["limit"]] == pytest.approx([C, s, limit], rel=1e-4, abs=1e-5)
    assert found["residual"] < 1e-6
    if not limit:
        found = fit_power_law(M, N, power_law(M, N, C, s), limited=False)
        assert [found["C"], found["s"], found["limit"]] == pytest.approx([C, s, 0], rel=1e-6)


def test_a_logarithm_is_the_power_law_of_exponent_0():
    found = fit_power_law(M, N, 0.7 * np.log(N / M), limited=False)
    assert found["s"] == pytest.approx(0, abs=1e-6) and found["C"] * found["s"] == pytest.approx(0.7)


def test_a_line_in_log_log_axes_overstates_the_exponent():
    values = power_law(M, N, 3.0, 0.5)
    assert -np.polyfit(np.log(M), np.log(values), 1)[0] > 0.65


def test_every_sampler_that_partitions_and_every_measure_has_a_row():
    known = {
        ("random", "bias"): power_law(M, N, 3.0, 0.5),
        ("random", "bound"): power_law(M, N, 3.0, 0.4, 0.5),
        ("stratified", "bias"): power_law(M, N, 1.0, 0.75),
        ("stratified", "bound"): power_law(M, N, 1.0, 0.5),
        ("dpp", "bias"): power_law(M, N, 1.0, 1.0),
    }
    table = bias_rates(curves(known, draws=3)).set_index(["sampler", "measure"])
    assert sorted(table.index) == sorted(known.keys() - {("dpp", "bias")})
    np.testing.assert_allclose(table["s"].sort_index(), [0.5, 0.4, 0.75, 0.5], rtol=1e-4)
    np.testing.assert_allclose(table["limit"].sort_index(), [0, 0.5, 0, 0], atol=1e-4)
    assert (table[["s_half_width", "limit_half_width"]] < 1e-3).all(axis=None)
    assert (table[["draws", "n", "m_from", "m_to", "ewd"]] == [3, N, 4, 512, 2.0]).all(axis=None)


def test_intervals_hold_the_constants_about_as_often_as_they_state():
    known = {("random", "bias"): power_law(M, N, 3.0, 0.3), ("random", "bound"): power_law(M, N, 1.0, 0.4, 0.2)}
    tables = [bias_rates(curves(known, noise=0.1, draws=8, seed=seed)) for seed in range(25)]
    for measure, s, limit in (("bias", 0.3, 0.0), ("bound", 0.4, 0.2)):
        rows = pd.concat([table[table["measure"] == measure] for table in tables])
        # 95 % of 25 is 23.75; fewer than 19 has probability 1e-4.
        assert ((rows["s"] - s).abs() <= rows["s_half_width"]).sum() >= 19
        assert rows["s_half_width"].between(0.005, 0.2).all()
        if limit:
            assert ((rows["limit"] - limit).abs() <= rows["limit_half_width"]).sum() >= 19
            assert (rows["limit_half_width"] < limit).mean() > 0.8


def test_a_mean_that_is_not_positive_has_no_fit():
    values = power_law(M, N, 3.0, 0.5)
    values[2] = 0
    table = bias_rates(curves({("random", "bias"): values}, draws=2), ["bias"])
    assert table[["C", "s", "s_half_width", "limit", "residual"]].isna().all(axis=None)


def test_one_draw_has_no_interval():
    table = bias_rates(curves({("random", "bias"): power_law(M, N, 3.0, 0.5)}, draws=1), ["bias"])
    assert table["s"].item() == pytest.approx(0.5) and np.isnan(table["s_half_width"].item())


def test_a_limit_is_not_negative():
    values = power_law(M, N, 1.0, 0.5, -0.005)
    assert fit_power_law(M, N, values, limited=True) == fit_power_law(M, N, values, limited=False)
