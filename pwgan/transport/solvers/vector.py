"""Minima over arrays in compiled loops, which LLVM vectorises only if NaN is excluded."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import njit
from numba.extending import intrinsic


@intrinsic
def lower(context: Any, a: Any, b: Any) -> Any:
    """Minimum of two floats of one type, assuming no NaN: LLVM needs these flags to vectorise minima."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        flags = ("nnan", "nsz")
        return builder.select(builder.fcmp_ordered("<", *arguments, flags=flags), *arguments, flags=flags)

    return a(a, a), emit


@njit(nogil=True, cache=True)
def minimum(values, size):
    """Return the least of the first ``size`` entries."""
    least = values[0]
    for e in range(size):
        least = lower(values[e], least)
    return least


@njit(nogil=True, cache=True)
def maximum(values, size):
    """Return the largest of the first ``size`` entries."""
    least = -values[0]
    for e in range(size):
        least = lower(-values[e], least)
    return -least
