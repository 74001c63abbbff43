"""Patches of photographs: whole, of one tile, and of training and held-out tiles that do not touch."""

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from pwgan.data import photographs
from pwgan.data.photographs import PHOTOGRAPHS, Photographs
from pwgan.errors import Refused
from pwgan.study import parse_study


@pytest.fixture
def coordinates(monkeypatch):
    """In place of photographs, images whose pixels say where they are: number and high digits, row and column."""

    def pixels(file):
        number = list(PHOTOGRAPHS).index(file)
        row, column = np.indices(PHOTOGRAPHS[file])
        return np.stack([32 * number + 4 * (row // 256) + column // 256, row % 256, column % 256], -1).astype(np.uint8)

    monkeypatch.setattr(photographs, "photograph", pixels)


def places(patches):
    """Return photograph, row and column of each pixel of patches of ``coordinates``: (n, size, size) each."""
    high, row, column = patches.astype(int).transpose(1, 0, 2, 3)
    return high // 32, 256 * (high % 32 // 4) + row, 256 * (high % 4) + column


@pytest.mark.parametrize("size", [8, 32, 60])
def test_patches_are_squares_of_disjoint_tiles(coordinates, size):
    data = Photographs(size=size, samples=700, heldout=300)
    split = data.load()
    assert split.train.shape == (data.train_size(), *data.sample_shape()) == (700, 3, size, size)
    assert split.heldout.shape == (data.heldout_size(), 3, size, size) and split.train.dtype == np.uint8
    assert (data.kind, data.labelled, split.train_labels) == ("images", False, None)
    used = []
    for patches in (split.train, split.heldout):
        number, row, column = places(patches)
        assert (number == number[:, :1, :1]).all()
        assert (np.diff(row, axis=1) == 1).all() and (np.diff(row, axis=2) == 0).all()
        assert (np.diff(column, axis=2) == 1).all() and (np.diff(column, axis=1) == 0).all()
        corners = set(zip(number[:, 0, 0], row[:, 0, 0], column[:, 0, 0], strict=True))
        assert len(corners) == len(patches)
        assert (row[:, 0] // (2 * size) == row[:, -1] // (2 * size)).all()
        assert (column[:, :, 0] // (2 * size) == column[:, :, -1] // (2 * size)).all()
        used.append(set(zip(number.ravel(), row.ravel(), column.ravel(), strict=True)))
    assert not used[0] & used[1]
    assert {number for number, _, _ in used[0]} == set(range(5))


def test_a_fifth_of_the_tiles_is_held_out_and_places_are_drawn_evenly(coordinates):
    data = Photographs(size=16, samples=20_000, heldout=5000)
    train, heldout = data.tiles()
    whole = sum((height // 32) * (width // 32) for height, width in PHOTOGRAPHS.values())
    assert len(train) + len(heldout) == whole == len(np.unique(np.concatenate([train, heldout]), axis=0))
    assert len(heldout) == whole // 5
    number, row, column = places(data.load().train)
    for offset in (row[:, 0, 0] % 32, column[:, 0, 0] % 32):
        counts = np.bincount(offset)
        assert len(counts) == 17 and np.abs(counts / 20_000 - 1 / 17).max() < 0.01
    tiles = np.unique(np.stack([number[:, 0, 0], row[:, 0, 0] // 32, column[:, 0, 0] // 32]), axis=1)
    assert tiles.shape[1] == len(train)


def test_they_are_fixed(coordinates):
    first, again = (Photographs(samples=50, heldout=20).load() for _ in range(2))
    np.testing.assert_array_equal(first.train, again.train)
    np.testing.assert_array_equal(first.heldout, again.heldout)
    more = Photographs(samples=80, heldout=20).load()
    np.testing.assert_array_equal(more.train[:50], first.train)


def test_more_patches_than_places_are_refused():
    train, heldout = Photographs(samples=1, heldout=1, size=64).tiles()
    for key, tiles in (("samples", train), ("heldout", heldout)):
        most = {"samples": 1, "heldout": 1, key: 65**2 * len(tiles)}
        Photographs(size=64, **most)
        with pytest.raises(ValidationError, match=rf"there are {most[key]} patches of size 64; got {key}"):
            Photographs(size=64, **most | {key: most[key] + 1})
    with pytest.raises(ValidationError, match="less than or equal to 128"):
        Photographs(size=132)


def test_a_missing_package_is_refused_when_planned(tiny, monkeypatch):
    monkeypatch.setattr("pwgan.data.embedded.find_spec", lambda name: None)
    with pytest.raises(Refused, match=r"'photographs' reads data/astronaut.png .*pip install pwgan\[images\]"):
        parse_study(tiny(datasets={"photographs": {}}))


def test_another_photograph_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(photographs, "packaged", lambda *_: tmp_path / "image.png")
    Image.new("RGB", (30, 20)).save(tmp_path / "image.png")
    with pytest.raises(Refused, match=r"astronaut.png of scikit-image has \(20, 30\) pixels"):
        Photographs().load()
    (tmp_path / "image.png").write_bytes(b"no image")
    with pytest.raises(Refused, match=r"image\.png cannot be read"):
        Photographs().load()


def test_the_photographs_are_those_of_the_package():
    skimage = pytest.importorskip("skimage.data", reason="needs pwgan[images]")
    for name in ("astronaut", "chelsea", "coffee", "rocket"):
        file = next(file for file in PHOTOGRAPHS if file.startswith(name))
        np.testing.assert_array_equal(photographs.photograph(file), getattr(skimage, name)())
    split = Photographs(samples=2000, heldout=500).load()
    # Photographs, and no drawings: neighbouring pixels are alike, and few patches have a single colour.
    for patches in (split.train, split.heldout):
        values = patches.astype(float)
        assert np.corrcoef(values[..., 1:].ravel(), values[..., :-1].ravel())[0, 1] > 0.9
        assert (values.std((1, 2, 3)) < 1).mean() < 0.1
