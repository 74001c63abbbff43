"""Files of images: those of a folder, decoded as a viewer shows them, or refused."""

from __future__ import annotations

import logging
import os
import struct
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pwgan.errors import Refused

if TYPE_CHECKING:
    from PIL import Image, ImageFile

SUFFIXES = (".bmp", ".gif", ".jfif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")  # whatever the suffix says
MODES = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr")
GREY = ("1", "L", "LA", "La")

# What Pillow raises for damaged files; UnidentifiedImageError is an OSError.
DAMAGE = (
    *(OSError, ValueError, TypeError, KeyError, IndexError, EOFError, SyntaxError, ArithmeticError, MemoryError),
    *(struct.error, zlib.error),
)


def image_files(root: Path, *, tell: bool = False) -> list[Path]:
    """List the images of a folder and its subfolders sorted by name; ``tell`` logs what is left out, in one line.

    Hidden files are ignored. Left out are links to folders, files of other suffixes, and pipes, sockets and devices.
    Raises FileNotFoundError if there are no images, and ``Refused`` for a folder that cannot be read.
    """
    if not root.is_dir():
        raise FileNotFoundError(f"path {root} is not a folder")
    files: list[str] = []
    left_out: Counter[str] = Counter()
    example: dict[str, str] = {}
    waiting = [""]
    while waiting:
        parent = waiting.pop()
        for name, kind in _entries(root, parent):
            if kind == "folder":
                waiting.append(f"{name}/")
            elif kind == "image":
                files.append(name)
            else:
                left_out[kind] += 1
                example[kind] = min(name, example.get(kind, name))
    if not files:
        raise FileNotFoundError(f"{root} holds no images; accepted suffixes: {', '.join(SUFFIXES)}")
    if tell and left_out:
        kinds = ", ".join(f"{kind}: {count} (as {example[kind]})" for kind, count in sorted(left_out.items()))
        logging.getLogger("pwgan").warning("%s: %d images are read; left out are %s", root, len(files), kinds)
    return [root / name for name in sorted(files)]


def _entries(root: Path, parent: str) -> Iterator[tuple[str, str]]:
    """Yield the path, relative to ``root``, and the kind of each entry of a folder that is not hidden."""
    try:
        with os.scandir(root / parent) as entries:
            for entry in entries:
                if not entry.name.startswith("."):
                    yield parent + entry.name, _kind(entry)
    except OSError as error:
        raise Refused(f"folder {root / parent} cannot be read: {error.strerror}") from error


def _kind(entry: os.DirEntry[str]) -> str:
    with suppress(OSError):  # a link in a circle, or into a folder that may not be entered
        if entry.is_dir():
            return "linked folders" if entry.is_symlink() else "folder"
        if entry.is_file():
            return "image" if entry.name.lower().endswith(SUFFIXES) else "files of other suffixes"
    return "broken links" if entry.is_symlink() else "pipes, sockets or devices"


def read_images(paths: Sequence[Path], channels: int, size: int | None = None, *, progress: bool = False) -> np.ndarray:
    """Read images as uint8 (n, channels, height, width), upright, as ``decoded`` returns them.

    With ``size``, height and width of the result: the largest central square, bicubic with antialiasing.
    Raises ``Refused`` naming the first file that cannot be read, or, without ``size``, that is of another size.
    Source of the resizing: Parmar et al. 2022, "On aliased resizing", which compares the choices for Frechet distances.
    """
    from concurrent.futures import ThreadPoolExecutor

    from PIL import Image, ImageOps
    from tqdm import tqdm

    def read(path: Path) -> tuple[np.ndarray, bool]:
        image, transparent = decoded(path, channels)
        if size is not None:
            image = ImageOps.fit(image, (size, size), method=Image.Resampling.BICUBIC)
        return np.asarray(image).reshape(image.height, image.width, channels).transpose(2, 0, 1), transparent

    images = np.empty(0, dtype=np.uint8)
    composed: list[Path] = []
    # Pillow decodes outside the interpreter's lock, so threads are enough.
    pool = ThreadPoolExecutor()
    try:
        bar = tqdm(pool.map(read, paths), "images", len(paths), leave=False, disable=not progress)
        for index, (image, transparent) in enumerate(bar):
            if index == 0:
                images = np.empty((len(paths), *image.shape), dtype=np.uint8)
            elif image.shape != images[0].shape:
                first, other = images[0].shape[1:], image.shape[1:]
                raise Refused(
                    f"images of a folder must be of one size, but {paths[0]} is {first[1]}×{first[0]} and "
                    f"{paths[index]} {other[1]}×{other[0]} pixels; resizing changes the distance, so do it beforehand"
                )
            images[index] = image
            if transparent:
                composed.append(paths[index])
    finally:
        pool.shutdown(cancel_futures=True)  # after an error or interrupt, skip the remaining images
    if composed:
        logging.getLogger("pwgan").warning(
            "%d of %d images have transparent pixels, which are read on a white ground (as %s)",
            *(len(composed), len(paths), composed[0]),
        )
    return images


