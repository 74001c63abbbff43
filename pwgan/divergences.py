"""Divergences between distributions: weights on a common set, weighted points, parallel lines; numpy, float64."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linprog
from scipy.sparse import eye_array, kron, vstack
from scipy.spatial.distance import cdist
from scipy.special import rel_entr

Floats = NDArray[np.float64]
CERTAIN = 1e-9  # tolerance on the sum of weights


def total_variation(p: ArrayLike, q: ArrayLike) -> float:
    """Total variation of two distributions on a common finite set.

    TV(P, Q) = sup over A of |P(A) - Q(A)| = (1/2) sum_i |p_i - q_i|, in [0, 1].

    p, q: weights (k,). Raises ValueError if they are not probabilities on one set. Source: article A1.
    """
    p, q = _weights(p, q)
    return float(np.abs(p - q).sum() / 2)


def kullback_leibler(p: ArrayLike, q: ArrayLike) -> float:
    """Kullback-Leibler divergence of two distributions on a common finite set.

    KL(P||Q) = sum_i p_i log(p_i / q_i) = H(P, Q) - H(P) >= 0, in nats; infinite where q_i = 0 < p_i for some i.

    p, q: weights (k,). Raises ValueError if they are not probabilities on one set. Source: article A2.
    """
    p, q = _weights(p, q)
    # Every term p log(p/q) + q - p is non-negative, and so is the sum of the rounded terms.
    return float((rel_entr(p, q) + q - p).clip(min=0).sum())


def jensen_shannon(p: ArrayLike, q: ArrayLike) -> float:
    """Jensen-Shannon divergence of two distributions on a common finite set.

    JS(P, Q) = (1/2) KL(P||M) + (1/2) KL(Q||M), M = (P + Q)/2, in nats: 0 for equal distributions, at most log 2.

    p, q: weights (k,). Raises ValueError if they are not probabilities on one set. Source: article A3.
    """
    p, q = _weights(p, q)
    middle = (p + q) / 2
    return (kullback_leibler(p, middle) + kullback_leibler(q, middle)) / 2


def wasserstein_points(x: ArrayLike, y: ArrayLike, p: ArrayLike | None = None, q: ArrayLike | None = None) -> float:
    """Wasserstein-1 distance of weighted points of any dimension, by linear programming.

    W(P, Q) = min over plans g >= 0 of sum_ij g_ij ||x_i - y_j||, rows of g summing to p and columns to q.

    x: (n, d), y: (k, d); p (n,), q (k,): uniform by default. Intended for n k up to 10^5; for equal numbers of points
    of equal weight, ``pwgan.transport`` is faster. Raises ValueError if points are not finite, or if dimensions or
    weights do not match. Source: article A4.
    """
    (x, p), (y, q) = _weighted(x, p), _weighted(y, q)
    if x.shape[1] != y.shape[1]:
        raise ValueError(f"points must have the same dimension, got {x.shape[1]} and {y.shape[1]}")
    n, k = len(x), len(y)
    rows, columns = kron(eye_array(n), np.ones((1, k))), kron(np.ones((1, n)), eye_array(k))
    cost = cdist(x, y).ravel()
    # Dropped: the last constraint, which is redundant, and infeasible after rounding.
    constraints = vstack([rows, columns]).tocsr()[:-1]
    solution = linprog(cost, A_eq=constraints, b_eq=np.concatenate([p, q])[:-1], method="highs")
    if not solution.success:
        raise ArithmeticError(f"the linear program of {n} by {k} points was not solved: {solution.message}")
    return float(solution.fun)


def parallel_lines(theta: ArrayLike) -> dict[str, Floats]:
    """Divergences of the parallel lines: P the distribution of (0, z), P_theta that of (theta, z), z uniform on [0, 1].

    For theta != 0: TV = 1, KL = infinity, JS = log 2; all 0 at theta = 0. W = |theta| for every theta.

    theta: (...,) -> tv, kl, js, w1, each (...,). Source: article A6; Arjovsky, Chintala and Bottou 2017, example 1.
    """
    theta = np.asarray(theta, np.float64)
    apart = theta != 0
    constants = {"tv": 1.0, "kl": np.inf, "js": np.log(2)}
    return {name: np.where(apart, value, 0.0) for name, value in constants.items()} | {"w1": np.abs(theta)}


def _weights(*arrays: ArrayLike) -> list[Floats]:
    """Return the arguments as float64; raises ValueError unless all are (k,), non-negative and sum to 1."""
    distributions = [np.asarray(weights, np.float64) for weights in arrays]
    for weights in distributions:
        if weights.ndim != 1 or weights.shape != distributions[0].shape or not weights.size:
            raise ValueError(
                f"weights must be (k,) on one set, got shapes {[weights.shape for weights in distributions]}"
            )
        if not (weights >= 0).all() or abs(weights.sum() - 1) > CERTAIN:
            raise ValueError(
                f"weights must be at least 0 and sum to 1, got minimum {weights.min()}, sum {weights.sum()}"
            )
    return distributions


def _weighted(points: ArrayLike, weights: ArrayLike | None) -> tuple[Floats, Floats]:
    """Check points (n, d) and their weights, uniform by default."""
    points = np.asarray(points, np.float64)
    if points.ndim != 2 or not points.size or not np.isfinite(points).all():
        raise ValueError(f"points must be finite and (n, d), got shape {points.shape}")
    n = len(points)
    (probabilities,) = _weights(np.full(n, 1 / n) if weights is None else weights)
    if len(probabilities) != n:
        raise ValueError(f"{n} points have {len(probabilities)} weights")
    return points, probabilities
