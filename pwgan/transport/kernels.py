"""Compiled kernels of the exact solver: screening, candidate lists, auction, price update, augmenting paths.

They share a few arrays. ``first``, ``size`` (n,): row i's candidates stand at first[i]..first[i]+size[i]-1 of the pools
``columns`` and ``costs`` (exact, float64; inf where there is none). ``outside`` (n,): a lower bound t_i on the key
c_ij - v_j of every column that is not in row i's list; v only ever falls, so it stays one. ``behind`` (n,): the same
for all but the first FRONT entries. ``price`` (n,): the column potentials v. ``partner`` (n,) of a row and ``owner``
(n,) of a column: the matching, -1 where free. ``paid`` (n,): cost of a row's pair. ``codes`` (n, n), ``low``, ``step``
(n,): the screen, low_i + step_i code_ij <= c_ij - reference_j; ``rounded`` (n,): v - reference in float32, rounded up.

All are in one file because numba's cache looks only at the file of the kernel it loads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit
from numba.extending import intrinsic

FRONT = 8
SLACK = 0.5
# Comparisons of numbers that are never NaN, in any order: lets the compiler use vector minima and maxima. Sums of the
# screening may not be reassociated, since its error bound counts roundings, not their order; those of exact costs may.
ORDERED = {"nnan", "nsz", "contract"}
ANY_ORDER = {"reassoc", "contract", "nsz"}


@intrinsic
def lower(context: Any, a: Any, b: Any) -> Any:
    """Lower of two floats of one type, NaN excluded: the flags without which LLVM vectorises no minimum of a loop."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        flags = ("nnan", "nsz")
        return builder.select(builder.fcmp_ordered("<", *arguments, flags=flags), *arguments, flags=flags)

    return a(a, a), emit


@njit(nogil=True, cache=True)
def _least(values, size):
    least = values[0]
    for e in range(size):
        least = lower(values[e], least)
    return least


@njit(nogil=True, cache=True)
def _most(values, size):
    least = -values[0]
    for e in range(size):
        least = lower(-values[e], least)
    return -least


@njit(nogil=True, cache=True, fastmath=ORDERED)
def _bounds(row, lost, factor, square):
    """Turn squared distances into lower bounds of the cost: max(factor root - lost, 0), squared again for that cost."""
    for j in range(len(row)):
        s = factor * np.sqrt(row[j] if row[j] > 0 else np.float32(0)) - lost
        row[j] = s if s > 0 else np.float32(0)
    if square:
        for j in range(len(row)):
            row[j] = row[j] * row[j]


@njit(nogil=True, cache=True, fastmath=ORDERED)
def _expanded(row, pp, qq):
    """Turn products p.q into squared distances, in place."""
    for j in range(len(row)):
        row[j] = (pp + qq[j]) - np.float32(2) * row[j]


@njit(nogil=True, cache=True, fastmath=ORDERED)
def _direct(row, point, by_axis):
    """Write squared distances by direct differences, by_axis (d, n)."""
    for j in range(len(row)):
        row[j] = np.float32(0)
    for axis in range(len(point)):
        coordinates = by_axis[axis]
        a = point[axis]
        for j in range(len(row)):
            difference = a - coordinates[j]
            row[j] += difference * difference


@njit(nogil=True, cache=True, fastmath=ORDERED)
def _to_codes(row, low, scale, codes):
    # (f - low) scale is at most 65535 and carries four roundings: less than 0.03 too large.
    for j in range(len(row)):
        z = (row[j] - low) * scale - np.float32(0.03)
        codes[j] = np.uint16(np.int32(z if z > 0 else np.float32(0)))


@njit(nogil=True, cache=True)
def _encode(row, codes, low, step, i):
    least = _least(row, len(row))
    most = _most(row, len(row))
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
def _to_fine_codes(row, low, scale, codes):
    for j in range(len(row)):
        z = (row[j] - low) * scale - 0.03
        z = z if z > 0 else 0.0
        codes[j] = np.uint16(np.int32(z if z < 65535 else 65535.0))


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


@njit(nogil=True, cache=True, fastmath=ORDERED)
def _fine_squares(row, pp, qq):
    for j in range(len(row)):
        row[j] = (pp + qq[j]) - 2 * row[j]


