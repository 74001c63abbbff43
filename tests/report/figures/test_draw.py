"""What figures show of their frames: by hand, and for every shape that a study may have."""

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from matplotlib.backends.backend_agg import FigureCanvasAgg

from pwgan.data.store import read_data
from pwgan.report import plugins
from pwgan.report.figures import (
    bias,
    convergence,
    coverage,
    dual,
    folders,
    forgetting,
    frechet,
    load,
    schedules,
    signal,
)
from pwgan.report.frames import COLUMNS, read
from pwgan.report.panels import spread
from pwgan.report.style import look

pytestmark = pytest.mark.filterwarnings("error")
CLAIMS = Path(__file__).parents[3] / "workflow/studies/claims.yaml"
TWENTY = tuple(yaml.safe_load(CLAIMS.read_text())["methods"])


def figures(results, highlight=()):
    """Yield every figure of a study by its stem, drawn from its frame as a CSV gives it back."""
    frames = {name: read(results, name) for name in COLUMNS}
    runs = frames["runs"]
    for name in plugins.names("figures"):
        module = plugins.load("figures", name)
        frame = through_csv(plugins.call(module.data, frames), results / "again.csv")
        yield name, module.draw(frame, list(highlight))
    for name, dataset in itertools.product(plugins.names("figures/each"), runs["dataset"].unique()):
        module = plugins.load("figures/each", name)
        law = read_data(results / "data" / f"{dataset}.safetensors")
        given = frames | {"dataset": dataset, "law": law, "folders": folders(results, runs, dataset)}
        frame = through_csv(plugins.call(module.data, given), results / "again.csv")
        yield f"{name}-{dataset}", module.draw(frame, list(highlight), law)


def through_csv(frame, path):
    frame.to_csv(path, index=False)
    return load(path)


def words(figure):
    held = [figure.get_suptitle(), *(text.get_text() for text in figure.texts)]
    return " ".join([*held, *(ax.get_title() for ax in figure.axes)])


SHAPES = {
    "one method, one m, one seed": {"methods": ("wgan",), "sizes": (16,), "seeds": 1},
    "several m": {"methods": ("gan", "pwgan"), "sizes": (4, 16, 32, 64), "seeds": 2},
    "images": {"datasets": ("digits",), "methods": ("gan", "pwgan"), "sizes": (16,), "seeds": 2},
    "a lost cell": {"methods": ("gan", "wgan"), "sizes": (16,), "diverged": {("ring8", "gan", 16): 2}, "seeds": 2},
    "all lost": {"methods": ("gan",), "sizes": (16,), "diverged": {("ring8", "gan", 16): 1}, "seeds": 1},
}


@pytest.mark.parametrize("options", SHAPES.values(), ids=SHAPES)
def test_every_shape_of_study_is_drawn_and_told(study, options):
    results, _ = study(**{"datasets": ("ring8",)} | options)
    seeds, lost = options["seeds"], sum(options.get("diverged", {}).values())
    for stem, figure in figures(results):
        if "this study" in words(figure):
            continue
        assert f"{seeds} seed" in words(figure), stem
        if lost:
            # The signal counts trainings of critics; of the Wasserstein GANs none diverged.
            assert f"{lost} of " in words(figure) or stem in ("dual", "signal"), stem


def test_twenty_methods_are_six_in_colour_and_nothing_overlaps(study):
    results, _ = study(datasets=("ring8", "digits"), methods=TWENTY, sizes=(64,), seeds=2)
    named = ["gan", "wgan", "pwgan_full"]
    allowed = {look(name)["color"] for name in named}
    others = {look(name)["color"] for name in TWENTY} - allowed
    for stem, figure in figures(results, named):
        assert figure.get_figwidth() <= 8.1 and figure.get_figheight() <= 10, stem
        drawn = {str(line.get_color()) for ax in figure.axes for line in ax.get_lines()}
        # Of all methods only those that were named; losses, critics and families have colours of their own.
        assert stem == "families" or not drawn & (others - {"#D55E00", "#0072B2"}), stem
        if stem in ("bias", "budget", "coverage", "forgetting", "samples-ring8", "interpolation-digits"):
            no_overlap(figure, stem)


