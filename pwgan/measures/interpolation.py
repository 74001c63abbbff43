"""Paths between latents, and the distance of their samples to the training set."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pwgan.measures.memorization import nearest_of_seeds

PATHS = 32
PATHS_KEPT = 4  # paths whose samples are stored
PLACES = 9  # points of a path, including both ends
MIDDLE = slice(3, 6)  # the central third


def places() -> Tensor:
    """Return the positions t = 0, 1/8, ..., 1 on a path, (9,)."""
    return torch.linspace(0, 1, PLACES)


def spherical_paths(start: Tensor, end: Tensor) -> Tensor:
    """Return z(t) = cos(pi t / 2) z_0 + sin(pi t / 2) z_1: (..., z) twice -> (..., 9, z).

    For independent standard normal ends, every point of the path is standard normal, so a sample from the middle can be
    compared with the training set like any fresh sample. The midpoint of a straight path has half the variance: in high
    dimension, training latents do not reach it.

    Source: White, "Sampling generative networks", 2016, section 2.1, which preserves the norm, not the
    distribution.
    """
    angle = (places().to(start) * (math.pi / 2)).unsqueeze(-1)
    return angle.cos() * start.unsqueeze(-2) + angle.sin() * end.unsqueeze(-2)


def straight_paths(start: Tensor, end: Tensor) -> Tensor:
    """Return (1 - t) x_0 + t x_1: samples (..., d) twice -> (..., 9, d), interpolation without a generator."""
    t = places().to(start).unsqueeze(-1)
    return torch.lerp(start.unsqueeze(-2), end.unsqueeze(-2), t)


def path_distances(paths: Tensor, train: Tensor, heldout: Tensor) -> tuple[Tensor, Tensor]:
    """Return the distance of every point of a path to the training set, absolute and relative to held-out samples.

    paths (S, p, 9, d), train (S, t, d) and heldout (S, n, d), or (1, t, d) and (1, n, d) for the same samples at each
    seed -> (S, p, 9) twice, float64 on the CPU: in the units of the points, and relative to the median distance from a
    held-out sample to the nearest training sample.
    """
    distances = nearest_of_seeds(paths.flatten(1, 2), train).view(paths.shape[:3])
    return distances, distances / nearest_of_seeds(heldout, train).quantile(0.5, 1)[:, None, None]


def path_measures(relative: Tensor) -> dict[str, float]:
    """Summarise the relative distances (p, 9) of one seed's paths.

    - ``interpolation_ratio``: median over the inner points; 1 if points between two latents are as far from the
      training set as held-out samples, 0 if they are copies.
    - ``interpolation_middle``: median over the middle third of the path, relative to that of its ends. On spherical
      paths both have the same distribution, so the value is 1 up to sampling for every generator, unlike on straight
      paths between real samples.
    """
    ends = relative[:, [0, -1]].quantile(0.5)
    return {
        "interpolation_ratio": float(relative[:, 1:-1].quantile(0.5)),
        "interpolation_middle": float(relative[:, MIDDLE].quantile(0.5) / ends),
    }
