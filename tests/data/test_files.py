"""A user's own folder of images and array."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pwgan.data.files import Array, Folder, heldout_count


def write_images(root: Path, count: int = 10) -> None:
    (root / "sub" / "deep").mkdir(parents=True)
    for i in range(count):
        place = (root, root / "sub", root / "sub" / "deep")[i % 3]
        Image.new("RGB", (20, 12), (20 * i, 0, 255)).save(place / f"{i:02}.{'png' if i % 2 else 'BMP'}")


def test_a_folder_is_parted_once_by_its_names(tmp_path):
    write_images(tmp_path)
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "._00.png").write_text("hidden")
    (tmp_path / ".cache").mkdir()
    Image.new("RGB", (4, 4)).save(tmp_path / ".cache" / "thumbnail.png")
    data = Folder(path=tmp_path, size=8, heldout_fraction=0.3)
    split = data.load()
    assert (data.train_size(), data.heldout_size(), data.kind) == (7, 3, "images")
    assert split.train.shape == (7, *data.sample_shape()) == (7, 3, 8, 8) and split.heldout.shape == (3, 3, 8, 8)
    seen, held = (set(images[:, 0, 0, 0].tolist()) for images in (split.train, split.heldout))
    assert seen | held == {20 * i for i in range(10)} and not seen & held
    assert (split.train[:, 1] == 0).all() and (split.train[:, 2] == 255).all()
    np.testing.assert_array_equal(Folder(path=tmp_path, size=8, heldout_fraction=0.3).load().heldout, split.heldout)


def test_images_are_upright_central_squares(tmp_path):
    wide = np.zeros((10, 30), np.uint8)
    wide[:, 10:15], wide[:, 15:20] = 100, 200
    Image.fromarray(wide).save(tmp_path / "a.png")
    turned = Image.fromarray(np.rot90(wide, k=1).copy())
    exif = turned.getexif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter
    turned.save(tmp_path / "b.png", exif=exif)
    split = Folder(path=tmp_path, size=10, channels=1, heldout_fraction=0.5).load()
    for image in (split.train[0, 0], split.heldout[0, 0]):
        np.testing.assert_array_equal(image, wide[:, 10:20])


def test_grey_is_expanded_and_colour_is_reduced(tmp_path):
    for name in ("a", "b"):
        Image.new("L", (5, 5), 77).save(tmp_path / f"{name}.png")
    assert (Folder(path=tmp_path, size=5).load().train == 77).all()
    for name in ("a", "b"):
        Image.new("RGBA", (5, 5), (255, 0, 0, 255)).save(tmp_path / f"{name}.png")
    grey = Folder(path=tmp_path, size=5, channels=1)
    assert grey.load().train.shape == (1, 1, 5, 5)
    assert grey.load().train[0, 0, 0, 0] == 76  # ITU-R 601: 0.299 * 255


def test_folders_that_cannot_serve_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="is not a folder"):
        Folder(path=tmp_path / "none").train_size()
    (tmp_path / "a.heic").write_text("")
    with pytest.raises(FileNotFoundError, match=r"holds no images; accepted suffixes: \.bmp, .*\.png"):
        Folder(path=tmp_path).load()
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match="at least 2 are needed"):
        Folder(path=tmp_path).train_size()
    with pytest.raises(ValueError, match="channels"):
        Folder(path=tmp_path, channels=2)


@pytest.mark.fault("damaged pictures")
@pytest.mark.parametrize("damage", ["text", "truncated", "sixteen"])
def test_an_unreadable_image_is_named(tmp_path, damage):
    write_images(tmp_path, 3)
    bad = tmp_path / "zz.png"
    if damage == "text":
        bad.write_text("hello")
    elif damage == "truncated":
        Image.effect_noise((64, 64), 50).save(bad)
        bad.write_bytes(bad.read_bytes()[:1000])
    else:
        Image.fromarray(np.arange(16, dtype=np.uint16).reshape(4, 4)).save(bad)
    told = r"zz\.png has more than 8 bits" if damage == "sixteen" else r"zz\.png cannot be read as an image"
    with pytest.raises(ValueError, match=told):
        Folder(path=tmp_path, size=8).load()


@settings(max_examples=50, deadline=None)
@given(total=st.integers(2, 10_000), fraction=st.floats(0.001, 0.999))
def test_both_parts_have_at_least_one(total, fraction):
    held = heldout_count(total, fraction, "it")
    assert 1 <= held <= total - 1
    assert abs(held - fraction * total) <= 1


@pytest.mark.parametrize(
    ("rows", "kind", "dtype"),
    [
        (np.random.default_rng(0).normal(size=(40, 3)), "points", np.float32),
        (np.random.default_rng(0).normal(size=(40, 3)).astype(">f4"), "points", np.float32),
        (np.random.default_rng(0).integers(0, 256, (40, 3, 8, 8), dtype=np.uint8), "images", np.uint8),
        (np.random.default_rng(0).uniform(-1, 1, (40, 1, 4, 4)), "images", np.float32),
    ],
)
def test_arrays_come_back_with_their_labels(tmp_path, rows, kind, dtype):
    np.save(tmp_path / "rows.npy", rows)
    np.save(tmp_path / "labels.npy", np.arange(40, dtype=np.int16))
    data = Array(path=tmp_path / "rows.npy", labels=tmp_path / "labels.npy", heldout_fraction=0.25)
    split = data.load()
    assert (data.kind, data.labelled, data.train_size(), data.heldout_size()) == (kind, True, 30, 10)
    assert split.train.dtype == dtype and type(split.train) is np.ndarray
    assert split.train.shape == (30, *data.sample_shape()) and data.sample_shape() == rows.shape[1:]
    assert sorted([*split.train_labels, *split.heldout_labels]) == list(range(40))
    np.testing.assert_array_equal(split.train, rows.astype(dtype)[split.train_labels])
    np.testing.assert_array_equal(split.heldout, rows.astype(dtype)[split.heldout_labels])
    plain = Array(path=tmp_path / "rows.npy", heldout_fraction=0.25)
    assert not plain.labelled and plain.load().train_labels is None
    np.testing.assert_array_equal(plain.load().train, split.train)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.zeros(5), r"shape \(5,\); allowed are points"),
        (np.zeros((5, 2), np.int64), "int64"),
        (np.zeros((5, 8, 8, 3), np.uint8), r"shape \(5, 8, 8, 3\)"),
        (np.zeros((5, 1, 8, 4), np.uint8), r"shape \(5, 1, 8, 4\)"),
        (np.zeros((5, 3, 8, 8), np.int16), "int16"),
        (np.zeros((1, 2)), "at least 2 are needed"),
        (np.full((5, 2), np.nan), "not finite"),
        (np.full((5, 2), 1e300), "not finite as float32"),
        (np.full((5, 1, 2, 2), 1.5), r"must lie in \[-1, 1\], got values in \[1.5, 1.5\]"),
        (np.linspace(0, 1, 20).reshape(5, 1, 2, 2), r"-1 for black; got values in \[0.0, 1.0\]. Give .* as 2 x - 1"),
        (np.array([{}, {}], dtype=object), r"cannot be read as a \.npy array"),
    ],
)
def test_other_arrays_are_refused(tmp_path, rows, message):
    np.save(tmp_path / "rows.npy", rows, allow_pickle=True)
    with pytest.raises(ValueError, match=message):
        Array(path=tmp_path / "rows.npy").load()


@pytest.mark.fault("damaged arrays", count=3)
def test_other_files_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file"):
        Array(path=tmp_path / "none.npy").train_size()
    np.savez(tmp_path / "two.npz", np.zeros((4, 2)))
    with pytest.raises(ValueError, match="archive of arrays"):
        Array(path=tmp_path / "two.npz").train_size()
    np.save(tmp_path / "rows.npy", np.zeros((100, 2)))
    whole = (tmp_path / "rows.npy").read_bytes()
    for damaged in (b"", b"hello", whole[:300]):
        (tmp_path / "bad.npy").write_bytes(damaged)
        with pytest.raises(ValueError, match=r"cannot be read as a \.npy array"):
            Array(path=tmp_path / "bad.npy").train_size()


@pytest.mark.parametrize("labels", [np.arange(9), np.arange(10.0), np.arange(-1, 9), np.zeros((10, 1), int)])
def test_other_labels_are_refused(tmp_path, labels):
    np.save(tmp_path / "rows.npy", np.zeros((10, 2)))
    np.save(tmp_path / "labels.npy", labels)
    with pytest.raises(ValueError, match=r"allowed are integers from 0, of shape \(10,\)"):
        Array(path=tmp_path / "rows.npy", labels=tmp_path / "labels.npy").load()
