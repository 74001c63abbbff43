"""How far mini-batches shrink a generator: the best scale of a Gaussian under the mini-batch Wasserstein distance."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import pandas as pd
import torch
from scipy.optimize import brentq, minimize_scalar
from scipy.stats import binom, norm

from pwgan.report.statistics import intervals
from pwgan.runtime import seed_of
from pwgan.transport.empirical import wasserstein

POINTS = {1: 1 << 15, 2: 1 << 10, 8: 1 << 10, 64: 1 << 9}
"""Points of each side in a repetition, by dimension: theta* varies less where they have more coordinates."""
SIZES = (4, 16, 64, 256, 1024)
REPETITIONS = 8
SCALES = (0.05, 1.5)
"""Range in which theta* is looked for."""
PRECISION = 1e-3


def shrinkage(
    points: dict[int, int] = POINTS, sizes: tuple[int, ...] = SIZES, repetitions: int = REPETITIONS
) -> pd.DataFrame:
    """Find the scale theta* at which N(0, theta^2 I_d), matched in mini-batches of m, comes closest to N(0, I_d).

    With m independent points x_i, y_i and y'_i of N(0, I_d) on each side and W the EWD of m points,

        plain:     theta* = argmin of E W(x, theta y),
        debiased:  theta* = argmin of E [2 W(x, theta y) - theta W(y, y')],

    where theta W(y, y') is the EWD of two generated batches; that of two real ones does not depend on theta. In each
    repetition, ``points[d]`` points of each side (at least m) are drawn once for all theta, and theta* is the root of
    the derivative, which is that of the cost of the optimal matching, held fixed (envelope theorem).

    Columns: dimension, m, objective (plain, debiased); mean of theta*, half_width (95 %), seeds (repetitions);
    self_cost, the mean of W(y, y'), twice the derivative of the plain objective at theta = 1; quadrature, theta* by
    numerical integration, for d = 1. Source: Salimans et al. 2018 and Genevay et al. 2018 for the debiased objective.
    """
    rows = []
    for d, count in points.items():
        for m in sizes:
            found = pd.DataFrame([_repetition(d, m, max(1, count // m), seed) for seed in range(repetitions)])
            exact = line_shrinkage(m) if d == 1 else {}
            for objective in ("plain", "debiased"):
                known = {"self_cost": found["self_cost"].mean(), "quadrature": exact.get(objective, np.nan)}
                key = {"dimension": d, "m": m, "objective": objective}
                rows.append(pd.DataFrame({"value": found[objective], **key, **known}))
    table = intervals(pd.concat(rows), ["dimension", "m", "objective", "self_cost", "quadrature"])
    return table[["dimension", "m", "objective", "mean", "half_width", "seeds", "self_cost", "quadrature"]]


def _repetition(d: int, m: int, batches: int, seed: int) -> dict[str, float]:
    """theta* of both objectives, and the mean ``self_cost`` of the mini-batches, for one set of draws."""
    rng = np.random.default_rng(seed_of("shrinkage", d, m, seed))
    x, y, other = torch.from_numpy(rng.standard_normal((3, batches, m, d)))
    self_cost = float(wasserstein(y, other).value.mean())
    # The derivative of half the debiased objective is that of the plain one, minus self_cost / 2.
    plain, debiased = best_scales(x, y, (0.0, self_cost / 2))
    return {"plain": plain, "debiased": debiased, "self_cost": self_cost}


def best_scales(x: torch.Tensor, y: torch.Tensor, slopes: Sequence[float]) -> list[float]:
    """theta at which the derivative of the mean of W(x, theta y) and W(y, theta x) has each of the values ``slopes``.

    x, y: mini-batches (batches, m, d) of one distribution. That x is by chance wider than y moves the optima of the two
    terms in opposite directions, which their mean cancels. Raises ValueError if a theta is outside of SCALES.
    """
    real, unscaled = torch.cat([x, y]), torch.cat([y, x])

    @cache
    def slope(scale: float) -> float:
        theta = torch.tensor(scale, dtype=torch.float64, requires_grad=True)
        (gradient,) = torch.autograd.grad(wasserstein(real, theta * unscaled).value.mean(), theta)
        return float(gradient)

    return [float(brentq(lambda scale, s=s: slope(scale) - s, *SCALES, xtol=PRECISION)) for s in slopes]


def line_cost(m: int, theta: float) -> float:
    """E W(x, theta y) of m points on the line, by quadrature.

    W = int |F_m - G_m| dt of the empirical distribution functions, with m F_m(t) ~ Bin(m, Phi(t)) and
    m G_m(t) ~ Bin(m, Phi(t / theta)) independent, and E |A - B| = sum_k P(A <= k < B) + P(B <= k < A).
    Source: Vallender 1974.
    """
    # The integrand is smooth, even and nearly 0 at 9 deviations: the trapezoidal rule converges exponentially.
    t = np.linspace(0, 9 * max(1.0, theta), 181)
    k = np.arange(m)[:, None]
    a, b = (binom.cdf(k, m, norm.cdf(t / scale)) for scale in (1.0, theta))
    return float(2 * np.trapezoid((a * (1 - b) + b * (1 - a)).sum(0), t) / m)


def line_shrinkage(m: int) -> dict[str, float]:
    """theta* of both objectives on the line, by ``line_cost``."""
    of_one_law = line_cost(m, 1.0)
    objectives = {
        "plain": lambda theta: line_cost(m, theta),
        "debiased": lambda theta: 2 * line_cost(m, theta) - theta * of_one_law,
    }
    return {
        name: float(minimize_scalar(objective, bounds=SCALES, method="bounded", options={"xatol": 1e-5}).x)
        for name, objective in objectives.items()
    }
