"""Balanced recursive bisection of points along principal axes, on a CPU, in float64."""

from __future__ import annotations

import numpy as np
from numba import njit

POWER_STEPS = 6
"""Power iterations per principal axis: a cut needs only an approximate direction."""


@njit(nogil=True, cache=True)
def bisect(points, starts, order):
    """Order each set of points (S, n, d) so that its strata are the runs that begin at ``starts`` (m + 1,).

    order: (S, n) int64, overwritten. The order within a stratum is arbitrary, but a function of the set alone.
    """
    sets, n, d = points.shape
    group = np.empty((d, n))
    value = np.empty(n)
    scatter = np.empty((d, d))
    axis, longer = np.empty(d), np.empty(d)
    # Each group that is cut leaves one half waiting, so these are at most the number of levels.
    waiting = np.empty((64, 2), np.int64)
    for s in range(sets):
        order[s] = np.arange(n)
        waiting[0] = 0, len(starts) - 1
        count = 1
        while count:
            count -= 1
            first, last = waiting[count]
            if last - first == 1:
                continue
            middle = (first + last) // 2
            members = order[s, starts[first] : starts[last]]
            _centre(points[s], members, group)
            _scatter(group, len(members), scatter)
            _principal_axis(scatter, axis, longer)
            _project(group, axis, value[: len(members)])
            _part(value, members, starts[middle] - starts[first])
            waiting[count] = first, middle
            waiting[count + 1] = middle, last
            count += 2


@njit(nogil=True, cache=True, fastmath={"reassoc"})
def _centre(points, members, group):
    """Coordinates of the members less their mean, (d, members)."""
    size = len(members)
    for k in range(len(group)):
        total = 0.0
        for i in range(size):
            group[k, i] = points[members[i], k]
            total += group[k, i]
        mean = total / size
        for i in range(size):
            group[k, i] -= mean


@njit(nogil=True, cache=True, fastmath={"reassoc"})
def _scatter(group, size, scatter):
    """Sums of products of centred coordinates, (d, d)."""
    for k in range(len(group)):
        for j in range(k + 1):
            total = 0.0
            for i in range(size):
                total += group[k, i] * group[j, i]
            scatter[k, j] = scatter[j, k] = total


@njit(nogil=True, cache=True, fastmath={"reassoc"})
def _principal_axis(scatter, axis, longer):
    """Direction of largest variance by the power method, which starts from the widest coordinate."""
    d = len(axis)
    widest = 0
    for k in range(d):
        if scatter[k, k] > scatter[widest, widest]:
            widest = k
    axis[:] = 0
    axis[widest] = 1
    for _ in range(POWER_STEPS):
        squared = 0.0
        for k in range(d):
            total = 0.0
            for j in range(d):
                total += scatter[k, j] * axis[j]
            longer[k] = total
            squared += total * total
        if not squared > 0:
            return
        for k in range(d):
            axis[k] = longer[k] / np.sqrt(squared)


@njit(nogil=True, cache=True)
def _project(group, axis, value):
    value[:] = 0
    for k in range(len(axis)):
        for i in range(len(value)):
            value[i] += axis[k] * group[k, i]


@njit(nogil=True, cache=True)
def _part(value, members, size):
    """Move the ``size`` members of least value to the front, by quickselect; which of equal ones is left open."""
    low, high = 0, len(members) - 1
    while low < high:
        # The median of three is a good pivot also for points that lie in order.
        a, b, c = value[low], value[(low + high) // 2], value[high]
        pivot = max(min(a, b), min(max(a, b), c))
        i, j = low, high
        while i <= j:
            while value[i] < pivot:
                i += 1
            while value[j] > pivot:
                j -= 1
            if i <= j:
                value[i], value[j] = value[j], value[i]
                members[i], members[j] = members[j], members[i]
                i += 1
                j -= 1
        # Now value[low..j] <= pivot <= value[i..high], and those between equal it.
        if size <= j:
            high = j
        elif size >= i:
            low = i
        else:
            return
