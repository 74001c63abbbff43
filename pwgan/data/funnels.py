"""Min-funnel pairs: two laws in any dimension whose Wasserstein-1 distance and transport rays are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pwgan.runtime import seed_of

Floats = NDArray[np.float64]
HALF_WIDTH = 2.5  # of the cube
STRENGTH = 8  # power that the position on a ray is raised to
SPREAD = 0.1  # standard deviation of the offsets
BLOCK = 1 << 22  # numbers that one block of a Monte Carlo mean holds


class Mean(NamedTuple):
    """A Monte Carlo mean and its standard error."""

    mean: float
    error: float


@dataclass(frozen=True)
class Funnels:
    """A pair (P, Q) on the cube [-2.5, 2.5]^d with u(x) = min_n ||x - a_n|| + b_n as its optimal potential.

    Q is uniform on the cube. A point of Q at the share t of its ray, which leads from the centre a_n of its cell to
    where it leaves the cell or the cube, is moved to the share t^8: that is P. u grows at rate 1 along every ray and is
    1-Lipschitz, so the move is optimal and W1(P, Q) = E_Q ||x - move(x)|| = E_Q u - E_P u.

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
        """grad u(x), the unit vector along which a point of P is carried to Q, (n, d) -> (n, d); 0 at a centre."""
        outward = x - self.centres[self._heights(x).argmin(1)]
        length = np.linalg.norm(outward, axis=1, keepdims=True)
        return np.divide(outward, length, out=np.zeros_like(outward), where=length > 0)

    def move(self, x: Floats) -> Floats:
        """Carry points of Q in the cube to P, (n, d) -> (n, d), each towards the centre of its cell."""
        cell = self._heights(x).argmin(1)
        centre = self.centres[cell]
        outward = x - centre
        length = np.linalg.norm(outward, axis=1, keepdims=True)
        unit = np.divide(outward, length, out=np.zeros_like(outward), where=length > 0)
        share = np.minimum(length / self._reach(cell, unit)[:, None], 1)
        # (t^8 r) e with t = |x - a| / r, without dividing by a length that may be 0.
        return centre + outward * share ** (STRENGTH - 1)

    def uniform(self, count: int, *stream: object) -> Floats:
        """Draw points (count, d) of Q, a function of the stream's name."""
        rng = np.random.default_rng(seed_of("funnels", "cube", self.dimension, *stream))
        return rng.uniform(-HALF_WIDTH, HALF_WIDTH, (count, self.dimension))

    def pair(self, count: int, *stream: object) -> tuple[Floats, Floats]:
        """Draw points of P and of Q, (count, d) each, from streams of their own.

        To compare a draw of Q with its own image under ``move`` would hand the optimal matching to any solver.
        """
        return self.move(self.uniform(count, "P", *stream)), self.uniform(count, "Q", *stream)

    def w1(self, points: int) -> Mean:
        """W1(P, Q) as the mean length of the move of so many points of Q, at least 2."""
        if points < 2:
            raise ValueError(f"a standard error takes at least 2 points, given {points}")
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
        """How far from its centre the ray along ``unit`` leaves its cell or the cube, (n,).

        Cell n ends where r + b_n = ||r e - (a_k - a_n)|| + b_k for some k. With w = a_k - a_n and c = b_k - b_n,
        squaring r - c = ||r e - w|| gives r = (|w|^2 - c^2) / (2 (e.w - c)) where e.w > c; elsewhere k never ends it.
        """
        with np.errstate(divide="ignore"):
            to_wall = ((HALF_WIDTH - np.sign(unit) * self.centres[cell]) / np.abs(unit)).min(1)
        rows, c = np.arange(len(cell)), self.offsets - self.offsets[cell, None]
        along = unit @ self.centres.T
        slope = along - along[rows, cell, None] - c
        # On the cell itself w = c = 0, and only rounding could tell the slope from 0.
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
        raise ValueError(f"dimension and count must be at least 1, given {dimension} and {count}")
    rng = np.random.default_rng(seed_of("funnels", "centres", dimension, count, pair))
    centres = rng.uniform(-HALF_WIDTH, HALF_WIDTH, (count, dimension))
    return Funnels(centres, SPREAD * rng.standard_normal(count))
