"""Strata of equal size, found from the points alone."""

from __future__ import annotations

import math

import numpy as np

from pwgan.lazy import torch

DIMENSIONS = 32
"""Points of higher dimension are randomly projected to this dimension, which nearly preserves distances."""
_CHUNK = 4096  # rows converted to float at once: a training set may be uint8


def stratify(points: torch.Tensor, strata: int) -> torch.Tensor:
    """Order points so that m consecutive runs of them are strata: balanced recursive bisection along principal axes.

    A group of k strata is split along its principal axis into a lower group of floor(k/2) strata and an upper group of
    the others, until each group is one stratum. Stratum j occupies positions ``bounds(n, m)[j]`` to
    ``bounds(n, m)[j + 1]`` of the result: floor(n/m) or ceil(n/m) points each.

    points: (..., n, d), float or uint8 -> (..., n) int64, a permutation of the points for each leading index. Cuts are
    found on a CPU, so strata depend on the device only as far as the points do.
    Choice of the rule, by the bias of random batches over that of stratified ones (two draws of 1024 points, m = 64):
    13 on a ring of eight Gaussians, 5.3 on a grid of 25, 1.8 on one Gaussian and 1.3 on 512 digits. Cutting the widest
    coordinate gives 11, 3.1, 1.8 and 1.2. Cutting at the largest gap or by least squares changes these by at most a
    tenth, as does coupling the choice of points in neighbouring strata; the sign depends on the distribution.
    Raises ValueError if there are fewer points than strata. Source: sampling by strata, Cochran 1977, chapter 5;
    cuts along principal axes, Boley 1998 (PDDP).
    """
    n, lead = points.shape[-2], points.shape[:-2]
    if not 1 <= strata <= n:
        raise ValueError(f"{n} points can form 1 to {n} strata, got {strata}")
    from pwgan.batches.kernels.bisection import bisect

    reduced = _reduced(points.detach().reshape(-1, n, points.shape[-1])).cpu().numpy()
    order = np.empty(reduced.shape[:2], np.int64)
    bisect(reduced, np.array(bounds(n, strata)), order)
    return torch.from_numpy(order).to(points.device).reshape(*lead, n)


def bounds(n: int, strata: int) -> list[int]:
    """Return where each stratum begins, and n: floor(j n / m) for j = 0..m."""
    return [j * n // strata for j in range(strata + 1)]


def _reduced(points: torch.Tensor) -> torch.Tensor:
    """Return points (S, n, d) as float, of at most DIMENSIONS dimensions and no coordinate above 1 in size."""
    kind = points.dtype if points.is_floating_point() else torch.float32
    d = points.shape[-1]
    if d > DIMENSIONS:
        generator = torch.Generator().manual_seed(0)
        axes = torch.randn(d, DIMENSIONS, generator=generator, dtype=torch.float64).to(points.device, kind)
        points = torch.cat([part.to(kind) @ (axes / math.sqrt(d)) for part in points.split(_CHUNK, 1)], 1)
    points = points.to(kind)
    # Squares of very large or small values would overflow or underflow float32.
    largest = points.abs().amax((1, 2), keepdim=True)
    return points / torch.where(largest > 0, largest, 1)
