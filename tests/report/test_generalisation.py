"""Figures on generalisation: what their CSVs hold, by hand, and that it is what is drawn."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from scipy.stats import rankdata

from pwgan.data.store import read_data
from pwgan.report.figures import written
from pwgan.report.frames import read
from pwgan.report.generalisation import (
    NEIGHBOURS,
    frechet,
    frechet_data,
    neighbours,
    neighbours_data,
    rank_correlation,
)
from pwgan.report.interpolation import interpolation, interpolation_data
from pwgan.report.samples import Sample
from pwgan.report.style import looks

pytestmark = pytest.mark.filterwarnings("error")


def heights(ax, look):
    """Return the heights of the points that are drawn in a method's colour and marker."""
    found = [line for line in ax.get_lines() if to_hex(line.get_color()) == look["color"].lower()]
    return [line.get_ydata() for line in found if line.get_marker() == look["marker"]]


def test_rank_correlation_is_pearsons_of_ranks_with_the_interval_of_bonett_and_wright():
    rng = np.random.default_rng(0)
    x = rng.normal(size=12)
    y = np.exp(x + rng.normal(size=12))
    r, low, high = rank_correlation(x, y)
    assert r == pytest.approx(np.corrcoef(rankdata(x), rankdata(y))[0, 1])
    half = 1.959964 * np.sqrt((1 + r**2 / 2) / 9)
    assert (np.arctanh(low), np.arctanh(high)) == pytest.approx((np.arctanh(r) - half, np.arctanh(r) + half))
    assert rank_correlation(x, np.exp(x))[0] == pytest.approx(1)
    assert np.isnan(rank_correlation(x, np.exp(x))[1:]).all()
    assert np.isnan(rank_correlation(x[:3], y[:3])[1:]).all()
    assert np.isnan(rank_correlation(x, np.ones(12))).all() and np.isnan(rank_correlation(x[:1], y[:1])).all()


def test_intervals_hold_the_true_correlation_of_independent_sides():
    rng = np.random.default_rng(1)
    ends = np.array([rank_correlation(*rng.normal(size=(2, 12)))[1:] for _ in range(400)])
    assert 0.92 <= ((ends[:, 0] < 0) & (ends[:, 1] > 0)).mean() <= 0.98


def test_frechet_puts_both_distances_of_a_cell_side_by_side(study, tmp_path):
    results, _ = study(
        datasets=("ring8", "digits"), methods=("gan", "pwgan", "wgan"), diverged={("digits", "gan", 16): 4}
    )
    measures, runs = read(results, "measures"), read(results, "runs")
    frame = written(frechet_data(measures, runs), tmp_path / "frechet.csv")
    assert set(frame["dataset"]) == {"digits"} and set(frame["measure"]) == {"fd-classifier@500"}
    assert len(frame) == 7 and (frame["cells"] == 5).all()
    cells = measures.groupby(["method", "batch_size", "measure"], dropna=False)["value"].mean().unstack()
    for row in frame[frame["method"] != "data"].itertuples():
        expected = cells.loc[(row.method, row.batch_size)]
        np.testing.assert_allclose([row.frechet, row.ewd], expected[["fd-classifier@500", "ewd@360"]])
    trained = frame[frame["method"] != "data"].dropna(subset=["frechet"])
    assert frame["correlation"].iloc[0] == pytest.approx(rank_correlation(trained["ewd"], trained["frechet"])[0])
    (ax,) = frechet(frame).axes
    drawn = sorted(float(value) for values in heights(ax, looks(frame["method"])["pwgan"]) for value in values)
    assert drawn == sorted(frame.loc[frame["method"] == "pwgan", "frechet"])
    assert f"rank correlation {frame['correlation'].iloc[0]:.2f}" in ax.get_title() and "5 cells" in ax.get_title()


