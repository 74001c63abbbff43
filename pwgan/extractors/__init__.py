"""Feature extractors: each is a class with a ``name`` in a module of this package, one file per extractor."""

from __future__ import annotations

import sys
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from pwgan.options import discover

if TYPE_CHECKING:
    from pwgan.extractors.base import Extractor


@cache
def extractors() -> dict[str, type[Extractor]]:
    """Return every known feature extractor by name."""
    # Not an import statement: training, which reads this list to check options, would depend on the code of extractors.
    return discover(sys.modules[__name__], import_module("pwgan.extractors.base").Extractor)


def with_files() -> list[str]:
    """Return the names of the extractors whose weights a study may give as a file."""
    return [name for name, cls in extractors().items() if cls.reads_file]


__all__ = ["extractors", "with_files"]
