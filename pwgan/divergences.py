"""Divergences between laws: of weights on a common set, of weighted points, of the parallel lines; numpy, float64."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linprog
from scipy.sparse import eye_array, kron, vstack
from scipy.spatial.distance import cdist
from scipy.special import rel_entr

Floats = NDArray[np.float64]
CERTAIN = 1e-9  # how far from 1 weights may sum, for rounding


def total_variation(p: ArrayLike, q: ArrayLike) -> float:
    """Total variation of two laws on a common finite set.

    TV(P, Q) = sup over A of |P(A) - Q(A)| = (1/2) sum_i |p_i - q_i|, in [0, 1].

    p, q: weights (k,). Raises ValueError where they are not weights on one set. Source: article A1.
    """
    p, q = _weights(p, q)
    return float(np.abs(p - q).sum() / 2)


def kullback_leibler(p: ArrayLike, q: ArrayLike) -> float:
    """Kullback-Leibler divergence of two laws on a common finite set.

    KL(P||Q) = sum_i p_i log(p_i / q_i) = H(P, Q) - H(P) >= 0, in nats; infinite where q_i = 0 < p_i for some i.

    p, q: weights (k,). Raises ValueError where they are not weights on one set. Source: article A2.
    """
    p, q = _weights(p, q)
    # p log(p/q) + q - p has no negative term, so that the sum of rounded terms is not negative either.
    return float((rel_entr(p, q) + q - p).clip(min=0).sum())


def jensen_shannon(p: ArrayLike, q: ArrayLike) -> float:
    """Jensen-Shannon divergence of two laws on a common finite set.

    JS(P, Q) = (1/2) KL(P||M) + (1/2) KL(Q||M), M = (P + Q)/2, in nats: 0 for equal laws, at most log 2.

    p, q: weights (k,). Raises ValueError where they are not weights on one set. Source: article A3.
    """
    p, q = _weights(p, q)
    middle = (p + q) / 2
    return (kullback_leibler(p, middle) + kullback_leibler(q, middle)) / 2


def wasserstein_points(x: ArrayLike, y: ArrayLike, p: ArrayLike | None = None, q: ArrayLike | None = None) -> float:
    """Wasserstein-1 distance of weighted points of any dimension, by linear programming.

    W(P, Q) = min over plans g >= 0 of sum_ij g_ij ||x_i - y_j||, rows of g summing to p and columns to q.

    x: (n, d), y: (k, d); p (n,), q (k,): uniform by default. For small n k, up to 10^5; equally many points of equal
    weight are matched faster by ``pwgan.transport``. Raises ValueError where points are not finite, or dimensions or
    weights do not fit. Source: article A4.
    """
    (x, p), (y, q) = _weighted(x, p), _weighted(y, q)
    if x.shape[1] != y.shape[1]:
        raise ValueError(f"points must be of one dimension, given {x.shape[1]} and {y.shape[1]}")
    n, k = len(x), len(y)
    rows, columns = kron(eye_array(n), np.ones((1, k))), kron(np.ones((1, n)), eye_array(k))
    cost = cdist(x, y).ravel()
    # The last constraint follows from the others, up to a rounding that would make all of them infeasible.
    constraints = vstack([rows, columns]).tocsr()[:-1]
    found = linprog(cost, A_eq=constraints, b_eq=np.concatenate([p, q])[:-1], method="highs")
    if not found.success:
        raise ArithmeticError(f"the linear program of {n} by {k} points was not solved: {found.message}")
    return float(found.fun)


def parallel_lines(theta: ArrayLike) -> dict[str, Floats]:
    """Divergences of the parallel lines: P the law of (0, z), P_theta that of (theta, z), z uniform on [0, 1].

    For theta != 0: TV = 1, KL = infinity, JS = log 2; all 0 at theta = 0. W = |theta| for every theta.

    theta: (...,) -> tv, kl, js, w1, each (...,). Source: article A6; Arjovsky, Chintala and Bottou 2017, example 1.
    """
    theta = np.asarray(theta, np.float64)
    apart = theta != 0
    constants = {"tv": 1.0, "kl": np.inf, "js": np.log(2)}
    return {name: np.where(apart, value, 0.0) for name, value in constants.items()} | {"w1": np.abs(theta)}


def _weights(*given: ArrayLike) -> list[Floats]:
    """Check that every argument holds weights on one set, that is (k,), at least 0 and of sum 1."""
    laws = [np.asarray(law, np.float64) for law in given]
    for law in laws:
        if law.ndim != 1 or law.shape != laws[0].shape or not law.size:
            raise ValueError(f"weights must be (k,) on one set, given shapes {[each.shape for each in laws]}")
        if not (law >= 0).all() or abs(law.sum() - 1) > CERTAIN:
            raise ValueError(f"weights must be at least 0 and sum to 1, given a least of {law.min()}, sum {law.sum()}")
    return laws


def _weighted(points: ArrayLike, weights: ArrayLike | None) -> tuple[Floats, Floats]:
    """Check points (n, d) and their weights, uniform where none are given."""
    points = np.asarray(points, np.float64)
    if points.ndim != 2 or not points.size or not np.isfinite(points).all():
        raise ValueError(f"points must be finite and (n, d), given shape {points.shape}")
    n = len(points)
    (law,) = _weights(np.full(n, 1 / n) if weights is None else weights)
    if len(law) != n:
        raise ValueError(f"{n} points have {len(law)} weights")
    return points, law
