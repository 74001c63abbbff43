"""User data: a folder of images, or an array in a .npy file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field

from pwgan.data.base import DataSet, Split
from pwgan.errors import Refused
from pwgan.runtime import seed_of

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")


def read_images(paths: Sequence[Path], size: int, channels: int) -> np.ndarray:
    """Read images as uint8 (n, channels, size, size): upright, largest central square, bicubic with antialiasing.

    Raises ``Refused`` naming the first file that cannot be read as an image of 8 bits per channel.
    Source of the resizing: Parmar et al. 2022, "On aliased resizing", which compares the choices for Frechet distances.
    """
    from concurrent.futures import ThreadPoolExecutor

    images = np.empty((len(paths), channels, size, size), dtype=np.uint8)

    def read(index: int) -> None:
        images[index] = _read_image(paths[index], size, channels)

    # Pillow releases the GIL while decoding, so threads suffice; each call writes its own row.
    with ThreadPoolExecutor() as pool:
        for _ in pool.map(read, range(len(paths))):
            pass
    return images


def _read_image(path: Path, size: int, channels: int) -> np.ndarray:
    from PIL import Image, ImageOps

    square = ImageOps.fit(upright(path, channels), (size, size), method=Image.Resampling.BICUBIC)
    return channels_first(square, channels)


def upright(path: Path, channels: int) -> Image.Image:
    """Decode an image of 8 bits per channel, rotated by its EXIF orientation; raises ``Refused`` if it cannot."""
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as file:
            if file.mode.startswith(("I", "F")):
                raise Refused(f"its pixels are of mode {file.mode!r}; allowed are 8 bits per channel")
            return ImageOps.exif_transpose(file).convert("L" if channels == 1 else "RGB")
    # Pillow's decoders raise any of these for a damaged file; UnidentifiedImageError is an OSError.
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise Refused(f"{path} cannot be read as an image: {error}") from error


def channels_first(image: Image.Image, channels: int) -> np.ndarray:
    """Return the pixels as uint8 (channels, height, width)."""
    return np.asarray(image).reshape(image.height, image.width, channels).transpose(2, 0, 1)


def expanded(path: Path) -> Path:
    """Replace a leading ``~`` by the home folder; raises ``Refused`` for a user that does not exist."""
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise Refused(f"{path}: {error}") from error


def image_files(root: Path) -> list[Path]:
    """List the images of a folder and its subfolders sorted by name; raises FileNotFoundError if there are none."""
    if not root.is_dir():
        raise FileNotFoundError(f"path {root} is not a folder")
    files: list[Path] = []
    for parent, folders, names in os.walk(root):
        folders[:] = [folder for folder in folders if not folder.startswith(".")]
        files += [Path(parent, name) for name in names if not name.startswith(".") and _is_image(name)]
    if not files:
        raise FileNotFoundError(f"{root} holds no images; accepted suffixes: {', '.join(SUFFIXES)}")
    return sorted(files, key=lambda file: file.relative_to(root).as_posix())


def heldout_count(total: int, fraction: float, source: str) -> int:
    """Return how many of ``total`` samples are held out: the rounded fraction, but at least one on either side."""
    if total < 2:
        raise Refused(f"{source} holds {total} sample; at least 2 are needed, one for training and one held out")
    return min(max(round(fraction * total), 1), total - 1)


class Folder(DataSet):
    """The images of a folder and its subfolders, cut to squares of one size.

    Hidden files are ignored, and links to folders are not followed. The split depends only on the sorted file names.
    """

    name: ClassVar[str] = "folder"

    path: Path = Field(description="the folder")
    size: int = Field(64, ge=1, description="height and width in pixels")
    channels: Literal[1, 3] = Field(3, description="1 reads grey images, 3 reads colour")
    heldout_fraction: float = Field(0.1, gt=0, lt=1, description="fraction of the files that is held out")

    def files(self) -> list[Path]:
        """Return the image files sorted by name; raises FileNotFoundError if there are none."""
        try:
            return image_files(expanded(self.path))
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
        files = self.files()
        kept_back = heldout_count(len(files), self.heldout_fraction, str(self.path))
        order = np.random.default_rng(seed_of("data", self.name, "split")).permutation(len(files))
        chosen = [files[i] for i in order]
        return Split(
            train=read_images(chosen[kept_back:], self.size, self.channels),
            heldout=read_images(chosen[:kept_back], self.size, self.channels),
        )


def _is_image(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


class Array(DataSet):
    """The samples of a .npy file: points (n, d) of any float type, or images (n, 1 or 3, size, size).

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
        return Split(
            train=self._checked(rows[train]),
            heldout=self._checked(rows[heldout]),
            train_labels=None if labels is None else labels[train],
            heldout_labels=None if labels is None else labels[heldout],
        )

    def _mapped(self) -> np.ndarray:
        """Memory-map the file and check its header; no samples are read."""
        rows = _map_npy(self.path)
        points = rows.ndim == 2 and rows.shape[1] > 0 and rows.dtype.kind == "f"
        square = rows.ndim == 4 and rows.shape[1] in (1, 3) and rows.shape[2] == rows.shape[3] > 0
        if not (points or (square and (rows.dtype == np.uint8 or rows.dtype.kind == "f"))):
            raise Refused(
                f"{self.path} holds {rows.dtype} of shape {rows.shape}; allowed are points (n, d) of a float type and "
                "images (n, 1 or 3, size, size), uint8 or floats in [-1, 1]"
            )
        return rows

    def _checked(self, rows: np.ndarray) -> np.ndarray:
        if rows.dtype == np.uint8:
            return np.asarray(rows)
        with np.errstate(over="ignore"):  # overflow gives infinity, which raises below
            rows = np.asarray(rows, dtype=np.float32)
        low, high = rows.min(), rows.max()
        if not (np.isfinite(low) and np.isfinite(high)):
            raise Refused(f"{self.path} holds values that are not finite as float32; remove those rows")
        if rows.ndim == 4 and (low < -1 or high > 1):
            raise Refused(f"{self.path}: float images must lie in [-1, 1], got values in [{low}, {high}]")
        return rows

    def _read_labels(self, count: int) -> np.ndarray | None:
        if self.labels is None:
            return None
        labels = _map_npy(self.labels)
        if labels.shape != (count,) or labels.dtype.kind not in "iu" or labels.min() < 0:
            raise Refused(
                f"{self.labels} holds {labels.dtype} of shape {labels.shape}; "
                f"allowed are integers from 0, of shape ({count},) like {self.path}"
            )
        return labels.astype(np.int64)


def _map_npy(path: Path) -> np.ndarray:
    path = expanded(path)
    if not path.is_file():
        raise FileNotFoundError(f"data set 'array': there is no file {path}")
    try:
        rows = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise Refused(f"{path} cannot be read as a .npy array: {error}") from error
    if not isinstance(rows, np.ndarray):
        raise Refused(f"{path} is an archive of arrays; save the one array alone with numpy.save")
    return rows
