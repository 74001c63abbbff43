import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from PIL import Image

from pwgan.report import critics, curves, figures, panels, samples
from pwgan.report.frames import read
from pwgan.report.names import FIGURE_FORMATS, figure_names
from pwgan.report.style import SAMPLERS, looks

pytestmark = pytest.mark.filterwarnings("error")


def lines(ax, look):
    """Return the (x, y) of every line of a panel drawn in the colour of ``look``."""
    found = [line for line in ax.get_lines() if to_hex(line.get_color()) == look["color"].lower()]
    return [(line.get_xdata(), line.get_ydata()) for line in found]


def draw(results, cells, out):
    figures.write_figures(results, out, cells)
    return {path.name for path in out.iterdir()}


def expected(datasets):
    return {f"{name}.{suffix}" for name in figure_names(datasets) for suffix in FIGURE_FORMATS}


def test_the_files_are_those_that_were_named_and_fit_a_readme(study, tmp_path):
    results, cells = study(seeds=2, diverged={("ring8", "wgan", 16): 1, ("grid25", "gan", 64): 2})
    assert draw(results, cells, tmp_path / "out") == expected(["ring8", "grid25", "digits"])
    for path in (tmp_path / "out").glob("*.png"):
        with Image.open(path) as image:
            width, height = image.size
        assert 900 <= width <= 1200 and 300 <= height <= 1400, path.name


@pytest.mark.parametrize(
    "options",
    [
        {"datasets": ("ring8",), "methods": ("wgan",), "sizes": (16,), "seeds": 1},
        {"datasets": ("digits",), "methods": ("pwgan",), "sizes": (16,), "seeds": 1},
        {"datasets": ("digits",), "methods": ("gan", "pwgan"), "sizes": (16,), "diverged": {("digits", "gan", 16): 4}},
        {
            "datasets": ("ring8",),
            "methods": ("gan",),
            "sizes": (16,),
            "seeds": 1,
            "diverged": {("ring8", "gan", 16): 1},
        },
    ],
)
def test_small_and_lost_studies_are_drawn(study, tmp_path, options):
    results, cells = study(**options)
    assert draw(results, cells, tmp_path / "out") == expected(options["datasets"])


def test_a_study_without_modes_or_curves_says_so(study):
    results, _ = study(datasets=("ring8",), methods=("gan",), sizes=(16,), seeds=1)
    runs, measures, history = (read(results, name) for name in ("runs", "measures", "history"))
    none = measures[~measures["measure"].str.startswith("modes")]
    assert "No data set" in panels.coverage(panels.coverage_data(none, runs)).texts[0].get_text()
    bare = curves.convergence_data(history.assign(ewd=np.nan), measures, runs)
    assert "No EWD" in curves.convergence(bare).texts[0].get_text()


def test_bias_draws_what_its_csv_holds_and_masks_what_has_no_logarithm(study, tmp_path):
    results, _ = study(datasets=("ring8",), seeds=3, diverged={("ring8", "gan", 64): 3})
    frame = panels.bias_data(read(results, "bias"), read(results, "runs"))
    again = figures.written(frame, tmp_path / "bias.csv")
    assert set(frame.loc[frame["method"] != "data", "batch_size"]) == {64}
    assert (again["mean"] <= 0).any()
    figure = panels.bias(again)
    top, real, shown = figure.axes[:3]
    look = looks(again["method"])
    for name in ("nsgan", "wgan_gp"):
        (x, y), *_ = lines(top, look[name])
        held = again[(again["method"] == name) & (again["eval_batch"] < 1024)]
        np.testing.assert_array_equal(x, held["eval_batch"])
        np.testing.assert_array_equal(y, held["mean"])
    assert top.get_title() == "ring8\n3 seeds, 3 of 15 diverged"
    for ax, method in ((real, "data"), (shown, "pwgan")):
        for quantity, style in panels.QUANTITIES.items():
            ((_, y),) = lines(ax, style)
            held = again[(again["method"] == method) & (again["measure"] == quantity) & (again["eval_batch"] < 1024)]
            np.testing.assert_array_equal(y, held["mean"])
        assert ax.get_xscale() == ax.get_yscale() == "log"


def test_bias_guide_has_slope_one_half(study):
    results, _ = study(datasets=("ring8",), methods=("gan",), sizes=(16,), seeds=2)
    figure = panels.bias(panels.bias_data(read(results, "bias"), read(results, "runs")))
    (guide,) = [
        line for line in figure.axes[0].get_lines() if line.get_linestyle() == ":" and line.get_color() == "0.45"
    ]
    x, y = np.log(guide.get_xdata()), np.log(guide.get_ydata())
    assert (y[1] - y[0]) / (x[1] - x[0]) == pytest.approx(-0.5)


