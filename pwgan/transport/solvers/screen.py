"""The screen of a large problem: 16-bit lower bounds of all n^2 costs, from which lists of candidates are built."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from tqdm import tqdm

from pwgan.options import CostName
from pwgan.transport.solvers import encoding

# Rows per kernel call, in encoding and scanning.
ROWS_AT_ONCE = 256
# Minimum rows per thread.
SMALLEST_BATCH = 32
UNIT = 2.0**-24


class Screen:
    """Lower bounds of all n^2 costs at 16 bits each: low_i + step_i code_ij.

    Translating both sets by a vector and scaling them by a power of two changes no comparison. Let p_i, q_j be the
    transformed points rounded to float32, e_i = |x_i - p_i| and f = max_j |y_j - q_j| computed in float64; then
    |x_i - y_j| >= |p_i - q_j| - e_i - f. With u = 2^-24 and gamma_d = d u / (1 - d u):

    Products: |p - q|^2 = P + Q - 2 p.q. A dot product of d terms, added in any order, errs by at most
    gamma_d (P + Q) / 2, doubled by the 2; the two additions by less than 4 u (P + Q). So with r = gamma_d + 8 u,
    P (1 - r) + Q (1 - r) - 2 p.q <= |p - q|^2. (|p|, |q| <= 1: products that underflow are covered by 2^-60 in e_i.)
    Differences: their sum of squares has relative error gamma_{d+2}, covered by the factor below.
    Root, factor, subtraction and square round at most six times: the factor 1 - (d + 16) u or 1 - 16 u covers these
    and the rounding of the float64 cost.
    """

    few_axes = 8
    # Up to this many waiting rows are scanned inside the auction kernel, without returning to Python.
    inline = SMALLEST_BATCH

    def __init__(self, x: np.ndarray, y: np.ndarray, square: bool, pool: ThreadPoolExecutor, bar: tqdm) -> None:
        n, d = x.shape
        self.x, self.y, self.square = x, y, square
        centre = (x.mean(0, dtype=np.float64) + y.mean(0, dtype=np.float64)) / 2
        self.codes = np.empty((n, n), np.uint16)
        self.low, self.step = np.empty(n), np.empty(n, np.float32)
        self.reference = np.zeros(n)
        self.pool = pool
        self.centre, self.direct = centre, d <= self.few_axes
        widest = max(_largest_norm(x, centre), _largest_norm(y, centre))
        exponent = int(np.frexp(widest)[1]) if widest > 0 else 0
        p, e = _rounded(x, centre, exponent)
        q, f = _rounded(y, centre, exponent)
        lost = (e + f.max() + 2.0**-60).astype(np.float32) * np.float32(1 + 4 * UNIT)
        direct = self.direct
        factor = np.float32(1 - (d + 16) * UNIT if direct else 1 - 16 * UNIT)

        def fill(start: int) -> None:
            stop = min(start + rows, n)
            if direct:
                encoding.encode_points(p, by_axis, lost, factor, square, start, stop, self.codes, self.low, self.step)
            else:
                products = (torch.from_numpy(p[start:stop]) @ columns).numpy()
                encoding.encode_products(products, pp, qq, lost, factor, square, start, self.codes, self.low, self.step)
            bar.update(stop - start)

        rows = max(1, min(ROWS_AT_ONCE, 4_000_000 // n))
        if direct:
            by_axis = np.ascontiguousarray(q.T)
        else:
            columns = torch.from_numpy(q).T
            gamma = d * UNIT / (1 - d * UNIT)
            shrink = (1 - gamma - 8 * UNIT) * (1 - UNIT)
            pp, qq = ((_squares(points) * shrink).astype(np.float32) for points in (p, q))
        bar.reset(n)
        bar.set_description("costs")
        for _ in pool.map(fill, range(0, n, rows)):
            pass
        # Undo the scaling, exactly, since it is a power of two.
        back = np.float32(2.0 ** (2 * exponent if square else exponent))
        self.low *= back
        self.step *= back

    def refine(self, price: np.ndarray, width: float) -> None:
        """Recompute the bounds in float64, relative to the keys at the current prices, in steps of ``width``.

        Late in a hard problem, the keys of hundreds of columns differ by less than the initial steps.
        """
        n, d = self.x.shape
        self.reference[:] = price
        empty = np.empty((0, 0))
        if self.direct:
            by_axis = np.ascontiguousarray(self.y.T)
            x, pp, qq = self.x, empty[0:0].reshape(0), empty.reshape(0)
            rows = max(1, min(ROWS_AT_ONCE, 4_000_000 // n))
        else:
            x = empty
            by_axis = empty
            rows = max(1, min(ROWS_AT_ONCE, 2_000_000 // n))
            y = self.y - self.centre
            columns = torch.from_numpy(y).T
            pp, qq = np.empty(n), np.square(y).sum(1)

        def fill(start: int) -> None:
            stop = min(start + rows, n)
            products = empty
            if not self.direct:
                part = self.x[start:stop] - self.centre
                pp[start:stop] = np.square(part).sum(1)
                products = (torch.from_numpy(part) @ columns).numpy()
            error = (d + 8) * 2.0**-52
            encoding.refine(
                products, x, by_axis, pp, qq, error, np.float32(width), self.square, self.reference, start, stop,
                self.codes, self.low, self.step,
            )  # fmt: skip

        for _ in self.pool.map(fill, range(0, n, rows)):
            pass


class DeviceScreen:
    """The screen on a GPU: scans rows in batches and returns their lists."""

    inline = 0

    def __init__(self, x: torch.Tensor, y: torch.Tensor, cost: CostName) -> None:
        from pwgan.transport.solvers.gpu_screen import GpuScreen

        self.scanner, self.device = GpuScreen(x, y, cost), x.device
        # Placeholders for the arguments of the inline scan, which is never used here.
        self.x = self.y = np.empty((0, x.shape[1]), np.float32)
        self.square = cost == "sqeuclidean"
        self.codes, self.low, self.step = np.empty((0, 0), np.uint16), np.empty(0), np.empty(0, np.float32)
        self.reference = np.zeros(len(x))

    def scan(self, rows: np.ndarray, price: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return columns, exact costs (rows, k) and the bound on all others (rows,)."""
        lists = self.scanner.scan(
            torch.from_numpy(rows).long().to(self.device), torch.from_numpy(price).to(self.device), k
        )
        columns, costs, bound = (array.cpu().numpy() for array in lists)
        return columns, costs, bound


