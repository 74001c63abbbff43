"""Points that float32 cannot hold are stored relative to an offset, or refused; no other points change."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from pwgan.data.files import Array
from pwgan.data.precision import to_float32
from pwgan.data.store import read_data, write_data
from pwgan.errors import Refused

coarse = pytest.mark.fault("points that float32 cannot hold")
RNG = np.random.default_rng(0)
CENTRED = {
    "metres from the centre of the earth": RNG.normal([4765960.0, -2726208.0, 3236212.0], 0.05, (300, 3)),
    "UTM coordinates": RNG.uniform([500_000, 5_400_000], [500_050, 5_400_020], (400, 2)),
    "seconds since 1970": 1.7e9 + RNG.uniform(0, 3600, (500, 1)),
    "one far axis of three": RNG.normal([0, 1e7, 0], 1, (300, 3)),
    "with a row far from the others": np.vstack([1e6 + RNG.normal(0, 0.01, (300, 2)), [[0.0, 0.0]]]),
    "extended precision": (1e6 + RNG.normal(0, 0.01, (300, 2))).astype(np.longdouble),
}


@coarse
@pytest.mark.parametrize("kind", CENTRED)
def test_points_far_from_the_origin_keep_their_distances(kind, caplog):
    points = CENTRED[kind]
    copies, offset = to_float32(points, "p.npy")
    assert copies.dtype == np.float32 and offset.dtype == np.float64 and offset.shape == points.shape[1:]
    assert len(np.unique(copies, axis=0)) == len(points)
    true = cdist(points, points)
    found = cdist(copies.astype(float), copies.astype(float))
    np.testing.assert_allclose(found, true, rtol=1e-6, atol=1e-6 * np.median(true))
    moved = np.abs(copies + offset - points.astype(float))
    assert (moved <= 1e-6 * np.median(true) + 1e-7 * np.abs(points.astype(float) - offset)).all()
    assert caplog.text.count("p.npy: as float32, ") == caplog.text.count("relative to their medians, (") == 1


NEAR = {
    "normal": RNG.normal(size=(2000, 3)),
    "unlike scales": RNG.uniform([0, 0], [200_000, 1], (300, 2)),
    "a constant coordinate": np.column_stack([np.full(100, 0.1), RNG.normal(size=100)]),
    "all the same": np.full((50, 2), 1 / 3),
    "mostly one value": np.where(RNG.random((500, 4)) < 0.8, 0.1, RNG.normal(size=(500, 4))),
    "an outlier": np.vstack([RNG.normal(size=(500, 2)), [[1e20, -1e20]]]),
    "heavy tails": RNG.standard_cauchy((5000, 2)),
    "repeated rows": np.repeat(RNG.normal(size=(20, 2)), 5, axis=0),
    "whole numbers": RNG.integers(0, 2**24, (500, 2)).astype(float),
    "far, but exact": 2.0**20 + RNG.integers(0, 8, (500, 2)),
}


@pytest.mark.parametrize("kind", NEAR)
def test_other_points_are_copied_as_they_are(kind, caplog):
    copies, offset = to_float32(NEAR[kind], "p.npy")
    assert offset is None and not caplog.records
    np.testing.assert_array_equal(copies, NEAR[kind].astype(np.float32))


@pytest.mark.parametrize("dtype", [np.float32, np.float16, ">f4"])
def test_points_that_float32_represents_are_never_moved(dtype):
    points = (1000 + RNG.normal(0, 0.01, (300, 2))).astype(dtype)
    copies, offset = to_float32(points, "p.npy")
    assert offset is None
    np.testing.assert_array_equal(copies, points)


@coarse
@pytest.mark.parametrize(
    ("points", "told"),
    [
        (np.vstack([RNG.normal(0, 0.05, (60, 3)), 1e8 + RNG.normal(0, 0.05, (40, 3))]), "of 100 distinct points coinc"),
        (np.vstack([RNG.normal(0, 0.05, (50, 3)), 1e8 + RNG.normal(0, 0.05, (50, 3))]), "of 100 distinct points coinc"),
        (RNG.normal(0, 1e-43, (50, 2)), "50 of 50 points move by more than 1e-06 of their scatter"),
        (np.full((5, 2), 1e300), "not finite as float32"),
        (np.array([[0.0, 1], [np.nan, 2]]), "not finite as float32"),
    ],
)
def test_what_no_offset_mends_is_refused(points, told):
    with pytest.raises(Refused, match=rf"^p\.npy.*{told}"):
        to_float32(points, "p.npy")


@coarse
def test_few_of_many_points_that_coincide_are_told(caplog):
    points = np.concatenate([np.arange(1000.0), [1 + 1e-9, 2 + 1e-9]])[:, None]
    copies, offset = to_float32(points, "p.npy")
    assert offset is None and len(np.unique(copies)) == 1000
    assert "p.npy: as float32, 2 of 1002 distinct points coincide with others" in caplog.text


@settings(max_examples=60, deadline=None)
@given(
    exponent=st.integers(-20, 20),
    offset=st.floats(-1e9, 1e9),
    seed=st.integers(0, 2**32 - 1),
    dimension=st.integers(1, 4),
)
def test_no_distance_is_lost_unsaid(exponent, offset, seed, dimension):
    points = offset + 10.0**exponent * np.random.default_rng(seed).normal(size=(40, dimension))
    copies, _ = to_float32(points, "p.npy")
    true = cdist(points, points)
    found = cdist(copies.astype(float), copies.astype(float))
    # Where float64 itself holds but few digits of the scatter, its points are the truth.
    np.testing.assert_allclose(found, true, rtol=1e-6, atol=2e-6 * np.median(true))


def test_a_data_set_keeps_its_offset(tmp_path):
    points = CENTRED["metres from the centre of the earth"]
    np.save(tmp_path / "earth.npy", points)
    split = Array(path=tmp_path / "earth.npy", heldout_fraction=0.2).load()
    write_data(tmp_path / "earth.safetensors", split, {"name": "earth"})
    stored = read_data(tmp_path / "earth.safetensors")
    np.testing.assert_array_equal(stored.offset, np.median(points, axis=0))
    back = np.concatenate([stored.restored(stored.train), stored.restored(stored.heldout)])
    assert back.dtype == np.float64
    np.testing.assert_allclose(back[np.lexsort(back.T)], points[np.lexsort(points.T)], rtol=0, atol=1e-7)


def test_data_without_an_offset_are_written_as_before(tmp_path):
    np.save(tmp_path / "near.npy", NEAR["normal"])
    split = Array(path=tmp_path / "near.npy").load()
    write_data(tmp_path / "near.safetensors", split, {"name": "near"})
    stored = read_data(tmp_path / "near.safetensors")
    assert stored.offset is None and stored.restored(stored.train) is stored.train
    assert b'"offset"' not in (tmp_path / "near.safetensors").read_bytes()
