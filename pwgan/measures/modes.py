"""Mode coverage of mixtures with known modes, and of labelled data by predicted labels."""

from __future__ import annotations

import numpy as np
import torch

RADIUS = 3.0  # in units of sigma: the rule of the literature for a sample of high quality
NEAR = 0.25  # share of the smallest spacing of the modes within which a sample counts for its nearest mode
FAIR = 0.2  # a mode is covered by a fifth of the samples that it would have by its weight
PER_MODE = 3  # samples of high quality per mode below which the published counts are left out


def mode_coverage(
    samples: np.ndarray, modes: np.ndarray, sigma: float, weights: np.ndarray | None = None
) -> dict[str, float]:
    """Measure how samples spread over the K modes of an isotropic Gaussian mixture.

    A sample counts for its nearest mode if it lies within a quarter of the smallest spacing of the modes: otherwise it
    lies between modes, and a broad blob would cover them all. c_k is the share of mode k among these samples, w_k its
    true weight. A sample is of high quality if it lies within 3 sigma of its nearest mode; h_k is the share of mode k
    among these samples, s_k^2 their unbiased variance at mode k, averaged over coordinates.

    - ``near-modes``: share a of all samples that count for a mode.
    - ``coverage``: number of modes with a c_k >= w_k / 5: a fifth of their fair share of all samples.
    - ``coverage-kl``: KL(c || w) in nats; about (K - 1) / 2n for the true mixture. NaN if no sample counts.
    - ``high-quality``: share of all samples that are of high quality; the true mixture has 1 - exp(-4.5) = 0.98889 in
      two dimensions, and a larger value means that samples are too concentrated.
    - ``std-ratio``: mean of s_k / sigma over the modes with at least two samples of high quality; NaN if none has two.
      Because of the cut at 3 sigma, the true mixture has sqrt(1 - 4.5 exp(-4.5) / (1 - exp(-4.5))) = 0.97440 in two
      dimensions. Values near 0 mean that modes have collapsed to points.
    - ``captured``: number of modes with h_k > 0, and ``captured-kl``: KL(h || w) in nats, as published. NaN with fewer
      than 3 K samples of high quality, which would say more about blur than about modes.
    - ``captured-any``: ``captured`` without that limit, for rows of published tables with few such samples.

    ``samples`` (n, d), ``modes`` (K, d) pairwise distinct, ``sigma`` > 0 in the units of the samples, ``weights`` (K,)
    positive with sum 1 (uniform by default). Raises ValueError for anything else, including NaN and infinity.

    Source: Lin et al., "PacGAN", 2018, Table 1 (captured, high quality, reverse KL); the other rules are ours.
    """
    samples, modes = np.asarray(samples, dtype=np.float64), np.asarray(modes, dtype=np.float64)
    if samples.ndim != 2 or modes.ndim != 2 or samples.shape[1] != modes.shape[1] or not samples.size or not modes.size:
        raise ValueError(f"samples must be (n, d) and modes (k, d), not empty; got {samples.shape} and {modes.shape}")
    if not (np.isfinite(samples).all() and np.isfinite(modes).all()):
        raise ValueError("samples and modes must be finite; got NaN or infinity")
    if not (np.isfinite(sigma) and sigma > 0):
        raise ValueError(f"sigma must be positive and finite; got {sigma}")
    if len(np.unique(modes, axis=0)) < len(modes):
        raise ValueError("modes must be distinct; merge equal modes and add their weights")
    weights = mode_weights(weights, len(modes))

    distance, nearest = nearest_mode(samples, modes)
    near, good = distance <= mode_reach(modes), distance <= RADIUS * sigma
    around, counts = (np.bincount(nearest[part], minlength=len(modes)) for part in (near, good))
    few = counts.sum() < PER_MODE * len(modes)
    return {
        "coverage": float(np.count_nonzero(covered(around, weights, len(samples)))),
        "coverage-kl": _kl(around, weights) if near.any() else float("nan"),
        "near-modes": float(near.mean()),
        "high-quality": float(good.mean()),
        "std-ratio": _mean_std((samples - modes[nearest])[good], nearest[good], counts) / sigma,
        "captured": float("nan") if few else float(np.count_nonzero(counts)),
        "captured-kl": float("nan") if few else _kl(counts, weights),
        "captured-any": float(np.count_nonzero(counts)),
    }


