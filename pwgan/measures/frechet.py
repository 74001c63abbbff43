"""Fréchet distance, kernel distance, precision, recall, density and coverage between two sets of features."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from pwgan.cells import FeatureReference
from pwgan.limits import FEWEST, NEIGHBOURS, PER_FEATURE
from pwgan.measures.memorization import density_coverage
from pwgan.measures.names import named
from pwgan.optional import optional

POINTS = 15
LEAST = 4
"""The fewest samples that ``frechet_infinity`` takes are all samples divided by this."""
KID_SUBSET = 1000
KID_SUBSETS = 100


def feature_measures(
    generated: Tensor,
    real: Tensor,
    extractor: str,
    seed: int = 0,
    reference: FeatureReference = "heldout",
    infinity: bool = False,
) -> dict[str, float]:
    """Compare generated with real features in double precision, where it has them by functions of torch-fidelity.

    With N the number of generated samples, the names are

    - ``fd-EXTRACTOR@N``, or ``fid-inception@N``: Fréchet distance |mu_g - mu_r|^2 + tr(S_g + S_r - 2 (S_g S_r)^(1/2))
      of Gaussians with the sample means and unbiased covariances. Biased upwards, more so for smaller N:
      compare only values of equal N.
    - ``kid-EXTRACTOR@N``: unbiased squared MMD with the kernel (x.y / d + 1)^3, the mean over 100 pairs of subsets of
      min(1000, n, m) samples, drawn by ``seed``; may be slightly below 0 for equal distributions. If both sets have
      that size, the one pair of full sets is used.
    - ``precision-EXTRACTOR@N``, ``recall-EXTRACTOR@N``: fraction of generated samples inside the k-nearest-neighbour
      ball of some real sample, and the reverse, k = 3, excluding the sample itself.
    - ``density-EXTRACTOR@N``, ``nn-coverage-EXTRACTOR@N``: ``memorization.density_coverage``, k = 5.
    - with ``infinity``, ``fd-infinity-EXTRACTOR@N`` or ``fid-infinity-inception@N``: ``frechet_infinity``, if N is at
      least PER_FEATURE times the number of features.

    With the ``reference`` ``train``, ``-train`` precedes the extractor: ``fid-train-inception@N``.

    ``generated`` (n, d) and ``real`` (m, d), n and m at least 4 and not necessarily equal, d at least 2. Distances of
    precision and recall are computed where the tensors are, the rest on the CPU. Raises ValueError for other shapes,
    fewer samples, NaN or infinity, and ``Refused`` if torch-fidelity is not installed.

    Sources: Heusel et al., 2017, eq. 6; Binkowski et al., "Demystifying MMD GANs", 2018, section 4; Kynkäänniemi et
    al., "Improved precision and recall metric", 2019, eqs. 1-2.
    """
    for side, features in (("generated", generated), ("real", real)):
        if features.ndim != 2 or len(features) < FEWEST or features.shape[1] < 2:
            raise ValueError(
                f"{side} features must be (n, d), n >= {FEWEST} and d >= 2; got shape {tuple(features.shape)}"
            )
        if not bool(torch.isfinite(features).all()):
            raise ValueError(f"{side} features must be finite; got NaN or infinity")
    if generated.shape[1] != real.shape[1]:
        raise ValueError(f"both sides need the same number of features; got {generated.shape[1]} and {real.shape[1]}")
    # On float32 input, torch-fidelity computes means and the cubic kernel in float32.
    generated, real = generated.detach().double(), real.detach().double()
    precision, recall = precision_recall(generated, real)
    density, coverage = density_coverage(generated, real)
    generated, real = generated.cpu(), real.cpu()
    distance = "fid" if extractor == "inception" else "fd"
    values = {
        distance: frechet_distance(generated, real),
        "kid": kernel_distance(generated, real, seed),
        "precision": precision,
        "recall": recall,
        "density": density,
        "nn-coverage": coverage,
    }
    if infinity and min(len(generated), len(real)) >= PER_FEATURE * generated.shape[1]:
        values[f"{distance}-infinity"] = frechet_infinity(generated, real, seed)
    return named(values, len(generated), extractor, reference)


def frechet_distance(generated: Tensor, real: Tensor) -> float:
    """Return the Fréchet distance between Gaussians fitted to float64 features (n, d) and (m, d) on the CPU."""
    fid = optional("torch_fidelity.metric_fid", "fidelity")
    statistics = (fid.fid_features_to_statistics(features) for features in (generated, real))
    return float(fid.fid_statistics_to_metric(*statistics, verbose=False)[fid.KEY_METRIC_FID])


def frechet_infinity(generated: Tensor, real: Tensor, seed: int = 0) -> float:
    """Return the Fréchet distance extrapolated to infinitely many samples, of features (n, d) and (m, d).

    The distance FD_N of N samples of each side has a bias of order 1/N. FD_N is computed for POINTS numbers N, equally
    spaced in 1/N from a quarter of min(n, m) to all of it, of subsets without replacement drawn by ``seed``, and the
    value at 1/N = 0 of the least-squares line through them is returned. float64 on the CPU. May be below 0 by chance.

    Source: Chong & Forsyth, "Effectively unbiased FID and Inception score and where to find them", 2020, section 4.1.
    They hold the real images fixed, whose own bias then remains; here both sides are subsampled.
    """
    most = min(len(generated), len(real))
    sizes = [round(1 / inverse) for inverse in np.linspace(LEAST / most, 1 / most, POINTS)]
    draws = torch.Generator().manual_seed(seed)
    distances = []
    for size in sizes:
        subsets = (side[torch.randperm(len(side), generator=draws)[:size]] for side in (generated, real))
        distances.append(frechet_distance(*subsets))
    return float(np.polynomial.Polynomial.fit(1 / np.array(sizes), distances, 1)(0.0))


def kernel_distance(generated: Tensor, real: Tensor, seed: int = 0) -> float:
    """Return the mean unbiased squared MMD over pairs of subsets of float64 features (n, d) and (m, d) on the CPU."""
    kid = optional("torch_fidelity.metric_kid", "fidelity")
    size = min(KID_SUBSET, len(generated), len(real))
    whole = len(generated) == len(real) == size
    metrics = kid.kid_features_to_metric(
        generated,
        real,
        kid_subsets=1 if whole else KID_SUBSETS,
        kid_subset_size=size,
        kid_kernel="poly",
        kid_kernel_poly_degree=3,
        kid_kernel_poly_gamma=None,
        kid_kernel_poly_coef0=1,
        rng_seed=seed,
        verbose=False,
    )
    return float(metrics[kid.KEY_METRIC_KID_MEAN])


def precision_recall(generated: Tensor, real: Tensor) -> tuple[float, float]:
    """Return precision and recall of float64 features (n, d) and (m, d), a block of 1000 rows at a time."""
    prc = optional("torch_fidelity.metric_prc", "fidelity")
    metrics = prc.prc_features_to_metric(
        generated, real, prc_neighborhood=NEIGHBOURS, prc_batch_size=1000, save_cpu_ram=True, verbose=False
    )
    return float(metrics[prc.KEY_METRIC_PRECISION]), float(metrics[prc.KEY_METRIC_RECALL])