def _largest_norm(points: np.ndarray, centre: np.ndarray) -> float:
    return max(float(np.sqrt(np.square(part - centre).sum(1)).max()) for part in blocks(points))


def blocks(points: np.ndarray) -> Iterator[np.ndarray]:
    rows = max(1, 1_000_000 // points.shape[1])
    for start in range(0, len(points), rows):
        yield points[start : start + rows]


def _rounded(points: np.ndarray, centre: np.ndarray, exponent: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the centred, scaled points in float32 and the distance each was moved by rounding, rounded up."""
    near, moved = np.empty(points.shape, np.float32), np.empty(len(points))
    start = 0
    for part in blocks(points):
        exact = np.ldexp(part - centre, -exponent)
        stop = start + len(part)
        near[start:stop] = exact
        # Add the rounding of the centring in float64.
        size = np.abs(part).max(1) + np.abs(centre).max()
        moved[start:stop] = np.sqrt(np.square(exact - near[start:stop]).sum(1)) * (1 + 1e-9)
        moved[start:stop] += np.ldexp(size * np.sqrt(points.shape[1]), -exponent) * 2.0**-52
        start = stop
    return near, moved


def _squares(points: np.ndarray) -> np.ndarray:
    return np.concatenate([np.square(part, dtype=np.float64).sum(1) for part in blocks(points)])
