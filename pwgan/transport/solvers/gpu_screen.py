"""Scanning rows of a large transport problem on a GPU: candidate columns, and a bound on all others.

If n is the size of a data set, the full n x n cost matrix does not fit in memory, but 16-bit lower bounds of the costs
do, or can be recomputed by matrix products. A scan reads the bounds of the requested rows once, selects the k columns
of smallest key c_ij - v_j, computes their costs in float64, and returns a lower bound on the keys of all others.

Derivation of the lower bounds. u = 2^-24 is the unit roundoff of float32, gamma_d = d u / (1 - d u).

1. Points are translated by a vector mu and scaled by a power of two, which is exact, so that every norm is at most 1
   and there is neither overflow nor underflow (beyond the absolute terms below). p_i and q_j are these points rounded
   to float32; e_i >= ||x_i - p_i|| and f_j >= ||y_j - q_j|| are *computed*, in float64. By the triangle inequality
       ||x_i - y_j|| >= ||p_i - q_j|| - e_i - f_j.
2. d > 16: ||p - q||^2 = P + Q - 2 p.q with P = ||p||^2, Q = ||q||^2. A dot product of d terms, added in any order, with
   or without fused operations, is off by at most gamma_d sum_k |p_k q_k| <= gamma_d (P + Q) / 2 (Higham 2002, section
   3.1), which enters twice. Adding the float32 numbers a <= P and b <= Q rounds twice, by at most u (2 |p.q| + P) <=
   u (2 P + Q) and u |sum| <= 2 u (P + Q), each times 1 + gamma_d. With
       r = gamma_d + 6 u,   a_i = P_i (1 - r) - d 2^-100,   b_j = Q_j (1 - r),   both rounded down,
   t = fl(a_i + b_j - 2 p.q) <= ||p - q||^2. The term d 2^-100 covers products that underflow or are flushed to zero.
   The products are in full float32: TensorFloat-32, with u = 2^-11, would give useless bounds.
   d <= 16: t = fl(sum_k (p_k - q_k)^2) <= ||p - q||^2 (1 + gamma_{d+2}), from differences; e_i includes 2^-60 for
   underflow.
3. sqrt(t), its product with the factor 1 - 16 u (- gamma_{d+2}), two subtractions and, for squared costs, one square
   round at most 6 times by 1 + u: the factor covers these, and the rounding of the float64 cost (d < 2^26).
4. Row i stores low_i, its least bound, step_i and code_ij = floor(z), z = fl((bound_ij - low_i) w) with
   w <= (1 - 8 u) / step_i: two roundings of z and one of w leave z <= (bound_ij - low_i) / step_i, hence
       low_i + step_i code_ij <= bound_ij   in exact arithmetic. Bounds beyond the range of a row get the largest code.
5. A scan forms key_ij = fl(fl(step_i code_ij) - w_j). Here w_j >= z_j + 4 u |z_j|, z_j = v_j - median(v), rounded up:
   this covers u |w_j|; the remaining rounding is at most 3 u 65535 step_i, subtracted from the bound of the row.

Its speed has not been measured yet. This module imports Triton, so it is imported only for problems on a GPU.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator

import torch
import triton
import triton.language as tl

from pwgan.options import CostName
from pwgan.transport.cost import cost as cost_matrix

CHUNK = 32
"""Columns per chunk; a scan first computes the least key of each chunk."""

_UNIT = 2.0**-24
_DIRECT = 16
"""Dimension up to which differences are as fast as products; they avoid cancellation."""

_CODES = 65535
_SHARE = 0.6
"""Fraction of the free memory that the stored bounds may use."""

_WORKSPACE = 2**29
"""Bytes of temporary memory that a block of rows may use."""


@triton.jit
def _chunk_minima_kernel(  # type: ignore[no-untyped-def]
    codes, rows, step, price, minima, count, chunks, ROWS: tl.constexpr, CHUNKS: tl.constexpr, WIDTH: tl.constexpr
):
    """Minima of ROWS rows over CHUNKS chunks of WIDTH columns; the prices are read once for all of the rows."""
    chunk = tl.program_id(1) * CHUNKS + tl.arange(0, CHUNKS)
    inside = chunk < chunks
    column = chunk[:, None] * WIDTH + tl.arange(0, WIDTH)[None, :]
    v = tl.load(price + column, mask=inside[:, None], other=0.0)
    for r in tl.static_range(ROWS):
        place = tl.minimum(tl.program_id(0) * ROWS + r, count - 1)  # past the end, repeat the last row
        row = tl.load(rows + place)
        code = tl.load(codes + row * chunks * WIDTH + column, mask=inside[:, None], other=0).to(tl.float32)
        key = (code + 32768.0) * tl.load(step + row) - v
        tl.store(minima + place.to(tl.int64) * chunks + chunk, tl.min(key, 1), mask=inside)


def chunk_minima(codes: torch.Tensor, rows: torch.Tensor, step: torch.Tensor, price: torch.Tensor) -> torch.Tensor:
    """Least key of each chunk: min over j in chunk of step_i code_ij - w_j, by one read of the codes.

    codes: (N, chunks, CHUNK) int16, less 32768; rows: (R,) int64 into it; step: (N,), price w: (chunks, CHUNK), float32
    -> (R, chunks) float32.
    """
    chunks = codes.shape[1]
    minima = torch.empty(len(rows), chunks, device=codes.device)
    per_program, width = 4, min(64, triton.next_power_of_2(chunks))
    grid = (triton.cdiv(len(rows), per_program), triton.cdiv(chunks, width))
    with torch.cuda.device_of(codes):
        _chunk_minima_kernel[grid](
            codes, rows, step, price, minima, len(rows), chunks,
            ROWS=per_program, CHUNKS=width, WIDTH=CHUNK, num_warps=4, enable_fp_fusion=False,
        )  # fmt: skip
    return minima


def chunk_minima_reference(
    codes: torch.Tensor, rows: torch.Tensor, step: torch.Tensor, price: torch.Tensor
) -> torch.Tensor:
    """``chunk_minima`` in plain torch, on any device."""
    return _decode(codes[rows], step[rows], price).amin(-1)


class GpuScreen:
    """Scans rows of the costs between two large point sets: k candidate columns, and a bound on all others.

    x: (N, d), y: (n, d), finite, on one device; ``cost`` as in ``pwgan.transport.cost``. On a GPU the bounds of all
    pairs are stored, 2 N n bytes, if they fit into 60 % of its free memory, and otherwise recomputed for the rows of
    each scan. On a CPU, meant for tests and small n, plain torch replaces the kernel.
    """

    def __init__(self, x: torch.Tensor, y: torch.Tensor, cost: CostName) -> None:
        self.cost, self.device = cost, x.device
        self._x, self._y = x.detach().double(), y.detach().double()
        self.n, dimension = len(y), x.shape[1]
        self._direct = dimension <= _DIRECT
        # Any centre is valid; the median of a sample is robust to outliers.
        sample = torch.cat([points[:: -(-len(points) // 512)] for points in (self._x, self._y)])
        centre = sample.median(0).values
        p, q = self._x - centre, self._y - centre
        extent = math.sqrt(dimension) * max(float(p.abs().max()), float(q.abs().max()))
        # Below 2^-400 the float64 cost itself underflows; 2^-60 of this scale covers the loss.
        exponent = max(math.frexp(extent)[1], -400)
        self._unit = math.ldexp(1.0, exponent if cost == "euclidean" else 2 * exponent)
        self._p, self._a, self._e = _rounded(p, exponent, dimension)
        self._q, self._b, self._f = _rounded(q, exponent, 0)
        self._chunks = self.n // CHUNK + 1  # at least one column of padding, so that k + 1 columns always exist
        self._store: tuple[torch.Tensor, torch.Tensor, torch.Tensor] | None = None
        if 2 * len(x) * self._chunks * CHUNK <= _SHARE * _free_bytes(self.device):
            self._store = self._filled()

    def scan(
        self, rows: torch.Tensor, column_potential: torch.Tensor, k: int
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Find k columns of small key c_ij - v_j in each of the rows, and bound the keys of all others from below.

        bound_i <= c_ij - v_j for every column j not returned; infinite if k = n. If the float32 screen is so loose
        that bound_i is below all returned keys, the row is scanned in float64 instead: the columns are then the k of
        least key and bound_i is the next key. Costs are those of ``pwgan.transport.cost.cost``;
        the bound holds for them up to the rounding of float64.

        rows: (R,) int64, column_potential v: (n,) float64, 1 <= k <= n -> columns (R, k) int32, costs (R, k) float64,
        bound (R,) float64, in the units of the cost. Raises ValueError for another k.
        """
        if not 1 <= k <= self.n:
            raise ValueError(f"k must be between 1 and the number of columns {self.n}, got {k}")
        price, shift = self._price(column_potential)
        columns = torch.empty(len(rows), k, dtype=torch.int64, device=self.device)
        costs = torch.empty(len(rows), k, dtype=torch.float64, device=self.device)
        bound = torch.empty(len(rows), dtype=torch.float64, device=self.device)
        width = self._y.shape[1]
        gathered = min(k + 1, self._chunks) * CHUNK
        per_row = 4 * self._chunks + 16 * gathered + 16 * k * width + (0 if self._store else 16 * self.n)
        for block in _blocks(torch.arange(len(rows), device=self.device), per_row):
            columns[block], bound[block] = self._screen(rows[block], price, shift, k)
            points = self._x[rows[block]].unsqueeze(1)
            costs[block] = cost_matrix(points, self._y[columns[block]], self.cost).squeeze(1)
        loose = ((costs - column_potential[columns]).amin(1) > bound).nonzero().squeeze(1)
        for block in _blocks(loose, 32 * self.n):
            columns[block], costs[block], bound[block] = self._exact(rows[block], column_potential, k)
        return columns.int(), costs, bound

    def _screen(
        self, rows: torch.Tensor, price: torch.Tensor, shift: torch.Tensor, k: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Select k columns of least lower bound of the key: (R, k) int64, and the bound of the others (R,)."""
        if self._store:
            codes, low, step = self._store
        else:
            codes, low, step = self._encoded(rows)
            rows = torch.arange(len(rows), device=self.device)
        minima = (chunk_minima if codes.is_cuda else chunk_minima_reference)(codes, rows, step, price)
        # The k columns of least key are in the k chunks of least minimum; the next chunk bounds all unread ones.
        least = minima.topk(min(k + 1, self._chunks), largest=False)
        keys = _decode(codes[rows.unsqueeze(1), least.indices], step[rows], price[least.indices]).flatten(1)
        smallest = keys.topk(k + 1, largest=False)
        place = smallest.indices[:, :k]
        columns = least.indices.gather(1, place // CHUNK) * CHUNK + place % CHUNK
        others = smallest.values[:, k]
        if self._chunks > k:
            others = torch.minimum(others, least.values[:, k])
        low, step = low[rows].double(), step[rows].double()
        margin = 4 * _UNIT * _CODES * step + 2.0**-50 * (low.abs() + shift.abs())
        return columns, (low - margin - shift + others) * self._unit

    def _exact(
        self, rows: torch.Tensor, column_potential: torch.Tensor, k: int
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Select the k columns of least key in float64: (R, k), their costs (R, k), the next key (R,)."""
        costs = cost_matrix(self._x[rows], self._y, self.cost)
        smallest = (costs - column_potential).topk(min(k + 1, self.n), largest=False)
        columns = smallest.indices[:, :k]
        bound = smallest.values[:, k] if k < self.n else torch.full_like(smallest.values[:, 0], math.inf)
        return columns, costs.gather(1, columns), bound

    def _price(self, column_potential: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return w (chunks, CHUNK) float32, no less than v less its median, and that median, both scaled."""
        scaled = column_potential.double() / self._unit
        shift = scaled.median()
        z = scaled - shift
        price = torch.full((self._chunks * CHUNK,), -math.inf, device=self.device)
        price[: self.n] = _up(z + 4 * _UNIT * z.abs() + 2.0**-100)
        return price.view(self._chunks, CHUNK), shift

    def _filled(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return codes (n, chunks, CHUNK), low (n,) and step (n,) of all rows."""
        count = len(self._x)
        codes = torch.empty(count, self._chunks, CHUNK, dtype=torch.int16, device=self.device)
        low, step = torch.empty(2, count, device=self.device)
        for rows in _blocks(torch.arange(count, device=self.device), 16 * self.n):
            codes[rows], low[rows], step[rows] = self._encoded(rows)
        return codes, low, step

    def _encoded(self, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Round the lower bounds of some rows down to 16 bits: step 4 above."""
        bound = self._bounds(rows)
        low = bound.amin(1)
        # Clip bounds far above the mean, so that one distant column does not coarsen the codes of all others.
        high = torch.minimum(bound.amax(1), low + 4 * (bound.mean(1) - low))
        step = ((high - low) / _CODES).clamp_(min=2.0**-100)
        inverse = _down((1 - 8 * _UNIT) / step.double())
        bound.sub_(low.unsqueeze(1)).mul_(inverse.unsqueeze(1)).floor_().clamp_(max=_CODES).sub_(32768)
        codes = torch.zeros(len(rows), self._chunks * CHUNK, dtype=torch.int16, device=self.device)
        codes[:, : self.n] = bound.to(torch.int16)
        return codes.view(len(rows), self._chunks, CHUNK), low, step

    def _bounds(self, rows: torch.Tensor) -> torch.Tensor:
        """Lower bounds (R, n) float32 of the scaled costs: steps 1 to 3 above."""
        p, q = self._p[rows], self._q
        factor = 1 - 16 * _UNIT
        if self._direct:
            bound = torch.zeros(len(p), len(q), device=self.device)
            for k in range(p.shape[1]):
                bound.add_((p[:, k, None] - q[:, k]).square_())
            factor -= _gamma(p.shape[1] + 2)
        else:
            with _full_precision(self.device):
                bound = p @ q.T
            bound.mul_(-2).add_(self._a[rows].unsqueeze(1)).add_(self._b).clamp_(min=0)
        bound.sqrt_().mul_(factor).sub_(self._f).sub_(self._e[rows].unsqueeze(1)).clamp_(min=0)
        return bound if self.cost == "euclidean" else bound.square_()


def _rounded(points: torch.Tensor, exponent: int, flushed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Scale points by 2^-exponent and round them: p (n, d), P (1 - r) - flushed 2^-100 and ||x - p|| of each point."""
    scaled = points * math.ldexp(1.0, -exponent)
    p = scaled.float()
    square = p.double().square().sum(1)
    r = _gamma(points.shape[1]) + 6 * _UNIT
    apart = (scaled - p.double()).square().sum(1).sqrt()
    error = apart * (1 + 2.0**-20) + 2.0**-50 * square.sqrt() + 2.0**-60
    return p, _down(square * (1 - r) - flushed * 2.0**-100), _up(error)


def _decode(codes: torch.Tensor, step: torch.Tensor, price: torch.Tensor) -> torch.Tensor:
    """Keys less those of their row's low: codes (R, chunks, CHUNK), step (R,), price (..., chunks, CHUNK)."""
    return (codes.float() + 32768) * step[:, None, None] - price


def _gamma(d: int) -> float:
    return d * _UNIT / (1 - d * _UNIT)


def _up(values: torch.Tensor) -> torch.Tensor:
    """Round float64 to float32, never down."""
    near = values.float()
    return torch.where(near.double() < values, near.nextafter(torch.full_like(near, math.inf)), near)


def _down(values: torch.Tensor) -> torch.Tensor:
    return -_up(-values)


def _blocks(items: torch.Tensor, bytes_each: int) -> Iterator[torch.Tensor]:
    """Yield items in blocks whose temporary memory stays within the workspace."""
    size = max(1, _WORKSPACE // bytes_each)
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _free_bytes(device: torch.device) -> float:
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else math.inf


@contextlib.contextmanager
def _full_precision(device: torch.device) -> Iterator[None]:
    """Compute float32 matrix products in full float32, regardless of the user's settings."""
    settings = (torch.backends.cuda.matmul, torch.backends.mkldnn.matmul)  # type: ignore[attr-defined]
    before = [setting.fp32_precision for setting in settings]
    try:
        for setting in settings:
            setting.fp32_precision = "ieee"
        with torch.autocast(device.type, enabled=False):
            yield
    finally:
        for setting, precision in zip(settings, before, strict=True):
            setting.fp32_precision = precision