@njit(nogil=True, cache=True, fastmath=ORDERED)
def _fine_direct(row, point, by_axis):
    for j in range(len(row)):
        row[j] = 0.0
    for axis in range(len(point)):
        coordinates = by_axis[axis]
        a = np.float64(point[axis])
        for j in range(len(row)):
            difference = a - np.float64(coordinates[j])
            row[j] += difference * difference


@njit(nogil=True, cache=True)
def refine(products, points, by_axis, pp, qq, error, width, square, reference, start, stop, codes, low, step):
    """Store anew, in float64 and relative to the keys c_ij - reference_j, the bounds of rows start..stop-1.

    One step, ``width``, for all rows: fine, but keys more than 65535 steps above the least of their row all look alike.
    From the points where ``products`` (rows, n) is empty.
    """
    row = np.empty(len(reference))
    most = qq.max() if len(qq) else 0.0
    for i in range(start, stop):
        if len(products):
            row = products[i - start]
            _fine_squares(row, pp[i], qq)
            _fine_row(row, error * (pp[i] + most), square, reference)
        else:
            _fine_direct(row, points[i], by_axis)
            _fine_row(row, 0.0, square, reference)
        low[i] = _least(row, len(row))
        step[i] = width
        _to_fine_codes(row, low[i], 1 / np.float64(step[i]), codes[i])


@njit(nogil=True, cache=True, fastmath=ORDERED)
def _chunk_minima(codes, step, price, minima):
    """Least screened key of the columns c, c + len(minima), c + 2 len(minima), ...: strided, so that it vectorises."""
    chunks = len(minima)
    head = codes[:chunks]
    for c in range(chunks):
        minima[c] = step * np.float32(head[c]) - price[c]
    for start in range(chunks, len(codes), chunks):
        part = codes[start : start + chunks]
        its_price = price[start : start + chunks]
        for c in range(len(part)):
            f = step * np.float32(part[c]) - its_price[c]
            minima[c] = f if f < minima[c] else minima[c]


@njit(nogil=True, cache=True, fastmath=ORDERED)
def _count(values, size, limit):
    m = 0
    for e in range(size):
        m += values[e] <= limit
    return m


@njit(nogil=True, cache=True)
def _cut(values, size, least, most):
    """Find a value that between ``least`` and ``most`` entries do not exceed; -inf where ties leave none.

    Bisection with counting: vectorises, where a quickselect mispredicts every other branch.
    """
    low = _least(values, size)
    high = _most(values, size)
    if size <= most:
        return high
    share = (least + most) / (2 * size)
    for _ in range(40):
        middle = low + (high - low) * values.dtype.type(share)
        share = 0.5
        if middle <= low or middle >= high:
            middle = low + (high - low) / 2
            if middle <= low or middle >= high:
                break
        m = _count(values, size, middle)
        if m > most:
            high = middle
        elif m < least:
            low = middle
        else:
            return middle
    return -values.dtype.type(np.inf)


@njit(nogil=True, cache=True)
def _kth(values, size, k):
    """Return the k-th smallest entry, counted from 0; reorders them (Hoare's quickselect)."""
    low = 0
    high = size - 1
    while low < high:
        pivot = values[(low + high) >> 1]
        i = low
        j = high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if k <= j:
            high = j
        elif k >= i:
            low = i
        else:
            break
    return values[k]


