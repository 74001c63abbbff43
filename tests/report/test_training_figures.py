"""Figures along training and of the claims: what they draw, by hand, and that they draw it."""

import json

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from pwgan.report.claim_figures import schedules, schedules_data, signal, signal_data, write_claim_figures
from pwgan.report.critics import dual, dual_data, ranking, ranking_data
from pwgan.report.forgetting import forgetting, forgetting_data
from pwgan.report.names import CLAIM_FIGURES, FIGURE_FORMATS
from scipy import stats

from pwgan.report.figures import written
from pwgan.report.frames import read

pytestmark = pytest.mark.filterwarnings("error")


def typed(rows):
    return pd.DataFrame(rows).astype({"batch_size": "Int64"})


def cell(method="gan", m=16, dataset="ring8"):
    return {"dataset": dataset, "method": method, "batch_size": m}


def ran(method="gan", statuses=("ok", "ok"), m=16, algorithm=None, **options):
    how = {"algorithm": algorithm or method, "options": json.dumps(options), "history_points": 10}
    return [{**cell(method, m), "seed": seed, "status": status, **how} for seed, status in enumerate(statuses)]


def ys(ax, colour):
    """Return the heights of every line of a panel in one colour that is no marker alone."""
    found = [line for line in ax.get_lines() if to_hex(line.get_color()) == colour.lower()]
    return [np.asarray(line.get_ydata(), float) for line in found if line.get_linestyle() not in (" ", "None", "")]


def counts(seed, table, method="gan"):
    """One row of ``table`` for each step 0, 10, ...: samples at each mode, of 8."""
    return [
        {**cell(method), "seed": seed, "step": 10 * t, "mode": mode, "count": count, "samples": 8}
        for t, row in enumerate(table)
        for mode, count in enumerate(row)
    ]


def test_forgetting_shows_the_seed_that_lost_most_and_its_shares():
    # Modes met: seed 0 2, 2, 2; seed 1 1, 4, 2; seed 2 3, 4, 2, and seed 3 diverged after meeting all.
    rows = counts(0, [[4, 4, 0, 0]] * 3)
    rows += counts(1, [[8, 0, 0, 0], [2, 2, 2, 2], [4, 2, 0, 0]]) + counts(
        2, [[4, 2, 2, 0], [1, 1, 1, 5], [4, 4, 0, 0]]
    )
    rows += counts(3, [[2, 2, 2, 2], [0, 0, 0, 0]])
    frame = forgetting_data(typed(rows), typed(ran(statuses=("ok", "ok", "ok", "diverged"))))
    assert set(frame["seed"]) == {1} and len(frame) == 12
    assert set(zip(frame["best"], frame["last"], frame["seeds"], frame["diverged"], strict=True)) == {(4, 2, 4, 1)}
    last = frame[frame["step"] == 20].sort_values("mode")
    # 8 samples, 4 modes: an equal share is 2.
    assert list(last["share"]) == [2.0, 1.0, 0.0, 0.0]


def test_forgetting_draws_the_table_and_names_lost_cells(tmp_path):
    rows = counts(0, [[4, 4], [8, 0], [0, 8]]) + counts(1, [[4, 4], [4, 4], [4, 4]])
    rows += counts(0, [[4, 4]], "wgan") + counts(1, [[4, 4]], "wgan")
    runs = typed(ran() + ran("wgan", ("diverged", "diverged")) + ran(m=4))
    frame = written(forgetting_data(typed(rows), runs), tmp_path / "forgetting.csv")
    figure = forgetting(frame)
    gan, wgan = figure.axes[:2]
    assert gan.get_title() == "ring8\nseed 0: 2 → 1"
    (mesh,) = gan.collections
    np.testing.assert_array_equal(mesh.get_array().reshape(2, 3), [[1, 2, 0], [1, 0, 2]])
    below = mesh.cmap(mesh.norm(mesh.get_array().ravel()[2]))
    assert to_hex(below) == "#e6e6e6" and to_hex(mesh.cmap(mesh.norm(0.25))) != "#e6e6e6"
    np.testing.assert_array_equal(mesh.get_coordinates()[0, :, 0], [-5, 5, 15, 25])
    assert [text.get_text() for text in wgan.texts] == ["all seeds diverged"]


