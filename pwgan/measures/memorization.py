"""Memorisation: nearest neighbours of generated samples in the training set and in the held-out set."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pwgan.limits import NEIGHBOURS
from pwgan.transport.cost import cost

DENSITY_NEIGHBOURS = 5  # the default of Naeem et al.
QUANTILE = 0.05  # fraction of held-out samples that count as near copies, by definition
TREE = 8  # dimensions up to which a k-d tree is faster than all pairs
ROWS, COLUMNS = 1024, 8192  # size of a block of distances: 64 MB


def nearest_distances(x: Tensor, y: Tensor, k: int = 1) -> Tensor:
    """Return the Euclidean distances from each x_i to its k nearest among y, ascending.

    x (n, d), y (m, d), k <= m -> (n, k), float64 on the CPU, in the units of the points. If x is y, the first is the
    point itself. All pairs are compared on the device of x, in blocks, by matrix products in float64; the distances of
    the nearest are then recomputed from differences, so a copy has distance exactly 0. In low dimension a k-d tree is
    used instead. Raises ValueError for other shapes.
    """
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or not 1 <= k <= len(y):
        raise ValueError(f"points must be (n, d) and (m, d), m >= k; got {tuple(x.shape)}, {tuple(y.shape)}, k = {k}")
    if x.shape[1] <= TREE:
        from scipy.spatial import cKDTree

        tree = cKDTree(y.double().cpu().numpy())
        return torch.from_numpy(tree.query(x.double().cpu().numpy(), list(range(1, k + 1)))[0])
    return torch.cat([_nearest(rows.double(), y, k) for rows in x.split(ROWS)]).cpu()


def nearest_of_seeds(x: Tensor, y: Tensor) -> Tensor:
    """Return the distance from each point to the nearest one of its seed: x (S or 1, n, d), y (S or 1, m, d).

    (S or 1, n), as ``nearest_distances``; a set that all seeds share is searched once.
    """
    if len(y) == 1:
        return nearest_distances(x.flatten(0, 1), y[0]).view(x.shape[:2])
    pairs = zip(x.expand(len(y), -1, -1), y, strict=True)
    return torch.stack([nearest_distances(points, others)[:, 0] for points, others in pairs])


def _nearest(x: Tensor, y: Tensor, k: int) -> Tensor:
    best = x.new_empty(len(x), 0)
    for part in y.split(COLUMNS):
        part = part.to(x)
        # |y|^2 - 2 x.y has the order of the distances to x.
        keys = torch.addmm(part.square().sum(1), x, part.T, alpha=-2)
        near = keys.topk(min(k, len(part)), largest=False).indices
        candidates = torch.cat([best, (x[:, None] - part[near]).norm(dim=2)], 1)
        best = candidates.sort(1).values[:, :k]
    return best


def near_copies(generated: Tensor, heldout: Tensor) -> float:
    """Return the fraction of generated samples closer to the training set than the 5 % quantile of held-out ones.

    Both are distances to the nearest training sample, (n,) and (m,). The value is 0.05, up to sampling, for samples of
    the true distribution and 1 for copies. A distance equal to the quantile does not count, but 0 always does.
    """
    return float(((generated < heldout.quantile(QUANTILE)) | (generated == 0)).double().mean())


def data_copying(generated: Tensor, heldout: Tensor) -> float:
    """Return the z-score of the Mann-Whitney test whether generated samples are farther from the training set.

    With U the number of pairs in which the generated sample is the farther one, ties counting half,
    Z_U = (U - n m / 2) / sqrt(n m (n + m + 1) / 12): standard normal for equal distributions, far below 0 for copies,
    far above 0 for samples far from the data. ``generated`` (n,), ``heldout`` (m,): distances to the nearest training
    sample.

    Source: Meehan, Chaudhuri & Dasgupta, "A non-parametric test to detect data-copying in generative models", 2020:
    Z_U over the whole space; their C_T is its mean over cells.
    """
    n, m = len(generated), len(heldout)
    ascending = heldout.sort().values
    pairs = torch.searchsorted(ascending, generated) + torch.searchsorted(ascending, generated, right=True)
    return (float(pairs.sum()) / 2 - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12)


def one_nn_accuracy(x: Tensor, y: Tensor) -> float:
    """Return the leave-one-out 1-NN accuracy between x (n, d) and y (n, d).

    0.5 for equal distributions, 1 if the sets are separated, below 0.5 if one copies the other; ties count half.

    Source: Lopez-Paz & Oquab, "Revisiting classifier two-sample tests", 2017, with a leave-one-out 1-NN classifier; Xu
    et al., "An empirical study on evaluation metrics of GANs", 2018, section 3.
    """
    correct = []
    for points, other in ((x, y), (y, x)):
        inside, across = nearest_distances(points, points, 2)[:, 1], nearest_distances(points, other)[:, 0]
        correct.append((inside < across).double() + 0.5 * (inside == across))
    return float(torch.cat(correct).mean())


def precision_recall(generated: Tensor, real: Tensor) -> tuple[float, float]:
    """Return precision and recall of points (n, d) and (m, d), n and m at least 4, in sample space.

    Fraction of generated points inside the third-nearest-neighbour ball of some real point, and the reverse. The same
    as ``frechet.precision_recall``, but without torch-fidelity.

    Source: Kynkäänniemi et al., "Improved precision and recall metric", 2019, eqs. 1-2.
    """
    precision, recall = in_support(generated, real), in_support(real, generated)
    return float(precision.double().mean()), float(recall.double().mean())


def density_coverage(generated: Tensor, real: Tensor) -> tuple[float, float]:
    """Return density and coverage of generated points (n, d) by real points (m, d), n >= 1, m >= 2.

    With B_i the ball around the real point x_i that reaches to its k-th nearest other real point, k = 5 (at most
    m - 1): density is the number of balls that a generated point lies in, divided by k, on average; coverage the
    fraction of real points with a generated point in their ball. For equal distributions and large n = m, their means
    are 1 and 1 - 2^-k = 0.969. A far real point has a large ball, which raises precision more than density.

    Source: Naeem et al., "Reliable fidelity and diversity metrics for generative models", 2020, section 3.
    """
    x, y = generated.double(), real.double()
    k = min(DENSITY_NEIGHBOURS, len(y) - 1)
    reach = nearest_distances(y, y, k + 1)[:, k]
    inside = [(cost(rows, y) <= reach.to(y.device)).sum(1) for rows in x.split(ROWS)]
    covered = nearest_distances(y, x)[:, 0] <= reach
    return float(torch.cat(inside).double().mean() / k), float(covered.double().mean())


def in_support(x: Tensor, y: Tensor) -> Tensor:
    """Return whether each x_i lies in the third-nearest-neighbour ball of some y_j: (n, d), (m, d), m >= 4 -> (n,)."""
    x, y = x.double(), y.double()
    reach = nearest_distances(y, y, NEIGHBOURS + 1)[:, NEIGHBOURS].to(y.device)
    return torch.cat([(cost(rows, y) <= reach).any(1) for rows in x.split(ROWS)])


def memorization_measures(
    generated: Tensor, heldout: Tensor, train: Tensor, unseen: Tensor | None = None
) -> list[dict[str, float]]:
    """Measure for each seed whether generated samples are closer to the training set than held-out ones.

    - ``nn_train``, ``nn_heldout``: median distance from a generated sample to the nearest of the first n training
      samples, and to the nearest of the n held-out ones: both are equal for a generator that generalises.
    - ``nn_ratio``: median distance from a generated sample to the whole training set, relative to that of a held-out
      sample: 1 for a generator that generalises, 0 for copies, above 1 for samples far from the data. The median is
      robust to a few outliers that would hide copies. NaN or infinite if half of the held-out samples are in the
      training set.
    - ``copies``, ``data_copying``: ``near_copies`` and ``data_copying``, distances to the whole training set; the
      quantile of ``copies`` is that of the held-out samples ``unseen``, ``heldout`` by default.
    - ``one_nn_accuracy``: of generated and held-out samples.

    generated (S, n, d); heldout (S, n, d) and train (S, t, d), t >= n >= 2, or (1, n, d) and (1, t, d) for the same
    samples at each seed; unseen, of any number, likewise.
    """
    seeds, n, _ = generated.shape
    unseen_distances = nearest_of_seeds(heldout if unseen is None else unseen, train).expand(seeds, -1)
    to_train, floor = (nearest_of_seeds(side, train).expand(seeds, n) for side in (generated, heldout))
    to_part = nearest_of_seeds(generated, train[:, :n])
    measured = []
    for seed, heldout_samples in enumerate(heldout.expand(seeds, -1, -1)):
        samples, distances, heldout_distances = generated[seed], to_train[seed], floor[seed]
        measured.append(
            {
                "nn_train": float(to_part[seed].quantile(0.5)),
                "nn_heldout": float(nearest_distances(samples, heldout_samples).quantile(0.5)),
                "nn_ratio": float(distances.quantile(0.5) / heldout_distances.quantile(0.5)),
                "copies": near_copies(distances, unseen_distances[seed]),
                "data_copying": data_copying(distances, heldout_distances),
                "one_nn_accuracy": one_nn_accuracy(samples, heldout_samples),
            }
        )
    return measured