@njit(nogil=True, cache=True)
def _smallest(keys, index, size, k, scratch):
    """Bring k of the smallest entries to the front; return how many (at most k) and a lower bound on those left out."""
    if size <= k:
        return size, keys.dtype.type(np.inf)
    cut = _cut(keys, size, k - k // 8, k)
    ties = size
    if cut == -np.inf:
        scratch[:size] = keys[:size]
        cut = _kth(scratch, size, k)
        ties = k
        for e in range(size):
            ties -= keys[e] < cut
    m = 0
    for e in range(size):
        if keys[e] < cut or (keys[e] == cut and ties > 0):
            ties -= keys[e] == cut
            keys[m] = keys[e]
            index[m] = index[e]
            m += 1
    return m, cut


@njit(nogil=True, cache=True)
def _screen(codes, step, price, k, window, turn, keys, index, scratch, minima):
    """Collect about k columns of small screened key; return how many and a lower bound on the others' keys.

    They are those of least key, unless more than k lie within ``window`` of the least: then any k of these will do, and
    each row takes others, since rows that all list the same columns would have to be scanned again after a few bids.
    """
    n = len(codes)
    chunks = len(minima)
    _chunk_minima(codes, step, price, minima)
    begin = (turn * 2654435761) % chunks
    least = _least(minima, chunks)
    limit = least + np.float32(window)
    crowded = chunks > k and _count(minima, chunks, limit) > k
    if crowded:
        rest = least
    elif chunks > k:
        limit = _cut(minima, chunks, (6 * k) // 10, (85 * k) // 100)
        if limit == -np.inf:
            scratch[:chunks] = minima
            limit = _kth(scratch, chunks, k)
        rest = limit
    else:
        limit = rest = np.float32(np.inf)
    room = len(keys) - (n + chunks - 1) // chunks
    m = 0
    for e in range(chunks):
        c = e + begin
        if c >= chunks:
            c -= chunks
        if minima[c] <= limit:
            for j in range(c, n, chunks):
                f = step * np.float32(codes[j]) - price[j]
                if f <= limit:
                    keys[m] = f
                    index[m] = j
                    m += 1
            if crowded and m >= k:
                return k, rest
            if m > room:
                m, cut = _smallest(keys, index, m, k, scratch)
                # What equals the cut may be listed or not: nothing beyond it may be any more.
                limit = rest = cut
    m, cut = _smallest(keys, index, m, k, scratch)
    return m, min(rest, cut)


@njit(nogil=True, cache=True, fastmath=ANY_ORDER)
def _squared_distance(x, y):
    total = 0.0
    for e in range(len(x)):
        difference = np.float64(x[e]) - np.float64(y[e])
        total += difference * difference
    return total


@njit(nogil=True, cache=True)
def _exact(x, y, square):
    c = _squared_distance(x, y)
    return c if square else np.sqrt(c)


@njit(nogil=True, cache=True)
def _set_list(i, count, index, exact, outside_i, first, size, columns, costs, outside, behind):
    start = first[i]
    for e in range(size[i]):
        if e < count:
            columns[start + e] = index[e]
            costs[start + e] = exact[e]
        else:
            columns[start + e] = 0
            costs[start + e] = np.inf
    outside[i] = outside_i
    behind[i] = -np.inf


@njit(nogil=True, cache=True)
def chunk_width(n, k):
    """Columns of one chunk: about ten chunks for each candidate wanted."""
    return min(max(n // (10 * k), 1), 16)


@njit(nogil=True, cache=True)
def scan(
    rows, deep, slack, x, y, square, codes, low, step, rounded, price,
    first, size, columns, costs, outside, behind, listed_at,
):  # fmt: skip
    """Renew the lists of some rows from the screen, with exact costs by direct differences in float64.

    ``deep`` is how many candidates of the screen are priced for each one that is kept; 0 prices every column. Where the
    least key found is not within ``slack`` of the least possible, the screen is too coarse for this row and more are
    priced. listed_at (n,): -1 between calls. Returns for how many rows it was.
    """
    n = len(price)
    coarse = 0
    for a in range(len(rows)):
        i = rows[a]
        k = size[i]
        level = deep
        while True:
            start = first[i]
            wanted = min(n, k * level) if level > 0 else n
            # An already listed column keeps its cost: pricing one reads all of its coordinates.
            for e in range(start, start + k):
                if costs[e] < np.inf:
                    listed_at[columns[e]] = e
            if wanted < n:
                width = min(max(n // (10 * wanted), 1), 16)
                room = 6 * wanted + width
                keys = np.empty(room, np.float32)
                index = np.empty(room, np.int32)
                minima = np.empty((n + width - 1) // width, np.float32)
                scratch = np.empty(max(room, len(minima)), np.float32)
                window = slack if level == 1 else 0.0
                m, bound = _screen(codes[i], step[i], rounded, wanted, window, i, keys, index, scratch, minima)
                # The roundings of step code - price: those of the price are in ``rounded``, these are of the code.
                rest = low[i] + np.float64(bound) - 4.8e-7 * 65535.0 * step[i]
            else:
                m = n
                rest = np.inf
                index = np.empty(n, np.int32)
                for e in range(n):
                    index[e] = (e + i) % n
            exact = np.empty(m)
            least = np.inf
            for e in range(m):
                at = listed_at[index[e]]
                exact[e] = costs[at] if at >= 0 else _exact(x[i], y[index[e]], square)
                least = min(least, exact[e] - price[index[e]])
            for e in range(start, start + k):
                listed_at[columns[e]] = -1
            if least <= rest + slack or wanted == n:
                break
            coarse += 1
            level = 8 * level if wanted * 64 <= n and level == 1 else 0
        if m > k:
            order = np.arange(m)
            key = np.empty(m)
            for e in range(m):
                key[e] = exact[e] - price[index[e]]
            count, cut = _smallest(key, order, m, k, np.empty(m))
            rest = min(rest, cut)
            index = index[order[:count]]
            exact = exact[order[:count]]
            m = count
        _set_list(i, m, index, exact, rest, first, size, columns, costs, outside, behind)
    return coarse


@njit(nogil=True, cache=True)
def set_lists(rows, index, exact, bound, first, size, columns, costs, outside, behind):
    """Take over lists that another device made: index, exact (rows, k), bound (rows,)."""
    for a in range(len(rows)):
        _set_list(rows[a], index.shape[1], index[a], exact[a], bound[a], first, size, columns, costs, outside, behind)


@njit(nogil=True, cache=True)
def round_up(price, reference, rounded):
    """Write prices in float32, so far up that a key computed with them in float32 is none too large."""
    for j in range(len(price)):
        change = price[j] - reference[j]
        rounded[j] = np.float32(change + abs(change) * 4.8e-7)


@njit(nogil=True, cache=True)
def _bring_to_front(i, first, size, columns, costs, outside, behind, price, keys):
    """Put row i's FRONT least keys first, and bound those behind them."""
    start = first[i]
    k = size[i]
    for e in range(k):
        keys[e] = costs[start + e] - price[columns[start + e]]
    front = min(FRONT, k)
    for a in range(front):
        b = a
        for e in range(a + 1, k):
            if keys[e] < keys[b]:
                b = e
        if b != a:
            keys[a], keys[b] = keys[b], keys[a]
            p, q = start + a, start + b
            columns[p], columns[q] = columns[q], columns[p]
            costs[p], costs[q] = costs[q], costs[p]
    least = outside[i]
    for e in range(front, k):
        least = min(least, keys[e])
    behind[i] = least


@njit(nogil=True, cache=True)
def auction(
    epsilon, budget, inline, stack, free, waiting, counts, reference,
    x, y, square, codes, low, step, rounded, price,
    first, size, columns, costs, outside, behind, listed_at, partner, owner, paid,
):  # fmt: skip
    """Let free rows bid (Gauss-Seidel, last in first out) until none is left, or ``budget`` bids are spent.

    A bid takes the column of least key b1, and lowers its price so that its key becomes b2 + epsilon, b2 the second
    least: every pair stays within 2 epsilon of its row's best. A row whose best may lie more than epsilon / 2 below
    its list waits for a scan: here, where no more than ``inline`` wait, or by the caller. ``stack``: the free rows,
    ``free`` of them. counts: bids, scans, rows passed by paths, rows for which the screen was too coarse. Returns the
    numbers of free and of waiting rows. Source: Bertsekas 1988.
    """
    keys = np.empty(max(size.max(), FRONT))
    slack = epsilon * SLACK
    n_waiting = 0
    bids = 0
    while bids < budget and free + n_waiting > 0:
        if free == 0:
            if n_waiting > inline:
                break
            counts[3] += scan(
                waiting[:n_waiting], 1, slack, x, y, square, codes, low, step, rounded, price,
                first, size, columns, costs, outside, behind, listed_at,
            )  # fmt: skip
            for a in range(n_waiting):
                stack[free] = waiting[a]
                free += 1
            counts[1] += n_waiting
            n_waiting = 0
        free -= 1
        i = stack[free]
        start = first[i]
        front = min(FRONT, size[i])
        best = second = np.inf
        chosen = -1
        for attempt in range(2):
            best = second = np.inf
            for e in range(start, start + front):
                key = costs[e] - price[columns[e]]
                if key < best:
                    second = best
                    best = key
                    chosen = e
                elif key < second:
                    second = key
            if second <= behind[i]:
                break
            if attempt == 0:
                _bring_to_front(i, first, size, columns, costs, outside, behind, price, keys)
        if second > behind[i]:
            if best > outside[i] + slack:
                waiting[n_waiting] = i
                n_waiting += 1
                continue
            second = max(behind[i], best)
        elif second == np.inf:
            # There is one column only.
            second = best
        bids += 1
        j = columns[chosen]
        price[j] = costs[chosen] - second - epsilon
        change = price[j] - reference[j]
        rounded[j] = np.float32(change + abs(change) * 4.8e-7)
        previous = owner[j]
        owner[j] = i
        partner[i] = j
        paid[i] = costs[chosen]
        if previous >= 0:
            partner[previous] = -1
            stack[free] = previous
            free += 1
    counts[0] += bids
    return free, n_waiting


@njit(nogil=True, cache=True)
def least_listed(price, first, size, columns, costs, least):
    """Write the least key of each row's list."""
    for i in range(len(first)):
        key = np.inf
        for e in range(first[i], first[i] + size[i]):
            key = min(key, costs[e] - price[columns[e]])
        least[i] = key


@njit(nogil=True, cache=True)
def release(epsilon, stack, price, first, size, columns, costs, outside, partner, owner, paid):
    """Free the rows whose pair is not within ``epsilon`` of their best key; return how many rows are free."""
    free = 0
    for i in range(len(first)):
        least = outside[i]
        for e in range(first[i], first[i] + size[i]):
            least = min(least, costs[e] - price[columns[e]])
        j = partner[i]
        if j >= 0 and paid[i] - price[j] > least + epsilon:
            partner[i] = -1
            owner[j] = -1
        if partner[i] < 0:
            stack[free] = i
            free += 1
    return free


@njit(nogil=True, cache=True)
def _push(keys, items, size, key, item):
    p = size
    while p > 0:
        parent = (p - 1) >> 1
        if keys[parent] <= key:
            break
        keys[p] = keys[parent]
        items[p] = items[parent]
        p = parent
    keys[p] = key
    items[p] = item
    return size + 1


@njit(nogil=True, cache=True)
def _pop(keys, items, size):
    """Remove the first of a binary heap; return its new size."""
    size -= 1
    key = keys[size]
    item = items[size]
    p = 0
    while True:
        child = 2 * p + 1
        if child >= size:
            break
        if child + 1 < size and keys[child + 1] < keys[child]:
            child += 1
        if keys[child] >= key:
            break
        keys[p] = keys[child]
        items[p] = items[child]
        p = child
    keys[p] = key
    items[p] = item
    return size


@njit(nogil=True, cache=True)
def lower_prices(epsilon, price, first, size, columns, costs, outside, partner, owner, paid):
    """Lower every price by its distance to the nearest free column: one step instead of a price war.

    With reduced costs r_ij = c_ij - v_j - u_i >= 0, u_i the row's best key, and s_i = u_i + epsilon - (key of its own
    pair) >= 0, let rho_i = min_j (r_ij + delta_j), delta = 0 for free columns and delta_j = rho_i + s_i for the column
    of row i. Then v - min(delta, D) keeps every pair within epsilon of its row's best for any D >= 0; D is the distance
    of the farthest free row, and each free row is left a path of best columns to a free one. What lies outside a list
    counts as a free column at its bound. Source: Goldberg and Kennedy 1995 (global price updates).
    """
    n = len(price)
    best = np.empty(n)
    rho = np.empty(n)
    slack = np.zeros(n)
    begin = np.zeros(n + 1, np.int64)
    for i in range(n):
        least = outside[i]
        for e in range(first[i], first[i] + size[i]):
            if costs[e] < np.inf:
                least = min(least, costs[e] - price[columns[e]])
                begin[columns[e] + 1] += 1
        best[i] = least
        rho[i] = outside[i] - least
        if partner[i] >= 0:
            slack[i] = max(least + epsilon - (paid[i] - price[partner[i]]), 0.0)
    for j in range(n):
        begin[j + 1] += begin[j]
    total = begin[n]
    position = begin[:n].copy()
    row_of = np.empty(total, np.int32)
    reduced = np.empty(total)
    for i in range(n):
        for e in range(first[i], first[i] + size[i]):
            if costs[e] < np.inf:
                p = position[columns[e]]
                position[columns[e]] = p + 1
                row_of[p] = i
                reduced[p] = costs[e] - price[columns[e]] - best[i]
    # Columns are items 0..n-1 of the heap, free rows n..2n-1.
    keys = np.empty(total + 3 * n)
    items = np.empty(total + 3 * n, np.int32)
    done = np.zeros(2 * n, np.bool_)
    delta = np.full(n, np.inf)
    heap = 0
    free = 0
    for j in range(n):
        if owner[j] < 0:
            delta[j] = 0.0
            heap = _push(keys, items, heap, 0.0, j)
    for i in range(n):
        if partner[i] < 0:
            free += 1
            heap = _push(keys, items, heap, rho[i], n + i)
        elif rho[i] < np.inf:
            delta[partner[i]] = rho[i] + slack[i]
            heap = _push(keys, items, heap, delta[partner[i]], partner[i])
    distance = 0.0
    while heap > 0 and free > 0:
        distance = keys[0]
        item = items[0]
        heap = _pop(keys, items, heap)
        if done[item]:
            continue
        done[item] = True
        if item >= n:
            free -= 1
            continue
        for p in range(begin[item], begin[item + 1]):
            i = row_of[p]
            through = reduced[p] + distance
            if through < rho[i]:
                rho[i] = through
                j = partner[i]
                if j < 0:
                    heap = _push(keys, items, heap, through, n + i)
                elif through + slack[i] < delta[j]:
                    delta[j] = through + slack[i]
                    heap = _push(keys, items, heap, delta[j], j)
    for j in range(n):
        price[j] -= min(delta[j], distance)


@njit(nogil=True, cache=True)
def augment(
    budget, tolerance, stack, free, blocking, counts, keys, items, distance, via_row, via_entry,
    price, first, size, columns, costs, outside, partner, owner, paid,
):  # fmt: skip
    """Match free rows along shortest augmenting paths in the lists, exactly; feasible prices stay feasible.

    A path counts only if no column outside the lists could be nearer: its length is at most the least, over the rows
    passed at distance h_i, of h_i + t_i - u_i. Where it is not, the rows in the way are written to ``blocking`` and the
    search is given up. distance (n,) is inf between searches. counts[2]: rows passed. Returns the numbers of rows still
    free and of rows in the way. Source: Jonker and Volgenant 1987, here on lists.
    """
    n = len(price)
    touched = np.empty(n, np.int32)
    passed = np.empty(n, np.int32)
    work = 0
    while free > 0 and work < budget:
        source = stack[free - 1]
        i = source
        best = outside[i]
        for e in range(first[i], first[i] + size[i]):
            best = min(best, costs[e] - price[columns[e]])
        n_touched = 0
        n_passed = 0
        heap = 0
        at = 0.0
        limit = beyond = np.inf
        nearest = i
        j = -1
        length = np.inf
        while True:
            if at + outside[i] - best + tolerance < limit:
                limit = at + outside[i] - best + tolerance
                nearest = i
            work += size[i]
            for e in range(first[i], first[i] + size[i]):
                target = columns[e]
                # Rounding may leave a reduced cost just below 0.
                there = at + max(costs[e] - price[target] - best, 0.0)
                if there < distance[target]:
                    if there > limit:
                        beyond = min(beyond, there)
                        continue
                    if distance[target] == np.inf:
                        touched[n_touched] = target
                        n_touched += 1
                    distance[target] = there
                    via_row[target] = i
                    via_entry[target] = e
                    if heap == len(keys):
                        # Stale entries, of columns that came nearer since, have filled it.
                        kept = 0
                        for p in range(heap):
                            if keys[p] == distance[items[p]]:
                                kept = _push(keys, items, kept, keys[p], items[p])
                        heap = kept
                    heap = _push(keys, items, heap, there, target)
            j = -1
            while heap > 0:
                length = keys[0]
                j = items[0]
                heap = _pop(keys, items, heap)
                if length == distance[j]:
                    break
                j = -1
            if j < 0 or length > limit or owner[j] < 0:
                break
            passed[n_passed] = j
            n_passed += 1
            i = owner[j]
            at = length
            best = paid[i] - price[j]
        n_blocking = 0
        if j < 0 or length > limit:
            # The row that set the limit, and all that would set one short of the next column.
            wanted = min(beyond, length if j >= 0 else np.inf)
            blocking[0] = nearest
            n_blocking = 1
            for a in range(n_passed):
                c = passed[a]
                r = owner[c]
                if r != nearest and distance[c] + outside[r] - (paid[r] - price[c]) + tolerance < wanted:
                    blocking[n_blocking] = r
                    n_blocking += 1
        else:
            for a in range(n_passed):
                price[passed[a]] -= length - distance[passed[a]]
        for a in range(n_touched):
            distance[touched[a]] = np.inf
        counts[2] += n_passed + 1
        if n_blocking > 0:
            return free, n_blocking
        while True:
            i = via_row[j]
            previous = partner[i]
            partner[i] = j
            owner[j] = i
            paid[i] = costs[via_entry[j]]
            if i == source:
                break
            j = previous
        free -= 1
    return free, 0