def test_coverage_draws_points_the_true_number_and_lost_cells(study):
    results, _ = study(datasets=("grid25",), seeds=3, diverged={("grid25", "gan", 64): 3})
    frame = panels.coverage_data(read(results, "measures"), read(results, "runs"))
    assert set(frame["measure"]) == {"modes@2500"}
    (ax,) = panels.coverage(frame).axes
    look = looks(frame["method"])
    ((x, y), *_) = lines(ax, look["wgan"])
    np.testing.assert_array_equal(y, frame.loc[frame["method"] == "wgan", "mean"])
    assert list(np.round(x)) == [0, 1]
    assert any(list(y) == [25, 25] for _, y in lines(ax, {"color": "#000000"}))
    assert any(list(y) == [0] for _, y in lines(ax, look["gan"]))


def test_convergence_has_means_by_hand_and_the_floor_of_the_same_n(study):
    results, _ = study(datasets=("ring8",), methods=("gan", "pwgan"), seeds=4, diverged={("ring8", "gan", 16): 1})
    runs, measures, history = (read(results, name) for name in ("runs", "measures", "history"))
    frame = curves.convergence_data(history, measures, runs)
    held = frame[(frame["method"] == "gan") & (frame["batch_size"] == 16)]
    assert list(held["step"]) == list(range(200, 2001, 200))
    assert list(held["seeds"]) == [4, 4] + [3] * 8 and list(held["diverged"]) == [0, 0] + [1] * 8
    last = history[(history["method"] == "gan") & (history["batch_size"] == 16) & (history["step"] == 2000)]
    assert held["mean"].iloc[-1] == pytest.approx(last["ewd"].mean())
    assert frame.loc[frame["method"] == "data", "measure"].tolist() == ["ewd-history@500"]
    figure = curves.convergence(frame)
    ((_, y), *_) = lines(figure.axes[0], looks(frame["method"])["gan"])
    np.testing.assert_array_equal(y, held["mean"])
    assert "(n = 500)" in figure.axes[0].get_ylabel() and not figure.axes[1].texts
    other = curves.convergence_data(history, measures[measures["measure"] != "ewd-history@500"], runs)
    assert other.loc[other["method"] == "data", "measure"].tolist() == ["ewd@1000"]
    assert curves.convergence(other).axes[1].texts[0].get_text() == "floor at n = 1000"


def test_a_last_step_without_losses_tells_of_no_divergence():
    key = {"dataset": "ring8", "method": "gan", "batch_size": 16}
    rows = [
        {**key, "seed": seed, "step": step, "critic_loss": loss, "generator_loss": loss, "ewd": 1.0}
        for seed in range(2)
        for step, loss in ((0, 1.0), (10, 0.5), (20, np.nan))
    ]
    runs = pd.DataFrame([{**key, "seed": seed, "status": "ok"} for seed in range(2)])
    frame = curves.losses_data(pd.DataFrame(rows), runs)
    assert (frame["diverged"] == 0).all() and frame["step"].unique().tolist() == [0, 10]


def test_losses_are_window_means_and_a_method_without_critic_has_no_critic_rows():
    steps = range(1, 301)
    key = {"dataset": "ring8", "batch_size": 16, "ewd": np.nan}
    rows = [
        {**key, "method": "pwgan", "seed": s, "step": t, "critic_loss": np.nan, "generator_loss": t + 10.0 * s}
        for s in range(2)
        for t in steps
    ]
    runs = pd.DataFrame([{**key, "method": "pwgan", "seed": s, "status": "ok"} for s in range(2)])
    frame = curves.losses_data(pd.DataFrame(rows), runs)
    assert set(frame["loss"]) == {"generator"}
    # 300 steps in 150 windows of 2: {1, 2} -> 1.5, and the two seeds are 10 apart.
    assert list(frame["step"]) == list(range(2, 301, 2))
    np.testing.assert_allclose(frame["mean"], np.arange(1.5, 300, 2) + 5)
    np.testing.assert_allclose(frame["half_width"], 12.7062047 * 10 / 2**0.5 / 2**0.5, rtol=1e-6)


def test_a_cell_that_was_not_trained_has_an_empty_panel_and_did_not_diverge(study):
    results, _ = study(datasets=("ring8", "grid25"), methods=("gan", "wgan"), sizes=(16,), seeds=2)
    runs, history, ranking = (read(results, name) for name in ("runs", "history", "ranking"))
    absent = (runs["dataset"] == "grid25") & (runs["method"] == "wgan")
    placed = runs[~absent]
    along = history.merge(placed[["dataset", "method"]].drop_duplicates())
    ranked = ranking.merge(placed[["dataset", "method"]].drop_duplicates())
    drawn = [
        curves.losses(curves.losses_data(along, placed)),
        critics.ranking(critics.ranking_data(ranked, placed)),
    ]
    for figure in drawn:
        panel = figure.axes[3]  # wgan, grid25
        assert not panel.get_lines() and not panel.texts
        assert all(other.get_lines() for other in figure.axes[:3])


