"""Data sets: each is a class with a ``name`` in a module of this package."""

import sys

from pwgan.data.base import DataSet, Split, Synthetic
from pwgan.options import discover


def datasets() -> dict[str, type[DataSet]]:
    """Return every known data set by name."""
    return discover(sys.modules[__name__], DataSet)


__all__ = ["DataSet", "Split", "Synthetic", "datasets"]
