"""What a study needs to run, checked when it is planned: memory, and files of weights."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from pwgan.errors import Refused
from pwgan.extractors.weights import cached, require_published
from pwgan.networks.base import Network

if TYPE_CHECKING:
    from pwgan.extractors.base import Extractor

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
    """Raise ``Refused`` unless a file is a zip archive or a pickle, as torch saves weights, or a safetensors file.

    Nothing is unpickled.
    """
    if not path.is_file():
        raise Refused(f"{key}: there is no file {path}")
    if path.suffix == ".safetensors":
        _require_safetensors(path, key)
        return
    with path.open("rb") as file:
        pickled = file.read(1) == b"\x80"
        if not pickled and not zipfile.is_zipfile(file):
            raise Refused(f"{key}: {path} is not a file of PyTorch weights, or only a part of one")


def _require_safetensors(path: Path, key: str) -> None:
    try:
        with path.open("rb") as file:
            entries = json.loads(file.read(int.from_bytes(file.read(8), "little")))
            ends = [entry["data_offsets"][1] for name, entry in entries.items() if name != "__metadata__"]
            whole = file.tell() + max(ends) == path.stat().st_size
    except (ValueError, KeyError, TypeError, AttributeError, MemoryError, OverflowError):
        whole = False
    if not whole:
        raise Refused(f"{key}: {path} is not a safetensors file, or only a part of one")


def require_weights_of(extractor: type[Extractor], file: Path | None) -> None:
    """Raise ``Refused`` if the weights of an extractor are to be read from a file that cannot be one of weights.

    ``file`` is what the study names; without one, the weights must be downloadable, and a file that torch's cache
    already holds must be the published one.
    """
    key = f"measures.weights.{extractor.name}"
    if not extractor.reads_file:
        return
    if file is not None:
        require_weights(file, key)
    elif extractor.url is None:
        raise Refused(f"features: {extractor.name} reads its weights from a file: set {key} to its path")
    elif cached(extractor.url).exists():
        require_weights(cached(extractor.url), f"features: {extractor.name}")
        require_published(extractor.url)


def to_download(extractor: type[Extractor], file: Path | None) -> str | None:
    """Return the address that the weights of an extractor will be downloaded from; None if they need not be."""
    if not extractor.reads_file or file is not None or extractor.url is None or cached(extractor.url).exists():
        return None
    return extractor.url
