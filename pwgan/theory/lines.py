"""The parallel lines: discontinuous divergences, the continuous Wasserstein distance, and their gradients."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import torch

from pwgan.divergences import jensen_shannon, kullback_leibler, parallel_lines, total_variation
from pwgan.report.statistics import intervals
from pwgan.runtime import seed_of
from pwgan.transport.assignment import match
from pwgan.transport.cost import cost, pair_cost

POINTS = 512
SEEDS = 8
FINE = np.arange(-100, 101) / 100  # theta of the closed forms
COARSE = np.arange(-10, 11) / 10  # theta of the samples
STEP = 1e-6  # of the finite differences for gradients of closed forms
BINS = 8  # histogram bins along the lines; across them, one for each theta of COARSE
KEYS = ["quantity", "divergence", "kind", "n", "theta"]
HISTOGRAM: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "tv": total_variation,
    "kl": kullback_leibler,
    "js": jensen_shannon,
}


def lines(points: int = POINTS, seeds: int = SEEDS) -> pd.DataFrame:
    """Tabulate divergences of the parallel lines, and their gradients in theta.

    P is the distribution of (0, z), P_theta that of (theta, z), z ~ U[0, 1]. Rows of kind ``closed`` are closed forms
    and their gradients, NaN if the one-sided derivatives differ or are not finite. Rows of kind ``empirical`` are means
    over seeds of estimates from ``points`` independent samples of each line: TV, KL and JS of histograms with bins of
    0.1 by 1/8; W1 as the exact EWD, its gradient that of (1/n) sum_i ||x_i - y_pi(i)||, the matching pi held fixed.

    Columns: quantity (value, gradient), divergence (tv, kl, js, w1), kind, n (missing for closed forms), theta, mean,
    half_width (of the 95 % interval), seeds. Source: article A5, A6, A7.
    """
    rows = pd.concat([_closed(), _matched(points, seeds), _counted(points, seeds)], ignore_index=True)
    return intervals(rows.astype({"n": "Int64"}), KEYS)


def _closed() -> pd.DataFrame:
    here, behind, ahead = (parallel_lines(FINE + step) for step in (0, -STEP, STEP))
    parts = []
    for name, value in here.items():
        with np.errstate(invalid="ignore"):
            left, right = (value - behind[name]) / STEP, (ahead[name] - value) / STEP
            smooth = np.isclose(left, right, atol=1e-6)
        for quantity, curve in (("value", value), ("gradient", np.where(smooth, right, np.nan))):
            parts.append(_rows(quantity, name, FINE, curve).assign(kind="closed", n=None))
    return pd.concat(parts)


def _matched(points: int, seeds: int) -> pd.DataFrame:
    """EWD and its gradient, one seed at a time."""
    parts = []
    for seed in range(seeds):
        x, start = (torch.from_numpy(side) for side in _draw(points, seed))
        theta = torch.tensor(COARSE, requires_grad=True)
        y = start + theta[:, None, None] * torch.tensor([1.0, 0.0], dtype=torch.float64)
        partner = match(cost(x.expand_as(y), y.detach())).unsqueeze(-1).expand_as(y)
        value = pair_cost(x, y.gather(1, partner)).mean(-1)
        (gradient,) = torch.autograd.grad(value.sum(), theta)
        for quantity, curve in (("value", value.detach()), ("gradient", gradient)):
            parts.append(_rows(quantity, "w1", COARSE, curve.numpy()))
    return pd.concat(parts).assign(kind="empirical", n=points)


def _counted(points: int, seeds: int) -> pd.DataFrame:
    """Divergences of histograms."""
    bins = [np.arange(-10.5, 11) / 10, np.linspace(0, 1, BINS + 1)]
    parts = []
    for seed in range(seeds):
        x, start = _draw(points, seed)
        p = np.histogram2d(x[:, 0], x[:, 1], bins=bins)[0].ravel() / points
        for theta in COARSE:
            q = np.histogram2d(start[:, 0] + theta, start[:, 1], bins=bins)[0].ravel() / points
            for name, divergence in HISTOGRAM.items():
                parts.append(_rows("value", name, [theta], [divergence(p, q)]))
    return pd.concat(parts).assign(kind="empirical", n=points)


def _draw(points: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw two independent sets of points (n, 2) of the line at 0."""
    z = np.random.default_rng(seed_of("parallel lines", seed)).random((2, points))
    return np.stack([0 * z[0], z[0]], 1), np.stack([0 * z[1], z[1]], 1)


def _rows(quantity: str, divergence: str, theta: object, value: object) -> pd.DataFrame:
    return pd.DataFrame({"theta": theta, "value": value}).assign(quantity=quantity, divergence=divergence)
