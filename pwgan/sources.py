"""Versions of the user's files, so that a changed picture makes its data set, and all that follows, run again.

A version is a hash of names and contents: files that are touched, copied or moved keep it. Contents are read once; a
record remembers their hashes with sizes and times, and only files whose size or time differs are read again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from pwgan.runtime import atomic_write

FORMAT = "pwgan sources 1"
RECENT = 2.0
"""Seconds. A file this new may change again within the resolution of its time, so its hash is not remembered."""
THREADS = 8
"""Files read at a time: reading waits for disks and networks."""
TO_DOWNLOAD = "to download"
"""The version of files that are not there yet, and of the same files as they were first seen after the download."""
UNREADABLE = [-1, -1]

_hasher = partial(hashlib.blake2b, digest_size=16)


def version(files: Iterable[Path], record: Path) -> str:
    """Return the version of files: equal if and only if their names, below their common folder, and contents are.

    ``record`` is a file that remembers hashes between calls. It is replaced if anything changed; if it cannot be read
    or written, every call reads all contents. Raises OSError for a file that cannot be read.
    """
    paths = sorted(map(os.path.abspath, files))
    known = _read(record)
    try:
        stats = [_stat(path) for path in paths]
    except FileNotFoundError:
        _write(record, {"downloaded": TO_DOWNLOAD})
        return TO_DOWNLOAD
    # Much faster than os.path.commonpath, and in sorted order the first and the last differ most.
    base = os.path.commonprefix([paths[0], paths[-1]]).rpartition("/")[0] if paths else ""  # noqa: RUF071
    entries = {path[len(base) :]: found for path, found in zip(paths, stats, strict=True)}
    hashes = _hashes(base, entries, known.get("files", {}))
    listed = "".join(f"{name}\0{hashes[name]}\0" for name in entries)
    digest = _hasher(listed.encode(errors="surrogateescape")).hexdigest()
    downloaded = digest if known.get("downloaded") == TO_DOWNLOAD else known.get("downloaded")
    settled = (time.time() - RECENT) * 1e9
    kept = {name: [*entry, hashes[name]] for name, entry in entries.items() if entry[1] < settled}
    now = {"files": kept, "downloaded": downloaded}
    if now != known:
        _write(record, now)
    return TO_DOWNLOAD if downloaded == digest else digest


def _stat(path: str) -> list[int]:
    """Return size and time in nanoseconds; ``UNREADABLE`` for a pipe, a device or a link to nothing."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        found = os.lstat(path)
    return [found.st_size, found.st_mtime_ns] if stat.S_ISREG(found.st_mode) else UNREADABLE


def _hashes(base: str, entries: dict[str, list[int]], known: dict[str, list[Any]]) -> dict[str, str]:
    """Return the hash of each file; only those whose size and time are not in ``known`` (size, time, hash) are read."""
    hashes = {name: known[name][2] for name, entry in entries.items() if name in known and known[name][:2] == entry}
    hashes |= {name: "" for name, entry in entries.items() if entry == UNREADABLE}
    unread = [name for name in entries if name not in hashes]
    parts = [unread[start::THREADS] for start in range(min(THREADS, len(unread)))]
    with ThreadPoolExecutor(THREADS) as pool:
        for part, found in zip(parts, pool.map(lambda part: [_hash(base + name) for name in part], parts), strict=True):
            hashes.update(zip(part, found, strict=True))
    return hashes


def _hash(path: str) -> str:
    with open(path, "rb", buffering=0) as file:
        return hashlib.file_digest(file, _hasher).hexdigest()


def _read(record: Path) -> dict[str, Any]:
    """Return the content of the record; nothing if there is none or it is not one of ``_write``."""
    try:
        content = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content[FORMAT] if isinstance(content, dict) and FORMAT in content else {}


def _write(record: Path, content: dict[str, Any]) -> None:
    with contextlib.suppress(OSError), atomic_write(record) as aside:
        aside.write_text(json.dumps({FORMAT: content}), encoding="utf-8")
