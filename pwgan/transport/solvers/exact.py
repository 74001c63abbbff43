"""Exact matching of large point sets without the full cost matrix.

Row i has a short list of columns with exact costs, and a lower bound t_i on the key c_ij - v_j of every other column.
Prices v only decrease, so t_i stays valid: a row is rescanned only if its least listed key exceeds t_i. An auction with
epsilon-scaling, with global price updates against price wars, brings the prices close to the optimum; shortest
augmenting paths on the lists then find the exact optimum, and the bounds certify it.
"""

from __future__ import annotations

import hashlib
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import torch
from tqdm import tqdm

from pwgan.errors import Refused
from pwgan.memory import free_memory
from pwgan.options import CostName
from pwgan.transport.solvers import auction, paths
from pwgan.transport.solvers.known import known_matching
from pwgan.transport.solvers.screen import ROWS_AT_ONCE, DeviceScreen, Screen, Source, blocks
from pwgan.transport.solvers.tree import Tree

# Bounds of all n^2 costs are stored if they take at most this share of the free memory.
SHARE = 0.5
# Otherwise, up to this dimension, lists come from a tree of the columns; beyond, bounds are computed for every scan.
TREE_AXES = 4
# The first epsilon is at least the largest cost over this, so that a price gets anywhere in so many bids.
REACH = 64
# Ratio of epsilon to the lower quartile of costs above which phases go on to the scale of that quartile.
WIDE = 100.0
# No epsilon is below this fraction of the ceiling: bids would be lost to rounding, ...
DIGITS = 2.0**-50
# ... or below this fraction of the value.
FINE = 2e-11
# Relative error of the value above which the problem is solved again with a lower limit on the costs.
PRECISE = 1e-10
# Initial list length of a row. Longer lists need fewer scans, but most of their entries are never bid on.
CANDIDATES = 32
# Epsilon falls by this factor from phase to phase, ...
SHRINK = 5.0
# ... from an eighth of the range of the costs to 1 / (FINER n) of that, so the remaining paths are short, ...
FINER = 500.0
# ... but not below this fraction of the rounding of the screen, unless it was refined.
COARSE = 0.5
# A refined screen resolves key differences of epsilon / FINENESS.
FINENESS = 200
# Sweeps that make the pairs of the last phase tight; more would only raise prices of pairs that cannot become tight.
SWEEPS = 15
# Bids per row after which a phase is considered a price war. A price update costs about three bids per row.
PATIENCE = 3


Potentials = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Exact:
    """A matching (n,), potentials u, v (n,) with u_i + v_j <= c_ij, costs of the pairs (n,), number of rounds."""

    columns: np.ndarray
    row_potential: np.ndarray
    column_potential: np.ndarray
    paid: np.ndarray
    rounds: int

    def error(self) -> float:
        """Bound how far the mean cost is from the least, the rounding of the potentials included."""
        u, v = self.row_potential, self.column_potential
        rounding = 2.0**-50 * (np.abs(u).mean() + np.abs(v).mean())
        return abs(float(self.paid.mean() - u.mean() - v.mean())) + float(rounding)


