"""Diverse subsets: exact samples of k-determinantal point processes (k-DPPs), batched."""

from __future__ import annotations

import numpy as np

from pwgan.lazy import torch

POOL = 4
"""A subset of m is drawn from a random pool of POOL m points, or from all where there are no more: an
eigendecomposition takes the cube of the points."""
NUGGET = 1e-10
"""Added to the diagonal of the kernel, whose eigenvalues fall below rounding before there are m of them."""


def kernel(points: torch.Tensor) -> torch.Tensor:
    """Likelihood kernel of the k-DPP: Gaussian, its bandwidth the median distance.

    L_ij = exp(-||x_i - x_j||^2 / (2 h^2)) + NUGGET [i = j], h = median of ||x_i - x_j|| over i < j.

    points: (..., N, d) -> (..., N, N), float64 on the CPU. Where most points coincide, h is the mean distance; where
    all do, 1.
    """
    held = points.detach().cpu().double()
    apart = torch.cdist(held, held, compute_mode="donot_use_mm_for_euclid_dist")
    count = apart.shape[-1]
    i, j = torch.triu_indices(count, count, 1)
    pairs = apart[..., i, j] if len(i) else apart[..., :1, 0]
    width, mean = pairs.median(-1).values, pairs.mean(-1)
    width = torch.where(width > 0, width, torch.where(mean > 0, mean, 1))[..., None, None]
    return torch.exp(-0.5 * (apart / width).square()) + NUGGET * torch.eye(count, dtype=apart.dtype)


def spectrum(likelihood: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the eigenvalues (..., N) and eigenvectors (..., N, N), as columns, of a kernel."""
    values, vectors = torch.linalg.eigh(likelihood)
    # Rounding may leave an eigenvalue of nothing but the nugget a little off it.
    return values.clamp_min(torch.finfo(values.dtype).tiny), vectors


def k_dpp(values: torch.Tensor, vectors: torch.Tensor, k: int, uniforms: torch.Tensor) -> torch.Tensor:
    """Exact samples of a k-DPP: P(Y) = det(L_Y) / e_k(lambda) for every subset Y of k points.

    First k eigenvectors are chosen: eigenvectors J with probability prod_{j in J} lambda_j / e_k(lambda), by elementary
    symmetric polynomials e_l. Then points one after the other, each with probability in proportion to what the points
    before it leave of its row of V_J (a projection DPP, whose points come in exchangeable order).

    values, vectors: of B kernels, (B, N), (B, N, N). uniforms: (B, R, N + k) from [0, 1), for R subsets of each kernel
    -> (B, R, k) int64. All on the CPU in float64: eigenvectors of equal eigenvalues, and so the subsets, differ from
    device to device. Raises ValueError where there are fewer than k points.

    Ours, not a library's: DPPy 0.3.3, the usual one, draws one subset at a time from a random state of its own, and its
    polynomials overflow at k = 512 of 2,048 points, where all weights are 1 (in logarithms they do not).
    Source: Kulesza and Taskar 2012, "Determinantal point processes for machine learning", Algorithms 1, 7 and 8;
    Hough, Krishnapur, Peres and Virag 2006 for the projection DPP.
    """
    count = values.shape[-1]
    if not 1 <= k <= count:
        raise ValueError(f"a subset of {count} points has 1 to {count} of them, given {k}")
    uniforms = uniforms.detach().cpu().double()
    chosen = torch.from_numpy(_eigenvectors(values.numpy(), k, uniforms[..., :count].numpy()))
    rows = vectors.unsqueeze(1).expand(*uniforms.shape[:2], count, count)
    rows = rows.gather(-1, chosen.unsqueeze(2).expand(-1, -1, count, -1))
    return _projection(rows.flatten(0, 1), uniforms[..., count:].flatten(0, 1)).unflatten(0, chosen.shape[:2])


def _eigenvectors(values: np.ndarray, k: int, uniforms: np.ndarray) -> np.ndarray:
    """Choose k of N eigenvectors for each of (B, R) subsets -> (B, R, k). Source: Kulesza and Taskar, Algorithm 8."""
    count = values.shape[-1]
    logs = np.log(values)
    table = _log_polynomials(logs, k)
    kernels = np.arange(len(values))[:, None]
    left = np.full(uniforms.shape[:2], k)
    taken = np.zeros(uniforms.shape, dtype=bool)
    for i in range(count, 0, -1):
        fewer = np.maximum(left - 1, 0)
        share = np.exp(logs[:, i - 1, None] + table[i - 1][kernels, fewer] - table[i][kernels, left])
        taken[..., i - 1] = (uniforms[..., i - 1] < share) & (left > 0)
        left = left - taken[..., i - 1]
    return np.nonzero(taken)[-1].reshape(*uniforms.shape[:2], k)


def _log_polynomials(logs: np.ndarray, k: int) -> np.ndarray:
    """Logarithms of the elementary symmetric polynomials e_l of the first i eigenvalues, (N + 1, B, k + 1).

    e_l(1..i) = e_l(1..i-1) + lambda_i e_{l-1}(1..i-1), a sum of positive terms; in logarithms nothing overflows.
    Source: Kulesza and Taskar, Algorithm 7.
    """
    kernels, count = logs.shape
    table = np.full((count + 1, kernels, k + 1), -np.inf)
    table[:, :, 0] = 0
    for i in range(1, count + 1):
        table[i, :, 1:] = np.logaddexp(table[i - 1, :, 1:], logs[:, i - 1, None] + table[i - 1, :, :-1])
    return table


def _projection(rows: torch.Tensor, uniforms: torch.Tensor) -> torch.Tensor:
    """Sample projection DPPs with orthonormal columns V (B, N, k): k points each, (B, k).

    What is left of a row's squared length once it is made orthogonal to the rows of the points chosen before is kept
    up to date as in a Cholesky factorisation with pivots.
    """
    batch, count, k = rows.shape
    every = torch.arange(batch)
    left = rows.square().sum(-1)
    factor = torch.zeros(batch, count, k, dtype=rows.dtype)
    points = torch.empty(batch, k, dtype=torch.int64)
    for step in range(k):
        total = left.cumsum(-1)
        target = uniforms[:, step, None] * total[:, -1:]
        point = torch.searchsorted(total, target, right=True).squeeze(-1).clamp(max=count - 1)
        points[:, step] = point
        pivot = left[every, point].sqrt()
        known = factor[:, :, :step] @ factor[every, point, :step, None]
        new = (rows @ rows[every, point, :, None] - known).squeeze(-1) / pivot[:, None]
        factor[:, :, step] = new
        left = (left - new.square()).clamp_min(0)
        left[every, point] = 0
    return points
