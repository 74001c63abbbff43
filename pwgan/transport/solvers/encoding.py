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


@njit(nogil=True, cache=True, fastmath=ORDERED)
def _bounds(row, lost, factor, square):
    """Replace squared distances by lower bounds of the cost: max(factor root - lost, 0), squared if ``square``."""
    for j in range(len(row)):
        s = factor * np.sqrt(row[j] if row[j] > 0 else np.float32(0)) - lost
        row[j] = s if s > 0 else np.float32(0)
    if square:
        for j in range(len(row)):
            row[j] = row[j] * row[j]


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
def _encode(row, codes, low, step, i):
    least = minimum(row, len(row))
    most = maximum(row, len(row))
    width = (most - least) / np.float32(65535)
    if width < 1e-30:
        width = np.float32(1e-30)
    _to_codes(row, least, np.float32(1) / width, codes[i])
    low[i] = least
    step[i] = width


@njit(nogil=True, cache=True)
def encode_products(products, pp, qq, lost, factor, square, start, codes, low, step):
    """Store lower bounds of the costs of rows start, start + 1, ... from their products (rows, n), overwritten."""
    for a in range(len(products)):
        _expanded(products[a], pp[start + a], qq)
        _bounds(products[a], lost[start + a], factor, square)
        _encode(products[a], codes, low, step, start + a)


@njit(nogil=True, cache=True)
def encode_points(points, by_axis, lost, factor, square, start, stop, codes, low, step):
    """Store lower bounds of the costs of rows start..stop-1 from the points (n, d) and by_axis (d, n)."""
    row = np.empty(by_axis.shape[1], np.float32)
    for i in range(start, stop):
        _direct(row, points[i], by_axis)
        _bounds(row, lost[i], factor, square)
        _encode(row, codes, low, step, i)


@njit(nogil=True, cache=True, fastmath=ORDERED)
def _fine_row(row, error, square, reference):
    for j in range(len(row)):
        s = row[j] - error
        row[j] = s if s > 0 else 0.0
    if not square:
        for j in range(len(row)):
            row[j] = np.sqrt(row[j])
    for j in range(len(row)):
        row[j] -= reference[j]


@njit(nogil=True, cache=True)
def refine(products, points, by_axis, pp, qq, error, width, square, reference, start, stop, codes, low, step):
    """Recompute in float64, relative to the keys c_ij - reference_j, the bounds of rows start..stop-1.

    All rows use the step ``width``; keys more than 65535 steps above the least of their row are all stored as 65535.
    Computed from the points if ``products`` (rows, n) is empty.
    """
    row = np.empty(len(reference))
    most = qq.max() if len(qq) else 0.0
    for i in range(start, stop):
        if len(products):
            row = products[i - start]
            _expanded(row, pp[i], qq)
            _fine_row(row, error * (pp[i] + most), square, reference)
        else:
            _direct(row, points[i], by_axis)
            _fine_row(row, 0.0, square, reference)
        low[i] = minimum(row, len(row))
        step[i] = width
        _to_codes(row, low[i], 1 / np.float64(step[i]), codes[i])
