"""The file of a data set, and the example of a new data set."""

import importlib
import shutil
import sys
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch

import pwgan.data
from pwgan.data import DataSet, Split, datasets
from pwgan.data.mixtures import Ring8Legacy
from pwgan.data.store import check_split, read_data, to_float, write_data
from pwgan.errors import Refused

EXAMPLE = Path(__file__).parents[2] / "docs" / "example_dataset.py"


def images(count: int = 6) -> Split:
    pixels = np.random.default_rng(0).integers(0, 256, (count + 4, 3, 4, 4), dtype=np.uint8)
    return Split(pixels[4:], pixels[:4], np.arange(count), np.arange(4))


def same(left: Split, right: Split) -> None:
    for field in fields(Split):
        a, b = getattr(left, field.name), getattr(right, field.name)
        if isinstance(a, np.ndarray):
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)
        else:
            assert a == b


def test_a_split_survives_the_file(tmp_path):
    points = Ring8Legacy(samples=50, heldout=20).load()
    write_data(tmp_path / "sub" / "ring.safetensors", points, {"name": "ring8_legacy", "options": "{}"})
    stored = read_data(tmp_path / "sub" / "ring.safetensors")
    same(points, stored)
    assert (stored.name, stored.kind, stored.about["options"]) == ("ring8_legacy", "points", "{}")
    write_data(tmp_path / "images.safetensors", images(), {"name": "squares"})
    again = read_data(tmp_path / "images.safetensors")
    same(images(), again)
    assert again.kind == "images" and again.density is None and again.sigma is None


def test_true_shares_of_classes(tmp_path):
    split = replace(images(4), train_labels=np.array([0, 2, 1, 0]), heldout_labels=np.zeros(4, np.int64))
    write_data(tmp_path / "images", split, {"name": "squares"})
    assert read_data(tmp_path / "images").class_weights.tolist() == [0.5, 0.25, 0.25]
    # Of two classes in each of three channels, whatever the labels of the stacks that were drawn.
    write_data(tmp_path / "stacks", replace(split, channel_classes=2), {"name": "stacks"})
    again = read_data(tmp_path / "stacks")
    same(replace(split, channel_classes=2), again)
    assert again.class_weights.tolist() == 8 * [1 / 8]
    write_data(tmp_path / "plain", replace(split, train_labels=None, heldout_labels=None), {"name": "plain"})
    assert read_data(tmp_path / "plain").class_weights is None
    with pytest.raises(Refused, match=r"labels of 3 channels of 2 classes each must be 0..7; got 0..8"):
        check_split(replace(split, channel_classes=2, heldout_labels=np.array([0, 1, 8, 2])))


def test_seeds_with_draws_of_their_own_get_them_and_others_share(tmp_path):
    draws = Ring8Legacy(samples=50, heldout=20).draws(range(3, 7))
    write_data(tmp_path / "draws", draws, {"name": "ring"})
    stored = read_data(tmp_path / "draws")
    same(draws, stored)
    assert (stored.kind, stored.sample_shape, stored.train_size, stored.heldout_size) == ("points", (2,), 50, 20)
    part = stored.of_seeds(range(4, 6))
    np.testing.assert_array_equal(part.train, draws.train[1:3])
    np.testing.assert_array_equal(part.heldout_tensor(torch.tensor([7, 7])), draws.heldout[1:3, [7, 7]])
    rows = torch.tensor([[0, 9], [5, 1]])
    np.testing.assert_array_equal(part.train_tensor(rows)[1], draws.train[2, [5, 1]])
    assert np.shares_memory(part.train, stored.train) and part.of_seeds(range(5, 6)).first_seed == 5
    np.testing.assert_array_equal(part.first_draw().train, draws.train[1])
    for seeds in (range(2, 4), range(6, 8)):
        with pytest.raises(Refused, match=f"has draws of seeds 3 to 6; this job needs {seeds[0]} to {seeds[1]}"):
            stored.of_seeds(seeds)
    write_data(tmp_path / "shared", Split(draws.train[0], draws.heldout[0]), {"name": "ring"})
    shared = read_data(tmp_path / "shared")
    assert shared.of_seeds(range(100, 104)) is shared and shared.train_tensor().shape == (1, 50, 2)
    np.testing.assert_array_equal(shared.train_tensor(rows), draws.train[0][rows.numpy()])


def test_the_file_depends_on_its_content_alone(tmp_path):
    for name in ("a", "b"):
        write_data(tmp_path / name, images(), {"name": "squares", "size": "4"})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_pixels_become_floats_as_they_are_gathered(tmp_path):
    write_data(tmp_path / "data", images(), {"name": "squares"})
    stored, split = read_data(tmp_path / "data"), images()
    assert stored.train.dtype == np.uint8
    indices = torch.tensor([[5, 0], [2, 2]])
    batch = stored.train_tensor(indices)
    assert batch.dtype == torch.float32 and batch.shape == (2, 2, 3, 4, 4)
    np.testing.assert_allclose(batch, split.train[indices.numpy()] / 127.5 - 1, atol=1e-6)
    np.testing.assert_allclose(stored.heldout_tensor(), split.heldout[None] / 127.5 - 1, atol=1e-6)
    np.testing.assert_allclose(to_float(torch.tensor([0, 255], dtype=torch.uint8)), [-1, 1])
    points = Ring8Legacy(samples=50, heldout=20).load()
    write_data(tmp_path / "points", points, {"name": "ring"})
    (third,) = read_data(tmp_path / "points").train_tensor(torch.tensor([3]))
    np.testing.assert_array_equal(third, points.train[[3]])


