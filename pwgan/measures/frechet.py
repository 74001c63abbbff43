"""Fréchet distance, kernel distance, precision, recall, density and coverage between two sets of features."""

from __future__ import annotations

import torch
from torch import Tensor

from pwgan.limits import FEWEST, NEIGHBOURS
from pwgan.measures.features import fidelity
from pwgan.measures.memorization import density_coverage
from pwgan.measures.names import named

KID_SUBSET = 1000
KID_SUBSETS = 100


def feature_measures(generated: Tensor, real: Tensor, extractor: str, seed: int = 0) -> dict[str, float]:
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
    values = {
        "fid" if extractor == "inception" else "fd": frechet_distance(generated, real),
        "kid": kernel_distance(generated, real, seed),
        "precision": precision,
        "recall": recall,
        "density": density,
        "nn-coverage": coverage,
    }
    return named(values, len(generated), extractor)


def frechet_distance(generated: Tensor, real: Tensor) -> float:
    """Return the Fréchet distance between Gaussians fitted to float64 features (n, d) and (m, d) on the CPU."""
    fid = fidelity("metric_fid")
    statistics = (fid.fid_features_to_statistics(features) for features in (generated, real))
    return float(fid.fid_statistics_to_metric(*statistics, verbose=False)[fid.KEY_METRIC_FID])


def kernel_distance(generated: Tensor, real: Tensor, seed: int = 0) -> float:
    """Return the mean unbiased squared MMD over pairs of subsets of float64 features (n, d) and (m, d) on the CPU."""
    kid = fidelity("metric_kid")
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
    prc = fidelity("metric_prc")
    metrics = prc.prc_features_to_metric(
        generated, real, prc_neighborhood=NEIGHBOURS, prc_batch_size=1000, save_cpu_ram=True, verbose=False
    )
    return float(metrics[prc.KEY_METRIC_PRECISION]), float(metrics[prc.KEY_METRIC_RECALL])
