"""User data: a folder of images, or an array in a .npy file."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from pwgan.data.arrayfiles import map_npy
from pwgan.data.base import DataSet, Split
from pwgan.data.imagefiles import image_files, read_images
from pwgan.data.precision import to_float32
from pwgan.errors import Refused
from pwgan.runtime import seed_of


def expanded(path: Path) -> Path:
    """Replace a leading ``~`` by the home folder; raises ``Refused`` for a user that does not exist."""
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise Refused(f"{path}: {error}") from error


def heldout_count(total: int, fraction: float, source: str) -> int:
    """Return how many of ``total`` samples are held out: the rounded fraction, but at least one on either side."""
    if total < 2:
        raise Refused(f"{source} holds {total} sample; at least 2 are needed, one for training and one held out")
    return min(max(round(fraction * total), 1), total - 1)


class Folder(DataSet):
    """The images of a folder and its subfolders, cut to squares of one size.

    They are read as a viewer shows them, transparent pixels on white; more than 8 bits per channel and several pages or
    frames are refused. Hidden files are ignored, and links to folders are not followed. The split depends only on the
    sorted file names.
    """

    name: ClassVar[str] = "folder"

    path: Path = Field(description="the folder")
    size: int = Field(64, ge=1, description="height and width in pixels")
    channels: Literal[1, 3] = Field(3, description="1 reads grey images, 3 reads colour")
    heldout_fraction: float = Field(0.1, gt=0, lt=1, description="fraction of the files that is held out")

    def files(self, *, tell: bool = False) -> list[Path]:
        """Return the image files sorted by name, as ``image_files``; raises FileNotFoundError if there are none."""
        try:
            return image_files(expanded(self.path), tell=tell)
        except FileNotFoundError as error:
            raise FileNotFoundError(f"data set 'folder': {error}") from None

    @cached_property
    def listing(self) -> list[Path]:
        """The files as they were first listed: planning asks for their number often, and they may be many."""
        return self.files()

    def train_size(self) -> int:
        total = len(self.listing)
        return total - heldout_count(total, self.heldout_fraction, str(self.path))

    def heldout_size(self) -> int:
        return heldout_count(len(self.listing), self.heldout_fraction, str(self.path))

    def sample_shape(self) -> tuple[int, ...]:
        return (self.channels, self.size, self.size)

    def sources(self) -> list[Path]:
        return self.listing

    def load(self) -> Split:
        files = self.files(tell=True)
        kept_back = heldout_count(len(files), self.heldout_fraction, str(self.path))
        order = np.random.default_rng(seed_of("data", self.name, "split")).permutation(len(files))
        chosen = [files[i] for i in order]
        return Split(
            train=read_images(chosen[kept_back:], self.channels, self.size),
            heldout=read_images(chosen[:kept_back], self.channels, self.size),
        )


class Array(DataSet):
    """The samples of a .npy file: points (n, d) of any float type, or images (n, 1 or 3, size, size).

    Points whose scatter float32 cannot resolve are stored relative to the median of each coordinate, or refused.
    Images are uint8, or floats in [-1, 1]. Labels, if any, are integers from 0 in a .npy file of shape (n,).
    """

    name: ClassVar[str] = "array"

    path: Path = Field(description="the .npy file")
    labels: Path | None = Field(None, description="a .npy file of class labels, integers from 0")
    heldout_fraction: float = Field(0.1, gt=0, lt=1, description="fraction of the rows that is held out")

    @property
    def labelled(self) -> bool:
        return self.labels is not None

    def train_size(self) -> int:
        total = len(self._mapped())
        return total - heldout_count(total, self.heldout_fraction, str(self.path))

    def heldout_size(self) -> int:
        return heldout_count(len(self._mapped()), self.heldout_fraction, str(self.path))

    def sample_shape(self) -> tuple[int, ...]:
        return self._mapped().shape[1:]

    def sources(self) -> list[Path]:
        return [expanded(path) for path in (self.path, self.labels) if path is not None]

    def load(self) -> Split:
        rows = self._mapped()
        labels = self._read_labels(len(rows))
        kept_back = heldout_count(len(rows), self.heldout_fraction, str(self.path))
        order = np.random.default_rng(seed_of("data", self.name, "split")).permutation(len(rows))
        train, heldout = order[kept_back:], order[:kept_back]
        samples, offset = to_float32(rows, str(self.path)) if rows.ndim == 2 else (self._pixels(rows), None)
        return Split(
            train=samples[train],
            heldout=samples[heldout],
            train_labels=None if labels is None else labels[train],
            heldout_labels=None if labels is None else labels[heldout],
            offset=offset,
        )

    def _mapped(self) -> np.ndarray:
        """Memory-map the file and check its header; no samples are read."""
        rows = self._map(self.path)
        points = rows.ndim == 2 and rows.shape[1] > 0 and rows.dtype.kind == "f"
        square = rows.ndim == 4 and rows.shape[1] in (1, 3) and rows.shape[2] == rows.shape[3] > 0
        if not (points or (square and (rows.dtype == np.uint8 or rows.dtype.kind == "f"))):
            raise Refused(
                f"{self.path} holds {rows.dtype} of shape {rows.shape}; allowed are points (n, d) of a float type and "
                "images (n, 1 or 3, size, size), uint8 or floats in [-1, 1]"
            )
        return rows

    def _pixels(self, rows: np.ndarray) -> np.ndarray:
        if rows.dtype == np.uint8:
            return np.asarray(rows)
        with np.errstate(over="ignore"):  # overflow gives infinity, which raises below
            pixels = np.asarray(rows, dtype=np.float32)
        low, high = pixels.min(), pixels.max()
        if not -1 <= low <= high <= 1:  # the minimum of an array with NaN is NaN
            raise Refused(f"{self.path}: float images must lie in [-1, 1], got values in [{low}, {high}]")
        if low >= 0:
            raise Refused(
                f"{self.path}: float images must lie in [-1, 1], -1 for black; got values in [{low}, {high}]. Give "
                "images in [0, 1] as 2 x - 1"
            )
        return pixels

    def _read_labels(self, count: int) -> np.ndarray | None:
        if self.labels is None:
            return None
        labels = self._map(self.labels)
        if labels.shape != (count,) or labels.dtype.kind not in "iu" or labels.min() < 0:
            raise Refused(
                f"{self.labels} holds {labels.dtype} of shape {labels.shape}; "
                f"allowed are integers from 0, of shape ({count},) like {self.path}"
            )
        return labels.astype(np.int64)

    def _map(self, path: Path) -> np.ndarray:
        try:
            return map_npy(expanded(path))
        except FileNotFoundError as error:
            raise FileNotFoundError(f"data set 'array': {error}") from None
