"""The CPU or a GPU: which ones this process may use, which one it takes, and what is left where torch cannot use it."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from pwgan.environment import JOBS_PER_GPU
from pwgan.errors import Refused
from pwgan.lazy import torch
from pwgan.runtime import private_folder

if sys.platform != "win32":
    import fcntl

log = logging.getLogger("pwgan")
_GPU = re.compile(r"\d+|(GPU|MIG)-[\w/-]+")


def visible_gpus() -> list[str]:
    """Return the GPUs that this process may use, without importing torch.

    They are those of CUDA_VISIBLE_DEVICES if it is set, else those with a device file in /dev. As in CUDA, the list
    ends at the first entry that names no GPU, as -1 or a scheduler's NoDevFiles.
    """
    inherited = os.environ.get("CUDA_VISIBLE_DEVICES")
    if inherited is not None:
        return list(itertools.takewhile(_GPU.fullmatch, (gpu.strip() for gpu in inherited.split(","))))
    return sorted((path.name.removeprefix("nvidia") for path in Path("/dev").glob("nvidia[0-9]*")), key=int)


def resolve_device(device: str) -> str:
    """Replace ``auto`` by ``cuda`` if a GPU is visible, else by ``cpu``, with a warning if one was hidden."""
    if device != "auto":
        return device
    if visible_gpus():
        return "cuda"
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    if hidden is not None:
        log.warning("device: auto means the CPU, since CUDA_VISIBLE_DEVICES=%r names no GPU", hidden)
    return "cpu"


@contextlib.contextmanager
def claimed_device(device: str) -> Iterator[torch.device]:
    """Yield the torch device to run on; of several GPUs, hold a lock on one while the context is active.

    Snakemake counts GPUs but assigns no device number: if several are visible, the first with a free lock file is
    used. A GPU has as many lock files as jobs may share it, and those of all GPUs are taken in turn. If torch cannot
    use the GPU, ``auto`` means the CPU, with a warning, and ``cuda`` raises ``Refused``.
    """
    if resolve_device(device) == "cpu":
        yield torch.device("cpu")
        return
    with contextlib.ExitStack() as held:
        if len(visible_gpus()) > 1:
            os.environ["CUDA_VISIBLE_DEVICES"] = _lock_one(visible_gpus(), held)
        reason = _unusable()
        if reason and device == "cuda":
            raise Refused(f"device: cuda was requested, but torch finds no GPU ({reason}); use device: cpu or auto")
        if reason:
            log.warning("device: auto means the CPU, since torch cannot use the GPU: %s", reason)
        _place_compiled_kernels()
        yield torch.device("cpu" if reason else "cuda")


def _place_compiled_kernels() -> None:
    """Let Triton keep its kernels in a temporary folder if there is no home folder to keep them in."""
    if not os.access(os.path.expanduser("~"), os.W_OK):
        os.environ.setdefault("TRITON_CACHE_DIR", str(private_folder("triton")))


def _unusable() -> str:
    """Return why torch cannot use the GPU, in one line; nothing if it can."""
    if not torch.cuda.is_available():
        return "no driver that fits, or a torch without CUDA"
    try:
        torch.zeros(1, device="cuda")
    except RuntimeError as error:
        return str(error).partition("\n")[0]
    return ""


def _lock_one(gpus: list[str], held: contextlib.ExitStack) -> str:
    """Lock the first free place of the GPUs of this machine, a second one on a GPU after the first of all; or wait."""
    folder = private_folder("gpus")
    places = itertools.product(range(int(os.environ.get(JOBS_PER_GPU, "1"))), gpus)
    files: list[IO[str]] = []
    for number, gpu in places:
        files.append(held.enter_context((folder / f"{gpu.replace('/', '-')}.{number}").open("w")))
        try:
            fcntl.flock(files[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
            return gpu
        except BlockingIOError:
            continue
    fcntl.flock(files[0], fcntl.LOCK_EX)
    return gpus[0]
