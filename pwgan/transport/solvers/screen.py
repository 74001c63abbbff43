"""The screen of a large problem: 16-bit lower bounds of all n^2 costs, from which lists of candidates are built."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from tqdm import tqdm

from pwgan.options import CostName
from pwgan.transport.solvers import auction, encoding

# Rows per kernel call, in encoding and scanning.
ROWS_AT_ONCE = 256
# Minimum rows per thread.
SMALLEST_BATCH = 32
UNIT = 2.0**-24
# Columns farther from the rows of a part than this, in units of the size of the part, are moved there.
FAR = 2.0**20
# A part with a centre and scale of its own has at least n / SMALL_PARTS rows.
SMALL_PARTS = 16


@dataclass(frozen=True)
class View:
    """The points centred and scaled for some rows: p (n, d), q (d, n) in float32, and what bounds their costs."""

    rows: np.ndarray
    p: np.ndarray
    q: np.ndarray
    pp: np.ndarray
    qq: np.ndarray
    lost: np.ndarray
    moved: np.ndarray
    ceiling: np.float32
    unit: np.float32
    centre: np.ndarray


class Source:
    """What the kernels build lists from: the points, costs limited to ``ceiling``, and a screen or a tree."""

    # Up to this many waiting rows are scanned inside the auction kernel, without returning to Python.
    inline = 0
    # Fewest rows that are worth a thread.
    batch = SMALLEST_BATCH
    refined = False

    def __init__(self, x: np.ndarray, y: np.ndarray, square: bool, ceiling: float) -> None:
        self.x, self.y, self.square, self.ceiling = x, y, square, ceiling
        self.codes, self.low, self.step = np.empty((0, 0), np.uint16), np.empty(0), np.empty(0, np.float32)
        self.order, self.spots, self.boxes = np.empty(0, np.int32), np.empty((0, 0)), np.empty((0, 2, 0))
        self.dearest, self.begin, self.leaf = np.empty(0), np.empty(0, np.int64), np.empty(0, np.int32)
        self.place = np.arange(len(x), dtype=np.int32)
        self.reference = np.zeros(len(y))

    @property
    def arrays(self) -> tuple[object, ...]:
        """The arguments of the kernels."""
        return self._with(self.codes, self.low, self.step)

    def prepare(self, rows: np.ndarray) -> tuple[object, ...]:
        """Return the arguments of the kernels for a scan of these rows."""
        return self.arrays

    def _with(self, codes: np.ndarray, low: np.ndarray, step: np.ndarray) -> tuple[object, ...]:
        screen = (self.x, self.y, self.square, self.ceiling, codes, low, step, self.place)
        tree = (self.order, self.spots, self.boxes, self.dearest, self.begin, self.leaf)
        return (*screen, *tree)

    def update(self, price: np.ndarray, rounded: np.ndarray) -> None:
        """Bring up to date what depends on all prices."""
        auction.round_up(price, self.reference, rounded)

    def shift(self, change: float) -> None:
        """Follow a change of all prices by the same number."""

    def refine(self, price: np.ndarray, width: float) -> None:
        """Compute the bounds anew, relative to the keys at these prices; exact ones need it never."""


class Screen(Source):
    """Lower bounds of all n^2 costs at 16 bits each: low_i + step_i code_ij.

    Translating both sets by a vector and scaling them by a power of two changes no comparison. Let p_i, q_j be the
    transformed points rounded to float32, e_i = |x_i - p_i| and f_j = |y_j - q_j| computed in float64; then
    |x_i - y_j| >= |p_i - q_j| - e_i - f_j. With u = 2^-24 and gamma_d = d u / (1 - d u):

    Products: |p - q|^2 = P + Q - 2 p.q. A dot product of d terms, added in any order, errs by at most
    gamma_d (P + Q) / 2, doubled by the 2; the two additions by less than 4 u (P + Q). So with r = gamma_d + 8 u,
    P (1 - r) + Q (1 - r) - 2 p.q <= |p - q|^2. (|p| <= 1: products that underflow are covered by 2^-60 in e_i.)
    Differences: their sum of squares has relative error gamma_{d+2}, covered by the factor below.
    Root, factor, subtractions and square round at most seven times: the factor 1 - (d + 16) u or 1 - 16 u covers these
    and the rounding of the float64 cost.

    Rows of a part of the data, which ``known_matching`` cut apart from the rest at wide gaps, have a vector and a scale
    of their own, for which |p| <= 1: float32 resolves their distances, wherever they are. A column with |q| > FAR is
    moved towards the centre until |q| = FAR, which brings it nearer to all of these rows, since they are within a ball.

    The bounds of all rows are stored if memory allows, otherwise computed anew for the rows of every scan.
    """

    few_axes = 8

    def __init__(
        self,
        x: np.ndarray,
        y: np.ndarray,
        square: bool,
        ceiling: float,
        part: np.ndarray,
        pool: ThreadPoolExecutor,
        bar: tqdm,
        stored: bool,
    ) -> None:
        super().__init__(x, y, square, ceiling)
        n = len(x)
        self.pool, self.stored, self.direct = pool, stored, x.shape[1] <= self.few_axes
        self.inline = SMALLEST_BATCH if stored else 0
        self.width = np.float32(0)
        # Parts of few rows share one: their bounds may be coarse, but they are few.
        part = np.where(np.bincount(part)[part] * SMALL_PARTS < n, -1, part)
        self.views = [self._view(part == label) for label in np.unique(part)]
        self.view_of = np.empty(n, np.int32)
        for number, view in enumerate(self.views):
            self.view_of[view.rows] = number
        self.at_once = max(1, min(ROWS_AT_ONCE, 4_000_000 // n))
        if not stored:
            return
        self.codes = np.empty((n, n), np.uint16)
        self.low, self.step = np.empty(n), np.empty(n, np.float32)
        bar.reset(n)
        bar.set_description("costs")
        self._fill(bar)

    def _view(self, inside: np.ndarray) -> View:
        """Centre and scale the points for the rows of one part."""
        rows, d = np.flatnonzero(inside).astype(np.int32), self.x.shape[1]
        whole = len(rows) == len(self.x)
        own = self.x if whole else self.x[rows]
        # The whole includes both sides, a part its rows, since nobody knows which columns belong to it.
        sides = (self.x, self.y) if whole else (own,)
        # Any centre is valid; the median of a sample is robust to far points.
        centre = np.median(np.concatenate([side[:: -(-len(side) // 512)] for side in sides]).astype(np.float64), 0)
        widest = max(_largest_norm(side, centre) for side in sides)
        exponent = int(np.frexp(widest)[1]) if widest > 0 else 0
        near, e = _rounded(own, centre, exponent)
        q, moved = _rounded(self.y, centre, exponent)
        p, lost = (near, e) if whole else (np.zeros(self.x.shape, np.float32), np.zeros(len(self.x)))
        if not whole:
            p[rows], lost[rows] = near, e
        lost = ((lost + 2.0**-60) * (1 + 4 * UNIT)).astype(np.float32)
        moved = (moved * (1 + 4 * UNIT)).astype(np.float32)
        unit = np.float32(2.0 ** (2 * exponent if self.square else exponent))
        ceiling = np.float32(min(self.ceiling / float(unit), 1e38) * (1 - 4 * UNIT))
        if self.direct:
            return View(
                rows, p, np.ascontiguousarray(q.T), np.empty(0), np.empty(0), lost, moved, ceiling, unit, centre
            )
        gamma = d * UNIT / (1 - d * UNIT)
        shrink = (1 - gamma - 8 * UNIT) * (1 - UNIT)
        pp, qq = ((_squares(points) * shrink).astype(np.float32) for points in (p, q))
        return View(rows, p, q.T, pp, qq, lost, moved, ceiling, unit, centre)

    def _fill(self, bar: tqdm | None = None) -> None:
        """Store the bounds of all rows."""

        def fill(rows: np.ndarray) -> None:
            self._encode(rows, *self._bounds)
            if bar is not None:
                bar.update(len(rows))

        parts = [
            view.rows[start : start + self.at_once]
            for view in self.views
            for start in range(0, len(view.rows), self.at_once)
        ]
        for _ in self.pool.map(fill, parts):
            pass

    @property
    def _bounds(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.codes, self.low, self.step

    def prepare(self, rows: np.ndarray) -> tuple[object, ...]:
        """Return the arguments of the kernels for a scan of these rows, computing their bounds if none are stored."""
        if self.stored:
            return self.arrays
        n = len(self.x)
        bounds = np.empty((len(rows), n), np.uint16), np.empty(len(rows)), np.empty(len(rows), np.float32)
        self.place[rows] = np.arange(len(rows), dtype=np.int32)
        for number in np.unique(self.view_of[rows]):
            self._encode(rows[self.view_of[rows] == number], *bounds)
        return self._with(*bounds)

    def _encode(self, rows: np.ndarray, codes: np.ndarray, low: np.ndarray, step: np.ndarray) -> None:
        """Compute the bounds of some rows of one view."""
        view, d = self.views[self.view_of[rows[0]]], self.x.shape[1]
        empty = np.empty((0, 0))
        if self.refined:
            products = empty
            if not self.direct:
                y = self.y - view.centre
                qq = np.square(y).sum(1)
                part = self.x[rows] - view.centre
                pp = np.zeros(len(self.x))
                pp[rows] = np.square(part).sum(1)
                products = (torch.from_numpy(part) @ torch.from_numpy(y).T).numpy()
                x, by_axis = empty, empty
            else:
                x, by_axis, pp, qq = self.x, self._by_axis, empty.reshape(0), empty.reshape(0)
            encoding.refine(
                products, x, by_axis, rows, self.place, pp, qq, (d + 8) * 2.0**-52, self.width, self.square,
                self.ceiling, self.reference, codes, low, step,
            )  # fmt: skip
            return
        factor = np.float32(1 - (d + 16) * UNIT if self.direct else 1 - 16 * UNIT)
        shared = view.lost, view.moved, factor, self.square, view.ceiling, view.unit, codes, low, step
        if self.direct:
            encoding.encode_points(view.p, view.q, rows, self.place, *shared)
        else:
            products = (torch.from_numpy(view.p[rows]) @ torch.from_numpy(view.q)).numpy()
            encoding.encode_products(products, rows, self.place, view.pp, view.qq, *shared)

    def shift(self, change: float) -> None:
        if self.refined:
            self.reference -= change
            self.low += change

    def refine(self, price: np.ndarray, width: float) -> None:
        """Compute the bounds in float64 from now on, relative to the keys at these prices, in steps of ``width``.

        Late in a hard problem, the keys of hundreds of columns differ by less than the initial steps.
        """
        self.refined, self.width = True, np.float32(width)
        self.reference[:] = price
        if self.direct:
            self._by_axis = np.ascontiguousarray(self.y.T)
        if self.stored:
            self._fill()


class DeviceScreen(Source):
    """The screen on a GPU: scans rows in batches and returns their lists."""

    def __init__(self, x: torch.Tensor, y: torch.Tensor, cost: CostName, ceiling: float) -> None:
        from pwgan.transport.solvers.gpu_screen import GpuScreen

        # The points are placeholders for the arguments of the inline scan, which is never used here.
        none = np.empty((0, x.shape[1]), np.float32)
        super().__init__(none, none, cost == "sqeuclidean", ceiling)
        self.scanner, self.device = GpuScreen(x, y, cost), x.device
        self.reference = np.zeros(len(x))

    def scan(self, rows: np.ndarray, price: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return columns, exact costs (rows, k) and the bound on all others (rows,)."""
        lists = self.scanner.scan(
            torch.from_numpy(rows).long().to(self.device), torch.from_numpy(price).to(self.device), k
        )
        columns, costs, bound = (array.cpu().numpy() for array in lists)
        # A column that was left out has a limited cost, too, so its key may be as low as the ceiling less its price.
        bound = np.minimum(bound, self.ceiling - price.max()) if k < len(price) else bound
        return columns, np.minimum(costs, self.ceiling), bound


