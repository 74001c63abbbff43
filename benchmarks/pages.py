"""The pages that benchmarks write."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pwgan.runtime import atomic_write


def write(path: Path | None, lines: Iterable[str]) -> None:
    """Write lines to a file, if one was asked for."""
    if path is not None:
        with atomic_write(path) as aside:
            aside.write_text("\n".join(lines) + "\n", encoding="utf-8")