def no_overlap(figure, stem):
    """Check that no title, tick label or legend touches another."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw_without_rendering()
    texts = [text for text in [figure._suptitle, *(ax.title for ax in figure.axes)] if text.get_text()]
    for ax in figure.axes:
        texts += [ax.xaxis.label, ax.yaxis.label] if ax.axison else []
    boxes = [(text.get_text(), text.get_window_extent(renderer)) for text in texts if text.get_text().strip()]
    boxes += [("legend", box.get_window_extent(renderer)) for box in figure.legends]
    for (one, first), (other, second) in itertools.combinations(boxes, 2):
        assert not first.padded(-1).overlaps(second.padded(-1)), (stem, one, other)
    for told, box in boxes:
        assert figure.bbox.padded(1).containsx(box.x0) and figure.bbox.padded(1).containsx(box.x1), (stem, told)


def test_a_study_that_lacks_what_a_figure_shows_says_so(study):
    results, _ = study(datasets=("ring8",), methods=("gan",), sizes=(16,), seeds=1)
    frames = {name: read(results, name) for name in COLUMNS}
    bare = {name: frame.iloc[:0] for name, frame in frames.items()} | {"runs": frames["runs"]}
    for name in plugins.names("figures"):
        module = plugins.load("figures", name)
        frame = through_csv(plugins.call(module.data, bare), results / "again.csv")
        (told,) = module.draw(frame, ["gan"]).texts
        assert told.get_text().startswith("No "), name


def test_paths_that_were_not_measured_are_said_to_be_missing(study):
    results, _ = study(datasets=("ring8",), methods=("gan",), sizes=(16,), seeds=1)
    frames = {name: read(results, name) for name in COLUMNS}
    bare = frames | {"interpolation": frames["interpolation"].iloc[:0], "dataset": "ring8"}
    module = plugins.load("figures/each", "interpolation")
    folder = folders(results, frames["runs"], "ring8")
    frame = through_csv(plugins.call(module.data, bare | {"folders": folder}), results / "again.csv")
    (told,) = module.draw(frame, [], read_data(results / "data/ring8.safetensors")).texts
    assert told.get_text().startswith("No paths")


def test_coverage_draws_means_floor_and_a_cross_for_a_lost_cell(rows, drawn):
    table = rows.measures(
        rows.measured("coverage@9", values=(2.0, 4.0)),
        rows.measured("coverage@9", m=64, values=(np.nan, np.nan)),
        rows.measured("coverage@9", "data", (8.0, 8.0)),
    )
    fates = rows.typed(rows.runs() + rows.runs(statuses=("diverged", "diverged"), m=64))
    (ax,) = coverage.draw(coverage.data(table, fates), ["gan"]).axes
    ((_, y), _) = drawn(ax, look("gan")["color"])[0], drawn(ax, "black")[0]
    np.testing.assert_array_equal(y, [3.0])
    assert [list(y) for _, y in drawn(ax, "black")] == [[8.0, 8.0]]
    (cross,) = [line for line in ax.get_lines() if line.get_marker() == "x"]
    assert list(cross.get_xdata()) == [1.0] and "2 of 4 runs diverged" in ax.get_title()


def test_convergence_draws_mean_interval_floor_and_where_the_last_seed_diverged(rows, drawn):
    history = rows.typed(
        [
            {**rows.cell(method), "seed": seed, "step": step, "ewd": 4.0 / step + seed}
            for method in ("gan", "wgan")
            for seed in range(2)
            for step in ((1, 2, 4) if method == "gan" else (1, 2))
        ]
    )
    floor = rows.measures(rows.measured("ewd-history@10", "data", (0.5, 0.7)))
    fates = rows.typed(rows.runs() + rows.runs("wgan", ("diverged", "diverged")))
    (ax,) = convergence.draw(convergence.data(history, floor, fates), []).axes
    ((x, y),) = drawn(ax, look("gan")["color"])
    assert (x.tolist(), y.tolist()) == ([1, 2, 4], [4.5, 2.5, 1.5])
    # Two seeds 1 apart: t_{0.975, 1} = 12.7062 times half their distance.
    band = ax.collections[0].get_paths()[0].vertices
    assert band[:, 1].max() == pytest.approx(4.5 + 12.7062047 * 0.5)
    assert [0.6, 0.6] in [pytest.approx(list(y)) for _, y in drawn(ax, "black")]
    (cross,) = [line for line in ax.get_lines() if line.get_marker() == "x"]
    assert (list(cross.get_xdata()), list(cross.get_ydata())) == ([2], [2.5])


def test_a_floor_of_another_n_is_named(rows):
    history = rows.typed([{**rows.cell(), "seed": 0, "step": step, "ewd": 2.0} for step in (1, 2)])
    floor = rows.measures(rows.measured("ewd@99", "data", (0.5,)))
    (ax,) = convergence.draw(convergence.data(history, floor, rows.typed(rows.runs(statuses=("ok",)))), []).axes
    assert [text.get_text() for text in ax.texts] == ["floor for n = 99"]


def test_bias_masks_what_has_no_logarithm_and_guides_with_slope_one_half(study, drawn):
    results, _ = study(datasets=("ring8",), methods=("gan", "pwgan"), sizes=(16,), seeds=2, samplers=("random", "dpp"))
    frame = bias.data(read(results, "bias"), read(results, "runs"))
    assert (frame["bias"] <= 0).any()
    by_method, bounds, by_sampler = bias.draw(frame, []).axes
    first = frame[frame["sampler"] == "random"]
    expected = first[first["method"] == "gan"].groupby("eval_batch")["bias"].mean()
    ((x, y),) = drawn(by_method, look("gan")["color"])
    assert list(x) == [16, 64, 256]
    np.testing.assert_allclose(y, expected[:3])
    ((x, y),) = drawn(by_method, "0.45")
    assert np.log(y[1] / y[0]) / np.log(x[1] / x[0]) == pytest.approx(-0.5)
    real = frame[frame["method"] == "data"].groupby(["sampler", "eval_batch"])[["bias", "bound"]].mean()
    ((_, y),) = drawn(bounds, "#882255")
    np.testing.assert_allclose(y, real.loc["random", "bound"][:3])
    ((_, y),) = drawn(by_sampler, "#AA4499")
    np.testing.assert_allclose(y, real.loc["dpp", "bias"][:3])
    assert all(ax.get_xscale() == ax.get_yscale() == "log" for ax in (by_method, bounds, by_sampler))


def test_forgetting_draws_the_shares_of_each_mode():
    key = {"dataset": "ring8", "method": "gan", "batch_size": 16, "seed": 3, "best": 2, "last": 1}
    frame = pd.DataFrame(
        [
            {**key, "step": step, "mode": mode, "count": 1, "samples": 8, "share": share, "trained": 4, "diverged": 1}
            | {"covered": share > 0}
            for step, shares in ((0, (1.0, 1.0)), (10, (2.0, 0.0)))
            for mode, share in enumerate(shares)
        ]
    )
    (ax,) = forgetting.draw(frame, []).axes
    (mesh,) = ax.collections
    np.testing.assert_array_equal(np.asarray(mesh.get_array()).reshape(2, 2), [[1, 2], [1, 0]])
    assert mesh.cmap(mesh.norm(0.0)) != mesh.cmap(mesh.norm(0.25))
    assert ax.get_title() == "ring8, m = 16\n4 seeds, 1 of 4 runs diverged\nseed 3: 2 → 1"


def test_forgetting_of_many_more_modes_than_samples():
    key = {"dataset": "stacks", "method": "gan", "batch_size": 16, "seed": 0, "best": 3, "last": 3}
    key |= {"step": 5, "samples": 4, "trained": 1, "diverged": 0}
    counts = [2, 1, 1, *([0] * 97)]  # of 4 samples in 100 modes: a single sample is 25 equal shares
    frame = pd.DataFrame(
        [
            {**key, "mode": mode, "count": count, "share": 25.0 * count, "covered": count > 0}
            for mode, count in enumerate(counts)
        ]
    )
    figure = forgetting.draw(frame, [])
    figure.draw_without_rendering()
    (mesh,) = figure.axes[0].collections
    assert mesh.norm.vmin < mesh.norm.vmax <= 25
    assert mesh.cmap(mesh.norm(0.0)) != mesh.cmap(mesh.norm(25.0))


def test_dual_is_logarithmic_unless_an_estimate_is_negative(rows, drawn):
    history = rows.typed(
        [
            {**rows.cell("wgan"), "seed": s, "step": t, "ewd": 2.0, "critic_dual": 1.0, "critic_slope": 4.0}
            for s in range(2)
            for t in (1, 2)
        ]
    )
    floor = rows.measures(rows.measured("ewd-history@10", "data", (0.25, 0.25)))
    fates = rows.typed(rows.runs("wgan", dual=True))
    (ax,) = dual.draw(dual.data(history, floor, fates), []).axes
    assert [list(y) for _, y in drawn(ax, "#0072B2")] == [[0.25, 0.25]] and ax.get_yscale() == "log"
    (ax,) = dual.draw(dual.data(history.assign(critic_dual=-1.0), floor, fates), []).axes
    assert ax.get_yscale() == "symlog" and ax.get_ylim()[0] < -1


def test_frechet_tells_the_rank_correlation_of_all_cells(rows):
    order = {"gan": (1.0, 10.0), "wgan": (2.0, 20.0), "pwgan": (3.0, 30.0), "nsgan": (4.0, 25.0), "data": (0.5, 5.0)}
    table = rows.measures(
        *(rows.measured("ewd@9", name, (ewd,)) for name, (ewd, _) in order.items()),
        *(rows.measured("fd-classifier@5", name, (distance,)) for name, (_, distance) in order.items()),
    )
    fates = rows.typed([run for name in order if name != "data" for run in rows.runs(name, ("ok",))])
    (ax,) = frechet.draw(frechet.data(table, fates), []).axes
    # Ranks 1, 2, 4, 3: r = 1 - 6 * 2 / (4 * 15).
    assert "rank correlation 0.80" in ax.get_title() and "4 cells" in ax.get_title()


def test_schedules_name_their_ratios_and_mark_diverged_seeds(rows, drawn):
    step = {"critic_steps": 1, "generator_steps": 1}
    fates = rows.runs("gan", **step) + rows.runs("gan_g5", **step | {"generator_steps": 5})
    fates += rows.runs("gan_k5", ("ok", "diverged"), **step | {"critic_steps": 5})
    table = rows.measures(
        rows.measured("ewd@9"),
        rows.measured("ewd@9", "gan_g5"),
        rows.measured("ewd@9", "gan_k5", (1.0, np.nan)),
        rows.measured("ewd@9", "data", (0.5, 0.7)),
    )
    (ax,) = schedules.draw(schedules.data(table, rows.typed(fates)), []).axes
    assert [label.get_text() for label in ax.get_xticklabels()] == ["1/5", "1", "5"]
    np.testing.assert_allclose(drawn(ax, look("gan")["color"])[0][1], [1.5, 1.5, 1.0])
    (cross,) = [line for line in ax.get_lines() if line.get_marker() == "x"]
    assert list(cross.get_xdata()) == [2.0] and "1 of 6 runs diverged" in ax.get_title()


def test_signals_are_averaged_as_logarithms(rows, drawn):
    norms = [
        {**rows.cell(), "generator": generator, "critic": "gan", "seed": seed, "step": step}
        | {"parameter_gradient": norm * (step + 1), "cosine": 0.1 * seed - 0.2 * step, "apart": 7.0 + seed}
        | {"stationary": step == 2}
        for generator in ("initial", "trained")
        for step in (0, 2)
        for seed, norm in enumerate((1.0, 4.0, 16.0))
    ]
    figure = signal.draw(rows.typed(norms), [])
    labels = [ax.get_ylabel().split("\n")[::2] for ax in figure.axes]
    parts = ["||dL/dθ||", "cosine with the"]
    assert labels == [[f"{name} generator", part] for name in ("initial", "trained") for part in parts]
    for ax, scale, expected in zip(figure.axes, ["log", "linear"] * 2, [[4.0, 12.0], [0.1, -0.3]] * 2, strict=True):
        ((x, y),) = drawn(ax, look("gan")["color"])
        assert x.tolist() == [0, 2] and (ax.get_xscale(), ax.get_yscale()) == ("symlog", scale)
        np.testing.assert_allclose(y, expected)
    assert "7 to 9 scales apart" in figure.axes[0].get_title()


def test_of_many_m_the_ends_and_that_of_most_methods_are_shown_by_data_set(rows):
    sizes = {"ring8": (4, 8, 16, 32, 64), "digits": (16, 128)}
    trained = [rows.cell("gan", m, dataset) for dataset in sizes for m in sizes[dataset]]
    frame = spread(rows.typed([*trained, rows.cell("wgan", 8), rows.cell("data", None)]))
    kept = frame.drop_duplicates(["dataset", "rank"])[["dataset", "batch_size", "rank"]].to_numpy().tolist()
    assert sorted(kept) == [["digits", 16, 0], ["digits", 128, 1], ["ring8", 4, 0], ["ring8", 8, 1], ["ring8", 64, 2]]
