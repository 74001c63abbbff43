"""Bias between two draws of one law: the frame, ratios by hand, and the figure."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from pwgan.report.style import SAMPLERS
from pwgan.theory import bias
from pwgan.theory.bias import PAIRS, bias_curves, bias_ratios
from pwgan.theory.figures.bias import FIT, draw
from pwgan.theory.rates import bias_rates, power_law


@pytest.fixture
def small(monkeypatch):
    """Thirty-two points of the plane instead of a thousand."""

    def pair(seed):
        return torch.from_numpy(np.random.default_rng(seed).standard_normal((2, 32, 2))).unbind(0)

    monkeypatch.setattr(bias, "PAIRS", {"plane": pair})
    monkeypatch.setattr(bias, "DPP_SIZES", (4, 8))
    return bias_curves(["plane"])


def power_laws(**slopes):
    """Make curves of B = 3 m^slope, with a factor for each of two draws, for each sampler."""
    rows = [
        {"dataset": "a", "seed": seed, "sampler": name, "eval_batch": m, "n": 256, "bias": 3 * (1 + seed) * m**slope}
        | {"partition": name != "dpp"}
        for name, slope in slopes.items()
        for seed in range(2)
        for m in (4, 8, 16, 32, 64, 128)
    ]
    return pd.DataFrame(rows)


def test_curves_hold_every_rung_of_every_sampler(small):
    assert len(small) == bias.DRAWS * (4 + 4) + bias.DPP_DRAWS * 2
    parting = small[small["partition"]]
    assert set(small.loc[~small["partition"], "sampler"]) == {"dpp"}
    assert (parting["bias"] >= -1e-12).all() and (parting["deviation"] <= parting["bound"] + 1e-12).all()
    whole = parting[parting["eval_batch"] == 32]
    assert len(whole) == 2 * bias.DRAWS and (whole["bias"].abs() < 1e-12).all()
    x, y = bias.PAIRS["plane"](3)
    costs = cdist(x, y)
    assert np.allclose(small.loc[small["seed"] == 3, "ewd"], costs[linear_sum_assignment(costs)].mean())
    assert small.groupby("sampler")["eval_batch"].unique().map(list)["dpp"] == [4, 8]


def test_ratios_by_hand():
    found = bias_ratios(power_laws(random=-0.5, stratified=-1.0), 64)
    assert found.loc[0, ["dataset", "sampler", "draws"]].tolist() == ["a", "stratified", 2]
    assert found.loc[0, "ratio"] == pytest.approx(8) and found.loc[0, "half_width"] == pytest.approx(0, abs=1e-9)


def test_ratios_are_over_the_draws_of_the_sampler():
    curves = power_laws(random=-0.5, dpp=-1.0)
    curves = curves[(curves["sampler"] == "random") | (curves["seed"] == 1)]
    curves.loc[(curves["sampler"] == "random") & (curves["seed"] == 0), "bias"] = 1e6
    found = bias_ratios(curves, 64)
    assert found["draws"].tolist() == [1] and found["ratio"].tolist() == pytest.approx([8])


@pytest.mark.parametrize("name", list(PAIRS))
def test_pairs_are_two_different_draws_of_one_distribution(name):
    x, y = PAIRS[name](0)
    assert x.shape == y.shape and x.shape[0] == 1 << (len(x).bit_length() - 1) and x.dtype == torch.float64
    assert not torch.equal(x, y) and not torch.equal(x, PAIRS[name](1)[0]) and torch.equal(x, PAIRS[name](0)[0])
    assert (x.mean(0) - y.mean(0)).norm() < 0.2 * x.std(0).norm()
    if name == "patches":
        assert x.shape[1] == 192 and x.min() >= -1 and x.max() <= 1


def test_an_unknown_data_set_is_answered_with_the_nearest():
    with pytest.raises(ValueError, match="Did you mean 'grid25'"):
        bias_curves(["grid"])


def test_figure_draws_every_curve_and_its_fit(small):
    rates = bias_rates(small)
    figure = draw(small, rates)
    top, random, stratified = figure.axes
    for name, look in SAMPLERS.items():
        (line,) = [line for line in top.get_lines() if line.get_color() == look["color"]]
        held = small[(small["sampler"] == name) & (small["eval_batch"] < 32)].groupby("eval_batch")["bias"].mean()
        held = held[held > 0]
        np.testing.assert_allclose(line.get_ydata(), held)
    exponents = rates.query("measure == 'bias'").set_index("sampler")["s"]
    assert all(f"{name}: s = {exponents[name]:.3f} ±" in top.get_title() for name in ("random", "stratified"))
    floor = small.groupby("seed")["ewd"].first().mean()
    for ax, sampler in ((random, "random"), (stratified, "stratified")):
        fit = rates.query(f"measure == 'bound' and sampler == '{sampler}'").iloc[0]
        assert ax.get_title().startswith(f"{sampler}\nlimit of U: {fit['limit']:.3g} ±")
        drawn = [line for line in ax.get_lines() if line.get_linestyle() == FIT["linestyle"]]
        ends = power_law(np.array([4.0, 16.0]), 32, fit["C"], fit["s"], fit["limit"])
        np.testing.assert_allclose(drawn[0].get_ydata()[[0, -1]], ends)
    assert all(np.isclose(ax.get_lines()[-1].get_ydata()[0], floor) for ax in figure.axes)