def covered(counts: np.ndarray, weights: np.ndarray, samples: int) -> np.ndarray:
    """Return which modes hold a fifth of their fair share of all samples: counts (..., K), weights (K,) -> (..., K)."""
    fair = FAIR * weights * samples
    # Rounding must not decide where a count is exactly the fifth: 0.2 * 0.1 * 100 exceeds 2.
    return counts >= fair * (1 - 1e-9)


def mode_reach(modes: np.ndarray) -> float:
    """Return the distance up to which a sample counts for its nearest mode, modes (K, d); infinite if there is one."""
    if len(modes) == 1:
        return np.inf
    return NEAR * float(torch.pdist(torch.from_numpy(modes)).min())


def nearest_mode(samples: np.ndarray, modes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distance to the nearest mode and its number, (n,) each: samples (n, d), modes (k, d), one dtype."""
    # With torch, which is already imported: importing scipy.spatial takes longer than this computation.
    apart = torch.cdist(torch.from_numpy(samples), torch.from_numpy(modes), compute_mode="donot_use_mm_for_euclid_dist")
    distance, nearest = apart.min(1)
    return distance.numpy(), nearest.numpy()


def label_coverage(labels: np.ndarray, classes: int, weights: np.ndarray | None = None) -> dict[str, float]:
    """Measure how labels spread over the K classes: ``coverage``, ``coverage-kl``, ``captured-any``.

    With c_k the share of class k among the labels and w its true weights, uniform by default: the number of classes
    with c_k >= w_k / 5, KL(c || w) in nats, and the number of classes with c_k > 0, which published tables call modes.
    For a perfect generator E[KL] is about (K - 1) / (2 n), not 0.

    ``labels`` (n,) integers in [0, K), ``weights`` (K,) positive with sum 1. Raises ValueError for anything else.

    Source: Metz et al., "Unrolled generative adversarial networks", 2017, section 3.3.1 (stacked MNIST), for the KL and
    the number of classes with a sample.
    """
    labels = np.asarray(labels)
    if labels.ndim != 1 or labels.size == 0 or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"labels must be integers of shape (n,), n >= 1; got {labels.dtype} of shape {labels.shape}")
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(f"labels must lie in 0..{classes - 1}; got {labels.min()}..{labels.max()}")
    counts = np.bincount(labels, minlength=classes)
    weights = mode_weights(weights, classes)
    return {
        "coverage": float(np.count_nonzero(covered(counts, weights, len(labels)))),
        "coverage-kl": _kl(counts, weights),
        "captured-any": float(np.count_nonzero(counts)),
    }


def mode_weights(weights: np.ndarray | None, count: int) -> np.ndarray:
    """Return the true proportions (count,) of the modes."""
    if weights is None:
        return np.full(count, 1 / count)
    weights = np.asarray(weights, dtype=np.float64)
    if weights.shape != (count,) or not (weights > 0).all() or not np.isclose(weights.sum(), 1, atol=1e-6):
        raise ValueError(f"weights must be {count} positive numbers with sum 1; got {weights}")
    return weights


def _kl(counts: np.ndarray, weights: np.ndarray) -> float:
    """Return KL(counts / sum || weights) in nats; not all counts are 0."""
    shares = torch.from_numpy(counts / counts.sum())
    return float(torch.xlogy(shares, shares / torch.from_numpy(weights)).sum())


def _mean_std(centred: np.ndarray, group: np.ndarray, counts: np.ndarray) -> float:
    """Return the standard deviation within a group, averaged over the groups of at least two; NaN if there is none."""
    enough = counts >= 2
    if not enough.any():
        return float("nan")
    first, second = (
        np.stack([np.bincount(group, column, len(counts)) for column in values.T], axis=1)[enough]
        for values in (centred, centred**2)
    )
    n = counts[enough, None]
    variance = (second - first**2 / n) / (n - 1)
    return float(np.sqrt(variance.clip(min=0).mean(axis=1)).mean())
