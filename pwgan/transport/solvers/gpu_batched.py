"""Many small dense assignment problems at once on a GPU: one Triton kernel, one launch, one program per problem.

Each program runs, in float64 on costs of either precision,

1. an auction with epsilon-scaling (Bertsekas 1988), ``ROWS`` unmatched rows bidding at a time. Its prices are within
   the last epsilon of the optimum, also if one side has collapsed and shortest paths alone would visit nearly every
   column for nearly every row;
2. the same bids with epsilon = 0 (augmenting row reduction), which leave tight pairs;
3. shortest augmenting paths (Jonker and Volgenant 1987) for the remaining unmatched rows, which make the result
   exact.

Prices, partners and the queue of unmatched rows are in global scratch memory, small enough to stay in the cache; the
vectors of the shortest path search are in registers. Threads of a program see each other's writes to scratch memory
only after ``tl.debug_barrier()``, which separates every read from a later write of the same array, and every write
from a later read.

Its speed has not been measured yet. This module imports Triton, so it is imported only for problems on a GPU.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

LARGEST = 4096
"""Largest number of rows: the state of a shortest path search must fit into the registers of one program."""

_ROWS, _TILE = 8, 8192
"""Maximum numbers of rows that bid at a time, and of costs that they read: 16 for each of 512 threads."""

_FIRST_EPSILON, _LAST_EPSILON, _DIVISOR = 0.25, tl.constexpr(0.1), tl.constexpr(5.0)
"""The first epsilon relative to the spread of a row's costs, the last relative to the first over m, and the divisor
between phases."""

_BIDS, _EXACT_BIDS = tl.constexpr(20), tl.constexpr(2)
"""Bids per row after which a phase of the auction, or the row reduction, ends."""


@triton.jit
def _reduced(costs, price, rows, valid, m, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]
    """Reduced costs c_ij - v_j of some rows, (ROWS, BLOCK), infinite outside the problem."""
    lane = tl.arange(0, BLOCK)
    inside = valid[:, None] & (lane < m)[None, :]
    cost = tl.load(costs + rows[:, None] * m + lane[None, :], mask=inside, other=float("inf")).to(tl.float64)
    return cost - tl.load(price + lane, mask=lane < m, other=0.0)[None, :]


@triton.jit
def _append(queue, tail, rows, chosen, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]
    """Append the chosen rows to the circular queue; return the new tail."""
    count = chosen.to(tl.int32)
    place = (tail + tl.cumsum(count, 0) - 1) & (BLOCK - 1)
    tl.store(queue + place, rows, mask=chosen)
    return tail + tl.sum(count, 0)


@triton.jit
def _release(costs, price, column_of, row_of, queue, epsilon, m, BLOCK: tl.constexpr, ROWS: tl.constexpr):  # type: ignore[no-untyped-def]
    """Unmatch pairs whose reduced cost is not within epsilon of their row's least; queue all unmatched rows."""
    tail = 0
    for start in range(0, m, ROWS):
        rows = start + tl.arange(0, ROWS)
        valid = rows < m
        least = tl.min(_reduced(costs, price, rows, valid, m, BLOCK), 1)
        column = tl.load(column_of + rows, mask=valid, other=-1)
        matched = column >= 0
        pair_cost = tl.load(costs + rows * m + column, mask=matched, other=0.0).to(tl.float64)
        kept = matched & (pair_cost - tl.load(price + column, mask=matched, other=0.0) <= least + epsilon)
        tl.debug_barrier()
        tl.store(column_of + rows, -1, mask=valid & ~kept)
        tl.store(row_of + column, -1, mask=matched & ~kept)
        tail = _append(queue, tail, rows, valid & ~kept, BLOCK)
    tl.debug_barrier()
    return tail