def test_cost_draws_each_stage_of_each_cell(study):
    results, _ = study(datasets=("ring8",), methods=("gan", "wgan"), sizes=(16, 64), seeds=4)
    frame = panels.cost_data(read(results, "costs"))
    axes = panels.cost(frame).axes
    for ax, (stage, column) in zip(axes, panels.COSTS, strict=True):
        for name in ("gan", "wgan"):
            ((_, y),) = lines(ax, looks(frame["method"])[name])
            np.testing.assert_array_equal(y, frame.loc[(frame["method"] == name) & (frame["stage"] == stage), column])
        assert [label.get_text() for label in ax.get_xticklabels()] == ["16", "64"]


def test_points_are_those_of_seed_zero(study, tmp_path):
    results, cells = study(datasets=("ring8",), methods=("gan", "wgan"), seeds=2, diverged={("ring8", "wgan", 16): 1})
    draw(results, cells, tmp_path)
    frame = figures.load(tmp_path / "samples-ring8.csv")
    gan = frame[(frame["method"] == "gan") & (frame["batch_size"] == 64)]
    made = np.load(next(path for _, method, m, path in cells if (method, m) == ("gan", 64)))
    np.testing.assert_allclose(gan[["x", "y"]], made[0], rtol=1e-6)
    assert set(gan["seed"]) == {0}
    lost = frame[(frame["method"] == "wgan") & (frame["batch_size"] == 16)]
    assert len(lost) == 1 and lost[["x", "y"]].isna().all(axis=None)
    assert len(frame[frame["method"] == "data"]) == 500


def test_image_tiles_survive_the_csv(study, tmp_path):
    results, cells = study(datasets=("digits",), methods=("gan",), sizes=(16,), seeds=2)
    draw(results, cells, tmp_path)
    frame = figures.load(tmp_path / "samples-digits.csv")
    made = np.load(cells[0][-1])[0, :36]
    sheet = samples.mosaic(frame[frame["method"] == "gan"])
    assert sheet.shape == (53, 53)
    for place in (0, 7, 35):
        top, left = 9 * (place // 6), 9 * (place % 6)
        tile = sheet[top : top + 8, left : left + 8] / 127.5 - 1
        np.testing.assert_allclose(tile, made[place, 0], atol=0.5 / 127.5 + 1e-6)


def test_colour_images_keep_their_channels():
    image = np.random.default_rng(0).integers(0, 256, (3, 4, 4), dtype=np.uint8)
    row = {"channels": 3, "size": 4, "pixels": image.tobytes().hex()}
    sheet = samples.mosaic(pd.DataFrame([row]))
    np.testing.assert_array_equal(sheet[:4, :4], image.transpose(1, 2, 0))


def test_looks_depend_on_names_alone_and_differ():
    names = [f"method{i:02d}" for i in range(14)]
    look = looks(names)
    assert look == looks([*reversed(names), "data"])
    assert len({tuple(map(str, look[name].values())) for name in names}) == 14


def test_drawing_imports_no_torch_and_names_import_no_numpy():
    code = (
        "import sys; import pwgan.report.names; assert 'numpy' not in sys.modules;"
        "import pwgan.report.figures, pwgan.report.tables; assert 'torch' not in sys.modules;"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_bias_by_sampler_stands_below(study):
    results, _ = study(datasets=("ring8",), methods=("gan", "pwgan"), sizes=(16,), seeds=2)
    bias, runs = read(results, "bias"), read(results, "runs")
    parts = {"matching_bias": bias["bias"], "sampling_bias": 0.0}
    others = [bias.assign(sampler=name, bias=bias["bias"] / 10, **parts) for name in ("stratified", "dpp")]
    frame = panels.bias_data(pd.concat([bias, *others], ignore_index=True), runs)
    assert set(frame.loc[frame["sampler"] != "random", "measure"]) == {"bias"}
    figure = panels.bias(frame)
    assert len(figure.axes) == 5
    for ax, method in zip(figure.axes[3:], ("data", "pwgan"), strict=True):
        for name, style in SAMPLERS.items():
            ((_, y),) = lines(ax, style)
            held = frame[(frame["method"] == method) & (frame["sampler"] == name) & (frame["measure"] == "bias")]
            np.testing.assert_array_equal(y, held.loc[held["eval_batch"] < 1024, "mean"])
    # The panels above are those of a study with random batches alone.
    alone = panels.bias(panels.bias_data(bias, runs))
    assert len(alone.axes) == 3
    for above, same in zip(figure.axes, alone.axes, strict=False):
        for line, other in zip(above.get_lines(), same.get_lines(), strict=True):
            np.testing.assert_array_equal(line.get_ydata(), other.get_ydata())
