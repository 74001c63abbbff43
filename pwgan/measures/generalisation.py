"""Memorisation and interpolation measures of a data set's samples, in sample space and in feature space."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from pwgan.batches.base import random_order
from pwgan.data.store import StoredData
from pwgan.measures.interpolation import path_distances, path_measures, places
from pwgan.measures.memorization import density_coverage, memorization_measures, precision_recall
from pwgan.measures.modes import mode_coverage
from pwgan.measures.names import named
from pwgan.transport.cost import points

Found = list[dict[str, float]]


def heldout_halves(data: StoredData, seeds: range, count: int, stream: str) -> tuple[Tensor, ...]:
    """Draw 2 ``count`` held-out samples for each seed, without replacement: two tensors (S, count, *sample)."""
    orders = [random_order(data.heldout_size, stream, seed)[: 2 * count] for seed in seeds]
    return data.heldout_tensor(torch.stack(orders)).split(count, 1)


def neighbour_measures(data: StoredData, samples: Tensor, heldout: Tensor, device: torch.device) -> Found:
    """Memorisation measures in sample space; for points, also precision, recall, density and coverage.

    samples (S, n, *sample), heldout (S or 1, n, *sample); compared with the whole training set of each seed.
    """
    train, x, y = points(data.train_tensor()), points(samples).to(device), points(heldout).to(device)
    measured = memorization_measures(x, y, train)
    if data.kind == "points":
        for values, generated, reference in zip(measured, x, y.expand_as(x), strict=True):
            values["precision"], values["recall"] = precision_recall(generated, reference)
            values["density"], values["nn-coverage"] = density_coverage(generated, reference)
    return [named(values, samples.shape[1]) for values in measured]


def feature_neighbours(
    data: StoredData,
    samples: Tensor,
    heldout: Tensor,
    device: torch.device,
    find: Callable[[Tensor], Tensor],
    extractor: str,
    limit: int,
) -> Found:
    """Memorisation measures in the space of features ``find``, (n, *sample) -> (n, d), named ``extractor``.

    samples (S, n, *sample), heldout (S or 1, n, *sample); compared with the first max(limit, n) training images.
    """
    # A subset: Inception takes half an hour for 50,000 images on a CPU, in every cell.
    subset = torch.arange(min(max(limit, samples.shape[1]), data.train_size))
    generated, reference, train = (
        torch.stack([find(images) for images in side]) for side in (samples, heldout, data.train_tensor(subset))
    )
    measured = memorization_measures(generated.to(device), reference.to(device), train)
    return [named(values, samples.shape[1], extractor) for values in measured]


def interpolated(
    data: StoredData, samples: Tensor, seeds: range, limit: int, device: torch.device
) -> tuple[Found, list[dict[str, float]]]:
    """Measure paths (S, p, 9, *sample); return the measures of each seed, and a row for each point of each path.

    A row has seed, path, t, nn_train (in the units of the samples) and nn_ratio (relative to the median of the first
    ``limit`` held-out samples). For a mixture, ``interpolation_between`` is the fraction of inner points farther than
    3 sigma from every mode.
    """
    train, heldout = (points(part) for part in (data.train_tensor(), data.heldout_tensor(torch.arange(limit))))
    paths = samples.flatten(3)
    distances, relative = path_distances(paths.to(device), train, heldout.to(device))
    measured = [path_measures(seed_rows) for seed_rows in relative]
    if data.modes is not None and data.sigma is not None:
        for values_of_seed, seed_rows in zip(measured, paths[:, :, 1:-1].flatten(1, 2), strict=True):
            near = mode_coverage(seed_rows.numpy(), data.modes, data.sigma)["high-quality"]
            values_of_seed["interpolation_between"] = 1 - near
    rows = [
        {"seed": seed, "path": path, "t": t, "nn_train": distance, "nn_ratio": ratio}
        for seed, *values in zip(seeds, distances.tolist(), relative.tolist(), strict=True)
        for path, both in enumerate(zip(*values, strict=True))
        for t, distance, ratio in zip(places().tolist(), *both, strict=True)
    ]
    return [named(values_of_seed, samples.shape[1]) for values_of_seed in measured], rows
