"""The exact matching of large sets of points, without their matrix of costs.

Row i keeps a short list of columns with exact costs, and a lower bound t_i on the key c_ij - v_j of every column left
out. Prices v only ever fall, so t_i holds until the row is scanned again: pricing n^2 pairs becomes scanning a row when
its least listed key exceeds t_i. An auction with epsilon-scaling, its price wars cut short by global price updates,
brings the prices near their optimum; shortest augmenting paths on the lists end exactly there, and the bounds prove it.
"""

from __future__ import annotations

import hashlib
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from tqdm import tqdm

from pwgan.options import CostName
from pwgan.transport.solvers import auction, paths
from pwgan.transport.solvers.screen import ROWS_AT_ONCE, SMALLEST_BATCH, DeviceScreen, Screen, blocks

# Columns on a row's first list. Longer ones are scanned for less often, but most of what they hold is never bid for.
CANDIDATES = 32
# Epsilon falls by this factor from phase to phase, ...
SHRINK = 5.0
# ... from an eighth of the range of the costs to 1 / (FINER n) of that: the shorter are the paths that remain, ...
FINER = 500.0
# ... but not below this share of what the screen loses, unless it was refined.
COARSE = 0.5
# A refined screen tells apart keys that differ by epsilon / FINENESS.
FINENESS = 200
# Sweeps that make the pairs of the last phase tight; more would only drive the prices of those that cannot be.
SWEEPS = 15
# Bids for each row after which a phase is in a price war. A price update costs about as much as three bids a row.
PATIENCE = 3


Potentials = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Exact:
    """A matching (n,), potentials u, v (n,) with u_i + v_j <= c_ij, the costs of the pairs (n,), the rounds it took."""

    columns: np.ndarray
    row_potential: np.ndarray
    column_potential: np.ndarray
    paid: np.ndarray
    rounds: int


