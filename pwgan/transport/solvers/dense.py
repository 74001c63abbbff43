"""Linear assignment of many small dense matrices on a CPU, exact and without a collapse on hard data.

Each problem takes the cheapest road that its data allow; c_ij - v_j is called the key of column j in row i:

1. Column reduction, v_j = min_i c_ij, and every row takes a column of its least key that is still free.
2. Rows left over bid once or a few times (augmenting row reduction), then shortest augmenting paths finish. Source:
   Jonker and Volgenant, A shortest augmenting path algorithm for dense and sparse linear assignment problems (1987).
   This is all that small or easy data need.
3. Where step 1 leaves too many rows over, or the paths of step 2 exceed their budget (the other side has collapsed:
   each path runs through whole clusters), an epsilon-scaling auction finds prices that are nearly optimal.
   Source: Bertsekas, The auction algorithm: a distributed relaxation method for the assignment problem (1988). Its
   phases are cut short by a budget of bids, so that no price war can last. A few sweeps then make the pairs of the
   auction tight where they can be, and step 2 finishes from there.

A row is always read whole, in loops that the compiler turns into vector instructions. All arithmetic is float64, also
on float32 costs: the kernels are compiled for each dtype when it is first met, since reading half the bytes saves a
quarter of the time of large problems, and more.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pwgan.transport.solvers.vector import lower

# Work is counted in scans of a row, n entries each; n scans read the matrix once.
MANY = 250  # rows left over from which an auction is faster than shortest paths, ...
MANY_OF_MOST = 100  # ... and where more rows are left over than not
PATH_BUDGET = 32  # times n: what shortest paths may scan before an auction is called in
PHASES = 6
BIDS = 4  # times n: what one phase of the auction may scan
SCALING = 5.0
SETTLED = 0.05  # share of the rows; a phase that fewer must bid in ends the auction
SWEEPS = 6
ROUNDING = 4 * np.finfo(np.float64).eps
LARGEST = 2.0**990  # sums of the entries' sizes beyond it are scaled down, so that no potential overflows
BLOCK = 1 << 16  # entries that one call of the kernel solves, in whole problems

Floats = NDArray[np.float64]


def solve_dense(
    costs: NDArray[np.floating[Any]], threads: int = 1
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Solve a batch of assignment problems exactly.

    min over permutations pi of sum_i c_{i, pi(i)}  =  max over u, v of sum_i u_i + sum_j v_j  with  u_i + v_j <= c_ij.

    costs: (B, m, m), float32 or float64, C-contiguous -> columns (B, m), row i is matched with column columns[i];
    row_potential u, column_potential v (B, m), in the units of the costs, feasible and tight on the matching up to
    rounding: u_i = min_j (c_ij - v_j). The answer is the same bits for any number of ``threads``. Raises
    ValueError for costs of another shape, dtype or layout, or not finite. Source: article D1.
    """
    if costs.ndim != 3 or costs.shape[1] != costs.shape[2] or not costs.shape[1]:
        raise ValueError(f"costs must be (B, m, m) with m >= 1, given {costs.shape}")
    if costs.dtype not in (np.float32, np.float64) or not costs.flags.c_contiguous:
        raise ValueError(f"costs must be float32 or float64 and C-contiguous, given {costs.dtype} {costs.strides}")
    if threads < 1:
        raise ValueError(f"threads must be at least 1, given {threads}")
    batch, m, _ = costs.shape
    columns = np.empty((batch, m), np.int64)
    u, v = np.empty((batch, m)), np.empty((batch, m))
    size = max(1, BLOCK // (m * m))

    def solve(first: int) -> None:
        part = slice(first, first + size)
        given = costs[part]
        for at in _solve_block(given, columns[part], u[part], v[part]).nonzero()[0]:
            _solve_scaled(given[at : at + 1], first + at, columns, u, v)

    _spread(solve, range(0, batch, size), threads)
    return columns, u, v


def _spread(work: Callable[[int], None], blocks: range, threads: int) -> None:
    """Call ``work`` for every block, on several threads if there are several blocks; an interrupt drops the rest."""
    if threads == 1 or len(blocks) <= 1:
        for block in blocks:
            work(block)
        return
    pool = ThreadPoolExecutor(min(threads, len(blocks)))
    try:
        list(pool.map(work, blocks))
    finally:
        pool.shutdown(cancel_futures=True)


def _solve_scaled(cost: NDArray[np.floating[Any]], at: int, columns: NDArray[np.int64], u: Floats, v: Floats) -> None:
    """Solve the one problem (1, m, m) whose entries are too large to be added up; a power of two changes no digit.

    Finite float32 costs are never too large.
    """
    if not np.isfinite(cost).all():
        raise ValueError(f"problem {at} of costs holds entries that are NaN or infinite")
    part = slice(at, at + 1)
    _solve_block(cost * 2.0**-64, columns[part], u[part], v[part])
    u[at] *= 2.0**64
    v[at] *= 2.0**64


@njit(nogil=True, cache=True)
def _solve_block(costs, columns, u, v):
    """Solve every problem of (k, m, m); True where entries are too large, or not finite, and nothing was solved."""
    batch, n = costs.shape[:2]
    refused = np.zeros(batch, np.bool_)
    row = np.empty(n, np.int32)
    column = np.empty(n, np.int32)
    index = np.empty((2, n), np.int32)
    keys = np.empty((3, n))
    for b in range(batch):
        c = costs[b]
        prices, least = v[b], u[b]
        if not _reduce_columns(c, prices, keys[0]):
            refused[b] = True
            continue
        left, ties = _take_free(c, prices, least, row, column, keys[0])
        if left:
            settled = False
            if 2 * ties > n or left < (MANY_OF_MOST if 2 * left > n else MANY):
                _bid_exactly(c, prices, row, column, index[0], keys[0], n)
                settled = _augment(c, prices, row, column, index, keys, PATH_BUDGET * n)
            if not settled:
                _auction(c, prices, row, column, index[0], keys[0])
                _tighten(c, prices, least, row, column, keys[0])
                _bid_exactly(c, prices, row, column, index[0], keys[0], 2 * n)
                _augment(c, prices, row, column, index, keys, n * n)
        for i in range(n):
            columns[b, i] = column[i]
            # Since ``least`` was noted, prices have only fallen, keys risen: a pair's key that has not is the least.
            if c[i, column[i]] - prices[column[i]] > least[i]:
                least[i] = _least_key(c, i, prices)
    return refused


@njit(nogil=True, cache=True)
def _reduce_columns(c, v, size):
    """v_j = min_i c_ij; False if the entries' sizes do not add up to a moderate number."""
    n = len(v)
    for j in range(n):
        v[j] = c[0, j]
        size[j] = abs(c[0, j])
    for i in range(1, n):
        for j in range(n):
            x = c[i, j]
            v[j] = x if x < v[j] else v[j]
            size[j] += abs(x)
    return size.sum() < LARGEST


@njit(nogil=True, cache=True)
def _least_key(c, i, v):
    least = np.inf
    for j in range(len(v)):
        least = lower(c[i, j] - v[j], least)
    return least


@njit(nogil=True, cache=True)
def _position(x, value):
    """Last position of a value, without a branch; 32 bits, so that as many lanes compare as hold indices."""
    last = np.int32(-1)
    for j in range(np.int32(len(x))):
        here = np.int32(j) if x[j] == value else np.int32(-1)
        last = here if here > last else last
    return last


@njit(nogil=True, cache=True)
def _position_free(x, value, row):
    """Last position of a value among the columns without a row; any other one if there is none."""
    last = np.int32(-1)
    free = np.int32(-1)
    for j in range(np.int32(len(x))):
        here = np.int32(j) if x[j] == value else np.int32(-1)
        last = here if here > last else last
        here = here if row[j] < 0 else np.int32(-1)
        free = here if here > free else free
    return free if free >= 0 else last


@njit(nogil=True, cache=True)
def _two_least(c, i, v, keys):
    """Least key of row i, a column that has it, and the least key of the others; fills ``keys``, that column's inf."""
    n = len(v)
    least = np.inf
    for j in range(n):
        key = c[i, j] - v[j]
        keys[j] = key
        least = lower(key, least)
    best = _position(keys, least)
    keys[best] = np.inf
    second = np.inf
    for j in range(n):
        second = lower(keys[j], second)
    return least, best, second


@njit(nogil=True, cache=True)
def _take_free(c, v, least_key, row, column, keys):
    """Give each row a free column of its least key, if there is one; note that key.

    Return how many rows go without, and how many have that key twice: between ties, paths are short.
    """
    n = len(v)
    row[:] = -1
    left = 0
    ties = 0
    for i in range(n):
        least, j, second = _two_least(c, i, v, keys)
        least_key[i] = least
        if least == second:
            ties += 1
            if row[j] >= 0:
                j = _position_free(keys, least, row)
        if row[j] < 0:
            row[j] = i
            column[i] = j
        else:
            column[i] = -1
            left += 1
    return left, ties


@njit(nogil=True, cache=True)
def _bid_exactly(c, v, row, column, queue, keys, budget):
    """Augmenting row reduction: rows without a column bid up to their second choice, so that all pairs stay tight.

    Whoever is outbid bids next while the budget lasts; a bid that could not lower the price, between two equal choices,
    would go on for ever and is the turn's last.
    """
    n = len(v)
    waiting = 0
    for i in range(n):
        if column[i] < 0:
            queue[waiting] = i
            waiting += 1
    for k in range(waiting):
        i = np.int64(queue[k])
        while i >= 0:
            budget -= 1
            least, j, second = _two_least(c, i, v, keys)
            strict = least < second
            if strict:
                v[j] -= second - least
            elif row[j] >= 0:
                j = _position_free(keys, least, row)
            outbid = row[j]
            row[j] = i
            column[i] = j
            if outbid >= 0:
                column[outbid] = -1
            i = np.int64(outbid) if strict and budget > 0 else -1


@njit(nogil=True, cache=True)
def _relax(c, i, v, ahead, distance, came_from):
    """Offer every column the path through row i; return the least distance. Columns done have v = -inf."""
    least = np.inf
    for j in range(len(v)):
        offered = c[i, j] - v[j] + ahead
        known = distance[j]
        came_from[j] = i if offered < known else came_from[j]
        known = offered if offered < known else known
        distance[j] = known
        least = lower(known, least)
    return least


@njit(nogil=True, cache=True)
def _augment(c, v, row, column, index, keys, budget):
    """Match the remaining rows by shortest augmenting paths (Dijkstra over the keys); False if the budget ran out.

    Every row's pair must be tight and of least key. A column at distance d of a path of length D >= d has its price
    lowered by D - d, which keeps that so. The budget is looked at between two paths only.
    """
    n = len(v)
    came_from, done = index[0], index[1]
    distance, reached, price = keys[0], keys[1], keys[2]
    for source in range(n):
        if column[source] >= 0:
            continue
        if budget <= 0:
            return False
        distance[:] = np.inf
        length = _relax(c, source, v, 0.0, distance, came_from)
        steps = 0
        while True:
            j = _position_free(distance, length, row)
            i = np.int64(row[j])
            if i < 0:
                break
            done[steps] = j
            reached[steps] = length
            price[steps] = v[j]
            ahead = length - (c[i, j] - v[j])
            v[j] = -np.inf
            distance[j] = np.inf
            length = _relax(c, i, v, ahead, distance, came_from)
            steps += 1
        budget -= steps + 1
        for k in range(steps):
            v[done[k]] = price[k] - max(length - reached[k], 0.0)
        i = np.int64(-1)
        while i != source:
            i = came_from[j]
            row[j] = i
            column[i], j = j, column[i]
    return True


@njit(nogil=True, cache=True)
def _auction(c, v, row, column, queue, keys):
    """Gauss-Seidel auction with epsilon scaling: afterwards most rows are matched, within epsilon of their least key.

    A bid lowers the price to the second choice, and by epsilon at least: all but close calls stay tight. Epsilon begins
    at a quarter of the mean distance between a row's mean and least key.
    """
    n = len(v)
    epsilon = 0.0
    sample = min(n, 16)
    for k in range(sample):
        i = k * n // sample
        least = _least_key(c, i, v)
        for j in range(n):
            epsilon += c[i, j] - v[j] - least
    epsilon /= 4 * sample * n
    for _phase in range(PHASES):
        waiting = 0
        for i in range(n):
            j = column[i]
            if j >= 0 and c[i, j] - v[j] > _least_key(c, i, v) + epsilon:
                row[j] = -1
                column[i] = -1
            if column[i] < 0:
                queue[waiting] = i
                waiting += 1
        if waiting <= SETTLED * n:
            return
        head = 0
        budget = BIDS * n
        while waiting and budget:
            i = np.int64(queue[head])
            budget -= 1
            least, j, second = _two_least(c, i, v, keys)
            v[j] -= max(second - least, epsilon)
            outbid = row[j]
            row[j] = i
            column[i] = j
            if outbid >= 0:
                column[outbid] = -1
                queue[(head + waiting) % n] = outbid
            else:
                waiting -= 1
            head = (head + 1) % n
        epsilon /= SCALING


@njit(nogil=True, cache=True)
def _tighten(c, v, least_key, row, column, keys):
    """Make pairs tight by raising their price, in sweeps as long as these help; part the pairs that are not.

    Where the matching is optimal already, as between near ties, this ends at its potentials. Notes each least key.
    """
    n = len(v)
    loose = n
    for _sweep in range(SWEEPS):
        before = loose
        loose = 0
        for i in range(n):
            j = column[i]
            if j >= 0:
                slack = c[i, j] - v[j] - _least_key(c, i, v)
                if slack > ROUNDING * (abs(c[i, j]) + abs(v[j])):
                    v[j] += slack
                    loose += 1
        if not loose or loose > 0.8 * before:
            break
    for i in range(n):
        j = column[i]
        least, best, _ = _two_least(c, i, v, keys)
        least_key[i] = least
        if j >= 0 and c[i, j] - v[j] - least > ROUNDING * (abs(c[i, j]) + abs(v[j])):
            row[j] = -1
            j = -1
        if j < 0 and row[best] < 0:
            row[best] = i
            j = best
        column[i] = j
