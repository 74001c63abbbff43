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
from dataclasses import dataclass

import numpy as np
import torch
from tqdm import tqdm

from pwgan.options import CostName
from pwgan.transport.solvers import auction, paths
from pwgan.transport.solvers.screen import ROWS_AT_ONCE, SMALLEST_BATCH, DeviceScreen, Screen, blocks

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


class Solver:
    """The state of one solve; its arrays are documented in ``auction`` and ``paths``."""

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
        """Rebuild the lists of ``rows``, on all threads."""
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
        """Refine the screen once it was too coarse for more than n / 4 rows, about the cost of refining."""
        if not isinstance(self.screen, DeviceScreen) and self.counts[3] > self.n // 4:
            self.screen.refine(self.price, max(epsilon / FINENESS, 1e-30))
            self.refined = True
            self.counts[3] = 0

    def phase(self, epsilon: float) -> None:
        """Match all rows within 2 epsilon of their best key."""
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
        """Rescan rows whose best listed key is not certified as their best."""
        rows = np.flatnonzero(self.best() > self.outside + tolerance).astype(np.int32)
        if len(rows):
            self.scan(rows, 1, tolerance)

    def best(self) -> np.ndarray:
        """Return the least key of each row's list, (n,)."""
        least = np.empty(self.n)
        paths.least_listed(self.price, *self._lists, least)
        return least

    def looseness(self) -> float:
        """Return the median difference between exact and screened cost over a sample of listed pairs."""
        if isinstance(self.screen, DeviceScreen):
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
    """
    square, device = cost == "sqeuclidean", x.device
    a, b = (_as_numpy(points) for points in (x, y))
    n = len(a)
    extent = max(float(np.abs(part - a[0].astype(np.float64)).max()) for points in (a, b) for part in blocks(points))
    if extent == 0:
        return Exact(np.arange(n), np.zeros(n), np.zeros(n), np.zeros(n), 0)
    exponent = math.frexp(extent)[1]
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
    epsilon, scale = _spread(a, b, square)
    finest = epsilon / n / FINER
    (_, a_copies), (b_which, b_copies) = _copies(a), _copies(b)
    if potentials is None and a_copies.max() < b_copies.max():
        # Duplicates are cheaper as rows: as columns, all copies would have to be on every list.
        swapped = solve_exact(y, x, cost, progress=progress)
        rows = np.argsort(swapped.columns)
        return Exact(rows, swapped.column_potential, swapped.row_potential, swapped.paid[rows], swapped.rounds)
    price = np.zeros(n) if potentials is None else potentials[1] - potentials[1].max()
    if price.min() < -2 * scale:
        # Prices spread more widely than the costs belong to a different problem, and would lose precision.
        potentials, price = None, np.zeros(n)
    threads = torch.get_num_threads()
    pool = ThreadPoolExecutor(threads)
    bar = tqdm(total=n, disable=not progress, leave=False)
    try:
        screen = Screen(a, b, square, pool, bar) if device.type == "cpu" else DeviceScreen(x, y, cost)
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
        phases = 1 + math.floor(math.log(epsilon / finest, SHRINK) + 1e-9)
        bar.reset(phases + 1)
        bar.set_description("matching")
        for number in range(phases):
            # An epsilon below the resolution of the screen only helps if the screen was refined.
            target = finest * SHRINK ** (phases - 1 - number)
            epsilon = target if solver.refined else max(target, coarse)
            solver.phase(epsilon)
            bar.update()
            if epsilon > target and not solver.refined:
                break
        # Copies of a point have equal prices in any solution; after the auction they differ by up to epsilon.
        lowest = np.full(n, np.inf)
        np.minimum.at(lowest, b_which, solver.price)
        solver.price[:] = lowest[b_which]
        # A point with k copies needs lists that hold the best columns of all k.
        solver.lengthen(np.flatnonzero(a_copies > 1).astype(np.int32), CANDIDATES + 2 * a_copies)
        solver.finish(1e-14 * scale)
    finally:
        pool.shutdown(cancel_futures=True)
        bar.close()
    u = np.minimum(solver.best(), solver.outside)
    return Exact(solver.partner.astype(np.int64), u, solver.price, solver.paid, solver.rounds)


def _as_numpy(points: torch.Tensor) -> np.ndarray:
    """Return the points in float32 if that represents all values of their dtype, else in float64."""
    narrow = points.dtype in (torch.float32, torch.float16, torch.bfloat16, torch.uint8, torch.int8, torch.int16)
    return np.ascontiguousarray(points.to(torch.float32 if narrow else torch.float64).cpu().numpy())


def _copies(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the index of each point among the distinct points, and its number of copies, (n,) each."""
    digests = [hashlib.blake2b(row.tobytes(), digest_size=16).digest() for part in blocks(points) for row in part + 0.0]
    _, which, counts = np.unique(np.array(digests, dtype="V16"), return_inverse=True, return_counts=True)
    return which, counts[which]


def _spread(x: np.ndarray, y: np.ndarray, square: bool) -> tuple[float, float]:
    """Return the first epsilon, an eighth of the mean range of a row's costs, and the largest cost.

    Both are from a fixed sample of rows and columns. The mean, not the median: if most rows have close neighbours, an
    epsilon of that scale would cause a price war among the other rows.
    """
    n = len(x)
    rows, columns = np.linspace(0, n - 1, min(n, 50)).astype(int), np.linspace(0, n - 1, min(n, 1000)).astype(int)
    squared = np.stack([np.square(y[columns] - x[i].astype(np.float64)).sum(1) for i in rows])
    costs = squared if square else np.sqrt(squared)
    spread = float((costs.max(1) - costs.min(1)).mean()) / 8
    largest = float(costs.max())
    return max(spread, 1e-9 * largest, 1e-20), largest
