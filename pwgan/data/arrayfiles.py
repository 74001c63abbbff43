"""Files of arrays: .npy, .npz and .safetensors, read whole or refused; no code in a file is run."""

from __future__ import annotations

import lzma
import math
import os
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from pwgan.errors import Refused
from pwgan.options import one_of
from pwgan.seals import is_seal

if TYPE_CHECKING:
    import torch

SUFFIXES = (".npy", ".npz", ".safetensors")
LONGEST_SEAL = 200  # bytes

# What numpy, zipfile and their decompressors raise for damaged files; the header of an array is a Python literal.
# RuntimeError includes NotImplementedError (an unknown compression), RecursionError and the request of a password.
DAMAGE = (
    *(OSError, ValueError, TypeError, KeyError, EOFError, RuntimeError, MemoryError, OverflowError),
    *(SyntaxError, tokenize.TokenError, struct.error, zlib.error, lzma.LZMAError, zipfile.BadZipFile),
)


def read_array(path: Path, name: str | None = None) -> np.ndarray | torch.Tensor:
    """Read the only array of a file, or the named one; an array of a .npy file is memory-mapped.

    Raises FileNotFoundError, and ``Refused`` for a damaged file, another format, or a name that is missing or unknown.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise Refused(f"{path} is neither a folder of images nor a file of an array: {', '.join(SUFFIXES)}")
    if suffix == ".npy":
        if name is not None:
            raise Refused(f"{path} holds one array, which has no name: leave out ':{name}'")
        return map_npy(path)
    return _npz(path, name) if suffix == ".npz" else _safetensors(path, name)


def map_npy(path: Path) -> np.ndarray:
    """Memory-map the array of a .npy file.

    Raises FileNotFoundError, and ``Refused`` for a file that is damaged, an archive, or no .npy file.
    """
    with _reading(path, ".npy array"):
        with path.open("rb") as file:
            if file.read(4) == b"PK\3\4":
                raise Refused(f"{path} is an archive of arrays; save the one array alone with numpy.save")
            file.seek(0)
            stated = _stated_bytes(file)
            held = path.stat().st_size - file.tell()
            if 0 < held - stated <= LONGEST_SEAL:  # an array among our own results
                file.seek(stated, os.SEEK_CUR)
                held = stated if is_seal(file.read()) else held
            _check_bytes(stated, held)
        return np.load(path, mmap_mode="r", allow_pickle=False)


@contextmanager
def _reading(path: Path, kind: str) -> Iterator[None]:
    """Report damage as ``Refused``; a pipe or device, on which reading may wait for ever, is not opened."""
    if not path.exists():
        raise FileNotFoundError(f"there is no file {path}")
    if not path.is_file():
        raise Refused(f"{path} is not a regular file")
    try:
        with warnings.catch_warnings(action="ignore"):  # numpy warns of headers that Python 2 wrote, and reads them
            yield
    except Refused:
        raise
    except DAMAGE as error:
        reason = f"{error}" if isinstance(error, (OSError, ValueError)) else f"{type(error).__name__}: {error}"
        raise Refused(f"{path} cannot be read as a {kind}: {reason}") from error


def _stated_bytes(file: IO[bytes]) -> int:
    """Read the header of a .npy stream and return the bytes that its array takes; raises ValueError for objects."""
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    elif version == (2, 0):
        shape, _, dtype = np.lib.format.read_array_header_2_0(file)
    else:
        raise ValueError(f"its format is {version}; arrays of numbers have format (1, 0) or (2, 0)")
    if dtype.hasobject:
        raise ValueError("it holds Python objects, which are never loaded")
    if min(shape, default=0) < 0 or dtype.itemsize == 0:
        raise ValueError(f"its header states {dtype} of shape {shape}")
    return math.prod(shape) * dtype.itemsize


def _check_bytes(stated: int, held: int) -> None:
    """Raise ValueError if an array is cut short, or if more follows it, which numpy would leave out unsaid."""
    if stated != held:
        raise ValueError(f"its header states {stated} bytes of values, but {held} follow")


def _chosen(path: Path, names: Sequence[str], name: str | None) -> str:
    if name is None:
        if len(names) == 1:
            return names[0]
        raise Refused(
            f"{path} holds {len(names)} arrays: write {path}:NAME, NAME one of {', '.join(sorted(names)) or 'none'}"
        )
    return one_of(name, names, f"array of {path}")


def _npz(path: Path, name: str | None) -> np.ndarray:
    with _reading(path, ".npz array"), zipfile.ZipFile(path) as archive:
        members = {member.removesuffix(".npy"): member for member in archive.namelist()}
        member = archive.getinfo(members[_chosen(path, list(members), name)])
        with archive.open(member) as file:
            stated = _stated_bytes(file)
            _check_bytes(stated, member.file_size - file.tell())
        with archive.open(member) as file:
            return np.lib.format.read_array(file, allow_pickle=False)


def _safetensors(path: Path, name: str | None) -> torch.Tensor:
    from safetensors import SafetensorError, safe_open

    with _reading(path, ".safetensors array"):
        try:
            with safe_open(path, framework="pt") as file:
                return file.get_tensor(_chosen(path, list(file.keys()), name))
        except SafetensorError as error:
            raise ValueError(error) from error