@triton.jit
def _bid(costs, price, column_of, row_of, queue, head, tail, epsilon, m, BLOCK: tl.constexpr, ROWS: tl.constexpr):  # type: ignore[no-untyped-def]
    """Let the first rows of the queue bid for their best columns; return the queue's new tail.

    A bid lowers the column's price until its row is indifferent (to epsilon) to its second best column. The lowest
    price wins the column; the other bidders and the former owner are queued again. A bid that does not lower the price
    must not evict the owner (two rows could alternate for ever): such a row leaves the queue unmatched.
    """
    lane = tl.arange(0, ROWS)
    valid = lane < tail - head
    rows = tl.load(queue + ((head + lane) & (BLOCK - 1)), mask=valid, other=0)
    reduced = _reduced(costs, price, rows, valid, m, BLOCK)
    least, column = tl.min(reduced, 1, return_indices=True)
    others = tl.where(tl.arange(0, BLOCK)[None, :] == column[:, None], float("inf"), reduced)
    second = tl.min(others, 1)
    second = tl.where(second < float("inf"), second, least)  # no second column for m = 1
    before = tl.load(price + column, mask=valid, other=0.0)
    owner = tl.load(row_of + column, mask=valid, other=-1)
    bid = tl.where(valid, before - (second - least) - epsilon, 0.0)
    bids = valid & ((bid < before) | (owner < 0))

    rival = bids[None, :] & (column[None, :] == column[:, None])
    ahead = (bid[None, :] < bid[:, None]) | ((bid[None, :] == bid[:, None]) & (lane[None, :] < lane[:, None]))
    loses = tl.max((rival & ahead).to(tl.int32), 1) > 0
    wins = bids & ~loses
    evicted = wins & (owner >= 0)

    tl.debug_barrier()
    tl.store(price + column, bid, mask=wins)
    tl.store(row_of + column, rows, mask=wins)
    tl.store(column_of + rows, column, mask=wins)
    tl.store(column_of + owner, -1, mask=evicted)
    tail = _append(queue, tail, rows, bids & loses, BLOCK)
    tail = _append(queue, tail, owner, evicted, BLOCK)
    tl.debug_barrier()
    return tail


@triton.jit
def _nearest(distance, unseen, unmatched, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]
    """Least distance to an unseen column, that column (an unmatched one of several), whether it is matched."""
    least = tl.min(tl.where(unseen, distance, float("inf")), 0)
    lane = tl.arange(0, BLOCK)
    rank = tl.where(unseen & (distance == least), tl.where(unmatched, lane, lane + BLOCK), 2 * BLOCK)
    first = tl.min(rank, 0)
    return least, first & (BLOCK - 1), first >= BLOCK


@triton.jit
def _augment(costs, price, column_of, row_of, via, row, m, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]
    """Match an unmatched row along the shortest path of reduced costs to an unmatched column (Dijkstra)."""
    lane = tl.arange(0, BLOCK)
    inside = lane < m
    v = tl.load(price + lane, mask=inside, other=0.0)
    owner = tl.load(row_of + lane, mask=inside, other=-1)
    distance = tl.load(costs + row * m + lane, mask=inside, other=float("inf")).to(tl.float64) - v
    reached_from = tl.zeros((BLOCK,), tl.int32) + row
    unseen = inside
    least, column, searching = _nearest(distance, unseen, owner < 0, BLOCK)
    while searching:
        unseen = unseen & (lane != column)
        i = tl.load(row_of + column)
        pair_key = tl.load(costs + i * m + column).to(tl.float64) - tl.load(price + column)
        cost = tl.load(costs + i * m + lane, mask=inside, other=float("inf")).to(tl.float64)
        # Reduced costs are non-negative up to rounding; the maximum keeps the settled distances monotone.
        through = tl.maximum((cost - v) - pair_key + least, least)
        nearer = unseen & (through < distance)
        distance = tl.where(nearer, through, distance)
        reached_from = tl.where(nearer, i, reached_from)
        least, column, searching = _nearest(distance, unseen, owner < 0, BLOCK)

    tl.debug_barrier()
    tl.store(price + lane, v + (distance - least), mask=inside & ~unseen)
    tl.store(via + lane, reached_from, mask=inside)
    tl.debug_barrier()
    walking = True
    while walking:
        i = tl.load(via + column)
        before = tl.load(column_of + i)
        tl.debug_barrier()
        tl.store(row_of + column, i)
        tl.store(column_of + i, column)
        column = before
        walking = i != row
    tl.debug_barrier()


