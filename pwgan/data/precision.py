"""Points of 64 bits as float32: taken relative to an offset where rounding would lose digits, or refused."""

from __future__ import annotations

import logging

import numpy as np

from pwgan.errors import Refused

LOG = logging.getLogger("pwgan")
MOVED = 1e-6  # largest rounding of a coordinate, relative to the scatter
MERGED = 0.01  # largest share of the distinct points that may coincide as float32


def to_float32(rows: np.ndarray, source: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Return points (n, d) of a float type as float32 copies, and the offset (d,) float64 subtracted first, or None.

    Points that are far from the origin, compared with their scatter, move or coincide when they are rounded. They are
    taken relative to the median of each coordinate, which changes no distance. Raises ``Refused`` for values that are
    not finite as float32, and for points that coincide even relative to their medians.
    """
    with np.errstate(over="ignore"):  # overflow gives infinity, which raises below
        copies = np.asarray(rows, dtype=np.float32)
    if not np.isfinite(copies).all():
        raise Refused(f"{source} holds values that are not finite as float32; remove those rows")
    if rows.dtype.itemsize <= copies.dtype.itemsize:
        return copies, None
    points = np.asarray(rows, dtype=np.float64)
    lost = _lost(points, copies, source)
    if lost is None:
        return copies, None
    offset = np.median(points, axis=0)
    points = points - offset
    copies = points.astype(np.float32)
    still = _lost(points, copies, source)
    if still is not None:
        raise Refused(
            f"{source}: as float32, {still}, also relative to their medians: float32 has 24 bits, and is 0 below "
            "1e-45. Subtract a reference from each group of points, or multiply small coordinates; to accept the "
            "rounding, save the array as float32"
        )
    medians = ", ".join(f"{value:.10g}" for value in offset[:10]) + (", ..." if len(offset) > 10 else "")
    LOG.warning("%s: as float32, %s; the points are stored relative to their medians, (%s)", source, lost, medians)
    return copies, offset


def _lost(points: np.ndarray, copies: np.ndarray, source: str) -> str | None:
    """Say what float32 ``copies`` lose of float64 ``points`` (n, d); None if they can stand for the points.

    A coordinate may move by 1e-6 of the scatter, the median distance from the median, or of its own distance from the
    median if that is larger. Of the distinct points, 1 % may coincide with others, which is logged: some of many points
    drawn on a line do.
    """
    distance = np.abs(points - np.median(points, axis=0))
    scatter = np.median(distance, axis=0)
    scatter = np.where(scatter > 0, scatter, distance.mean(axis=0))  # 0 for a coordinate that is constant
    moved = (np.abs(points - copies) > MOVED * np.maximum(scatter, distance)) & (scatter > 0)
    if moved.any():
        return f"{moved.any(axis=1).sum()} of {len(points)} points move by more than {MOVED:g} of their scatter"
    left = _distinct(copies)
    if left == len(points):
        return None
    distinct = _distinct(points)
    told = f"{distinct - left} of {distinct} distinct points coincide with others"
    if distinct - left > MERGED * distinct:
        return told
    if left < distinct:
        LOG.warning("%s: as float32, %s", source, told)
    return None


def _distinct(points: np.ndarray) -> int:
    """Count the distinct rows of (n, d)."""
    rows = np.ascontiguousarray(points + 0.0)  # -0.0 becomes 0.0, which has other bytes
    return len(np.unique(rows.view(f"V{rows.itemsize * rows.shape[1]}")))