class Solver:
    """The state of one solve; its arrays are those that ``auction`` and ``paths`` describe."""

    def __init__(
        self,
        screen: Screen | DeviceScreen,
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
        self.refined = False
        self.listed_at = [np.full(n, -1, np.int64) for _ in range(threads)]
        self.rounds = 0
        self.scan(np.arange(n, dtype=np.int32), 1, slack)

    @property
    def _lists(self) -> tuple[np.ndarray, ...]:
        return self.first, self.size, self.columns, self.costs

    @property
    def _screened(self) -> tuple[object, ...]:
        screen = self.screen
        return (
            screen.x,
            screen.y,
            screen.square,
            screen.codes,
            screen.low,
            screen.step,
            self.rounded,
            self.price,
            *self._lists,
            *self._bounds,
        )

    @property
    def _bounds(self) -> tuple[np.ndarray, np.ndarray]:
        return self.outside, self.behind

    @property
    def _pairs(self) -> tuple[np.ndarray, ...]:
        return self.partner, self.owner, self.paid

    def scan(self, rows: np.ndarray, deep: int, slack: float) -> None:
        """Renew the lists of some rows, on all threads."""
        auction.round_up(self.price, self.screen.reference, self.rounded)
        self.counts[1] += len(rows)
        if isinstance(self.screen, DeviceScreen):
            for k in np.unique(self.size[rows]):
                same = rows[self.size[rows] == k]
                auction.set_lists(same, *self.screen.scan(same, self.price, int(k)), *self._lists, *self._bounds)
            return
        shared = self._screened
        parts = np.array_split(rows, max(1, len(rows) // ROWS_AT_ONCE, min(self.threads, len(rows) // SMALLEST_BATCH)))
        if len(parts) == 1:
            self.counts[3] += auction.scan(rows, deep, slack, *shared, self.listed_at[0])
            return
        spare = list(self.listed_at)

        def work(part: np.ndarray) -> int:
            listed_at = spare.pop()
            coarse = auction.scan(part, deep, slack, *shared, listed_at)
            spare.append(listed_at)
            return coarse

        self.counts[3] += sum(self.pool.map(work, parts))

    def sharpen(self, epsilon: float) -> None:
        """Refine the screen where it has been too coarse for as many rows as a refinement costs."""
        if not isinstance(self.screen, DeviceScreen) and self.counts[3] > self.n // 4:
            self.screen.refine(self.price, max(epsilon / FINENESS, 1e-30))
            self.refined = True
            self.counts[3] = 0

    def phase(self, epsilon: float) -> None:
        """Match all rows within 2 epsilon of their best."""
        free = self._release(epsilon)
        spent = 0
        while free:
            self.rounds += 1
            before = self.counts[0]
            auction.round_up(self.price, self.screen.reference, self.rounded)
            free, waiting = auction.auction(
                *(epsilon, PATIENCE * self.n - spent, self.screen.inline),
                *(self.stack, free, self.waiting, self.counts, self.screen.reference),
                *(*self._screened, self.listed_at[0], *self._pairs),
            )
            spent += self.counts[0] - before
            if waiting:
                rows = self.waiting[:waiting].copy()
                self.scan(rows, 1, auction.SLACK * epsilon)
                self.stack[free : free + waiting] = rows
                free += waiting
            if spent >= PATIENCE * self.n and free:
                paths.lower_prices(epsilon, self.price, *self._lists, self.outside, *self._pairs)
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
                self.scan(rows, 8 if attempt < 4 else 0, tolerance)
            self.bar.set_postfix_str(f"{free} of {self.n} free", refresh=False)

    def _conclude(self, tolerance: float) -> None:
        """Scan rows until each row's best key is known to be its best."""
        rows = np.flatnonzero(self.best() > self.outside + tolerance).astype(np.int32)
        if len(rows):
            self.scan(rows, 1, tolerance)

    def best(self) -> np.ndarray:
        """Return the least key of each row's list, (n,)."""
        least = np.empty(self.n)
        paths.least_listed(self.price, *self._lists, least)
        return least

    def looseness(self) -> float:
        """Return by how much a screened cost is below the exact one, the median over a sample of listed pairs."""
        if isinstance(self.screen, DeviceScreen):
            return 0.0
        rows = np.linspace(0, self.n - 1, min(self.n, 200)).astype(int)
        entries = self.first[rows][:, None] + np.arange(self.size[rows].min())
        codes = self.screen.codes[rows[:, None], self.columns[entries]]
        screened = self.screen.low[rows, None] + self.screen.step[rows, None] * codes
        return float(np.median(self.costs[entries] - screened))

    def lengthen(self, rows: np.ndarray, wanted: np.ndarray) -> None:
        """Give some rows longer lists, ``wanted`` (n,) columns but no more than there are, to be filled by a scan."""
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
        # A list that is empty excludes nothing: finish begins with a scan of such rows.
        self.outside[rows] = self.behind[rows] = -np.inf
        self.used = end


def solve_exact(
    x: torch.Tensor, y: torch.Tensor, cost: CostName, *, potentials: Potentials | None = None, progress: bool = False
) -> Exact:
    """Match the n rows of x (n, d) with those of y at least total cost, and prove it.

    min over pi of sum_i c(x_i, y_pi(i)), c = |x - y| or its square. ``potentials`` u, v (n,) of a problem nearby are
    what to begin with, v as the prices; the most by which u differs from that of v here tells how near that problem is.
    Where x and y are on a GPU, it screens and prices the pairs; bids and paths are the processor's.
    """
    square, device = cost == "sqeuclidean", x.device
    a, b = (_as_numpy(points) for points in (x, y))
    n = len(a)
    reach = max(float(np.abs(part - a[0].astype(np.float64)).max()) for points in (a, b) for part in blocks(points))
    if reach == 0:
        return Exact(np.arange(n), np.zeros(n), np.zeros(n), np.zeros(n), 0)
    exponent = math.frexp(reach)[1]
    if abs(exponent) > 40:
        # Squares of such points leave the range of float32. A power of two takes no digit away.
        by = 2.0 ** (2 * exponent if square else exponent)
        near, partner = (points.double() * 2.0**-exponent for points in (x, y))
        nearby = None if potentials is None else (potentials[0] / by, potentials[1] / by)
        f = solve_exact(near, partner, cost, potentials=nearby, progress=progress)
        return Exact(f.columns, f.row_potential * by, f.column_potential * by, f.paid * by, f.rounds)
    epsilon, scale = _spread(a, b, square)
    finest = epsilon / n / FINER
    (_, a_copies), (b_which, b_copies) = _copies(a), _copies(b)
    if potentials is None and a_copies.max() < b_copies.max():
        # Copies are dealt with among the rows: as columns they would all have to be on every list.
        turned = solve_exact(y, x, cost, progress=progress)
        rows = np.argsort(turned.columns)
        return Exact(rows, turned.column_potential, turned.row_potential, turned.paid[rows], turned.rounds)
    price = np.zeros(n) if potentials is None else potentials[1] - potentials[1].max()
    if price.min() < -2 * scale:
        # Prices further apart than the costs are of another problem, and would cost digits.
        potentials, price = None, np.zeros(n)
    threads = torch.get_num_threads()
    pool = ThreadPoolExecutor(threads)
    bar = tqdm(total=n, disable=not progress, leave=False)
    try:
        screen = Screen(a, b, square, pool, bar) if device.type == "cpu" else DeviceScreen(x, y, cost)
        solver = Solver(screen, pool, threads, price, auction.SLACK * epsilon, bar)
        if potentials is not None:
            change = solver.best() - potentials[0]
            # Not the mean: where a few prices are far off, bids of a small epsilon are a price war for them.
            largest = float(np.abs(change - np.median(change)).max())
            if largest > epsilon:
                # Prices so far off save nothing, and may cost much.
                solver = Solver(screen, pool, threads, np.zeros(n), auction.SLACK * epsilon, bar)
            else:
                epsilon = max(largest, finest)
        coarse = COARSE * solver.looseness()
        phases = 1 + math.floor(math.log(epsilon / finest, SHRINK) + 1e-9)
        bar.reset(phases + 1)
        bar.set_description("matching")
        for number in range(phases):
            # Prices finer than the screen tells apart are only worth having where it was refined.
            target = finest * SHRINK ** (phases - 1 - number)
            epsilon = target if solver.refined else max(target, coarse)
            solver.phase(epsilon)
            bar.update()
            if epsilon > target and not solver.refined:
                break
        # Copies of a point have one price in any solution; the auction leaves them an epsilon apart.
        lowest = np.full(n, np.inf)
        np.minimum.at(lowest, b_which, solver.price)
        solver.price[:] = lowest[b_which]
        # As many columns as a point has copies are alike to each of them.
        solver.lengthen(np.flatnonzero(a_copies > 1).astype(np.int32), CANDIDATES + 2 * a_copies)
        solver.finish(1e-14 * scale)
    finally:
        pool.shutdown(cancel_futures=True)
        bar.close()
    u = np.minimum(solver.best(), solver.outside)
    return Exact(solver.partner.astype(np.int64), u, solver.price, solver.paid, solver.rounds)


def _as_numpy(points: torch.Tensor) -> np.ndarray:
    """Return the points in float32 where that holds all values of their dtype, else in float64."""
    narrow = points.dtype in (torch.float32, torch.float16, torch.bfloat16, torch.uint8, torch.int8, torch.int16)
    return np.ascontiguousarray(points.to(torch.float32 if narrow else torch.float64).cpu().numpy())


def _copies(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return for each point which of the distinct points it is, and how many copies of it there are, (n,) each."""
    digests = [hashlib.blake2b(row.tobytes(), digest_size=16).digest() for part in blocks(points) for row in part + 0.0]
    _, which, counts = np.unique(np.array(digests, dtype="V16"), return_inverse=True, return_counts=True)
    return which, counts[which]


def _spread(x: np.ndarray, y: np.ndarray, square: bool) -> tuple[float, float]:
    """Return the first epsilon, an eighth of the range of a row's costs in the mean, and the largest cost.

    Both from a sample of rows and columns that is the same each time. The mean, not the median: where most rows have
    near neighbours, an epsilon of their scale would begin with a price war on that of the others.
    """
    n = len(x)
    rows, columns = np.linspace(0, n - 1, min(n, 50)).astype(int), np.linspace(0, n - 1, min(n, 1000)).astype(int)
    some = np.stack([np.square(y[columns] - x[i].astype(np.float64)).sum(1) for i in rows])
    costs = some if square else np.sqrt(some)
    spread = float((costs.max(1) - costs.min(1)).mean()) / 8
    largest = float(costs.max())
    return max(spread, 1e-9 * largest, 1e-20), largest
