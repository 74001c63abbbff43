"""Samples of every kind: points of any dimension and scale, with and without a known law, and images."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from pwgan.data import Split
from pwgan.data.store import read_data
from pwgan.report.figures import folders, load
from pwgan.report.figures.each import interpolation, samples
from pwgan.report.frames import read
from pwgan.report.pictures import describe, show_images, show_points, window

pytestmark = pytest.mark.filterwarnings("error")


def drawn(study, name, scales, tmp_path, **options):
    """Return the figures of samples and of paths of one data set, and their frames as CSVs give them back."""
    arrays = {} if scales is None else {name: scales}
    results, _ = study(datasets=() if arrays else (name,), arrays=arrays, sizes=(16,), seeds=2, **options)
    runs, law = read(results, "runs"), read_data(results / "data" / f"{name}.safetensors")
    places = folders(results, runs, name)
    frames = (
        samples.data(name, law, places, runs),
        interpolation.data(name, places, read(results, "interpolation"), runs),
    )
    for rank, frame in enumerate(frames):
        frame.to_csv(tmp_path / f"{rank}.csv", index=False)
    again = [load(tmp_path / f"{rank}.csv") for rank in range(2)]
    return samples.draw(again[0], [], law), interpolation.draw(again[1], [], law), *again, places


@pytest.mark.parametrize("scales", [(1.0,), (1e-3, 1e6), (1.0, 2.0, 3.0, 4.0, 5.0)], ids=["d1", "unlike", "d5"])
def test_points_without_a_law_are_visible(study, tmp_path, scales):
    pictures, paths, frame, _, _ = drawn(study, "mine", scales, tmp_path, methods=("gan", "pwgan"))
    assert ("y" in frame) == (len(scales) > 1)
    for figure in (pictures, paths):
        figure.draw_without_rendering()
        shown = [ax for ax in figure.axes if ax.get_title() in ("real samples", "gan", "gan, m = 16")]
        assert shown
        for ax in shown:
            box = ax.get_window_extent()
            assert min(box.width, box.height) > 100, "a sliver"
    (real,) = [ax for ax in pictures.axes if ax.get_title() == "real samples"]
    if len(scales) == 1:
        heights = real.collections[0].get_paths()[0].vertices[:, 1]
        assert heights.max() > 0.1
    else:
        points = np.asarray(real.collections[0].get_offsets())
        inside = real.transLimits.transform(points)
        assert np.ptp(inside, axis=0).min() > 0.5 and ((inside > 0) & (inside < 1)).all()
    assert ("the first two of 5 coordinates" in pictures.get_suptitle().replace("\n", " ")) == (len(scales) == 5)


def test_the_window_is_that_of_the_held_out_samples_whatever_else_is_missing():
    held = np.array([[0.0, 10.0], [1.0, 30.0]], dtype=np.float32)
    assert window(Split(held, held)) == pytest.approx((-0.1, 1.1, 8.0, 32.0))
    assert window(Split(held[:, :1], held[:, :1])) == pytest.approx((-0.1, 1.1, 0.0, 1.0))
    same = np.full((2, 2), 1e6, dtype=np.float32)
    left, right, *_ = window(Split(same, same))
    assert left < 1e6 < right
    assert "extent" not in describe(Split(held, held))


@pytest.mark.fault("points that float32 cannot hold")
def test_points_far_from_the_origin_are_shown_at_their_own_coordinates():
    held = np.array([[0.0, 0.0], [1.0, 2.0]], dtype=np.float32)
    far = Split(held, held, offset=np.array([4e6, -0.5]))
    assert window(far) == pytest.approx((4e6 - 0.1, 4e6 + 1.1, -0.7, 1.7), abs=1e-9)
    assert describe(far) == "Window: 3999999.9 to 4000001.1 by -0.7 to 1.7."
    ax = Figure().subplots()
    show_points(ax, pd.DataFrame({"x": [4e6 + 0.5, 0.5], "y": [0.5, 0.5]}), far, "red")
    assert [text.get_text() for text in ax.texts] == ["50 % outside"]
    left, right, *_ = window(Split(held[:, :1] + 1e4, held[:, :1] + 1e4))
    assert (left, right) == pytest.approx((9999.9, 10001.1), abs=1e-2)


def test_what_lies_outside_is_counted():
    held = np.array([[0.0, 0.0], [1.0, 1.0]], dtype=np.float32)
    ax = Figure().subplots()
    show_points(ax, pd.DataFrame({"x": [0.5, 9.0], "y": [0.5, 0.5]}), Split(held, held), "red")
    assert [text.get_text() for text in ax.texts] == ["50 % outside"]


def test_points_are_those_of_seed_zero_and_a_lost_one_is_a_row_without(study, tmp_path):
    lost = {("ring8", "wgan", 16): 1}
    pictures, _, frame, paths, places = drawn(study, "ring8", None, tmp_path, methods=("gan", "wgan"), diverged=lost)
    gan, wgan = (frame[frame["method"] == name] for name in ("gan", "wgan"))
    made = np.load(places["gan", 16] / "samples.npy")
    np.testing.assert_allclose(gan[["x", "y"]], made[0], rtol=1e-6)
    assert len(wgan) == 1 and wgan[["x", "y"]].isna().all(axis=None)
    assert (wgan["trained"].iloc[0], wgan["diverged"].iloc[0]) == (2, 1)
    assert len(frame[frame["method"] == "data"]) == 500
    (panel,) = [ax for ax in pictures.axes if ax.get_title() == "wgan"]
    assert [text.get_text() for text in panel.texts] == ["diverged"]
    assert set(paths.loc[paths["path"].notna(), "method"]) == {"data", "gan"}


def test_paths_are_medians_at_the_largest_m_beside_the_samples_of_seed_zero(study, tmp_path):
    results, _ = study(datasets=("digits",), methods=("gan",), sizes=(16, 64), seeds=2)
    runs, law = read(results, "runs"), read_data(results / "data/digits.safetensors")
    distances = read(results, "interpolation")
    distances.loc[distances["path"] == 1, "nn_ratio"] *= 3
    places = folders(results, runs, "digits")
    frame = interpolation.data("digits", places, distances, runs)
    assert set(frame["batch_size"].dropna()) == {64}
    curve = frame[(frame["method"] == "gan") & frame["value"].notna() & (frame["seed"] == 0)]
    # Two paths, one three times the other: the median is twice the first.
    np.testing.assert_allclose(curve["value"], 2 * (1 + np.sin(np.pi * np.linspace(0, 1, 9))))
    figure = interpolation.draw(frame, [], law)
    (panel,) = [ax for ax in figure.axes if ax.get_title() == "gan, m = 64"]
    sheet = np.asarray(panel.images[0].get_array())
    made = np.load(places["gan", 64] / "interpolation.npy")[0]
    assert sheet.shape == (2 * 9 - 1, 9 * 9 - 1)
    np.testing.assert_allclose(sheet[9:17, 18:26] / 127.5 - 1, made[1, 2, 0], atol=0.5 / 127.5 + 1e-6)


def test_image_tiles_survive_the_csv(study, tmp_path):
    pictures, *_, places = drawn(study, "digits", None, tmp_path, methods=("gan",))
    made = np.load(places["gan", 16] / "samples.npy")[0, :36]
    (panel,) = [ax for ax in pictures.axes if ax.get_title() == "gan"]
    sheet = np.asarray(panel.images[0].get_array())
    assert sheet.shape == (53, 53)
    for place in (0, 7, 35):
        top, left = 9 * (place // 6), 9 * (place % 6)
        tile = sheet[top : top + 8, left : left + 8] / 127.5 - 1
        np.testing.assert_allclose(tile, made[place, 0], atol=0.5 / 127.5 + 1e-6)


def test_colour_images_keep_their_channels_and_a_lost_one_is_blank():
    image = np.random.default_rng(0).integers(0, 256, (3, 4, 4), dtype=np.uint8)
    rows = [{"channels": 3, "size": 4, "pixels": pixels} for pixels in (image.tobytes().hex(), None)]
    ax = Figure().subplots()
    show_images(ax, pd.DataFrame(rows), 2)
    sheet = np.asarray(ax.images[0].get_array())
    np.testing.assert_array_equal(sheet[:, :4], image.transpose(1, 2, 0))
    assert (sheet[:, 4:] == 255).all()
