"""Files of results that are read back: written whole, each with a seal that is checked on reading.

A seal is a text inside the file, ``pwgan-seal:KIND:OF:DIGEST``: what the file holds, the hash of what it was made from
(the parameters of a block, the name of a data set), and the digest of all its bytes, zeros in place of the digest. It
lies where other programs ignore it: in the metadata of safetensors and parquet files, under a key of JSON objects, and
behind the array of .npy files and the archive of a checkpoint. A file thus stays whole when it is copied or moved, and
its bytes are a function of its content.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np

from pwgan.errors import Refused
from pwgan.runtime import atomic_write, naming

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow
    from torch import Tensor

KEY = "seal"  # of JSON objects and of metadata
_SEAL = re.compile(rb"pwgan-seal:([a-z_-]+):([0-9a-f]{16}):([0-9a-f]{32})")
_LENGTH = 32  # hexadecimal digits of the digest
_PART = 1 << 20  # bytes read at once; a seal lies in the first or the last part of a file
AGAIN = "delete it, and run the stage that writes it again"


def identity(*parts: object) -> str:
    """Hash what a file was made from to 16 hexadecimal digits; the parts must be plain JSON."""
    text = json.dumps(parts, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


class Seal(NamedTuple):
    """The parts of a seal, and where its digest begins in the file."""

    kind: str
    of: str
    digest: str
    position: int


@contextmanager
def sealed(path: Path, kind: str, of: str) -> Iterator[tuple[Path, str]]:
    """Yield a path to write to and a seal to put into the file, which is completed and moved to ``path`` at the end."""
    with atomic_write(path) as aside:
        yield aside, f"pwgan-seal:{kind}:{of}:{'0' * _LENGTH}"
        with aside.open("r+b") as file:
            seal = _find(file)
            if seal is None:
                raise ValueError(f"the seal was not written to {path}")
            digest = _digest(file, seal.position)
            file.seek(seal.position)
            file.write(digest.encode())
            file.flush()
            os.fsync(file.fileno())  # a network file system may report a full disk only here


def check(path: Path, kind: str, of: str | None = None) -> Seal:
    """Read a file by parts and return its seal; ``of`` None stands for any.

    Raises ``Refused``, with what to delete, if it is damaged, of another kind or made from something else.
    """
    with _reading(path), path.open("rb") as file:
        return _check(file, path, kind, of)


def read_bytes(path: Path, kind: str, of: str | None = None) -> bytes:
    """Read a file and ``check`` it."""
    with _reading(path):
        content = path.read_bytes()
    _check(io.BytesIO(content), path, kind, of)
    return content


def _check(file: BinaryIO, path: Path, kind: str, of: str | None) -> Seal:
    seal = _find(file)
    if seal is None:
        raise Refused(f"{path} is damaged, or was not written by this version of pwgan (it has no digest); {AGAIN}")
    if _digest(file, seal.position) != seal.digest:
        raise Refused(f"{path} is damaged (its digest is wrong); {AGAIN}")
    if seal.kind != kind:
        raise Refused(f"{path} holds another kind of result ({seal.kind} instead of {kind}); {AGAIN}")
    if of is not None and seal.of != of:
        raise Refused(f"{path} belongs to another cell or data set, or was made with other options; {AGAIN}")
    return seal


def is_seal(text: bytes) -> bool:
    """Whether the bytes behind an array are a seal and nothing else."""
    return _SEAL.fullmatch(text.strip()) is not None


def _find(file: BinaryIO) -> Seal | None:
    """Return the last seal among the first and the last bytes of a file."""
    seal = None
    for start in (0, max(0, file.seek(0, os.SEEK_END) - _PART)):
        file.seek(start)
        for found in _SEAL.finditer(file.read(_PART)):
            kind, of, digest = (part.decode() for part in found.groups())
            seal = Seal(kind, of, digest, start + found.start(3))
    return seal


def _digest(file: BinaryIO, position: int) -> str:
    """Digest a file with zeros in place of the digest at ``position``."""
    digest = hashlib.blake2b(digest_size=_LENGTH // 2)
    file.seek(0)
    while part := file.read(min(_PART, position - file.tell())):
        digest.update(part)
    digest.update(b"0" * _LENGTH)
    file.seek(position + _LENGTH)
    while part := file.read(_PART):
        digest.update(part)
    return digest.hexdigest()


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Make errors of reading name the file; raises ``Refused`` for a folder, a pipe or a device in its place."""
    if path.exists() and not path.is_file():
        raise Refused(f"{path} is no file, but something else; {AGAIN}")
    with naming(path):
        yield


