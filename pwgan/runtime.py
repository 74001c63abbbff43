"""Runtime support: atomic writes, locks, seeds of random streams, time and memory."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import resource
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pwgan.errors import Refused
from pwgan.lazy import torch

if sys.platform != "win32":
    import fcntl


@contextlib.contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Yield a path beside ``path`` to write to; it is renamed to ``path`` only if the block succeeds."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
    os.close(handle)
    try:
        yield Path(aside)
        os.chmod(aside, 0o666 & ~_umask())
        os.replace(aside, path)
    finally:
        Path(aside).unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_json(path: str | Path, content: Any) -> None:
    """Write JSON atomically."""
    with atomic_write(path) as aside:
        aside.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")


def write_table(path: str | Path, rows: list[dict[str, Any]], types: dict[str, str] | None = None) -> None:
    """Write rows as parquet atomically, without pandas, which is slow to import.

    ``types`` gives the columns and their types, for tables that may have no rows.
    """
    import pyarrow
    from pyarrow import parquet

    with atomic_write(path) as aside:
        schema = None if types is None else pyarrow.schema(list(types.items()))
        parquet.write_table(pyarrow.Table.from_pylist(rows, schema), aside)


@contextlib.contextmanager
def exclusive(lock: Path) -> Iterator[None]:
    """Hold a lock file while the context is active; raises ``Refused`` if another process holds it.

    A cluster job may outlive the workflow that submitted it: a second copy must not write to the same folder.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with open(lock, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Refused(f"{lock.parent} is being written by another process; wait for it, or end it") from error
        yield


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


def seed_of(*parts: object) -> int:
    """Hash the name of a random stream to a 63-bit seed, the same on every machine."""
    digest = hashlib.blake2b(json.dumps([str(part) for part in parts]).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


@dataclass
class Cost:
    """Wall time in seconds and peak memory in MB of a block of code."""

    seconds: float = 0.0
    peak_memory_mb: float = 0.0


@contextlib.contextmanager
def measured_cost(device: torch.device) -> Iterator[Cost]:
    """Yield a ``Cost`` that is filled in when the context exits.

    The peak is that of allocated memory on a GPU; on a CPU, of the resident memory of this process (since the context
    was entered on Linux, since the process started elsewhere).
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


def environment(device: torch.device) -> dict[str, Any]:
    """Return the environment of a result: package versions, machine, device, threads."""
    packages: dict[str, str | None] = {}
    for name in ("pwgan", "torch", "torchvision", "torch-fidelity", "numpy", "scipy", "numba"):
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            packages[name] = None
    return {
        "packages": packages,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "threads": torch.get_num_threads(),
    }
