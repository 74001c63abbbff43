"""Compiled kernels that compute the screen: 16-bit lower bounds of all n^2 costs.

``codes`` (n, n), ``low``, ``step`` (n,): low_i + step_i code_ij <= c_ij - reference_j. The bounds are derived in
``screen``.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from pwgan.transport.solvers.vector import maximum, minimum

# Without NaN, the compiler may use vector minima and maxima. Sums may not be reassociated, since their error bound
# assumes the order of operations.
ORDERED = {"nnan", "nsz", "contract"}
# The codes of a row reach UNITS times its lower quartile if they would otherwise have to reach WIDE times as far.
UNITS, WIDE = np.float32(1024), np.float32(4)


@njit(nogil=True, cache=True, fastmath=ORDERED)
def _bounds(row, lost, moved, factor, square, ceiling):
    """Replace squared distances by lower bounds of the cost: max(factor root - lost - moved, 0), squared if ``square``.

    They are limited to ``ceiling``, as the costs are.
    """
    for j in range(len(row)):
        s = factor * np.sqrt(row[j] if row[j] > 0 else np.float32(0)) - lost - moved[j]
        row[j] = s if s > 0 else np.float32(0)
    if square:
        for j in range(len(row)):
            row[j] = row[j] * row[j]
    for j in range(len(row)):
        row[j] = row[j] if row[j] < ceiling else ceiling


@njit(nogil=True, cache=True, fastmath=ORDERED)
def _expanded(row, pp, qq):
    """Replace products p.q by squared distances, in place."""
    for j in range(len(row)):
        row[j] = (pp + qq[j]) - (row[j] + row[j])


@njit(nogil=True, cache=True, fastmath=ORDERED)
def _direct(row, point, by_axis):
    """Write squared distances by direct differences, by_axis (d, n)."""
    for j in range(len(row)):
        row[j] = 0
    for axis in range(len(point)):
        coordinates = by_axis[axis]
        a = row.dtype.type(point[axis])
        for j in range(len(row)):
            difference = a - row.dtype.type(coordinates[j])
            row[j] += difference * difference


@njit(nogil=True, cache=True, fastmath=ORDERED)
def _to_codes(row, low, scale, codes):
    # (f - low) * scale has four roundings of numbers up to 65535: its error is below 0.03 even in float32.
    size = row.dtype.type
    for j in range(len(row)):
        z = (row[j] - low) * scale - size(0.03)
        z = z if z > 0 else size(0)
        codes[j] = np.uint16(np.int32(z if z < 65535 else size(65535)))


@njit(nogil=True, cache=True)
def _encode(row, codes, low, step, place, unit):
    least = minimum(row, len(row))
    most = maximum(row, len(row))
    if most - least > WIDE * UNITS * _nearer(row, least):
        # Near columns would all have the same code: resolve them, and let distant ones share the largest code.
        most = least + UNITS * _nearer(row, least)
    width = (most - least) / np.float32(65535)
    if width < 1e-30:
        width = np.float32(1e-30)
    _to_codes(row, least, np.float32(1) / width, codes[place])
    low[place] = least * unit
    step[place] = width * unit


@njit(nogil=True, cache=True)
def _nearer(row, least):
    """Lower quartile of a sample of the row, less the least; infinite if that is 0, as among many copies."""
    some = row[:: max(len(row) // 64, 1)].copy()
    some.sort()
    nearer = some[len(some) // 4] - least
    return nearer if nearer > 0 else np.float32(np.inf)


@njit(nogil=True, cache=True)
def encode_products(products, rows, place, pp, qq, lost, moved, factor, square, ceiling, unit, codes, low, step):
    """Store lower bounds of the costs of ``rows`` from their products (rows, n), overwritten."""
    for a in range(len(rows)):
        _expanded(products[a], pp[rows[a]], qq)
        _bounds(products[a], lost[rows[a]], moved, factor, square, ceiling)
        _encode(products[a], codes, low, step, place[rows[a]], unit)


@njit(nogil=True, cache=True)
def encode_points(points, by_axis, rows, place, lost, moved, factor, square, ceiling, unit, codes, low, step):
    """Store lower bounds of the costs of ``rows`` from the points (n, d) and by_axis (d, n)."""
    row = np.empty(by_axis.shape[1], np.float32)
    for a in range(len(rows)):
        _direct(row, points[rows[a]], by_axis)
        _bounds(row, lost[rows[a]], moved, factor, square, ceiling)
        _encode(row, codes, low, step, place[rows[a]], unit)


@njit(nogil=True, cache=True, fastmath=ORDERED)
def _fine_row(row, error, pp, qq, square, ceiling, reference):
    for j in range(len(qq)):
        row[j] -= error * (pp + qq[j])
    for j in range(len(row)):
        row[j] = row[j] if row[j] > 0 else 0.0
    if not square:
        for j in range(len(row)):
            row[j] = np.sqrt(row[j])
    for j in range(len(row)):
        row[j] = (row[j] if row[j] < ceiling else ceiling) - reference[j]


@njit(nogil=True, cache=True)
def refine(products, points, by_axis, rows, place, pp, qq, error, width, square, ceiling, reference, codes, low, step):
    """Compute in float64, relative to the keys c_ij - reference_j, the bounds of ``rows``.

    All rows use the step ``width``; keys more than 65535 steps above the least of their row are all stored as 65535.
    Computed from the points if ``products`` (rows, n) is empty.
    """
    row = np.empty(len(reference))
    for a in range(len(rows)):
        i, at = rows[a], place[rows[a]]
        if len(products):
            row = products[a]
            _expanded(row, pp[i], qq)
            _fine_row(row, error, pp[i], qq, square, ceiling, reference)
        else:
            _direct(row, points[i], by_axis)
            _fine_row(row, 0.0, 0.0, qq, square, ceiling, reference)
        low[at] = minimum(row, len(row))
        step[at] = width
        _to_codes(row, low[at], 1 / np.float64(step[at]), codes[at])