def write_json(path: Path, kind: str, of: str, content: Mapping[str, Any]) -> None:
    """Write a JSON object."""
    with sealed(path, kind, of) as (aside, seal):
        aside.write_text(json.dumps({**content, KEY: seal}, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def read_json(path: Path, kind: str, of: str | None = None) -> dict[str, Any]:
    """Read a file of ``write_json``."""
    content = json.loads(read_bytes(path, kind, of))
    content.pop(KEY)
    return content


def write_rows(path: Path, kind: str, of: str, rows: list[dict[str, Any]], types: dict[str, str] | None = None) -> None:
    """Write rows as parquet, without pandas, which is slow to import.

    ``types`` gives the columns and their types, for tables that may have no rows.
    """
    import pyarrow

    schema = None if types is None else pyarrow.schema(list(types.items()))
    _write_table(path, kind, of, pyarrow.Table.from_pylist(rows, schema))


def write_frame(path: Path, kind: str, of: str, frame: pd.DataFrame) -> None:
    """Write a frame as parquet, without its index."""
    import pyarrow

    _write_table(path, kind, of, pyarrow.Table.from_pandas(frame, preserve_index=False))


def _write_table(path: Path, kind: str, of: str, table: pyarrow.Table) -> None:
    write_tables(path, kind, of, table.schema, [table])


def write_tables(path: Path, kind: str, of: str, schema: pyarrow.Schema, tables: Iterable[pyarrow.Table]) -> None:
    """Write tables of one schema as one parquet file, each as it comes."""
    from pyarrow import parquet

    with sealed(path, kind, of) as (aside, seal), parquet.ParquetWriter(aside, schema) as writer:
        for table in tables:
            writer.write_table(table)
        writer.add_key_value_metadata({KEY: seal})


def read_table(path: Path, kind: str, of: str | None = None) -> pyarrow.Table:
    """Read a file of ``write_rows`` or ``write_frame``."""
    import pyarrow
    from pyarrow import parquet

    # parquet.read_table takes four times as long for a file of some hundred rows.
    return parquet.ParquetFile(pyarrow.BufferReader(read_bytes(path, kind, of))).read(use_threads=False)


def write_array(path: Path, kind: str, of: str, array: np.ndarray) -> None:
    """Write a NumPy array as .npy."""
    plain = io.BytesIO()
    np.save(plain, array, allow_pickle=False)
    write_behind(path, kind, of, plain.getvalue())


def read_array(path: Path, kind: str, of: str | None = None) -> np.ndarray:
    """Read a file of ``write_array``."""
    return np.load(io.BytesIO(read_bytes(path, kind, of)), allow_pickle=False)


def write_behind(path: Path, kind: str, of: str, content: bytes) -> None:
    """Write bytes of a format whose readers ignore what follows, and a seal behind them."""
    with sealed(path, kind, of) as (aside, seal), aside.open("wb") as file:
        file.write(content)
        file.write(f"\n{seal}\n".encode())


def write_tensors(path: Path, kind: str, of: str, tensors: dict[str, Tensor], about: Mapping[str, Any]) -> None:
    """Write tensors and a JSON object about them as safetensors."""
    from safetensors.torch import save

    with sealed(path, kind, of) as (aside, seal):
        aside.write_bytes(save(tensors, metadata(about, seal)))


def metadata(about: Mapping[str, Any], seal: str) -> dict[str, str]:
    """Return the metadata of a safetensors file: one key, since of several the order, and so the bytes, would vary."""
    return {"pwgan": json.dumps({**about, KEY: seal}, sort_keys=True)}


def read_tensors(path: Path, kind: str, of: str | None = None) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read a file of ``write_tensors``: the tensors, on the CPU, and what was said about them."""
    from safetensors.torch import load

    content = read_bytes(path, kind, of)
    return load(content), about_tensors(io.BytesIO(content))


def about_tensors(file: BinaryIO) -> dict[str, Any]:
    """Return the JSON object about the tensors of a checked safetensors file."""
    about = json.loads(header(file)["__metadata__"]["pwgan"])
    about.pop(KEY)
    return about


def header(file: BinaryIO) -> dict[str, Any]:
    """Return the header of a checked safetensors file, and go to its end."""
    file.seek(0)
    return json.loads(file.read(int.from_bytes(file.read(8), "little")))
