"""Min-funnel pairs: two distributions in any dimension with known Wasserstein-1 distance and transport rays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pwgan.runtime import seed_of

Floats = NDArray[np.float64]
HALF_WIDTH = 2.5  # half the side of the cube
STRENGTH = 8  # exponent applied to the position on a ray
SPREAD = 0.1  # standard deviation of the offsets
BLOCK = 1 << 22  # numbers in one block of a Monte Carlo mean


class Mean(NamedTuple):
    """A Monte Carlo mean and its standard error."""

    mean: float
    error: float


@dataclass(frozen=True)
class Funnels:
    """A pair (P, Q) on the cube [-2.5, 2.5]^d with u(x) = min_n ||x - a_n|| + b_n as its optimal potential.

    Q is uniform on the cube. The ray of a point of Q leads from the centre a_n of its cell to where it leaves the cell
    or the cube. P is obtained by moving each point from fraction t of its ray to fraction t^8. u grows at rate 1 along
    every ray and is 1-Lipschitz, so the map is optimal and W1(P, Q) = E_Q ||x - move(x)|| = E_Q u - E_P u.

    ``centres`` a (N, d), ``offsets`` b (N,). Source: Korotin, Kolesov and Burnaev, "Kantorovich Strikes Back!", NeurIPS
    2022, section 4.2.
    """

    centres: Floats
    offsets: Floats

    @property
    def dimension(self) -> int:
        """d."""
        return self.centres.shape[1]

    def potential(self, x: Floats) -> Floats:
        """u(x), (n, d) -> (n,)."""
        return self._heights(x).min(1)

    def direction(self, x: Floats) -> Floats:
        """grad u(x), the unit direction of transport from P to Q, (n, d) -> (n, d); 0 at a centre."""
        outward = x - self.centres[self._heights(x).argmin(1)]
        length = np.linalg.norm(outward, axis=1, keepdims=True)
        return np.divide(outward, length, out=np.zeros_like(outward), where=length > 0)

    def move(self, x: Floats) -> Floats:
        """Map points of Q in the cube to P, (n, d) -> (n, d), each towards the centre of its cell."""
        cell = self._heights(x).argmin(1)
        centre = self.centres[cell]
        outward = x - centre
        length = np.linalg.norm(outward, axis=1, keepdims=True)
        unit = np.divide(outward, length, out=np.zeros_like(outward), where=length > 0)
        share = np.minimum(length / self._reach(cell, unit)[:, None], 1)
        # (t^8 r) e with t = |x - a| / r, written without division by |x - a|, which may be 0.
        return centre + outward * share ** (STRENGTH - 1)

    def uniform(self, count: int, *stream: object) -> Floats:
        """Draw points (count, d) of Q, determined by the name of the stream."""
        rng = np.random.default_rng(seed_of("funnels", "cube", self.dimension, *stream))
        return rng.uniform(-HALF_WIDTH, HALF_WIDTH, (count, self.dimension))

    def pair(self, count: int, *stream: object) -> tuple[Floats, Floats]:
        """Draw points of P and of Q, (count, d) each, independently.

        A draw of Q paired with its own image under ``move`` would make the matching problem trivial.
        """
        return self.move(self.uniform(count, "P", *stream)), self.uniform(count, "Q", *stream)

    def w1(self, points: int) -> Mean:
        """W1(P, Q) as the mean of ||x - move(x)|| over ``points`` points of Q; raises ValueError for fewer than 2."""
        if points < 2:
            raise ValueError(f"a standard error needs at least 2 points, got {points}")
        size = max(1, BLOCK // self.dimension)
        lengths = np.concatenate([self._lengths(min(size, points - first), first) for first in range(0, points, size)])
        return Mean(float(lengths.mean()), float(lengths.std(ddof=1) / np.sqrt(points)))

    def _lengths(self, count: int, first: int) -> Floats:
        x = self.uniform(count, "truth", first)
        return np.linalg.norm(x - self.move(x), axis=1)

    def _heights(self, x: Floats) -> Floats:
        """||x - a_n|| + b_n, (n, N)."""
        from scipy.spatial.distance import cdist

        return cdist(x, self.centres) + self.offsets

    def _reach(self, cell: NDArray[np.int64], unit: Floats) -> Floats:
        """Distance from the centre at which the ray along ``unit`` leaves its cell or the cube, (n,).

        Cell n ends where r + b_n = ||r e - (a_k - a_n)|| + b_k for some k. With w = a_k - a_n and c = b_k - b_n,
        squaring r - c = ||r e - w|| gives r = (|w|^2 - c^2) / (2 (e.w - c)) where e.w > c; otherwise there is no bound.
        """
        with np.errstate(divide="ignore"):
            to_wall = ((HALF_WIDTH - np.sign(unit) * self.centres[cell]) / np.abs(unit)).min(1)
        rows, c = np.arange(len(cell)), self.offsets - self.offsets[cell, None]
        along = unit @ self.centres.T
        slope = along - along[rows, cell, None] - c
        # For the cell itself w = c = 0: its slope is 0 up to rounding.
        slope[rows, cell] = 0
        apart = np.linalg.norm(self.centres[:, None] - self.centres, axis=2)[cell]
        length = apart**2 - c**2
        to_end = np.divide(length, 2 * slope, out=np.full_like(slope, np.inf), where=slope > 0)
        return np.minimum(to_wall, to_end.min(1))


def funnels(dimension: int, count: int = 4, pair: int = 0) -> Funnels:
    """Return min-funnel pair number ``pair`` of a dimension: a_n uniform on the cube, b_n ~ N(0, 0.1^2).

    Raises ValueError for a dimension or a count of funnels below 1.
    """
    if min(dimension, count) < 1:
        raise ValueError(f"dimension and count must be at least 1, got {dimension} and {count}")
    rng = np.random.default_rng(seed_of("funnels", "centres", dimension, count, pair))
    centres = rng.uniform(-HALF_WIDTH, HALF_WIDTH, (count, dimension))
    return Funnels(centres, SPREAD * rng.standard_normal(count))