def test_ranking_holds_the_final_critic_against_that_of_the_time():
    auc = {(0, 0): 0.5, (10, 0): 0.8, (10, 10): 0.9, (20, 0): 0.6, (20, 10): 0.7, (20, 20): 1.0}
    rows = [
        {**cell(), "seed": seed, "step": step, "earlier_step": earlier, "auc": value - 0.2 * seed}
        for seed in range(2)
        for (step, earlier), value in auc.items()
    ]
    frame = ranking_data(typed(rows), typed(ran() + ran("pwgan", ("diverged",))))
    found = frame.set_index(["critic", "step"])["mean"].to_dict()
    assert found == pytest.approx(
        {
            ("critic of that time", 10): 0.8,
            ("critic of that time", 20): 0.9,
            ("final critic", 10): 0.6,
            ("final critic", 20): 0.9,
        }
    )
    assert set(frame["method"]) == {"gan"} and set(frame["seeds"]) == {2}
    # t_{0.975, 1} = 12.7062; two seeds 0.2 apart.
    np.testing.assert_allclose(frame["half_width"], 12.7062047 * 0.1, rtol=1e-6)
    (ax,) = ranking(frame).axes
    np.testing.assert_allclose(ys(ax, "#0072B2"), [[0.6, 0.9]])
    np.testing.assert_allclose(ys(ax, "#D55E00"), [[0.8, 0.9]])


def test_dual_is_divided_by_the_slope_of_its_own_seed():
    rows = [
        {**cell(method), "seed": seed, "step": step, "ewd": ewd, "critic_dual": 3.0, "critic_slope": 2.0 + 4 * seed}
        for method in ("gan", "my_wgan", "pwgan")
        for seed in range(2)
        for step, ewd in ((0, 1.0), (5, np.nan), (10, 2.0))
    ]
    reference = {**cell("data", None), "seed": 0}
    measures = typed([{**reference, "measure": "ewd-history@10", "value": 0.25}])
    runs = typed(ran("gan") + ran("my_wgan", algorithm="gdpp_wgan_gp") + ran("pwgan"))
    frame = dual_data(typed(rows), measures, runs)
    trained = frame[frame["method"] != "data"]
    assert set(trained["method"]) == {"my_wgan"} and set(trained["step"]) == {0, 10}
    found = trained[trained["step"] == 10].set_index("quantity")["mean"].to_dict()
    assert found == pytest.approx({"exact EWD": 2.0, "dual": 3.0, "dual / largest slope": (1.5 + 0.5) / 2})
    assert frame.loc[frame["method"] == "data", "mean"].tolist() == [0.25]
    (ax,) = dual(frame).axes
    np.testing.assert_allclose(ys(ax, "#0072B2"), [[1.0, 1.0]])
    assert [0.25, 0.25] in [list(y) for y in ys(ax, "#000000")]


def final(method, values, m=16):
    return [{**cell(method, m), "seed": s, "measure": "ewd@9", "value": v} for s, v in enumerate(values)]


def test_schedules_are_of_methods_that_differ_in_nothing_else():
    step = {"critic_steps": 1, "generator_steps": 1, "lr": 0.1, "sampler": "random"}
    runs = ran("gan", **step) + ran("gan_k25", algorithm="gan", **step | {"critic_steps": 25})
    runs += ran("gan_g5", algorithm="gan", **step | {"generator_steps": 5})
    runs += ran("gan_fast", algorithm="gan", **step | {"lr": 1.0, "critic_steps": 5})
    runs += ran("gan_stratified", algorithm="gan", **step | {"sampler": "stratified"})
    runs += ran("wgan", **step | {"critic_steps": 5}) + ran("pwgan", lr=0.1)
    measures = [row for method in {run["method"] for run in runs} for row in final(method, [1.0, 3.0])]
    measures += final("data", [0.5, 0.7], None) + final("gan", [99.0, 99.0], 4)
    frame = schedules_data(typed(measures), typed(runs + ran(m=4, **step)))
    trained = frame[frame["method"] != "data"]
    ratios = trained.drop_duplicates("method").set_index("method")["ratio"].to_dict()
    assert ratios == {"gan": 1.0, "gan_k25": 25.0, "gan_g5": 0.2}
    assert set(trained["line"]) == {"gan"} and set(trained["batch_size"]) == {16}
    assert sorted(trained["value"]) == [1.0] * 3 + [3.0] * 3 and set(trained["mean"]) == {2.0}
    assert frame.loc[frame["method"] == "data", "mean"].tolist() == pytest.approx([0.6, 0.6])
    (ax,) = schedules(frame).axes
    assert [label.get_text() for label in ax.get_xticklabels()] == ["1/5", "1", "25"]
    np.testing.assert_array_equal(ys(ax, "#0072B2"), [[2.0] * 3])
    np.testing.assert_allclose(ys(ax, "#000000"), [[0.6, 0.6]])


