"""Runtime support: atomic writes, locks, seeds of random streams, time and memory."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import resource
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pwgan.errors import Busy
from pwgan.lazy import torch

if sys.platform != "win32":
    import fcntl


@contextlib.contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Yield a path beside ``path`` to write to; it is renamed to ``path`` only if the block succeeds.

    Files that killed writers left in the folder are deleted. An OSError of the block that names no file names ``path``.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path.parent)
    handle, aside = _temporary(path)
    try:
        with naming(path, aside):
            yield aside
            os.chmod(aside, 0o666 & ~_umask())
            os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)
        os.close(handle)


_ASIDE = ".pwgan-"  # prefix of files that are being written; the writer holds a lock on each


def _temporary(path: Path) -> tuple[int, Path]:
    """Create a file beside ``path``, with its suffix, which tells some writers the format, and lock it."""
    while True:
        try:
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=_ASIDE, suffix=f"-{path.name}")
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from error
        with contextlib.suppress(OSError):  # a file system without locks: then nothing is ever swept
            fcntl.flock(handle, fcntl.LOCK_EX)
        if os.path.exists(name):
            return handle, Path(name)
        os.close(handle)  # swept between its creation and its lock


def _sweep(folder: Path) -> None:
    """Delete the files of writers that were killed: nobody holds their locks."""
    for leftover in folder.glob(f"{_ASIDE}*"):
        with contextlib.suppress(OSError), leftover.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            leftover.unlink(missing_ok=True)


@contextlib.contextmanager
def naming(path: Path, aside: Path | None = None) -> Iterator[None]:
    """Make an OSError name ``path`` if it names no file, as that of a full disk, or ``aside``."""
    try:
        yield
    except OSError as error:
        if error.filename is not None and error.filename != str(aside):
            raise
        if error.errno is None:
            raise OSError(f"{path}: {error}") from error
        raise OSError(error.errno, error.strerror or os.strerror(error.errno), str(path)) from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_json(path: str | Path, content: Any) -> None:
    """Write JSON atomically."""
    with atomic_write(path) as aside:
        aside.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")


LOCK = ".lock"
"""The lock file of a job's folder: made by the first process that begins the job, and never removed."""
RESULT = "measures.json"
"""The file that a job writes last, which stands for all others in its folder."""
AHEAD = "ahead-*.json"
"""That file of a job which was done ahead of its own process (``pwgan.ahead``)."""


@contextlib.contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold the lock file of a folder while the context is active; raises ``Busy`` if another process holds it.

    A cluster job may outlive the workflow that submitted it: a second copy must not write to the same folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = folder / LOCK
    with open(lock, "w") as file:
        for pause in (0.01, 0.1, None):  # who only looks whether it is held holds it for an instant
            try:
                with naming(lock):
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if pause is None:
                    raise Busy(f"{folder} is being written by another process; wait for it, or end it") from error
                time.sleep(pause)
        yield


def held(folder: Path) -> bool:
    """Return whether a process holds the lock of a folder: of this machine, or of the cluster if its files show it."""
    try:
        with (folder / LOCK).open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return True
        raise
    return False


def forget_ahead(folder: Path) -> None:
    """Delete results that were left ahead in a folder, of which other files are about to change."""
    for outdated in folder.glob(AHEAD):
        outdated.unlink()


def private_folder(name: str) -> Path:
    """Return a folder of this user for temporary files, the same in all processes; raises OSError if there is none.

    A folder that another user made, or may write to, is refused: what lies there would be trusted.
    """
    folder = Path(tempfile.gettempdir()) / f"pwgan-{name}-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    about = folder.lstat()
    if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.getuid() or about.st_mode & 0o022:
        raise PermissionError(f"{folder} is not a folder that only this user can write to; remove it, or set TMPDIR")
    return folder


def sha256(file: Path) -> str:
    """Return the SHA-256 of a file."""
    with file.open("rb", buffering=0) as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def seed_of(*parts: object) -> int:
    """Hash the name of a random stream to a 63-bit seed, the same on every machine."""
    digest = hashlib.blake2b(json.dumps([str(part) for part in parts]).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def clock(device: torch.device) -> Callable[[], float]:
    """Return the clock of a stage that computes on a device: CPU time of this process on a CPU, wall time on a GPU.

    CPU time does not depend on what else the machine does, so that times of different jobs can be compared.
    """
    return time.process_time if device.type == "cpu" else time.perf_counter


@dataclass
class Cost:
    """Wall time in seconds and peak memory in MB of a block of code."""

    seconds: float = 0.0
    peak_memory_mb: float = 0.0


@contextlib.contextmanager
def measured_cost(device: torch.device) -> Iterator[Cost]:
    """Yield a ``Cost`` that is filled in when the context exits.

    The peak is that of allocated memory on a GPU; on a CPU, of the resident memory of this process (since the context
    was entered on Linux, since the process started elsewhere), with what it held before.
    """
    cost = Cost()
    _forget_peak(device)
    started = time.perf_counter()
    yield cost
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    cost.seconds = round(time.perf_counter() - started, 3)
    cost.peak_memory_mb = round(_peak_memory(device) / 1e6, 1)


def _forget_peak(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif sys.platform == "linux":
        with contextlib.suppress(OSError):  # may be forbidden in a container: the peak then covers the whole process
            Path("/proc/self/clear_refs").write_text("5")


def _peak_memory(device: torch.device) -> int:
    """Return the peak in bytes."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if sys.platform == "linux":
        status = Path("/proc/self/status").read_text()
        return 1024 * int(status.partition("VmHWM:")[2].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
