"""The families of methods, and their colours."""

from __future__ import annotations

from functools import cache
from typing import get_args

from pwgan.methods import methods
from pwgan.methods.base import Family

# Okabe and Ito's palette.
COLOURS = dict(zip(get_args(Family), ("#D55E00", "#009E73", "#56B4E9", "#E69F00", "#0072B2", "#7F7F7F"), strict=True))


@cache
def _families() -> dict[str, Family]:
    return {name: method.family for name, method in methods().items()}


def family(algorithm: str) -> Family:
    """Return the family of a method, by the name of its class."""
    return _families()[algorithm]
