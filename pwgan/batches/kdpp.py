"""Diverse subsets: exact samples of k-determinantal point processes (k-DPPs), batched."""

from __future__ import annotations

import numpy as np

from pwgan.lazy import torch

POOL = 4
"""A subset of m points is drawn from a random pool of at most POOL m points: the eigendecomposition is cubic in the
size of the pool."""
NUGGET = 1e-10
"""Added to the diagonal of the kernel, which may have fewer than m eigenvalues above rounding."""


def kernel(points: torch.Tensor) -> torch.Tensor:
    """Likelihood kernel of the k-DPP: Gaussian, its bandwidth the median distance.

    L_ij = exp(-||x_i - x_j||^2 / (2 h^2)) + NUGGET [i = j], h = median of ||x_i - x_j|| over i < j.

    points: (..., N, d) -> (..., N, N), float64 on the CPU. If the median is 0, h is the mean distance; if
    that is 0 too, 1.
    """
    x = points.detach().cpu().double()
    distances = torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist")
    count = distances.shape[-1]
    i, j = torch.triu_indices(count, count, 1)
    pairs = distances[..., i, j] if len(i) else distances[..., :1, 0]
    width, mean = pairs.median(-1).values, pairs.mean(-1)
    width = torch.where(width > 0, width, torch.where(mean > 0, mean, 1))[..., None, None]
    return torch.exp(-0.5 * (distances / width).square()) + NUGGET * torch.eye(count, dtype=distances.dtype)


def spectrum(likelihood: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the eigenvalues (..., N) and eigenvectors (..., N, N), as columns, of a kernel."""
    values, vectors = torch.linalg.eigh(likelihood)
    # Rounding may make an eigenvalue of the size of the nugget non-positive.
    return values.clamp_min(torch.finfo(values.dtype).tiny), vectors


def k_dpp(values: torch.Tensor, vectors: torch.Tensor, k: int, uniforms: torch.Tensor) -> torch.Tensor:
    """Exact samples of a k-DPP: P(Y) = det(L_Y) / e_k(lambda) for every subset Y of k points.

    First k eigenvectors are chosen: eigenvectors J with probability prod_{j in J} lambda_j / e_k(lambda), by elementary
    symmetric polynomials e_l. Then points are drawn one by one, with probability proportional to the squared norm of
    their row of V_J after projecting out the rows already chosen (a projection DPP; its points are exchangeable).

    values, vectors: of B kernels, (B, N), (B, N, N). uniforms: (B, R, N + k) from [0, 1), for R subsets of each kernel
    -> (B, R, k) int64. All on the CPU in float64: eigenvectors of equal eigenvalues, and hence the subsets, depend on
    the device. Raises ValueError unless 1 <= k <= N.

    DPPy 0.3.3 is not used: it draws one subset at a time from its own random state, and its elementary symmetric
    polynomials overflow for k = 512 of 2,048 points of unit weight (their logarithms do not).
    Source: Kulesza and Taskar 2012, "Determinantal point processes for machine learning", Algorithms 1, 7 and 8;
    Hough, Krishnapur, Peres and Virag 2006 for the projection DPP.
    """
    count = values.shape[-1]
    if not 1 <= k <= count:
        raise ValueError(f"a subset must have 1 to {count} of the {count} points, got {k}")
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
    remaining = np.full(uniforms.shape[:2], k)
    selected = np.zeros(uniforms.shape, dtype=bool)
    for i in range(count, 0, -1):
        fewer = np.maximum(remaining - 1, 0)
        share = np.exp(logs[:, i - 1, None] + table[i - 1][kernels, fewer] - table[i][kernels, remaining])
        selected[..., i - 1] = (uniforms[..., i - 1] < share) & (remaining > 0)
        remaining = remaining - selected[..., i - 1]
    return np.nonzero(selected)[-1].reshape(*uniforms.shape[:2], k)


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

    The squared norm of each row after projecting out the rows already chosen is updated as in a pivoted Cholesky
    factorisation.
    """
    batch, count, k = rows.shape
    rows_of_batch = torch.arange(batch)
    residual = rows.square().sum(-1)
    factor = torch.zeros(batch, count, k, dtype=rows.dtype)
    points = torch.empty(batch, k, dtype=torch.int64)
    for step in range(k):
        total = residual.cumsum(-1)
        target = uniforms[:, step, None] * total[:, -1:]
        point = torch.searchsorted(total, target, right=True).squeeze(-1).clamp(max=count - 1)
        points[:, step] = point
        pivot = residual[rows_of_batch, point].sqrt()
        projected = factor[:, :, :step] @ factor[rows_of_batch, point, :step, None]
        new = (rows @ rows[rows_of_batch, point, :, None] - projected).squeeze(-1) / pivot[:, None]
        factor[:, :, step] = new
        residual = (residual - new.square()).clamp_min(0)
        residual[rows_of_batch, point] = 0
    return points