def test_a_schedule_with_diverged_seeds_is_marked():
    step = {"critic_steps": 1, "generator_steps": 1}
    runs = ran("gan", **step) + ran("gan_k5", ("ok", "diverged"), algorithm="gan", **step | {"critic_steps": 5})
    frame = schedules_data(typed(final("gan", [1.0, 2.0]) + final("gan_k5", [1.0, np.nan])), typed(runs))
    figure = schedules(frame)
    crosses = [line for line in figure.axes[0].get_lines() if line.get_marker() == "x"]
    assert [list(line.get_xdata()) for line in crosses] == [[pytest.approx(1.0)]]
    assert "diverged" in figure.get_suptitle()


def test_signals_are_averaged_as_logarithms():
    rows = [
        {**cell(), "generator": generator, "critic": critic, "seed": seed, "step": step, "parameter_gradient": norm}
        for generator in ("initial", "trained")
        for critic in ("gan", "wgan")
        for step in (1, 2)
        for seed, norm in enumerate((step, 4.0 * step, 16.0 * step))
    ]
    other = [{**row, "batch_size": 8, "parameter_gradient": 99.0} for row in rows]
    frame = signal_data(typed(other + rows), typed(ran() + ran(m=8)))
    assert len(frame) == 8 and set(frame["batch_size"]) == {16}
    np.testing.assert_allclose(frame["mean"], 4.0 * frame["step"])
    low, high = stats.t.interval(0.95, 2, loc=np.log(4), scale=stats.sem(np.log([1, 4, 16])))
    np.testing.assert_allclose(frame["low"], np.exp(low) * frame["step"])
    np.testing.assert_allclose(frame["high"], np.exp(high) * frame["step"])
    axes = signal(frame).axes
    assert [ax.get_ylabel().split("\n")[0] for ax in axes] == ["initial generator of gan", "trained generator of gan"]
    assert all(ax.get_xscale() == ax.get_yscale() == "log" for ax in axes)
    np.testing.assert_allclose(ys(axes[0], "#0072B2"), [[4.0, 8.0]])


def test_the_claims_have_their_figures_and_those_without_data_say_so(study, tmp_path):
    results, _ = study(datasets=("ring8",), methods=("gan", "wgan"), sizes=(16,), seeds=2)
    (results / "figures").mkdir()
    write_claim_figures(results)
    made = {path.name for path in (results / "figures").iterdir()}
    assert made == {f"{name}.{suffix}" for name in CLAIM_FIGURES for suffix in FIGURE_FORMATS}
    runs = read(results, "runs")
    assert "schedules that differ" in schedules(schedules_data(read(results, "measures"), runs)).texts[0].get_text()
    assert "No critics" in signal(signal_data(pd.DataFrame(), runs)).texts[0].get_text()
    bare = {name: read(results, name).iloc[:0] for name in ("ranking", "mode_steps")}
    assert "No method" in ranking(ranking_data(bare["ranking"], runs)).texts[0].get_text()
    assert "No data set" in forgetting(forgetting_data(bare["mode_steps"], runs)).texts[0].get_text()
    none = runs.assign(algorithm="pwgan")
    history, measures = read(results, "history"), read(results, "measures")
    assert "No method" in dual(dual_data(history, measures, none)).texts[0].get_text()
