"""Image data sets that torchvision reads, on small files of the published formats."""

import pickle
import struct
from hashlib import sha256
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError

from pwgan.data import idx
from pwgan.data.idx import FashionMnist, Mnist
from pwgan.data.torchvision import CelebA, Cifar10, cache_folder
from pwgan.errors import Refused
from pwgan.study import parse_study


def write_idx(path: Path, array: np.ndarray) -> None:
    """Write uint8 in the format of MNIST: magic number, big-endian sizes, bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes())


def write_mnist(root: Path, folder: str, train: int = 12, test: int = 7) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    written = {}
    for part, count in (("train", train), ("t10k", test)):
        written[part] = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        written[part][:, 0, 0] = np.arange(count)
        write_idx(root / folder / "raw" / f"{part}-images-idx3-ubyte", written[part])
        write_idx(root / folder / "raw" / f"{part}-labels-idx1-ubyte", (np.arange(count) % 10).astype(np.uint8))
    return written


@pytest.mark.parametrize(("dataset", "folder"), [(Mnist, "MNIST"), (FashionMnist, "FashionMNIST")])
def test_idx_files_pass_through_torchvision(tmp_path, dataset, folder):
    written = write_mnist(tmp_path, folder)
    data = dataset(root=tmp_path, download=False, samples=9, heldout=7)
    split = data.load()
    assert split.train.shape == (data.train_size(), *data.sample_shape()) == (9, 1, 28, 28)
    assert split.train.dtype == np.uint8 and split.train_labels.dtype == np.int64
    # The first pixel says which image it is: all distinct, each with its own label, in a random but fixed order.
    rows = split.train[:, 0, 0, 0]
    np.testing.assert_array_equal(split.train[:, 0], written["train"][rows])
    np.testing.assert_array_equal(split.train_labels, rows % 10)
    assert len(set(rows)) == 9 and list(rows) != sorted(rows)
    assert set(split.heldout[:, 0, 0, 0]) == set(range(7))
    np.testing.assert_array_equal(split.heldout_labels, split.heldout[:, 0, 0, 0] % 10)
    np.testing.assert_array_equal(data.load().train, split.train)


def test_files_of_an_older_torchvision_are_not_read_in_their_place(tmp_path):
    # It keeps processed/*.pt beside raw/, and torchvision still prefers them, whatever they hold.
    written = write_mnist(tmp_path, "MNIST")
    (tmp_path / "MNIST/processed").mkdir()
    for name, count in (("training", 12), ("test", 7)):
        white = torch.full((count, 28, 28), 255, dtype=torch.uint8), torch.zeros(count, dtype=torch.int64)
        torch.save(white, tmp_path / f"MNIST/processed/{name}.pt")
    split = Mnist(root=tmp_path, download=False, samples=12, heldout=7).load()
    order = np.argsort(split.train_labels + 10 * (split.train[:, 0, 0, 0] >= 10))
    np.testing.assert_array_equal(split.train[order, 0], written["train"])


def test_files_that_are_not_the_published_ones_are_refused(tmp_path):
    write_mnist(tmp_path, "MNIST")
    with pytest.raises(ValueError, match="train files hold 12 images, expected 60000"):
        Mnist(root=tmp_path).load()
    with pytest.raises(ValueError, match="heldout files hold 7 images, expected 8"):
        Mnist(root=tmp_path, samples=2, heldout=8).load()


@pytest.mark.parametrize("dataset", [Mnist, FashionMnist])
def test_a_file_as_large_as_the_published_one_must_be_it(tiny, tmp_path, dataset):
    write_mnist(tmp_path, Path(dataset.needed[0]).parts[0])
    for path, size in zip(dataset.needed, idx.SIZES, strict=True):
        file = tmp_path / path
        small = file.read_bytes()
        with file.open("r+b") as opened:
            opened.truncate(size)
        for call in (
            dataset(root=tmp_path, samples=2, heldout=2).load,
            dataset(root=tmp_path).sources,
            lambda: parse_study(tiny(datasets={dataset.name: {"root": str(tmp_path)}})),
        ):
            with pytest.raises(
                Refused, match=rf"{path} is as large as the published file, but .*{dataset.sums[path][1]}"
            ):
                call()
        file.write_bytes(small)
    assert dataset(root=tmp_path, samples=2, heldout=2).load().train.shape == (2, 1, 28, 28)


def test_the_published_files_are_accepted(tmp_path, monkeypatch):
    """Files whose sums are entered as the published ones, since the test has no network."""
    write_mnist(tmp_path, "MNIST")
    sums = {
        path: ((tmp_path / path).stat().st_size, sha256((tmp_path / path).read_bytes()).hexdigest())
        for path in Mnist.needed
    }
    monkeypatch.setattr(Mnist, "sums", sums)
    assert len(Mnist(root=tmp_path, samples=12, heldout=7).load().train) == 12
    file = tmp_path / Mnist.needed[2]
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    with pytest.raises(Refused, match=Mnist.needed[2]):
        Mnist(root=tmp_path, samples=12, heldout=7).load()


def test_sizes_are_those_of_the_numbers_of_images():
    totals = {"train": 60_000, "t10k": 10_000}
    for name, size in zip(idx.FILES, idx.SIZES, strict=True):
        count = totals[name.partition("-")[0]]
        assert size == (16 + 28 * 28 * count if "images" in name else 8 + count)
    assert len({digest for data in (Mnist, FashionMnist) for _, digest in data.sums.values()}) == 8


@pytest.mark.fault("damaged pictures")
@pytest.mark.parametrize("damage", ["truncated", "foreign", "empty", "labels"])
def test_damaged_files_are_reported_and_kept(tmp_path, damage):
    write_mnist(tmp_path, "MNIST")
    file = tmp_path / "MNIST/raw/train-images-idx3-ubyte"
    if damage == "labels":
        write_idx(tmp_path / "MNIST/raw/train-labels-idx1-ubyte", np.zeros(3, np.uint8))
    else:
        whole = file.read_bytes()
        file.write_bytes({"truncated": whole[:-100], "foreign": b"<html>no</html>", "empty": b""}[damage])
    before = file.read_bytes()
    with pytest.raises(Refused, match=r"not in its format .*Replace MNIST/raw/train-images-idx3-ubyte"):
        Mnist(root=tmp_path, samples=2, heldout=2).load()
    assert file.read_bytes() == before


@pytest.mark.parametrize("error", [AttributeError("bug"), ZeroDivisionError("bug"), ImportError("bug")])
def test_a_bug_is_not_reported_as_a_damaged_file(tmp_path, monkeypatch, error):
    write_mnist(tmp_path, "MNIST")

    def broken(*_: object) -> None:
        raise error

    monkeypatch.setattr(Mnist, "_read", broken)
    with pytest.raises(type(error), match="bug"):
        Mnist(root=tmp_path, samples=2, heldout=2).load()


@pytest.mark.fault("damaged pictures", count=200)
def test_damaged_idx_files_are_refused_or_read(tmp_path):
    write_mnist(tmp_path, "MNIST")
    rng = np.random.default_rng(0)
    for name in ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"):
        file = tmp_path / "MNIST/raw" / name
        whole = file.read_bytes()
        for _ in range(100):
            bad = bytearray(whole)
            place = int(rng.integers(16))
            bad[place : place + int(rng.integers(3))] = rng.integers(
                0, 16, int(rng.integers(3)), dtype=np.uint8
            ).tobytes()
            file.write_bytes(bad)
            try:
                split = Mnist(root=tmp_path, samples=2, heldout=2).load()
            except Refused as error:
                assert str(tmp_path) in str(error)
            else:
                assert split.train.shape == (2, 1, 28, 28)
        file.write_bytes(whole)


def test_missing_files_say_what_where_and_what_to_do(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"lacks FashionMNIST/raw/train-images-idx3-ubyte, .*`download: true`"):
        FashionMnist(root=tmp_path, download=False).load()
    with pytest.raises(FileNotFoundError, match="is not a folder"):
        FashionMnist(root=tmp_path / "misspelt").load()

    from torchvision import datasets

    def offline(*_: object, **__: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr(datasets.mnist, "download_and_extract_archive", offline)
    monkeypatch.setattr(datasets.cifar, "download_and_extract_archive", offline)
    monkeypatch.setattr(datasets.celeba, "download_file_from_google_drive", offline)
    for data in (Mnist(root=tmp_path), Cifar10(root=tmp_path), CelebA(root=tmp_path)):
        with pytest.raises(Refused, match=r"(?s)the download failed .*no route to host.* set `root`") as caught:
            data.load()
        assert data.name in str(caught.value) and str(tmp_path) in str(caught.value)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert cache_folder() == tmp_path / "cache" / "pwgan"
    with pytest.raises(Refused, match="cache/pwgan"):
        Mnist().load()


def write_cifar(root: Path) -> np.ndarray:
    folder = root / "cifar-10-batches-py"
    folder.mkdir()
    pixels = np.random.default_rng(1).integers(0, 256, (6, 4, 3072), dtype=np.uint8)
    pixels[:, :, 0] = np.arange(24).reshape(6, 4)
    for name, batch in zip([*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"], pixels, strict=True):
        (folder / name).write_bytes(pickle.dumps({"data": batch, "labels": [int(row[0]) % 10 for row in batch]}))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": list("abcdefghij")}))
    return pixels.reshape(24, 3, 32, 32)


def test_cifar_checks_sums_before_it_opens_a_pickle(tmp_path, monkeypatch):
    pixels = write_cifar(tmp_path)
    data = Cifar10(root=tmp_path, samples=20, heldout=4)
    with pytest.raises(Refused, match="checksums"):
        data.load()

    from torchvision.datasets import CIFAR10
    from torchvision.datasets.utils import calculate_md5

    def sums(names: list[str]) -> list[list[str]]:
        return [[name, calculate_md5(tmp_path / "cifar-10-batches-py" / name)] for name in names]

    monkeypatch.setattr(CIFAR10, "train_list", sums([f"data_batch_{i}" for i in range(1, 6)]))
    monkeypatch.setattr(CIFAR10, "test_list", sums(["test_batch"]))
    monkeypatch.setattr(CIFAR10, "meta", CIFAR10.meta | {"md5": sums(["batches.meta"])[0][1]})
    split = data.load()
    rows = split.train[:, 0, 0, 0]
    assert set(rows) == set(range(20)) and set(split.heldout[:, 0, 0, 0]) == set(range(20, 24))
    np.testing.assert_array_equal(split.train, pixels[rows])
    np.testing.assert_array_equal(split.train_labels, rows % 10)
    assert split.train.shape[1:] == data.sample_shape() and split.train.flags.c_contiguous


def write_celeba(root: Path, parts: list[int]) -> None:
    folder = root / "celeba"
    (folder / "img_align_celeba").mkdir(parents=True)
    names = [f"{i:06}.jpg" for i in range(1, len(parts) + 1)]
    for i, name in enumerate(names):
        # Rows above and below the central 178 are white and must be cut off.
        face = np.full((218, 178, 3), 255, np.uint8)
        face[20:198] = 10 * i
        Image.fromarray(face).save(folder / "img_align_celeba" / name, quality=95)
    tables = {"list_eval_partition": (0, parts), "identity_CelebA": (0, parts)}
    tables |= {
        f"list_{name}": (2, [1] * len(parts)) for name in ("attr_celeba", "bbox_celeba", "landmarks_align_celeba")
    }
    for table, (header, values) in tables.items():
        lines = [f"{len(parts)}", "Smiling"][:header]
        lines += [f"{name} {value}" for name, value in zip(names, values, strict=True)]
        (folder / f"{table}.txt").write_text("\n".join(lines) + "\n")


def test_celeba_reads_its_published_parts(tmp_path, monkeypatch):
    from torchvision import datasets

    write_celeba(tmp_path, [0, 0, 1, 2, 0, 2])
    data = CelebA(root=tmp_path, size=16, samples=3, heldout=2)
    with pytest.raises(Refused, match="checksums"):
        data.load()
    unchecked = [(key, None, name) for key, _, name in datasets.CelebA.file_list]
    monkeypatch.setattr(datasets.CelebA, "file_list", unchecked)
    split = data.load()
    assert split.train.shape == (3, *data.sample_shape()) == (3, 3, 16, 16) and split.train.dtype == np.uint8
    for images, expected in ((split.train, [0, 10, 40]), (split.heldout, [30, 50])):
        assert sorted(images[:, 0, 8, 8].tolist()) == pytest.approx(expected, abs=2)
        assert np.ptp(images[:, :, 2:-2].astype(int), axis=(1, 2, 3)).max() <= 6
    assert split.train_labels is None and not data.labelled


def test_promises_need_no_files():
    assert [data().train_size() for data in (Mnist, FashionMnist, Cifar10, CelebA)] == [60000, 60000, 50000, 162770]
    assert [data().heldout_size() for data in (Mnist, FashionMnist, Cifar10, CelebA)] == [10000, 10000, 10000, 19962]
    assert CelebA(size=32).sample_shape() == (3, 32, 32)
    with pytest.raises(ValidationError, match="60000 such images; got samples: 60001"):
        Mnist(samples=60001)
    with pytest.raises(ValidationError, match="Did you mean 'download'"):
        Mnist(dowload=False)
