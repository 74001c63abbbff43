"""Compiled kernels on the lists of candidates: releasing and tightening pairs, price updates, augmenting paths.

``first``, ``size`` (n,): row i's candidates are entries first[i]..first[i]+size[i]-1 of the pools ``columns`` and
``costs`` (exact, float64; inf for unused entries). ``outside`` (n,): a lower bound t_i on the key c_ij - v_j of every
column that is not in row i's list; v only decreases, so the bound stays valid.
``price`` (n,): the column potentials v. ``partner`` (n,) of a row and ``owner`` (n,) of a column: the matching, -1
if free. ``paid`` (n,): cost of a row's pair.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(nogil=True, cache=True)
def _least_key(i, price, first, size, columns, costs):
    """Least key c_ij - v_j of row i's list."""
    least = np.inf
    for e in range(first[i], first[i] + size[i]):
        least = min(least, costs[e] - price[columns[e]])
    return least


@njit(nogil=True, cache=True)
def least_listed(price, first, size, columns, costs, least):
    """Write the least key of each row's list."""
    for i in range(len(first)):
        least[i] = _least_key(i, price, first, size, columns, costs)


@njit(nogil=True, cache=True)
def release(epsilon, stack, price, first, size, columns, costs, outside, partner, owner, paid):
    """Unmatch rows whose pair is not within ``epsilon`` of their best key; return the number of free rows."""
    free = 0
    for i in range(len(first)):
        least = min(outside[i], _least_key(i, price, first, size, columns, costs))
        j = partner[i]
        if j >= 0 and paid[i] - price[j] > least + epsilon:
            partner[i] = -1
            owner[j] = -1
        if partner[i] < 0:
            stack[free] = i
            free += 1
    return free


@njit(nogil=True, cache=True)
def tighten(sweeps, tolerance, price, first, size, columns, costs, outside, partner, paid):
    """Raise the prices of matched columns until each pair has its row's least key, in at most ``sweeps`` sweeps.

    For an optimal matching this converges to its potentials without any path; otherwise some prices would rise for
    ever. Prices are restored unless the last sweep finds at most half as many loose pairs as the first. The largest
    increase is subtracted from all prices, so that none rises and ``outside`` remains a bound.
    """
    n = len(price)
    before = price.copy()
    most = 0.0
    loose = loose_at_first = 0
    for sweep in range(sweeps):
        loose = 0
        for i in range(n):
            j = partner[i]
            if j >= 0:
                least = min(outside[i] - most, _least_key(i, price, first, size, columns, costs))
                slack = paid[i] - price[j] - least
                if slack > tolerance:
                    price[j] += slack
                    most = max(most, price[j] - before[j])
                    loose += 1
        if sweep == 0:
            loose_at_first = loose
    if 2 * loose > loose_at_first:
        price[:] = before
    else:
        for j in range(n):
            price[j] -= most


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
    """Remove the first entry of a binary heap; return its new size."""
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

    With reduced costs r_ij = c_ij - v_j - u_i >= 0, u_i the row's best key, and s_i = u_i + epsilon - (key of its
    pair) >= 0, let rho_i = min_j (r_ij + delta_j), delta = 0 for free columns and delta_j = rho_i + s_i for the column
    of row i. Then v - min(delta, D) keeps every pair within epsilon of its row's best for any D >= 0; D is the distance
    of the farthest free row; afterwards each free row has a path of best columns to a free column. All columns outside
    a list count as one free column at its bound. Source: Goldberg and Kennedy 1995 (global price updates).
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

    A path is accepted only if no column outside the lists could be closer: its length must be at most the minimum, over
    visited rows at distance h_i, of h_i + t_i - u_i. Otherwise the rows that violate this are written to ``blocking``
    and the search stops. distance (n,) is inf between searches. counts[2]: visited rows. Returns the numbers of free
    rows and of blocking rows. Source: Jonker and Volgenant 1987, here on lists.
    """
    n = len(price)
    touched = np.empty(n, np.int32)
    passed = np.empty(n, np.int32)
    work = 0
    while free > 0 and work < budget:
        source = stack[free - 1]
        i = source
        best = min(outside[i], _least_key(i, price, first, size, columns, costs))
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
                # Rounding may make a reduced cost slightly negative.
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
                        # The heap is full of stale entries: rebuild it from the current distances.
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
            # The row that sets the limit, and all rows whose limits are below the next distance.
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
