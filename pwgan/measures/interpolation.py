"""Paths between latents, and how far their samples are from the training set."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pwgan.measures.memorization import nearest_distances

PATHS = 32
PATHS_KEPT = 4  # paths whose samples are kept
PLACES = 9  # points of a path, both ends among them
MIDDLE = slice(3, 6)  # the central third


def places() -> Tensor:
    """Return the places t = 0, 1/8, ..., 1 on a path, (9,)."""
    return torch.linspace(0, 1, PLACES)


def spherical_paths(start: Tensor, end: Tensor) -> Tensor:
    """Return z(t) = cos(pi t / 2) z_0 + sin(pi t / 2) z_1: (..., z) twice -> (..., 9, z).

    Of independent standard normal ends, every point of it is standard normal again, so a sample from the middle is
    held against the training set as any fresh sample is. A straight path's middle has half the variance: in many
    dimensions no latent that was trained on lies there.

    Source: White, "Sampling generative networks", 2016, section 2.1, which keeps the norm; this keeps the law.
    """
    angle = (places().to(start) * (math.pi / 2)).unsqueeze(-1)
    return angle.cos() * start.unsqueeze(-2) + angle.sin() * end.unsqueeze(-2)


def straight_paths(start: Tensor, end: Tensor) -> Tensor:
    """Return (1 - t) x_0 + t x_1: samples (..., d) twice -> (..., 9, d), the blend that needs no generator."""
    t = places().to(start).unsqueeze(-1)
    return torch.lerp(start.unsqueeze(-2), end.unsqueeze(-2), t)


def path_distances(paths: Tensor, train: Tensor, heldout: Tensor) -> tuple[Tensor, Tensor]:
    """Return the distance of every point of a path to the training set, and that over a held-out sample's.

    paths (S, p, 9, d), train (t, d), heldout (n, d) -> (S, p, 9) twice, float64 on the CPU: in the units of the points,
    and relative to the median distance from a held-out sample to the nearest training sample.
    """
    found = nearest_distances(paths.flatten(0, 2), train).view(paths.shape[:3])
    return found, found / nearest_distances(heldout, train).quantile(0.5)


def path_measures(relative: Tensor) -> dict[str, float]:
    """Summarise the relative distances (p, 9) of one seed's paths.

    - ``interpolation_ratio``: median over the inner points; 1 says that a point between two latents is as far from the
      training set as held-out samples are, 0 that it is a copy.
    - ``interpolation_middle``: median over the middle third of the path over that of its ends. On spherical paths both
      have one law, so for every generator this is 1 up to sampling; on blends of real samples it is not.
    """
    ends = relative[:, [0, -1]].quantile(0.5)
    return {
        "interpolation_ratio": float(relative[:, 1:-1].quantile(0.5)),
        "interpolation_middle": float(relative[:, MIDDLE].quantile(0.5) / ends),
    }
