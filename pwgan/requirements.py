"""What a study needs to run, checked when it is planned: memory, and a file of weights."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

from pwgan.errors import Refused
from pwgan.networks.base import Network

LARGEST = 256 * 2**30
"""Bytes. Jobs may run on larger machines than the one that plans, but hardly on larger ones than this."""
STATE = 16
"""Bytes of a weight in training: float32, its gradient, and the two moments of Adam."""


def machine_memory() -> int:
    """Return the physical memory of this machine in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def require_memory(needed: int, purpose: str, elsewhere: bool = True) -> None:
    """Raise ``Refused`` if ``purpose`` needs more bytes than this machine has.

    What may run ``elsewhere``, on a larger machine, is refused only if it also needs more than ``LARGEST``.
    """
    available = max(machine_memory(), LARGEST if elsewhere else 0)
    if needed > available:
        raise Refused(f"{purpose} needs at least {needed // 10**9:,} GB of memory; allowed: {available // 10**9:,} GB")


def require_memory_to_train(
    network: Network, seeds: int, shape: tuple[int, ...], where: str, elsewhere: bool = True
) -> None:
    """Raise ``Refused`` if the networks of so many seeds need too much memory, as ``require_memory`` does."""
    needed = STATE * seeds * network.weights(shape)
    require_memory(needed, f"{where}: training {seeds} seeds of these networks at once", elsewhere)


def require_weights(path: Path, key: str) -> None:
    """Raise ``Refused`` unless a file is a zip archive or a pickle, as torch saves weights; nothing is unpickled."""
    if not path.is_file():
        raise Refused(f"{key}: there is no file {path}")
    with path.open("rb") as file:
        pickled = file.read(1) == b"\x80"
        if not pickled and not zipfile.is_zipfile(file):
            raise Refused(f"{key}: {path} is not a file of PyTorch weights, or only a part of one")