def decoded(path: Path, channels: int) -> tuple[Image.Image, bool]:
    """Decode an image as a viewer shows it, to mode L or RGB, and return whether it has transparent pixels.

    It is rotated by its EXIF orientation, and transparent pixels are composed on white. Colour profiles are not
    applied; CMYK is converted by its complement. Of the previews that a camera appends to a JPEG, none is read. Raises
    ``Refused``: damaged files, several pages or frames, more than 8 bits per channel, modes such as LAB.
    """
    from PIL import Image

    with _opened(path) as file:
        if _deep(file):
            raise Refused(
                f"{path} has more than 8 bits per channel; convert it to 8 bits, or save all images as one .npy array"
            )
        if file.mode not in MODES:
            raise Refused(f"{path} has pixels of mode {file.mode!r}; convert it to 8-bit grey or RGB")
        frames = getattr(file, "n_frames", 1)
        if frames > 1 and file.format != "MPO":
            raise Refused(f"{path} holds {frames} pages or frames; save each as a file of its own")
        file.load()
        image: Image.Image = file
        transparent = False
        if file.has_transparency_data:
            whole = file.convert("RGBA")
            transparent = bool((np.asarray(whole.getchannel("A")) < 255).any())
            image = Image.alpha_composite(Image.new("RGBA", whole.size, "white"), whole)
        turn = _turn(file)
        image = image.convert("L" if channels == 1 else "RGB")
        return image if turn is None else image.transpose(turn), transparent


def is_grey(path: Path) -> bool:
    """Return whether an image has no colour, from its header."""
    with _opened(path) as file:
        return file.mode in GREY


@contextmanager
def _opened(path: Path) -> Iterator[ImageFile.ImageFile]:
    """Open an image, and report damage as ``Refused``."""
    from PIL import Image

    try:
        with Image.open(path, formats=FORMATS) as file:
            yield file
    except Refused:
        raise
    except (*DAMAGE, Image.DecompressionBombError) as error:
        raise Refused(f"{path} cannot be read as an image: {error}") from error


def _deep(file: ImageFile.ImageFile) -> bool:
    """Return whether a file has more than 8 bits per channel; Pillow silently drops the lower bits of colours."""
    from PIL.TiffImagePlugin import BITSPERSAMPLE, TiffImageFile

    if file.mode.startswith(("I", "F")):
        return True
    if isinstance(file, TiffImageFile):
        bits = file.tag_v2.get(BITSPERSAMPLE, (8,))
        return max(bits if isinstance(bits, tuple) else (bits,)) > 8
    options: Any = file.tile[0][3] if file.tile else ""  # of Pillow's decoder
    if file.format == "PNG":
        return ";16" in options
    return file.format == "PPM" and isinstance(options, tuple) and options[1] > 255


def _turn(file: Image.Image) -> Image.Transpose | None:
    """Return the transposition that the EXIF orientation asks for; like viewers, none if the EXIF data are damaged."""
    from PIL import ExifTags, Image

    turns = Image.Transpose
    methods = {
        2: turns.FLIP_LEFT_RIGHT,
        3: turns.ROTATE_180,
        4: turns.FLIP_TOP_BOTTOM,
        5: turns.TRANSPOSE,
        6: turns.ROTATE_270,
        7: turns.TRANSVERSE,
        8: turns.ROTATE_90,
    }
    try:
        # Not ImageOps.exif_transpose: it writes all tags anew, which fails if any other is damaged.
        orientation: Any = file.getexif().get(ExifTags.Base.Orientation)
    except DAMAGE:
        return None
    return methods.get(orientation)
