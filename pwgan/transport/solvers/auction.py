"""Compiled kernels of the auction: lists of candidates, rebuilt from the screen, and bidding on them.

``first``, ``size`` (n,): row i's candidates are entries first[i]..first[i]+size[i]-1 of the pools ``columns`` and
``costs`` (exact, float64; inf for unused entries). ``outside`` (n,): a lower bound t_i on the key c_ij - v_j of every
column that is not in row i's list; v only decreases, so the bound stays valid. ``behind`` (n,): the same for all but
the first FRONT entries. ``price`` (n,): the column potentials v; ``rounded`` (n,): v - reference in float32, rounded
up. ``partner`` (n,) of a row and ``owner`` (n,) of a column: the matching, -1 if free. ``paid`` (n,): cost of a row's
pair. ``ceiling``: costs are limited to it, see ``exact``. ``codes``, ``low``, ``step``: the screen, see ``encoding``,
in row place[i]. Without codes, the lists come from a tree of the columns, see ``tree``: ``order``, ``spots``,
``boxes``, ``dearest``, ``begin``, ``leaf``.

All are in one file because numba's cache only checks the file of the kernel it loads for changes.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from pwgan.transport.solvers.vector import maximum, minimum

FRONT = 8
# A row is scanned when its best key may be below its list by more than this fraction of epsilon.
SLACK = 0.5
# Without NaN, the compiler may use vector minima and maxima. Sums of the screen may not be reassociated, since its
# error bound counts the roundings of these very expressions; sums of exact costs may.
ORDERED = {"nnan", "nsz", "contract"}
ANY_ORDER = {"reassoc", "contract", "nsz"}


@njit(nogil=True, cache=True, fastmath=ORDERED)
def _chunk_minima(codes, step, price, minima):
    """Least screened key of the columns c, c + len(minima), c + 2 len(minima), ...: strided, so that it vectorises."""
    chunks = len(minima)
    head = codes[:chunks]
    for c in range(chunks):
        minima[c] = step * np.float32(head[c]) - price[c]
    for start in range(chunks, len(codes), chunks):
        part = codes[start : start + chunks]
        part_price = price[start : start + chunks]
        for c in range(len(part)):
            f = step * np.float32(part[c]) - part_price[c]
            minima[c] = f if f < minima[c] else minima[c]


@njit(nogil=True, cache=True, fastmath=ORDERED)
def _count(values, size, limit):
    m = 0
    for e in range(size):
        m += values[e] <= limit
    return m


@njit(nogil=True, cache=True)
def _cut(values, size, least, most):
    """Find a value that between ``least`` and ``most`` entries do not exceed; -inf if ties leave none.

    Bisection with counting, which vectorises, unlike quickselect with its unpredictable branches.
    """
    low = minimum(values, size)
    high = maximum(values, size)
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
    """Move at most k of the smallest entries to the front; return their number and a lower bound on the others."""
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
    """Collect about k columns of small screened key; return their number and a lower bound on the other keys.

    These are the columns of least key, unless more than k are within ``window`` of the least: then any k of those
    suffice, and each row starts elsewhere, since rows with the same lists would need new scans after a few bids.
    """
    n = len(codes)
    chunks = len(minima)
    _chunk_minima(codes, step, price, minima)
    begin = (turn * 2654435761) % chunks
    least = minimum(minima, chunks)
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
                # Keys equal to the cut may be listed or not; larger keys no longer are.
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
def _exact(x, y, square, ceiling):
    c = _squared_distance(x, y)
    return min(c if square else np.sqrt(c), ceiling)


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
def _chunk_width(n, k):
    """Columns of one chunk: about ten chunks for each requested candidate."""
    return min(max(n // (10 * k), 1), 16)


@njit(nogil=True, cache=True)
def _node_bound(x, i, node, square, ceiling, boxes, dearest):
    """Lower bound on the keys of row i and the columns of a node: cost of the nearest point less the highest price.

    The rounding of the costs is included. Indexed without slices, which would count references.
    """
    total = 0.0
    d = x.shape[1]
    for axis in range(d):
        a = np.float64(x[i, axis])
        apart = max(boxes[node, 0, axis] - a, a - boxes[node, 1, axis], 0.0)
        total += apart * apart
    if not square:
        total = np.sqrt(total)
    return min(total * (1 - (d + 8) * 2.0**-52), ceiling) - dearest[node]


@njit(nogil=True, cache=True)
def raise_nodes(order, begin, dearest, price):
    """Store the highest price of the columns of every node."""
    leaves = len(begin) - 1
    for a in range(leaves):
        most = -np.inf
        for p in range(begin[a], begin[a + 1]):
            most = max(most, price[order[p]])
        dearest[leaves - 1 + a] = most
    for node in range(leaves - 2, -1, -1):
        dearest[node] = max(dearest[2 * node + 1], dearest[2 * node + 2])


@njit(nogil=True, cache=True)
def _lower_node(j, order, begin, dearest, leaf, price):
    """Update the nodes above column j after its price has fallen."""
    leaves = len(begin) - 1
    a = leaf[j]
    most = -np.inf
    for p in range(begin[a], begin[a + 1]):
        most = max(most, price[order[p]])
    node = leaves - 1 + a
    while most < dearest[node]:
        dearest[node] = most
        if node == 0:
            break
        node = (node - 1) >> 1
        most = max(dearest[2 * node + 1], dearest[2 * node + 2])


@njit(nogil=True, cache=True)
def _sift(keys, index, exact, size, at):
    """Restore the heap of the largest key after the entry ``at`` has become smaller."""
    key, j, c = keys[at], index[at], exact[at]
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        if child + 1 < size and keys[child + 1] > keys[child]:
            child += 1
        if keys[child] <= key:
            break
        keys[at], index[at], exact[at] = keys[child], index[child], exact[child]
        at = child
    keys[at], index[at], exact[at] = key, j, c


@njit(nogil=True, cache=True)
def _search(
    x, i, k, window, square, ceiling, price, order, spots, boxes, dearest, begin, nodes, bounds, keys, index, exact
):
    """Collect the k columns of least key by branch and bound; return their number and a lower bound on the others.

    A node is left out if its bound is not below the k-th key found so far less ``window``, or, if more than k keys are
    within ``window`` of the least, not below the least: then any k of those suffice. Where both children of a node are
    equally near, rows differ in which they visit first: rows with the same lists would need new scans after a few bids.
    """
    leaves = len(begin) - 1
    d = x.shape[1]
    nodes[0] = 0
    bounds[0] = _node_bound(x, i, 0, square, ceiling, boxes, dearest)
    depth = 1
    m = 0
    least = limit = rest = np.inf
    while depth > 0:
        depth -= 1
        node = nodes[depth]
        if bounds[depth] >= limit:
            rest = min(rest, bounds[depth])
            continue
        if node >= leaves - 1:
            for p in range(begin[node - leaves + 1], begin[node - leaves + 2]):
                c = 0.0
                for axis in range(d):
                    apart = np.float64(x[i, axis]) - spots[p, axis]
                    c += apart * apart
                c = min(c if square else np.sqrt(c), ceiling)
                j = order[p]
                key = c - price[j]
                if m < k:
                    keys[m], index[m], exact[m] = key, j, c
                    m += 1
                    if m == k:
                        for at in range(k // 2, -1, -1):
                            _sift(keys, index, exact, k, at)
                elif key < keys[0]:
                    rest = min(rest, keys[0])
                    keys[0], index[0], exact[0] = key, j, c
                    _sift(keys, index, exact, k, 0)
                else:
                    rest = min(rest, key)
                least = min(least, key)
            if m == k:
                limit = max(least - 0.5 * window, keys[0] - window)
            continue
        near, far = 2 * node + 1, 2 * node + 2
        b_near = _node_bound(x, i, near, square, ceiling, boxes, dearest)
        b_far = _node_bound(x, i, far, square, ceiling, boxes, dearest)
        if b_far < b_near or (b_far == b_near and ((i * 2654435761) >> (depth & 15)) & 1):
            near, far = far, near
            b_near, b_far = b_far, b_near
        nodes[depth], bounds[depth] = far, b_far
        nodes[depth + 1], bounds[depth + 1] = near, b_near
        depth += 2
    return m, rest


@njit(nogil=True, cache=True)
def _scan_tree(
    rows, window, x, square, ceiling, price, order, spots, boxes, dearest, begin,
    first, size, columns, costs, outside, behind,
):  # fmt: skip
    """Rebuild the lists of ``rows`` from the tree."""
    longest = 0
    for a in range(len(rows)):
        longest = max(longest, size[rows[a]])
    keys, exact, index = np.empty(longest), np.empty(longest), np.empty(longest, np.int32)
    nodes, bounds = np.empty(64, np.int64), np.empty(64)
    for a in range(len(rows)):
        i = rows[a]
        m, rest = _search(
            x, i, size[i], window, square, ceiling, price, order, spots, boxes, dearest, begin,
            nodes, bounds, keys, index, exact,
        )  # fmt: skip
        _set_list(i, m, index, exact, rest, first, size, columns, costs, outside, behind)


@njit(nogil=True, cache=True)
def scan(
    rows, deep, slack, x, y, square, ceiling, codes, low, step, place, order, spots, boxes, dearest, begin, leaf,
    rounded, price, first, size, columns, costs, outside, behind, listed_at,
):  # fmt: skip
    """Rebuild the lists of ``rows`` from the screen or tree, with exact costs from differences in float64.

    ``deep``: number of screened candidates whose exact cost is computed per list entry; 0 means every column. If the
    least exact key is not within ``slack`` of the screened bound, the screen is too coarse for this row, and more costs
    are computed. listed_at (n,): -1 between calls. Returns the number of such cases.
    """
    n = len(price)
    if len(order):
        _scan_tree(
            rows, slack if deep == 1 else 0.0, x, square, ceiling, price, order, spots, boxes, dearest, begin,
            first, size, columns, costs, outside, behind,
        )  # fmt: skip
        return 0
    coarse = 0
    for a in range(len(rows)):
        i = rows[a]
        k = size[i]
        level = deep
        while True:
            start = first[i]
            wanted = min(n, k * level) if level > 0 else n
            # Reuse the costs of columns already listed: computing one reads all coordinates.
            for e in range(start, start + k):
                if costs[e] < np.inf:
                    listed_at[columns[e]] = e
            if wanted < n:
                width = _chunk_width(n, wanted)
                room = 6 * wanted + width
                keys = np.empty(room, np.float32)
                index = np.empty(room, np.int32)
                minima = np.empty((n + width - 1) // width, np.float32)
                scratch = np.empty(max(room, len(minima)), np.float32)
                window = slack if level == 1 else 0.0
                m, bound = _screen(
                    codes[place[i]], step[place[i]], rounded, wanted, window, i, keys, index, scratch, minima
                )
                # Rounding error of step * code - price; that of the price is included in ``rounded``.
                rest = low[place[i]] + np.float64(bound) - 4.8e-7 * 65535.0 * step[place[i]]
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
                exact[e] = costs[at] if at >= 0 else _exact(x[i], y[index[e]], square, ceiling)
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
    """Store lists computed on another device: index, exact (rows, k), bound (rows,)."""
    for a in range(len(rows)):
        _set_list(rows[a], index.shape[1], index[a], exact[a], bound[a], first, size, columns, costs, outside, behind)


@njit(nogil=True, cache=True)
def _screened_price(price, reference):
    """Price in float32, rounded up so that float32 keys computed with it are lower bounds."""
    change = price - reference
    return np.float32(change + abs(change) * 4.8e-7)


@njit(nogil=True, cache=True)
def round_up(price, reference, rounded):
    """Write the prices in the form that the screened keys use."""
    for j in range(len(price)):
        rounded[j] = _screened_price(price[j], reference[j])


@njit(nogil=True, cache=True)
def _bring_to_front(i, first, size, columns, costs, outside, behind, price, keys):
    """Move the FRONT least keys of row i to the front, and bound the others."""
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
    x, y, square, ceiling, codes, low, step, place, order, spots, boxes, dearest, begin, leaf, rounded, price,
    first, size, columns, costs, outside, behind, listed_at, partner, owner, paid,
):  # fmt: skip
    """Let free rows bid (Gauss-Seidel, last in first out) until none is free or ``budget`` bids have been made.

    A bid takes the column of least key b1 and lowers its price until its key is b2 + epsilon, b2 the second least key:
    every pair stays within 2 epsilon of its row's best. A row whose best key may be more than epsilon / 2 below its
    list waits for a scan, done here if at most ``inline`` rows wait, otherwise by the caller. ``stack``: the free rows,
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
                waiting[:n_waiting], 1, slack, x, y, square, ceiling, codes, low, step, place,
                order, spots, boxes, dearest, begin, leaf, rounded, price,
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
            # There is only one column.
            second = best
        bids += 1
        j = columns[chosen]
        price[j] = costs[chosen] - second - epsilon
        if len(order):
            _lower_node(j, order, begin, dearest, leaf, price)
        else:
            rounded[j] = _screened_price(price[j], reference[j])
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