class Solver:
    """The state of one solve; its arrays are documented in ``auction`` and ``paths``."""

    def __init__(
        self,
        screen: Source,
        pool: ThreadPoolExecutor,
        threads: int,
        price: np.ndarray,
        slack: float,
        bar: tqdm,
    ) -> None:
        n = len(price)
        self.n, self.screen, self.pool, self.threads, self.bar = n, screen, pool, threads, bar
        k = min(CANDIDATES, n)
        self.first = np.arange(n, dtype=np.int64) * k
        self.size = np.full(n, k, np.int32)
        self.columns, self.costs = np.zeros(n * k, np.int32), np.full(n * k, np.inf)
        self.used = n * k
        self.outside, self.behind = np.full(n, -np.inf), np.full(n, -np.inf)
        self.price, self.rounded = price, np.empty(n, np.float32)
        self.partner, self.owner = np.full(n, -1, np.int32), np.full(n, -1, np.int32)
        self.paid = np.zeros(n)
        self.stack, self.waiting = np.empty(2 * n, np.int32), np.empty(n, np.int32)
        # Bids, scans, rows passed by paths, rows for which the screen was too coarse since it was last refined.
        self.counts = np.zeros(4, np.int64)
        self.listed_at = [np.full(n, -1, np.int64) for _ in range(threads)]
        self.rounds, self.stale = 0, True
        self.scan(np.arange(n, dtype=np.int32), 1, slack)

    @property
    def _lists(self) -> tuple[np.ndarray, ...]:
        return self.first, self.size, self.columns, self.costs

    def _screened(self, rows: np.ndarray) -> tuple[object, ...]:
        return *self.screen.prepare(rows), self.rounded, self.price, *self._lists, *self._bounds

    def recentre(self) -> None:
        """Subtract the median from the prices, which changes no comparison, so that they lose no digits."""
        change = float(np.median(self.price))
        self.price -= change
        self.outside += change
        self.behind += change
        self.screen.shift(change)
        self.stale = True

    @property
    def _bounds(self) -> tuple[np.ndarray, np.ndarray]:
        return self.outside, self.behind

    @property
    def _pairs(self) -> tuple[np.ndarray, ...]:
        return self.partner, self.owner, self.paid

    def _update(self) -> None:
        """Tell the screen all prices, if others than those of the auction, which does so itself, have changed."""
        if self.stale:
            self.screen.update(self.price, self.rounded)
            self.stale = False

    def scan(self, rows: np.ndarray, deep: int, slack: float) -> None:
        """Rebuild the lists of ``rows``, on all threads."""
        self._update()
        self.counts[1] += len(rows)
        if isinstance(self.screen, DeviceScreen):
            for k in np.unique(self.size[rows]):
                same = rows[self.size[rows] == k]
                auction.set_lists(same, *self.screen.scan(same, self.price, int(k)), *self._lists, *self._bounds)
            return
        parts = np.array_split(
            rows, max(1, len(rows) // ROWS_AT_ONCE, min(self.threads, len(rows) // self.screen.batch))
        )
        if len(parts) == 1:
            self.counts[3] += auction.scan(rows, deep, slack, *self._screened(rows), self.listed_at[0])
            return
        spare = list(self.listed_at)

        def work(part: np.ndarray) -> int:
            listed_at = spare.pop()
            coarse = auction.scan(part, deep, slack, *self._screened(part), listed_at)
            spare.append(listed_at)
            return coarse

        self.counts[3] += sum(self.pool.map(work, parts))

    def sharpen(self, epsilon: float) -> None:
        """Refine the screen once it was too coarse for more than n / 4 rows, about the cost of refining."""
        if self.counts[3] > self.n // 4:
            self.screen.refine(self.price, max(epsilon / FINENESS, 1e-30))
            self.stale = True
            self.counts[3] = 0

    def phase(self, epsilon: float) -> None:
        """Match all rows within 2 epsilon of their best key."""
        free = self._release(epsilon)
        self.stale = True
        spent = 0
        while free:
            self.rounds += 1
            before = self.counts[0]
            self._update()
            free, waiting = auction.auction(
                *(epsilon, PATIENCE * self.n - spent, self.screen.inline),
                *(self.stack, free, self.waiting, self.counts, self.screen.reference),
                *(*self._screened(self.waiting[:0]), self.listed_at[0], *self._pairs),
            )
            spent += self.counts[0] - before
            if waiting:
                rows = self.waiting[:waiting].copy()
                self.scan(rows, 1, auction.SLACK * epsilon)
                self.stack[free : free + waiting] = rows
                free += waiting
            if spent >= PATIENCE * self.n and free:
                paths.lower_prices(epsilon, self.price, *self._lists, self.outside, *self._pairs)
                self.recentre()
                spent = 0
            self.sharpen(epsilon)
            self.bar.set_postfix_str(f"{free} of {self.n} free", refresh=False)

    def _release(self, epsilon: float) -> int:
        return paths.release(epsilon, self.stack, self.price, *self._lists, self.outside, *self._pairs)

    def finish(self, tolerance: float) -> None:
        """Make the matching optimal and the prices its potentials."""
        self._conclude(tolerance)
        paths.tighten(SWEEPS, tolerance, self.price, *self._lists, self.outside, self.partner, self.paid)
        self._conclude(tolerance)
        free = self._release(tolerance)
        room = int(self.size.sum()) + self.n
        keys, items = np.empty(room), np.empty(room, np.int32)
        distance, via_row = np.full(self.n, np.inf), np.empty(self.n, np.int32)
        via_entry = np.empty(self.n, np.int64)
        attempt, source = 0, -1
        while free:
            self.rounds += 1
            free, blocking = paths.augment(
                *(10_000_000, tolerance, self.stack, free, self.waiting, self.counts, keys, items),
                *(distance, via_row, via_entry, self.price, *self._lists, self.outside, *self._pairs),
            )
            if blocking:
                attempt = attempt + 1 if source == self.stack[free - 1] else 0
                source = self.stack[free - 1]
                rows = self.waiting[:blocking].copy()
                if attempt > 1:
                    self.lengthen(rows, 4 * self.size)
                self.stale = True
                self.scan(rows, 8 if attempt < 4 else 0, tolerance)
            self.bar.set_postfix_str(f"{free} of {self.n} free", refresh=False)

    def _conclude(self, tolerance: float) -> None:
        """Rescan rows whose best listed key is not certified as their best."""
        rows = np.flatnonzero(self.best() > self.outside + tolerance).astype(np.int32)
        if len(rows):
            self.stale = True
            self.scan(rows, 1, tolerance)

    def best(self) -> np.ndarray:
        """Return the least key of each row's list, (n,)."""
        least = np.empty(self.n)
        paths.least_listed(self.price, *self._lists, least)
        return least

    def bound(self) -> float:
        """Return a lower bound on the least mean cost, from the prices."""
        return float(np.minimum(self.best(), self.outside).mean() + self.price.mean())

    def looseness(self) -> float:
        """Return the median difference between exact and screened cost over a sample of listed pairs."""
        if not len(self.screen.codes):
            return 0.0
        rows = np.linspace(0, self.n - 1, min(self.n, 200)).astype(int)
        entries = self.first[rows][:, None] + np.arange(self.size[rows].min())
        codes = self.screen.codes[rows[:, None], self.columns[entries]]
        screened = self.screen.low[rows, None] + self.screen.step[rows, None] * codes
        return float(np.median(self.costs[entries] - screened))

    def lengthen(self, rows: np.ndarray, wanted: np.ndarray) -> None:
        """Allocate longer lists for ``rows``, of min(wanted, n) entries, to be filled by a scan."""
        sizes = np.minimum(wanted[rows].astype(np.int64), self.n)
        rows, sizes = rows[sizes > self.size[rows]], sizes[sizes > self.size[rows]]
        if not len(rows):
            return
        end = self.used + int(sizes.sum())
        if end > len(self.columns):
            more = max(end, 2 * len(self.columns)) - len(self.columns)
            self.columns = np.concatenate([self.columns, np.zeros(more, np.int32)])
            self.costs = np.concatenate([self.costs, np.full(more, np.inf)])
        self.costs[self.used : end] = np.inf
        self.first[rows] = self.used + np.cumsum(sizes) - sizes
        self.size[rows] = sizes
        # An empty list gives no bound: finish starts by scanning these rows.
        self.outside[rows] = self.behind[rows] = -np.inf
        self.used = end


def solve_exact(
    x: torch.Tensor, y: torch.Tensor, cost: CostName, *, potentials: Potentials | None = None, progress: bool = False
) -> Exact:
    """Match the n rows of x (n, d) with those of y at least total cost, with a certificate.

    min over pi of sum_i c(x_i, y_pi(i)), c = |x - y| or its square. ``potentials`` u, v (n,) of a similar problem give
    a warm start from the prices v; the largest deviation of u from the row potentials for v measures the similarity. If
    x and y are on a GPU, it computes screen and costs; auction and paths run on the CPU.

    Costs are limited to the total cost T of a known matching: no cost is negative, so no optimal matching contains a
    larger one, and potentials for the limited costs are feasible for the true ones. Their size and rounding are of the
    order of T, whatever the scale of far points. If that is still too coarse for the value, the matching that was found
    gives a lower T, and the problem is solved again.
    """
    square = cost == "sqeuclidean"
    require_memory(len(x), x.shape[1])
    a, b = (_as_numpy(points) for points in (x, y))
    columns, part = known_matching(a, b)
    paid = _pair_costs(a, b, columns, square)
    mean = float(paid.mean())
    if mean == 0:
        return Exact(columns, np.zeros(len(a)), np.zeros(len(a)), paid, 0)
    exponent = math.frexp(math.sqrt(mean) if square else mean)[1]
    if abs(exponent) > 40:
        # Squares of such points over- or underflow float32. Scaling by a power of two is exact.
        unscale = 2.0 ** (2 * exponent if square else exponent)
        scaled_x, scaled_y = (points.double() * 2.0**-exponent for points in (x, y))
        scaled_potentials = None if potentials is None else (potentials[0] / unscale, potentials[1] / unscale)
        solution = solve_exact(scaled_x, scaled_y, cost, potentials=scaled_potentials, progress=progress)
        return Exact(
            solution.columns,
            solution.row_potential * unscale,
            solution.column_potential * unscale,
            solution.paid * unscale,
            solution.rounds,
        )
    (_, a_copies), (b_which, b_copies) = _copies(a), _copies(b)
    if potentials is None and a_copies.max() < b_copies.max():
        # Duplicates are cheaper as rows: as columns, all copies would have to be on every list.
        swapped = solve_exact(y, x, cost, progress=progress)
        rows = np.argsort(swapped.columns)
        return Exact(rows, swapped.column_potential, swapped.row_potential, swapped.paid[rows], swapped.rounds)
    total = len(a) * mean
    while True:
        ceiling, near = total * (1 + 1e-9), float(np.quantile(paid, 0.25))
        spread, largest = _spread(a, b, square, ceiling)
        epsilon = max(min(spread, mean), largest / REACH)
        if near < epsilon / WIDE and x.device.type == "cpu" and 20 * len(a) ** 2 <= SHARE * free_memory():
            solution = _solve_densely(x, y, cost, ceiling)
        else:
            solution = _solve(x, y, a, b, square, potentials, progress, ceiling, epsilon, near, part, a_copies, b_which)
        paid = _pair_costs(a, b, solution.columns, square)
        solution = replace(solution, paid=paid)
        mean, limit, total = float(paid.mean()), total, float(paid.sum())
        if solution.error() <= PRECISE * mean or total > limit / 8:
            return solution


def _solve(
    x: torch.Tensor,
    y: torch.Tensor,
    a: np.ndarray,
    b: np.ndarray,
    square: bool,
    potentials: Potentials | None,
    progress: bool,
    ceiling: float,
    epsilon: float,
    near: float,
    part: np.ndarray,
    a_copies: np.ndarray,
    b_which: np.ndarray,
) -> Exact:
    """Solve with costs limited to ``ceiling``.

    ``epsilon``: the first one; ``near``: lower quartile of the costs of a matching; ``part`` (n,): the part of each
    row; ``a_copies``, ``b_which`` (n,): see ``_copies``.
    """
    n = len(a)
    near = near if near < epsilon / WIDE else epsilon
    digits = DIGITS * ceiling
    finest = max(near / n / FINER, digits)
    price = np.zeros(n) if potentials is None else potentials[1] - potentials[1].max()
    if price.min() < -2 * ceiling:
        # Prices spread more widely than the costs belong to a different problem, and would lose precision.
        potentials, price = None, np.zeros(n)
    stored = 2 * n**2 <= SHARE * free_memory()
    threads = torch.get_num_threads()
    pool = ThreadPoolExecutor(threads)
    bar = tqdm(total=n, disable=not progress, leave=False)
    try:
        screen: Source
        if x.device.type != "cpu":
            screen = DeviceScreen(x, y, "sqeuclidean" if square else "euclidean", ceiling)
        elif stored or a.shape[1] > TREE_AXES:
            screen = Screen(a, b, square, ceiling, part, pool, bar, stored=stored)
        else:
            screen = Tree(a, b, square, ceiling)
        solver = Solver(screen, pool, threads, price, auction.SLACK * epsilon, bar)
        if potentials is not None:
            change = solver.best() - potentials[0]
            # Not the mean: with a small epsilon, a few prices far off would cause price wars.
            largest = float(np.abs(change - np.median(change)).max())
            if largest > epsilon:
                # Starting from prices this far off saves nothing.
                solver = Solver(screen, pool, threads, np.zeros(n), auction.SLACK * epsilon, bar)
            else:
                epsilon = max(largest, finest)
        coarse = COARSE * solver.looseness()
        last = 1 + math.floor(math.log(epsilon / finest, SHRINK) + 1e-9)
        steps = [finest * SHRINK**number for number in reversed(range(last))]
        bar.reset(len(steps) + 1)
        bar.set_description("matching")
        for step in steps:
            # An epsilon below the resolution of the screen only helps if the screen was refined.
            solver.phase(step if screen.refined else max(step, coarse))
            bar.update()
            if step < FINE * solver.bound() or (step < coarse and not screen.refined):
                break
        if step == digits and float(_pair_costs(a, b, solver.partner, square).sum()) < ceiling / 8:
            # A lower ceiling leaves more digits.
            return Exact(solver.partner.astype(np.int64), np.zeros(n), np.zeros(n), solver.paid, solver.rounds)
        # Copies of a point have equal prices in any solution; after the auction they differ by up to epsilon.
        lowest = np.full(n, np.inf)
        np.minimum.at(lowest, b_which, solver.price)
        solver.price[:] = lowest[b_which]
        # A point with k copies needs lists that hold the best columns of all k.
        solver.lengthen(np.flatnonzero(a_copies > 1).astype(np.int32), CANDIDATES + 2 * a_copies)
        solver.finish(max(FINE * solver.bound() / 8, 2.0**-50 * float(np.abs(solver.price).mean())))
    finally:
        pool.shutdown(cancel_futures=True)
        bar.close()
    u = np.minimum(solver.best(), solver.outside)
    return Exact(solver.partner.astype(np.int64), u, solver.price, solver.paid, solver.rounds)


def _solve_densely(x: torch.Tensor, y: torch.Tensor, cost: CostName, ceiling: float) -> Exact:
    """Solve with all costs in memory, which is faster where price wars between far scales would be long."""
    from pwgan.transport.cost import precise_cost
    from pwgan.transport.solvers.dense import solve_dense

    costs = precise_cost(x, y, cost).clamp_(max=ceiling)[None].numpy()
    columns, u, v = (array[0] for array in solve_dense(costs))
    return Exact(columns, u, v, costs[0, np.arange(len(columns)), columns], 0)


def require_memory(n: int, d: int) -> None:
    """Raise ``Refused`` if the least that a solve takes does not fit into memory: lists, points and their copies."""
    needed = n * (12 * CANDIDATES * 2 + 24 * d + 200)
    if needed > free_memory():
        raise Refused(
            f"matching {n} points in {d} dimensions takes at least {needed / 1e9:.1f} GB, and "
            f"{free_memory() / 1e9:.1f} GB of memory are free; compare fewer points"
        )


def _as_numpy(points: torch.Tensor) -> np.ndarray:
    """Return the points in float32 if that represents all values of their dtype, else in float64."""
    narrow = points.dtype in (torch.float32, torch.float16, torch.bfloat16, torch.uint8, torch.int8, torch.int16)
    return np.ascontiguousarray(points.to(torch.float32 if narrow else torch.float64).cpu().numpy())


def _pair_costs(x: np.ndarray, y: np.ndarray, columns: np.ndarray, square: bool) -> np.ndarray:
    """Return the costs (n,) of matched pairs, from differences in float64."""
    squared = np.empty(len(x))
    rows = max(1, 1_000_000 // x.shape[1])
    for start in range(0, len(x), rows):
        part = slice(start, start + rows)
        squared[part] = np.square(x[part] - y[columns[part]].astype(np.float64)).sum(1)
    return squared if square else np.sqrt(squared)


def _copies(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the index of each point among the distinct points, and its number of copies, (n,) each."""
    digests = [hashlib.blake2b(row.tobytes(), digest_size=16).digest() for part in blocks(points) for row in part + 0.0]
    _, which, counts = np.unique(np.array(digests, dtype="V16"), return_inverse=True, return_counts=True)
    return which, counts[which]


def _spread(x: np.ndarray, y: np.ndarray, square: bool, ceiling: float) -> tuple[float, float]:
    """Return an eighth of the mean range of a row's costs, from a sample of rows and columns, and the largest cost.

    The mean, not the median: if most rows have close neighbours, an epsilon of that scale would cause a price war among
    the other rows. The largest cost is about that of two points farthest from the first one.
    """
    n = len(x)
    rows, columns = np.linspace(0, n - 1, min(n, 50)).astype(int), np.linspace(0, n - 1, min(n, 1000)).astype(int)
    squared = np.stack([np.square(y[columns] - x[i].astype(np.float64)).sum(1) for i in rows])
    costs = np.minimum(squared if square else np.sqrt(squared), ceiling)
    extent = max(
        float(np.square(part - x[0].astype(np.float64)).sum(1).max()) for side in (x, y) for part in blocks(side)
    )
    largest = min(extent if square else math.sqrt(extent), ceiling)
    return max(float((costs.max(1) - costs.min(1)).mean()) / 8, 1e-9 * float(costs.max())), largest
