"""Generated images beside their nearest training images: against all distances, and what the panels show."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist

from pwgan.report.figures import load
from pwgan.report.figures.each import copies

RNG = np.random.default_rng(0)
TRAIN = RNG.integers(0, 256, (50, 3, 8, 8), dtype=np.uint8)
HELDOUT = RNG.integers(0, 256, (30, 3, 8, 8), dtype=np.uint8)


@pytest.fixture
def frame(monkeypatch, rows, tmp_path):
    """A study in which gan has copied its first image and wgan has diverged, as its CSV gives it back."""
    made = {"gan": RNG.uniform(-1, 1, (20, 3, 8, 8)).astype(np.float16), "wgan": np.full((20, 3, 8, 8), np.nan)}
    made["gan"][0] = TRAIN[7] / 127.5 - 1
    monkeypatch.setattr(copies, "stored", lambda folder, kind: made[folder.name])
    law = SimpleNamespace(kind="images", train=TRAIN, heldout=HELDOUT)
    places = {("data", None): Path("data"), ("gan", 16): Path("gan"), ("wgan", 16): Path("wgan")}
    lost = rows.runs("wgan", ("diverged", "ok"), dataset="pictures")
    runs = pd.DataFrame([*rows.runs("gan", dataset="pictures"), *lost])
    copies.data("pictures", law, places, runs).to_csv(tmp_path / "copies.csv", index=False)
    return load(tmp_path / "copies.csv"), made


def test_the_nearest_of_all_training_images_is_found(frame):
    table, made = frame
    pairs = table[(table["method"] == "gan")].pivot(columns="kind", values=["index", "distance"])
    train, shown = TRAIN.reshape(50, -1) / 127.5 - 1, made["gan"][:12].astype(float).reshape(12, -1)
    distances = cdist(shown, train)
    index = pairs["index", "nearest"].dropna().astype(int)
    assert index.tolist() == distances.argmin(1).tolist() and index.iloc[0] == 7
    np.testing.assert_allclose(pairs["distance", "nearest"].dropna(), distances.min(1), atol=1e-4)
    nearest = table[(table["method"] == "gan") & (table["kind"] == "nearest")]
    assert nearest["pixels"].tolist() == [TRAIN[k].tobytes().hex() for k in index]


def test_a_copy_is_at_distance_zero_and_real_images_are_held_out_ones(frame):
    table, _ = frame
    first = table[(table["method"] == "gan") & (table["index"] == 7) & (table["kind"] == "nearest")]
    assert first["distance"].iloc[0] < 0.02  # half of float16's last digit
    real = table[(table["method"] == "data") & (table["kind"] == "generated")]
    assert real["pixels"].tolist() == [image.tobytes().hex() for image in HELDOUT[:12]]


def test_panels_have_two_rows_of_images_and_a_diverged_seed_none(frame):
    figure = copies.draw(frame[0], [], SimpleNamespace(kind="images"))
    assert "2 seeds, 1 of 4 runs diverged" in figure.get_suptitle().replace("\n", " ")
    titles = {ax.get_title(): ax for ax in figure.axes}
    assert list(titles) == ["held-out images", "gan, m = 16", "wgan, m = 16", ""]
    assert [len(ax.images) for ax in figure.axes] == [1, 1, 0, 0]
    sheet = titles["gan, m = 16"].images[0].get_array()
    assert sheet.shape == (2 * 9 - 1, 12 * 9 - 1, 3)
    np.testing.assert_array_equal(sheet[9:17, :8], TRAIN[7].transpose(1, 2, 0))
    assert [text.get_text() for text in titles["wgan, m = 16"].texts] == ["diverged"]


def test_points_have_no_images():
    law = SimpleNamespace(kind="points")
    none = copies.data("ring8", law, {}, pd.DataFrame())
    assert none.empty and "figure neighbours" in copies.draw(none, [], law).texts[0].get_text()