def test_what_a_reader_does_to_a_batch_stays_with_it(tmp_path):
    split = Ring8Legacy(samples=50, heldout=20).load()
    write_data(tmp_path / "data", split, {"name": "ring"})
    stored = read_data(tmp_path / "data")
    stored.train_tensor().zero_()
    stored.heldout_tensor(torch.arange(20)).zero_()
    same(split, stored)
    stored.train[:] = 0
    same(split, read_data(tmp_path / "data"))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_pages_are_read_when_they_are_touched(tmp_path):
    big = Split(np.zeros((64, 1, 1024, 1024), np.uint8), np.ones((1, 1, 1024, 1024), np.uint8))
    write_data(tmp_path / "data", big, {"name": "big"})
    del big

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

    torch.zeros(1)
    before = resident()
    stored = read_data(tmp_path / "data")
    stored.train_tensor(torch.tensor([7]))
    assert resident() - before < 24 * 2**20


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train": np.zeros((3, 2))}, "train must be float32 points"),
        ({"train": np.zeros((3, 1, 4, 5), np.uint8)}, r"got uint8 of shape \(3, 1, 4, 5\)"),
        ({"train": np.zeros((0, 3, 4, 4), np.uint8)}, "not empty"),
        ({"train": np.zeros((6, 3, 4, 4), np.float32)}, "the same kind of sample"),
        ({"train": np.zeros((6, 3, 8, 8), np.uint8)}, "the same kind of sample"),
        ({"heldout": np.full((4, 3, 4, 4), 1.01, np.float32)}, r"heldout: float images must lie in \[-1, 1\]"),
        ({"heldout": np.full((4, 3, 4, 4), np.nan, np.float32)}, "heldout holds values that are not finite"),
        ({"heldout": np.full((4, 2), np.inf, np.float32)}, "heldout holds values that are not finite"),
        ({"train_labels": np.arange(5)}, r"train_labels must be int64 of shape \(6,\)"),
        ({"train_labels": np.arange(6.0)}, "train_labels must be int64"),
        ({"train_labels": None}, "labels must be given for train and heldout"),
        ({"weights": np.array([np.nan])}, "weights must be finite float64"),
    ],
)
def test_a_split_that_breaks_its_promise_is_not_written(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        write_data(tmp_path / "data", replace(images(), **change), {"name": "bad"})
    assert list(tmp_path.iterdir()) == []


def test_a_name_is_needed(tmp_path):
    with pytest.raises(ValueError, match="must hold the data set's name; got: title"):
        write_data(tmp_path / "data", images(), {"title": "x"})


@pytest.mark.fault("tampered results", count=6)
def test_foreign_and_damaged_files_are_refused(tmp_path):
    from safetensors.numpy import save_file

    file = tmp_path / "data.safetensors"
    with pytest.raises(FileNotFoundError, match=r"data\.safetensors"):
        read_data(file)
    write_data(file, images(), {"name": "squares"})
    whole = file.read_bytes()
    for damaged in (b"", b"hello", whole[:-1], whole[:100], b"\xff" * 64):
        file.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"data\.safetensors is damaged"):
            read_data(file)
    save_file({"train": np.zeros(3)}, file)
    with pytest.raises(ValueError, match=r"data\.safetensors is damaged, or was not written by this version"):
        read_data(file)


@pytest.fixture
def with_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put the documented example where pwgan looks for data sets."""
    shutil.copy(EXAMPLE, tmp_path / "two_moons_example.py")
    monkeypatch.setattr(pwgan.data, "__path__", [*pwgan.data.__path__, str(tmp_path)])
    importlib.invalidate_caches()
    yield
    sys.modules.pop("pwgan.data.two_moons_example", None)


@pytest.mark.usefixtures("with_example")
def test_the_documented_example_is_a_data_set(tmp_path):
    dataset: type[DataSet] = datasets()["two_moons"]
    data = dataset(samples=200, heldout=100, noise=0)
    split = data.load()
    assert len(split.train) == data.train_size() and len(split.heldout) == data.heldout_size()
    assert split.train.shape[1:] == data.sample_shape() and data.kind == "points"
    radii = [np.hypot(*split.train.T), np.hypot(*(split.train - [1, 0.5]).T)]
    assert np.abs(np.array(radii) - 1).min(axis=0).max() < 1e-6
    check_split(dataset(samples=200, heldout=100).load())
    with pytest.raises(ValueError, match="Did you mean 'noise'"):
        dataset(nois=1)
