"""Memorisation and interpolation measures of a data set's samples, in sample space and in feature space."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from pwgan.batches.base import random_order
from pwgan.data.store import StoredData
from pwgan.measures.interpolation import path_distances, path_measures, places
from pwgan.measures.memorization import density_coverage, in_support, memorization_measures, precision_recall
from pwgan.measures.modes import mode_coverage
from pwgan.measures.names import named
from pwgan.measures.spaces import Space
from pwgan.transport.cost import points

Found = list[dict[str, float]]
Find = Callable[[Tensor], Tensor]
"""Features of samples: (n, *sample) -> (n, d)."""


def heldout_halves(
    data: StoredData, seeds: range, count: int, stream: str, first: int | None = None
) -> tuple[Tensor, ...]:
    """Draw 2 ``count`` held-out samples for each seed, without replacement: two tensors (S, count, *sample).

    With ``first``, of the first so many held-out samples only.
    """
    orders = [random_order(first or data.heldout_size, stream, seed)[: 2 * count] for seed in seeds]
    return data.heldout_tensor(torch.stack(orders)).split(count, 1)


def neighbour_measures(data: StoredData, samples: Tensor, heldout: Tensor, device: torch.device) -> Found:
    """Memorisation measures in sample space; for points, also precision, recall, density and coverage.

    samples (S, n, *sample), heldout (S or 1, n, *sample); compared with the whole training set of each seed. Copies are
    told from the first 2 n held-out samples: n leave few below the quantile.
    """
    unseen = points(data.heldout_tensor(torch.arange(2 * samples.shape[1])))
    train, x, y = points(data.train_tensor()), points(samples).to(device), points(heldout).to(device)
    measured = memorization_measures(x, y, train, unseen.to(device))
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
    space: Space,
    limit: int,
) -> Found:
    """Memorisation measures in a feature space.

    samples (S, n, *sample), heldout (S or 1, n, *sample); compared with the first max(limit, n) training images.
    """
    # A subset: Inception takes half an hour for 50,000 images on a CPU.
    subset = torch.arange(min(max(limit, samples.shape[1]), data.train_size))
    shared = space.real if len(heldout) == 1 else space
    generated, reference, train = (
        torch.stack([find(images) for images in side])
        for find, side in ((space, samples), (shared, heldout), (space.real, data.train_tensor(subset)))
    )
    measured = memorization_measures(generated.to(device), reference.to(device), train)
    return [named(values, samples.shape[1], space.extractor.name) for values in measured]


def interpolated(
    data: StoredData, samples: Tensor, seeds: range, limit: int, device: torch.device, find: Find | None = None
) -> tuple[Found, list[dict[str, float]]]:
    """Measure paths (S, p, 9, *sample); return the measures of each seed, and a row for each point of each path.

    A row has seed, path, t, nn_train (in the units of the samples), nn_ratio (relative to the median of the first
    ``limit`` held-out samples) and on_manifold: 1 if the features ``find`` of the point lie in the
    third-nearest-neighbour ball of one of these images, else 0, NaN without ``find``. For a mixture,
    ``interpolation_between`` is the fraction of inner points farther than 3 sigma from every mode.
    """
    train, heldout = (points(part) for part in (data.train_tensor(), data.heldout_tensor(torch.arange(limit))))
    paths = samples.flatten(3)
    distances, relative = path_distances(paths.to(device), train, heldout.to(device))
    measured = [path_measures(seed_rows) for seed_rows in relative]
    if data.modes is not None and data.sigma is not None:
        for values_of_seed, seed_rows in zip(measured, paths[:, :, 1:-1].flatten(1, 2), strict=True):
            near = mode_coverage(seed_rows.numpy(), data.modes, data.sigma)["high-quality"]
            values_of_seed["interpolation_between"] = 1 - near
    inside = torch.full_like(relative, torch.nan)
    if find is not None:
        real = find(data.heldout_tensor(torch.arange(limit))[0])
        found = in_support(find(samples.flatten(0, 2)), real)
        inside = found.to(inside).view(inside.shape)
    columns = "nn_train", "nn_ratio", "on_manifold"
    rows = [
        {"seed": seed, "path": path, "t": t, **dict(zip(columns, measured_point, strict=True))}
        for seed, *values in zip(seeds, distances.tolist(), relative.tolist(), inside.tolist(), strict=True)
        for path, of_path in enumerate(zip(*values, strict=True))
        for t, *measured_point in zip(places().tolist(), *of_path, strict=True)
    ]
    return [named(values_of_seed, samples.shape[1]) for values_of_seed in measured], rows
