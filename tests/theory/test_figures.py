"""Figures of the theory stage: what stands in them is what their CSVs hold."""

import numpy as np
import pandas as pd
import pytest

from pwgan.__main__ import main
from pwgan.report import plugins
from pwgan.theory.duality import duality
from pwgan.theory.figures import lines as lines_figure
from pwgan.theory.game import optimal_discriminator
from pwgan.theory.lines import lines
from pwgan.theory.picture import picture
from pwgan.theory.rates import bias_rates
from pwgan.theory.shrinkage import shrinkage
from pwgan.theory.tables import write_csv


def recovery() -> pd.DataFrame:
    rows = [
        {"dimension": d, "n": n, "measure": measure, "mean": mean, "half_width": 0.01, "seeds": 4}
        for d in (2, 128)
        for n in (64, 256)
        for measure, mean in (("ratio", d / n + 1), ("cosine", 0.5 - d / 256))
    ]
    return pd.DataFrame(rows)


def critics() -> pd.DataFrame:
    rows = [
        {"dimension": d, "method": method, "seed": seed, "n": 64, "w1": 2.0, "estimate": d + seed, "cosine": 0.1 * seed}
        | ({} if method == "ewd" else {"slope": 2.0, "scaled": (d + seed) / 2})
        for d in (2, 8)
        for method in ("ewd", "wgan", "wgan_gp")
        for seed in (0, 1)
    ]
    return pd.DataFrame(rows)


def bias() -> pd.DataFrame:
    rows = [
        {"dataset": dataset, "seed": seed, "sampler": sampler, "eval_batch": m, "n": 64, "ewd": 0.2, "bias": 1 / m}
        | {"partition": sampler != "dpp"}
        | {"deviation": 2 / m, "bound": 3 / m}
        for dataset in ("ring8", "digits")
        for sampler in ("random", "stratified", "dpp")
        for seed in (0, 1)
        for m in (4, 8, 16)
    ]
    return pd.DataFrame(rows)


def game() -> pd.DataFrame:
    known = optimal_discriminator()
    return pd.concat([known.assign(seed=seed, discriminator=known["optimal"] + 0.01 * seed) for seed in (0, 1)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("theory")
    frames = {
        "lines": lines(points=64, seeds=2),
        "picture": picture(),
        "recovery": recovery(),
        "duality": duality(points=32, draws=1),
        "bias": bias(),
        "bias-rates": bias_rates(bias()),
        "game": game(),
        "critics": critics(),
        "shrinkage": shrinkage({1: 64}, (4, 16)),
    }
    for name, frame in frames.items():
        write_csv(frame, folder / f"{name}.csv")
    return folder


def drawn(ax, colour=None):
    return [line for line in ax.get_lines() if colour is None or line.get_color() == colour]


def test_the_verb_draws_every_figure_beside_its_csv(folder):
    assert main(["theory_figures", "--theory", str(folder), "--output", str(folder)]) == 0
    for name in plugins.names("theory"):
        assert (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_a_missing_table_is_reported(tmp_path, capsys):
    assert main(["theory_figures", "--theory", str(tmp_path), "--output", str(tmp_path / "drawn")]) == 2
    assert "bias.csv" in capsys.readouterr().err and not (tmp_path / "drawn").exists()


def test_lines_break_where_the_divergence_jumps(folder):
    frame = pd.read_csv(folder / "lines.csv")
    tv, _, _, w1, *gradients = lines_figure.draw(frame).axes
    line, at_zero = drawn(tv, lines_figure.CLOSED["color"])
    assert np.isnan(line.get_ydata()).sum() == 1 and list(at_zero.get_ydata()) == [0]
    (line,) = drawn(w1, lines_figure.CLOSED["color"])
    np.testing.assert_allclose(line.get_ydata(), abs(line.get_xdata()))
    samples = [line for line in drawn(w1, lines_figure.SAMPLED["color"]) if line.get_marker() == "o"]
    held = frame.query("quantity == 'value' and divergence == 'w1' and kind == 'empirical'")
    np.testing.assert_allclose(samples[0].get_ydata().astype(float), held["mean"])
    assert "undefined" in gradients[1].texts[0].get_text()


def test_the_picture_draws_each_pair_and_marks_those_that_differ(folder):
    frame = pd.read_csv(folder / "picture.csv")
    for ax, matching in zip(plugins.load("theory", "picture").draw(frame).axes, ("minibatch", "full"), strict=True):
        pairs = [line for line in ax.get_lines() if len(line.get_xdata()) == 2]
        lengths = [np.hypot(*np.diff(line.get_xydata(), axis=0)[0]) for line in pairs]
        np.testing.assert_allclose(lengths, frame[f"{matching}_cost"])
        dashed = [line.get_linestyle() == "--" for line in pairs]
        assert dashed == list(frame["differs"])
        assert f"{frame[f'{matching}_cost'].mean():.3f}" in ax.get_title()


def test_recovery_draws_a_line_for_each_dimension(folder):
    value, direction = plugins.load("theory", "recovery").draw(pd.read_csv(folder / "recovery.csv")).axes
    two, many, truth = value.get_lines()
    np.testing.assert_allclose(two.get_ydata(), [2 / 64 + 1, 2 / 256 + 1])
    np.testing.assert_allclose(many.get_ydata(), [3, 1.5])
    assert set(truth.get_ydata()) == {1}
    np.testing.assert_allclose(direction.get_lines()[1].get_ydata(), 0)


def test_critics_are_drawn_over_the_true_distance(folder):
    value, direction = plugins.load("theory", "critics").draw(pd.read_csv(folder / "critics.csv")).axes
    *solvers, _truth = value.get_lines()
    means = [[1.25, 4.25], [1.25, 4.25], [0.625, 2.125], [1.25, 4.25], [0.625, 2.125]]
    np.testing.assert_allclose([line.get_ydata() for line in solvers], means)
    assert len(direction.get_lines()) == 4
    np.testing.assert_allclose(direction.get_lines()[0].get_ydata(), 0.05)


def test_duality_draws_each_draw_on_the_diagonal(folder):
    frame = pd.read_csv(folder / "duality.csv")
    value, slope = plugins.load("theory", "duality").draw(frame).axes
    for line in value.get_lines():
        np.testing.assert_allclose(line.get_ydata(), line.get_xdata(), rtol=1e-9)
    assert len(slope.get_lines()) == 3 * len(frame) + 1


def test_the_game_shows_each_discriminator_and_the_optimal_one():
    frame = game()
    _, ax = plugins.load("theory", "game").draw(frame).axes
    *trained, optimal = drawn(ax)
    assert len(trained) == 2
    for seed, line in enumerate(trained):
        np.testing.assert_array_equal(line.get_ydata(), frame.loc[frame["seed"] == seed, "discriminator"])
    np.testing.assert_array_equal(optimal.get_ydata(), optimal_discriminator()["optimal"])