def _largest_norm(points: np.ndarray, centre: np.ndarray) -> float:
    return max(float(np.sqrt(np.square(part - centre).sum(1)).max()) for part in blocks(points))


def blocks(points: np.ndarray) -> Iterator[np.ndarray]:
    rows = max(1, 1_000_000 // points.shape[1])
    for start in range(0, len(points), rows):
        yield points[start : start + rows]


def _rounded(points: np.ndarray, centre: np.ndarray, exponent: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the centred, scaled points in float32, none farther than FAR, and a bound on how far rounding moved each.

    Of points moved to FAR, only the rounding afterwards counts.
    """
    near, moved = np.empty(points.shape, np.float32), np.empty(len(points))
    start = 0
    for part in blocks(points):
        exact = np.ldexp(part - centre, -exponent)
        stop = start + len(part)
        # Add the rounding of the centring in float64.
        size = np.ldexp((np.abs(part).max(1) + np.abs(centre).max()) * np.sqrt(points.shape[1]), -exponent)
        norm = np.sqrt(np.square(exact).sum(1))
        far = norm > FAR
        if far.any():
            exact[far] *= (FAR / norm[far])[:, None]
            size[far] = FAR
        near[start:stop] = exact
        moved[start:stop] = np.sqrt(np.square(exact - near[start:stop]).sum(1)) * (1 + 1e-9) + size * 2.0**-50
        start = stop
    return near, moved


def _squares(points: np.ndarray) -> np.ndarray:
    return np.concatenate([np.square(part, dtype=np.float64).sum(1) for part in blocks(points)])