def test_neighbours_draws_means_floor_and_lost_cells(study, tmp_path):
    results, _ = study(datasets=("ring8", "digits"), methods=("gan", "pwgan"), diverged={("ring8", "gan", 64): 4})
    frame = written(neighbours_data(read(results, "measures"), read(results, "runs")), tmp_path / "neighbours.csv")
    assert set(frame["space"]) == {"samples", "classifier"} and set(frame["quantity"]) == set(NEIGHBOURS)
    axes = neighbours(frame).axes
    spaces = [("ring8", "samples"), ("digits", "samples"), ("digits", "classifier")]
    panels = [(dataset, space, quantity) for dataset, space in spaces for quantity in NEIGHBOURS]
    assert len(axes) == len(panels)
    look = looks(frame["method"])
    for ax, (dataset, space, quantity) in zip(axes, panels, strict=True):
        part = frame[(frame["dataset"] == dataset) & (frame["space"] == space) & (frame["quantity"] == quantity)]
        for name in ("gan", "pwgan"):
            (values, *_) = heights(ax, look[name])
            np.testing.assert_array_equal(values.astype(float), part.loc[part["method"] == name, "mean"])
        (floor,) = part.loc[part["method"] == "data", "mean"]
        assert any(list(line.get_ydata()) == [floor, floor] for line in ax.get_lines())
        crosses = [line for line in ax.get_lines() if line.get_marker() == "x"]
        assert len(crosses) == (dataset == "ring8")


def test_paths_are_drawn_at_the_largest_m_with_their_median(study, tmp_path):
    results, cells = study(datasets=("ring8", "digits"), methods=("gan", "pwgan"), diverged={("digits", "gan", 64): 1})
    paths = read(results, "interpolation")
    paths.loc[paths["path"] == 1, "nn_ratio"] *= 3
    for dataset in ("ring8", "digits"):
        strips = [Sample(dataset, "data", None, results / dataset / "data" / "interpolation.npy")]
        strips += [Sample(*cell[:3], cell[3].with_name("interpolation.npy")) for cell in cells if cell[0] == dataset]
        data = read_data(results / "data" / f"{dataset}.safetensors")
        frame = interpolation_data(paths[paths["dataset"] == dataset], strips)
        frame = written(frame, tmp_path / f"{dataset}.csv")
        assert set(frame["batch_size"].dropna()) == {64}
        curve = frame[(frame["method"] == "pwgan") & frame["mean"].notna()]
        # Two paths, one three times the other: the median is twice the first; seeds are 0.1 apart.
        np.testing.assert_allclose(curve["mean"], 2 * (1.15 + np.sin(np.pi * np.linspace(0, 1, 9))))
        held = frame[frame["path"].notna()]
        assert held.groupby("method").size().to_dict() == (
            {"data": 18, "gan": 18, "pwgan": 18} if dataset == "ring8" else {"data": 18, "pwgan": 18}
        )
        axes = interpolation(frame, data).axes
        assert len(axes) == 6
        np.testing.assert_array_equal(axes[5].get_lines()[0].get_ydata(), curve["mean"])
        assert [text.get_text() for text in axes[2].texts] == ([] if dataset == "ring8" else ["diverged"])
    made = np.load(strips[-1].path)[0]
    sheet = axes[4].images[0].get_array()
    assert sheet.shape == (2 * 9 - 1, 9 * 9 - 1)
    np.testing.assert_allclose(sheet[9:17, 18:26] / 127.5 - 1, made[1, 2, 0], atol=0.5 / 127.5 + 1e-6)


def test_a_study_without_features_or_copies_says_so():
    cell = {"dataset": "ring8", "method": "gan", "batch_size": 16, "seed": 0}
    measures = pd.DataFrame([{**cell, "measure": "ewd@100", "value": 1.0}]).astype({"batch_size": "Int64"})
    runs = pd.DataFrame([{**cell, "status": "ok"}]).astype({"batch_size": "Int64"})
    assert "No data set" in frechet(frechet_data(measures, runs)).texts[0].get_text()
    assert "No data set" in neighbours(neighbours_data(measures, runs)).texts[0].get_text()
