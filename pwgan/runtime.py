"""What a run needs of its machine: devices, atomic files, random numbers, provenance."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import resource
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO, Any

from pwgan.lazy import torch

if sys.platform != "win32":
    import fcntl


@contextlib.contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
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
    """Write JSON whole or not at all."""
    with whole_file(path) as aside:
        aside.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")


def visible_gpus() -> list[str]:
    """Name the GPUs this process may use, found without importing torch.

    A value of CUDA_VISIBLE_DEVICES that a scheduler set is respected; without one, the kernel's device files count.
    """
    inherited = os.environ.get("CUDA_VISIBLE_DEVICES")
    if inherited is not None:
        return [gpu for gpu in inherited.split(",") if gpu and gpu != "-1"]
    return sorted((path.name.removeprefix("nvidia") for path in Path("/dev").glob("nvidia[0-9]*")), key=int)


def resolve_device(device: str) -> str:
    """Turn ``auto`` into ``cuda`` where a GPU is visible and into ``cpu`` elsewhere."""
    if device == "auto":
        return "cuda" if visible_gpus() else "cpu"
    return device


@contextlib.contextmanager
def claimed_device(device: str) -> Iterator[torch.device]:
    """Yield the torch device to run on, and hold one GPU of several for as long as the block lasts.

    Snakemake counts GPUs but hands out no device number: where several are visible and no scheduler has
    chosen one, the first whose lock file is free is taken. Raises RuntimeError where CUDA was asked for in vain.
    """
    if resolve_device(device) == "cpu":
        yield torch.device("cpu")
        return
    with contextlib.ExitStack() as held:
        if "CUDA_VISIBLE_DEVICES" not in os.environ and len(visible_gpus()) > 1:
            os.environ["CUDA_VISIBLE_DEVICES"] = _lock_one(visible_gpus(), held)
        if not torch.cuda.is_available():
            raise RuntimeError("device: cuda was asked for, but torch finds no GPU; use device: cpu or auto")
        yield torch.device("cuda")


def _lock_one(gpus: list[str], held: contextlib.ExitStack) -> str:
    """Lock the first free GPU of this machine, or wait for the first of them."""
    folder = Path(tempfile.gettempdir()) / f"pwgan-gpus-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    files: list[IO[str]] = []
    for gpu in gpus:
        files.append(held.enter_context(open(folder / gpu, "w")))
        try:
            fcntl.flock(files[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
            return gpu
        except BlockingIOError:
            continue
    fcntl.flock(files[0], fcntl.LOCK_EX)
    return gpus[0]


def seed_of(*parts: object) -> int:
    """Hash any description of a random stream to a 63-bit seed, the same on every machine."""
    digest = hashlib.blake2b(json.dumps([str(part) for part in parts]).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def peak_memory_mb(device: torch.device) -> float:
    """Return the peak of memory allocated on a GPU, or of this process' resident memory on a CPU, in MB."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3


def provenance(device: torch.device) -> dict[str, Any]:
    """Say with what a result was made: versions, machine, device, threads."""
    packages: dict[str, str | None] = {}
    for name in ("pwgan", "torch", "torchvision", "torch-fidelity", "numpy", "scipy", "lapx"):
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
