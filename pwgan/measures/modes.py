"""Mode coverage of mixtures with known modes, and of labelled data by predicted labels."""

from __future__ import annotations

import numpy as np
import torch

RADIUS = 3.0  # in units of sigma: the rule of the literature for a sample of high quality


def mode_coverage(
    samples: np.ndarray, modes: np.ndarray, sigma: float, weights: np.ndarray | None = None
) -> dict[str, float]:
    """Measure how samples spread over the modes of an isotropic Gaussian mixture.

    A sample x is of high quality if min_k |x - mu_k| <= 3 sigma, and belongs to that nearest mode. With h_k the share
    of mode k among the samples of high quality, w its true weights and s_k^2 the unbiased variance of the samples of
    high quality at mode k, averaged over coordinates:

    - ``modes``: number of modes with h_k > 0.
    - ``high-quality``: share of all samples that are of high quality; the true mixture has 1 - exp(-4.5) = 0.98889 in
      two dimensions, and a larger value means that samples are too concentrated.
    - ``kl``: KL(h || w) in nats; infinite if there is no high-quality sample.
    - ``std-ratio``: mean of s_k / sigma over the modes with at least two samples of high quality; NaN if none has two.
      Because of the cut at 3 sigma, the true mixture has sqrt(1 - 4.5 exp(-4.5) / (1 - exp(-4.5))) = 0.97440 in two
      dimensions. Values near 0 mean that modes have collapsed to points.

    ``samples`` (n, d), ``modes`` (k, d) pairwise distinct, ``sigma`` > 0 in the units of the samples, ``weights`` (k,)
    positive with sum 1 (uniform by default). Raises ValueError for anything else, including NaN and infinity.

    Source: Lin et al., "PacGAN", 2018, Table 1 (modes, high quality, reverse KL).
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
    weights = _weights(weights, len(modes))

    distance, nearest = nearest_mode(samples, modes)
    good = distance <= RADIUS * sigma
    centred, nearest = (samples - modes[nearest])[good], nearest[good]
    counts = np.bincount(nearest, minlength=len(modes))
    return {
        "modes": float(np.count_nonzero(counts)),
        "high-quality": float(good.mean()),
        "kl": _kl(counts, weights),
        "std-ratio": _mean_std(centred, nearest, counts) / sigma,
    }


def nearest_mode(samples: np.ndarray, modes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distance to the nearest mode and its number, (n,) each: samples (n, d), modes (k, d), one dtype."""
    # With torch, which is already imported: importing scipy.spatial takes longer than this computation.
    apart = torch.cdist(torch.from_numpy(samples), torch.from_numpy(modes), compute_mode="donot_use_mm_for_euclid_dist")
    distance, nearest = apart.min(1)
    return distance.numpy(), nearest.numpy()


def label_coverage(labels: np.ndarray, classes: int, weights: np.ndarray | None = None) -> dict[str, float]:
    """Measure how labels spread over the classes: ``modes``, the number of classes that occur, and ``kl``.

    ``kl`` is KL(h || w) in nats between the histogram h of the labels and the true weights w, uniform by default. For a
    perfect generator E[kl] is about (classes - 1) / (2 n), not 0.

    ``labels`` (n,) integers in [0, classes), ``weights`` (classes,) positive with sum 1. Raises ValueError for anything
    else.

    Source: Metz et al., "Unrolled generative adversarial networks", 2017, section 3.3.1 (stacked MNIST).
    """
    labels = np.asarray(labels)
    if labels.ndim != 1 or labels.size == 0 or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"labels must be integers of shape (n,), n >= 1; got {labels.dtype} of shape {labels.shape}")
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(f"labels must lie in 0..{classes - 1}; got {labels.min()}..{labels.max()}")
    counts = np.bincount(labels, minlength=classes)
    return {"modes": float(np.count_nonzero(counts)), "kl": _kl(counts, _weights(weights, classes))}


def _weights(weights: np.ndarray | None, count: int) -> np.ndarray:
    """Return the true proportions (count,) of the modes."""
    if weights is None:
        return np.full(count, 1 / count)
    weights = np.asarray(weights, dtype=np.float64)
    if weights.shape != (count,) or not (weights > 0).all() or not np.isclose(weights.sum(), 1, atol=1e-6):
        raise ValueError(f"weights must be {count} positive numbers with sum 1; got {weights}")
    return weights


def _kl(counts: np.ndarray, weights: np.ndarray) -> float:
    """Return KL(counts / sum || weights) in nats, infinite if all counts are 0."""
    if not counts.sum():
        return float("inf")
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
