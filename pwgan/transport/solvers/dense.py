"""Exact linear assignment of many small dense matrices on a CPU, also fast on degenerate data.

Each problem uses the cheapest method that suffices for it; c_ij - v_j is called the key of column j in row i:

1. Column reduction, v_j = min_i c_ij; every row takes a free column of its least key if there is one.
2. Unmatched rows bid a few times (augmenting row reduction), then shortest augmenting paths match the rest. Source:
   Jonker and Volgenant, A shortest augmenting path algorithm for dense and sparse linear assignment problems (1987).
   This suffices for small or easy problems.
3. If step 1 leaves too many rows unmatched, or the paths of step 2 exceed their budget (if one side has collapsed,
   each path visits whole clusters), an epsilon-scaling auction computes nearly optimal prices.
   Source: Bertsekas, The auction algorithm: a distributed relaxation method for the assignment problem (1988). A
   budget of bids per phase bounds price wars. A few sweeps then make pairs of the auction tight where possible, and
   step 2 matches the rest.

If the potentials are so large, beside the value, that their rounding may have changed the matching (a far point, a fill
value, clusters of several scales), the problem is solved again with costs limited to the total cost of a known
matching, see ``_solve_limited``.

Rows are always read completely, in loops that the compiler vectorises. All arithmetic is float64, also on float32
costs; the kernels are compiled for each dtype on first use, since reading half the bytes saves at least a quarter of
the time of large problems.
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
MANY = 250  # number of unmatched rows above which an auction is faster than shortest paths, ...
MANY_OF_MOST = 100  # ... and the same if more than half of the rows are unmatched
PATH_BUDGET = 32  # times n: scans of shortest paths before an auction is used
PHASES = 6
BIDS = 4  # times n: scans of one phase of the auction
SCALING = 5.0
WIDE = 100.0  # ratio of a row's spread to that of its nearest columns above which there are more phases
SETTLED = 0.05  # the auction ends when a phase begins with at most this fraction of rows unmatched
SWEEPS = 6
ROUNDING = 4 * np.finfo(np.float64).eps
PRECISE = 1e-10  # of the value: a matching that rounding may have made worse by more is solved again
LARGEST = 2.0**990  # problems with a larger sum of |entries| are scaled down, so potentials do not overflow
BLOCK = 1 << 16  # entries per kernel call, in whole problems

# Status of a problem; otherwise 0.
TOO_LARGE, IMPRECISE = 1, 2

Floats = NDArray[np.float64]


def solve_dense(
    costs: NDArray[np.floating[Any]], threads: int = 1
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Solve a batch of assignment problems exactly.

    min over permutations pi of sum_i c_{i, pi(i)}  =  max over u, v of sum_i u_i + sum_j v_j  with  u_i + v_j <= c_ij.

    costs: (B, m, m), float32 or float64, C-contiguous -> columns (B, m), row i is matched with column columns[i];
    row_potential u, column_potential v (B, m), in the units of the costs, feasible and tight on the matching up to
    rounding: u_i = min_j (c_ij - v_j). Results are bit-identical for any number of ``threads``. Raises
    ValueError if shape, dtype or layout differ, or costs are not finite. Source: article D1.
    """
    if costs.ndim != 3 or costs.shape[1] != costs.shape[2] or not costs.shape[1]:
        raise ValueError(f"costs must be (B, m, m) with m >= 1, got {costs.shape}")
    if costs.dtype not in (np.float32, np.float64) or not costs.flags.c_contiguous:
        raise ValueError(f"costs must be float32 or float64 and C-contiguous, got {costs.dtype} {costs.strides}")
    if threads < 1:
        raise ValueError(f"threads must be at least 1, got {threads}")
    batch, m, _ = costs.shape
    columns = np.empty((batch, m), np.int64)
    u, v = np.empty((batch, m)), np.empty((batch, m))
    size = max(1, BLOCK // (m * m))

    def solve(first: int) -> None:
        part = slice(first, first + size)
        problems = costs[part]
        status = _solve_block(problems, columns[part], u[part], v[part])
        for at in (status == TOO_LARGE).nonzero()[0]:
            status[at] = _solve_scaled(problems[at : at + 1], first + at, columns, u, v)
        for at in (status == IMPRECISE).nonzero()[0]:
            _solve_limited(problems[at].astype(np.float64), first + at, columns, u, v)

    _spread(solve, range(0, batch, size), threads)
    return columns, u, v


def _spread(work: Callable[[int], None], blocks: range, threads: int) -> None:
    """Call ``work`` for every block, on several threads if there are several blocks; an interrupt cancels the rest."""
    if threads == 1 or len(blocks) <= 1:
        for block in blocks:
            work(block)
        return
    pool = ThreadPoolExecutor(min(threads, len(blocks)))
    try:
        list(pool.map(work, blocks))
    finally:
        pool.shutdown(cancel_futures=True)


def _solve_scaled(cost: NDArray[np.floating[Any]], at: int, columns: NDArray[np.int64], u: Floats, v: Floats) -> int:
    """Solve one problem (1, m, m) whose sum of |entries| is too large, scaled by a power of two; return its status.

    The scaling is exact. Finite float32 costs never need this.
    """
    if not np.isfinite(cost).all():
        raise ValueError(f"problem {at} of costs holds entries that are NaN or infinite")
    part = slice(at, at + 1)
    status = _solve_block(cost * 2.0**-64, columns[part], u[part], v[part])
    u[at] *= 2.0**64
    v[at] *= 2.0**64
    return int(status[0])


def _solve_limited(cost: Floats, at: int, columns: NDArray[np.int64], u: Floats, v: Floats) -> None:
    """Solve one problem (m, m) again, with costs limited to the total cost T of a known matching.

    No optimal matching contains a cost above T, since no cost is negative: min(c, T) has the same optimal matchings,
    and its potentials are feasible for c. They are of the order of T, whatever the largest costs are, and so is their
    rounding. T is the lesser total of the present matching and of one that matches each row in turn with its nearest
    free column. If the new matching has a much smaller total, that is the next limit.
    """
    if cost.min() < 0:
        return
    rows = np.arange(len(cost))
    greedy = np.empty(len(cost), np.int64)
    _match_nearest(cost, greedy)
    total = min(cost[rows, columns[at]].sum(), cost[rows, greedy].sum()) * (1 + 1e-12)
    part = slice(at, at + 1)
    status = IMPRECISE
    while status == IMPRECISE and total < cost.max():
        limit, status = total, _solve_block(np.minimum(cost, total)[None], columns[part], u[part], v[part])[0]
        total = cost[rows, columns[at]].sum() * (1 + 1e-12)
        if total > limit / 8:
            return


@njit(nogil=True, cache=True)
def _match_nearest(c, columns):
    """Match each row in turn with the free column of least cost."""
    n = len(c)
    free = np.arange(n)
    for i in range(n):
        best = i
        for a in range(i + 1, n):
            if c[i, free[a]] < c[i, free[best]]:
                best = a
        columns[i] = free[best]
        free[best] = free[i]


@njit(nogil=True, cache=True)
def _solve_block(costs, columns, u, v):
    """Solve every problem of (k, m, m); return the status of each. ``TOO_LARGE``, or not finite: it was not solved."""
    batch, n = costs.shape[:2]
    status = np.zeros(batch, np.int8)
    row = np.empty(n, np.int32)
    column = np.empty(n, np.int32)
    index = np.empty((2, n), np.int32)
    keys = np.empty((3, n))
    for b in range(batch):
        c = costs[b]
        prices, least = v[b], u[b]
        if not _reduce_columns(c, prices, keys[0]):
            status[b] = TOO_LARGE
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
        total = paid = size = 0.0
        for i in range(n):
            columns[b, i] = column[i]
            cost = np.float64(c[i, column[i]])
            # Since ``least`` was computed, keys have only risen: if the pair's key equals it, it is still the least.
            if cost - prices[column[i]] > least[i]:
                least[i] = _least_key(c, i, prices)
            total += cost
            paid += abs(cost)
            size += abs(least[i]) + abs(prices[i])
        if abs(total - least.sum() - prices.sum()) + ROUNDING * size > PRECISE * paid > 0:
            status[b] = IMPRECISE
    return status


@njit(nogil=True, cache=True)
def _reduce_columns(c, v, size):
    """v_j = min_i c_ij; False if the sum of |entries| is not below LARGEST."""
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
    """Last position of a value, without branches; 32-bit indices double the number of vector lanes."""
    last = np.int32(-1)
    for j in range(np.int32(len(x))):
        here = np.int32(j) if x[j] == value else np.int32(-1)
        last = here if here > last else last
    return last


@njit(nogil=True, cache=True)
def _position_free(x, value, row):
    """Last position of a value among the free columns; if there is none, among all columns."""
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
    """Least key of row i, its column, and the least key of the others; fills ``keys``, inf at that column."""
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
    """Match each row with a free column of its least key, if there is one; store that key.

    Returns the number of unmatched rows, and of rows with a tie for the least key: with many ties, paths are short.
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
    """Augmenting row reduction: unmatched rows bid up to their second choice, which keeps all pairs tight.

    An outbid row bids next while the budget lasts. A bid that cannot lower the price, between two equal choices, ends
    the chain, which could otherwise be infinite.
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
    """Relax all columns along paths through row i; return the least distance. Finished columns have v = -inf."""
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

    Every matched pair must have the least key of its row. The price of a column at distance d from a path of length
    D >= d is lowered by D - d, which preserves this. The budget is checked only between paths.
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
            offset = length - (c[i, j] - v[j])
            v[j] = -np.inf
            distance[j] = np.inf
            length = _relax(c, i, v, offset, distance, came_from)
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
def _spreads(c, v, keys):
    """Return how far the keys of a row, and the nearest of them, are above the least: two scales, from some rows.

    The first is the mean, unless a few far points inflate it: then the median over rows of the median. The second is
    the lower quartile over rows of the least of the quantiles 1/16, 1/8 and 1/4 that differs from the least key.
    """
    n = len(v)
    sample = min(n, 16)
    spread = np.empty((4, sample))
    mean = 0.0
    for k in range(sample):
        least = _two_least(c, k * n // sample, v, keys)[0]
        keys.sort()  # the least key is last, as inf
        for j in range(n - 1):
            mean += keys[j] - least
        for q in range(4):
            spread[q, k] = keys[max(n >> (4 - q), 1) - 1] - least
    mean /= sample * n
    middle = np.median(spread[3])
    usual = mean if mean < 4 * middle else middle
    for q in range(3):
        low = np.sort(spread[q])[sample // 4]
        if low > 0:
            return usual, low
    return usual, usual


@njit(nogil=True, cache=True)
def _auction(c, v, row, column, queue, keys):
    """Gauss-Seidel auction with epsilon scaling: afterwards most rows are matched, within epsilon of their least key.

    A bid lowers the price to that of the second choice, and by at least epsilon: all pairs but near ties stay tight.
    Epsilon starts at a quarter of the spread of a row's keys. If near columns are much nearer than most, as in clusters
    far apart, there are phases for their scale, too, and the auction does not end with a phase in which little is left
    to do, since the differences within a cluster come later.
    """
    n = len(v)
    usual, near = _spreads(c, v, keys)
    wide = usual > WIDE * near
    phases = PHASES + (int(np.log(usual / near) / np.log(SCALING)) if wide else 0)
    epsilon = usual / 4
    for _phase in range(phases):
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
            if not wide:
                return
            epsilon /= SCALING
            continue
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
    """Make pairs tight by raising their prices, in sweeps while they help; then unmatch pairs that are not tight.

    If the matching is already optimal, as with near ties, this yields its potentials. Stores the least key of each row.
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
