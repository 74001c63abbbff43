"""Image benchmarks that torchvision reads and downloads: CIFAR-10, CelebA, and the base of those in MNIST's format."""

from __future__ import annotations

import os
import tarfile
import zipfile
import zlib
from http.client import HTTPException
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import Field, model_validator

from pwgan.data.base import DataSet, Split
from pwgan.data.files import expanded
from pwgan.data.imagefiles import read_images
from pwgan.errors import Refused
from pwgan.runtime import seed_of

# What torchvision raises for damaged files (its reader of idx files asserts), and what failed downloads raise besides.
DAMAGE = (OSError, RuntimeError, ValueError, TypeError, KeyError, AssertionError)
FAILED = (HTTPException, EOFError, tarfile.TarError, zipfile.BadZipFile, zlib.error)


def _of_gdown(error: Exception) -> bool:
    """Return whether the optional package gdown, which downloads CelebA, raised the error by a class of its own."""
    return type(error).__module__.partition(".")[0] == "gdown"


def cache_folder() -> Path:
    """Return the download folder: pwgan under $XDG_CACHE_HOME, or under ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or expanded(Path("~/.cache"))) / "pwgan"


class TorchVision(DataSet):
    """A benchmark read and, if allowed, downloaded by torchvision; its test set is the held-out set."""

    torchvision_class: ClassVar[str]
    totals: ClassVar[tuple[int, int]]
    needed: ClassVar[tuple[str, ...]]

    root: Path | None = Field(None, description="a folder in torchvision's layout; default: the cache folder")
    download: bool = Field(True, description="download files that are missing")
    samples: int | None = Field(None, ge=1, description="number of training images, chosen by a fixed seed; null = all")
    heldout: int | None = Field(None, ge=1, description="number of held-out images, chosen by a fixed seed; null = all")

    @model_validator(mode="after")
    def _within_totals(self) -> TorchVision:
        for key, total in zip(("samples", "heldout"), self.totals, strict=True):
            requested = getattr(self, key)
            if requested is not None and requested > total:
                raise Refused(f"{self.name} has {total} such images; got {key}: {requested}")
        return self

    def train_size(self) -> int:
        return self.samples or self.totals[0]

    def heldout_size(self) -> int:
        return self.heldout or self.totals[1]

    def sources(self) -> list[Path]:
        """Return the files of ``root``, if the user gave one; raises FileNotFoundError where ``load`` would."""
        self._missing()
        needed = [self._root() / path for path in self.needed] if self.root else []
        return [file for path in needed for file in (sorted(path.rglob("*")) if path.is_dir() else [path])]

    def _missing(self) -> list[str]:
        """Return the needed files that must be downloaded; raises FileNotFoundError if they may not be."""
        root = self._root()
        missing = [path for path in self.needed if not (root / path).exists()]
        if missing and not self.download:
            raise FileNotFoundError(
                f"data set {self.name!r}: {root} lacks {', '.join(missing)}. Put the files there, set `root` to a "
                "folder that has them, or allow the download with `download: true`"
            )
        return missing

    def load(self) -> Split:
        root, missing = self._root(), self._missing()
        try:
            # If all files exist, nothing is downloaded: a damaged file may be the user's, who should see the error.
            train = self._read(root, True, bool(missing))
            heldout = self._read(root, False, bool(missing))
        except Exception as error:
            if not isinstance(error, DAMAGE + FAILED * bool(missing)) and not _of_gdown(error):
                raise
            raise Refused(self._advice(root, missing, error)) from error
        return Split(
            train=self._pixels(train, "train"),
            heldout=self._pixels(heldout, "heldout"),
            train_labels=self._labels(train, "train"),
            heldout_labels=self._labels(heldout, "heldout"),
        )

    def _root(self) -> Path:
        root = expanded(self.root) if self.root else cache_folder()
        if self.root and not root.is_dir():
            raise FileNotFoundError(f"data set {self.name!r}: root {root} is not a folder")
        return root

    def _advice(self, root: Path, missing: list[str], error: Exception) -> str:
        reason = f"{type(error).__name__}: {error}".rstrip()
        if missing:
            problem = "the download failed"
            remedy = f"Without a network, put {', '.join(missing)} there, or set `root` to a folder that has them"
        else:
            problem = "the files do not pass torchvision's checksums or are not in its format"
            remedy = f"Replace {', '.join(self.needed)}, or delete them to have them downloaded again"
        return f"data set {self.name!r} in {root}: {problem} ({reason}). {remedy}"

    def _choice(self, available: int, part: str) -> np.ndarray:
        """Return the rows of one part, in a fixed random order; raises ``Refused`` for a wrong number of images."""
        key, wanted = ("samples", self.train_size()) if part == "train" else ("heldout", self.heldout_size())
        if available < wanted or (getattr(self, key) is None and available > wanted):
            raise Refused(
                f"data set {self.name!r}: the {part} files hold {available} images, expected {wanted}; "
                f"the files are incomplete or not the published ones (set `{key}` to use fewer)"
            )
        return np.random.default_rng(seed_of("data", self.name, part)).permutation(available)[:wanted]

    def _read(self, root: Path, train: bool, fetch: bool) -> Any:
        """Return the data set object of torchvision."""
        raise NotImplementedError

    def _pixels(self, source: Any, part: str) -> np.ndarray:
        """Return the chosen images, uint8 (n, channels, size, size)."""
        raise NotImplementedError

    def _labels(self, source: Any, part: str) -> np.ndarray | None:
        return np.asarray(source.targets, dtype=np.int64)[self._choice(len(source.targets), part)]


class Cifar10(TorchVision):
    """50000 + 10000 natural images, 32x32 colour, ten classes. Source: Krizhevsky 2009.

    The files are pickles. torchvision checks their published MD5 sums before loading them.
    """

    name: ClassVar[str] = "cifar10"
    torchvision_class: ClassVar[str] = "CIFAR10"
    totals: ClassVar[tuple[int, int]] = (50_000, 10_000)
    needed: ClassVar[tuple[str, ...]] = tuple(
        f"cifar-10-batches-py/{name}"
        for name in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch", "batches.meta")
    )

    @property
    def labelled(self) -> bool:
        return True

    def sample_shape(self) -> tuple[int, ...]:
        return (3, 32, 32)

    def _read(self, root: Path, train: bool, fetch: bool) -> Any:
        from torchvision import datasets

        return datasets.CIFAR10(root, train=train, download=fetch)

    def _pixels(self, source: Any, part: str) -> np.ndarray:
        return np.ascontiguousarray(source.data[self._choice(len(source.data), part)].transpose(0, 3, 1, 2))


class CelebA(TorchVision):
    """162770 + 19962 aligned faces, the central 178x178 pixels resized to ``size``. Source: Liu et al. 2015.

    The training and test parts are the published ones; the validation part is not used. There are no class labels.
    """

    name: ClassVar[str] = "celeba"
    torchvision_class: ClassVar[str] = "CelebA"
    totals: ClassVar[tuple[int, int]] = (162_770, 19_962)
    needed: ClassVar[tuple[str, ...]] = (
        "celeba/img_align_celeba",
        "celeba/identity_CelebA.txt",
        "celeba/list_attr_celeba.txt",
        "celeba/list_bbox_celeba.txt",
        "celeba/list_landmarks_align_celeba.txt",
        "celeba/list_eval_partition.txt",
    )

    size: int = Field(64, ge=1, description="height and width in pixels")

    def sample_shape(self) -> tuple[int, ...]:
        return (3, self.size, self.size)

    def _read(self, root: Path, train: bool, fetch: bool) -> Any:
        from torchvision import datasets

        return datasets.CelebA(root, split="train" if train else "test", download=fetch)

    def _pixels(self, source: Any, part: str) -> np.ndarray:
        images = Path(source.root) / source.base_folder / "img_align_celeba"
        names = [source.filename[i] for i in self._choice(len(source.filename), part)]
        return read_images([images / name for name in names], 3, self.size)

    def _labels(self, source: Any, part: str) -> np.ndarray | None:
        return None