@triton.jit
def _solve(  # type: ignore[no-untyped-def]
    costs, least, price, column_of, row_of, queue, first, floor, m, BLOCK: tl.constexpr, ROWS: tl.constexpr
):
    """Solve problem ``program_id``: costs (m, m), prices initialised, everything unmatched."""
    problem = tl.program_id(0).to(tl.int64)
    epsilon = tl.load(first + problem)
    stop = tl.maximum(epsilon * _LAST_EPSILON / m, tl.load(floor + problem))
    costs += problem * m * m
    least += problem * m
    price += problem * m
    column_of += problem * m
    row_of += problem * m
    queue += problem * BLOCK

    scaling = True
    while scaling:
        scaling = epsilon > stop
        epsilon = tl.where(scaling, epsilon, 0.0)
        tail = _release(costs, price, column_of, row_of, queue, epsilon, m, BLOCK, ROWS)
        head = 0
        places = m * tl.where(scaling, _BIDS, _EXACT_BIDS)
        while (head < tail) & (places > 0):
            after = tl.minimum(head + ROWS, tail)
            tail = _bid(costs, price, column_of, row_of, queue, head, tail, epsilon, m, BLOCK, ROWS)
            head = after
            places -= ROWS
        epsilon /= _DIVISOR

    for row in range(0, m):
        if tl.load(column_of + row) < 0:
            # The queue is no longer needed: its memory stores the predecessors of the search.
            _augment(costs, price, column_of, row_of, queue, row, m, BLOCK)

    for start in range(0, m, ROWS):
        rows = start + tl.arange(0, ROWS)
        tl.store(least + rows, tl.min(_reduced(costs, price, rows, rows < m, m, BLOCK), 1), mask=rows < m)


def solve_batched(costs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Solve dense assignment problems exactly on a GPU, all of them in one launch.

    min over pi of sum_i c_{i, pi(i)}, with potentials u_i + v_j <= c_ij for all i, j and equality on the matching, both
    up to the rounding of float64.

    costs: (B, m, m) float32 or float64, finite -> columns (B, m) int64 with row i matched to columns[i], row potential
    u (B, m) and column potential v (B, m), float64, in the units of the costs. Raises ValueError if a problem is
    empty, not square, larger than ``LARGEST`` or of another dtype, or has costs beyond 1e300 (whose sums overflow).
    Source: article D1, D2; Bertsekas (1988); Jonker and Volgenant (1987).
    """
    if costs.ndim != 3 or costs.shape[1] != costs.shape[2] or costs.numel() == 0:
        raise ValueError(f"assignment problems must be (B, m, m) and not empty, got {tuple(costs.shape)}")
    if costs.dtype not in (torch.float32, torch.float64):
        raise ValueError(f"costs must be float32 or float64, got {costs.dtype}")
    problems, m, _ = costs.shape
    if m > LARGEST:
        raise ValueError(f"a problem may have {LARGEST} rows at most, got {m}")
    costs = costs.detach().contiguous()
    largest = torch.maximum(-costs.amin((1, 2)), costs.amax((1, 2))).double()
    if not (largest <= 1e300).all():
        raise ValueError(f"costs must be finite and within 1e300 of zero, got {float(largest.max()):g}")

    block = max(triton.next_power_of_2(m), 16)
    rows = min(_ROWS, _TILE // block)
    price = costs.amin(1).double()
    columns = torch.full((2, problems, m), -1, dtype=torch.int32, device=costs.device)
    queue = torch.empty(problems, block, dtype=torch.int32, device=costs.device)
    least = torch.empty_like(price)
    # Spread of the costs: mean minus least reduced cost of a row, median over rows.
    sample = costs[:, :: -(-m // 64)].double() - price.unsqueeze(1)
    epsilon = _FIRST_EPSILON * (sample.mean(-1) - sample.amin(-1)).median(-1).values
    # A smaller epsilon would be lost to rounding when subtracted from a price.
    floor = 4 * torch.finfo(torch.float64).eps * largest
    with torch.cuda.device_of(costs):
        _solve[(problems,)](
            costs, least, price, columns[0], columns[1], queue, epsilon, floor, m,
            BLOCK=block, ROWS=rows, num_warps=max(rows * block // 512, 1), num_stages=1, enable_fp_fusion=False,
        )  # fmt: skip
    return columns[0].long(), least, price
