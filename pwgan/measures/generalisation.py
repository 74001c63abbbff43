"""Generated samples, and those between two latents, held against a data set: parts of it, spaces, and names."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from pwgan.batches import random_order
from pwgan.data.store import StoredData
from pwgan.measures.interpolation import path_distances, path_measures, places
from pwgan.measures.memorization import memorization_measures, precision_recall
from pwgan.measures.modes import mode_coverage
from pwgan.measures.names import named
from pwgan.transport.cost import points

Found = list[dict[str, float]]


def heldout_halves(data: StoredData, seeds: range, count: int, stream: str) -> tuple[Tensor, ...]:
    """Draw twice ``count`` held-out samples for each seed and part them: two tensors (S, count, *sample)."""
    orders = [random_order(len(data.heldout), stream, seed)[: 2 * count] for seed in seeds]
    return data.heldout_tensor(torch.stack(orders)).split(count, 1)


def neighbour_measures(data: StoredData, own: Tensor, heldout: Tensor, device: torch.device) -> Found:
    """Measure each seed's samples in the space of samples; of points, precision and recall too.

    own (S, n, *sample), heldout (S or 1, n, *sample); the training set is the whole one.
    """
    train, x, y = points(data.train_tensor(), 0), points(own).to(device), points(heldout).to(device)
    measured = memorization_measures(x, y, train)
    if data.kind == "points":
        for found, mine, theirs in zip(measured, x, y.expand_as(x), strict=True):
            found["precision"], found["recall"] = precision_recall(mine, theirs)
    return [named(found, own.shape[1]) for found in measured]


def feature_neighbours(
    data: StoredData,
    own: Tensor,
    heldout: Tensor,
    device: torch.device,
    find: Callable[[Tensor], Tensor],
    extractor: str,
    limit: int,
) -> Found:
    """Measure each seed's images in the space of features (n, *sample) -> (n, d) that ``extractor`` names.

    own (S, n, *sample), heldout (S or 1, n, *sample); the training set is its first ``limit`` images, or n.
    """
    # Not against all of them: Inception would need half an hour for 50,000 images on a CPU, in every cell.
    some = torch.arange(min(max(limit, own.shape[1]), len(data.train)))
    mine, theirs = (torch.stack([find(images) for images in side]).to(device) for side in (own, heldout))
    measured = memorization_measures(mine, theirs, find(data.train_tensor(some)))
    return [named(found, own.shape[1], extractor) for found in measured]


def interpolated(
    data: StoredData, samples: Tensor, seeds: range, limit: int, device: torch.device
) -> tuple[Found, list[dict[str, float]]]:
    """Measure paths (S, p, 9, *sample), and return beside it a row for each of their points.

    A row has seed, path, t, nn_train (in the units of the samples) and nn_ratio (over the median of the first ``limit``
    held-out samples). Of a mixture, ``interpolation_between`` is the share of inner points that lie beyond 3 sigma of
    every mode.
    """
    train, heldout = (points(part, 0) for part in (data.train_tensor(), data.heldout_tensor(torch.arange(limit))))
    paths = samples.flatten(3)
    distances, relative = path_distances(paths.to(device), train, heldout.to(device))
    measured = [path_measures(own) for own in relative]
    if data.modes is not None and data.sigma is not None:
        for found, own in zip(measured, paths[:, :, 1:-1].flatten(1, 2), strict=True):
            near = mode_coverage(own.numpy(), data.modes, data.sigma)["high-quality"]
            found["interpolation_between"] = 1 - near
    rows = [
        {"seed": seed, "path": path, "t": t, "nn_train": distance, "nn_ratio": ratio}
        for seed, *values in zip(seeds, distances.tolist(), relative.tolist(), strict=True)
        for path, both in enumerate(zip(*values, strict=True))
        for t, distance, ratio in zip(places().tolist(), *both, strict=True)
    ]
    return [named(found, samples.shape[1]) for found in measured], rows
