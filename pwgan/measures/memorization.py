"""Nearest neighbours of generated samples among those trained on and those held out: are they copies, or unseen?"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pwgan.cells import NEIGHBOURS
from pwgan.transport.cost import cost

QUANTILE = 0.01  # of held-out samples, by definition, are as near to the training set as a near copy
TREE = 8  # dimensions up to which a k-d tree is faster than all pairs
ROWS, COLUMNS = 1024, 8192  # of a block of distances: 64 MB


def nearest_distances(x: Tensor, y: Tensor, k: int = 1) -> Tensor:
    """Return the Euclidean distances from each x_i to its k nearest among y, ascending.

    x (n, d), y (m, d), k <= m -> (n, k), float64 on the CPU, in the units of the points. Where x is y, the first is the
    point itself. All pairs are compared on the device of x, a block at a time, by products in float64; the distances
    of the nearest are then taken from differences, so that a copy is at distance 0. Points of few dimensions go through
    a k-d tree instead. Raises ValueError for other shapes.
    """
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or not 1 <= k <= len(y):
        raise ValueError(f"points must be (n, d) and (m, d), m >= k; got {tuple(x.shape)}, {tuple(y.shape)}, k = {k}")
    if x.shape[1] <= TREE:
        from scipy.spatial import cKDTree

        tree = cKDTree(y.double().cpu().numpy())
        return torch.from_numpy(tree.query(x.double().cpu().numpy(), list(range(1, k + 1)))[0])
    return torch.cat([_nearest(rows.double(), y, k) for rows in x.split(ROWS)]).cpu()


def _nearest(x: Tensor, y: Tensor, k: int) -> Tensor:
    best = x.new_empty(len(x), 0)
    for part in y.split(COLUMNS):
        part = part.to(x)
        # |y|^2 - 2 x.y orders the y of one x as their distances do.
        keys = torch.addmm(part.square().sum(1), x, part.T, alpha=-2)
        near = keys.topk(min(k, len(part)), largest=False).indices
        found = torch.cat([best, (x[:, None] - part[near]).norm(dim=2)], 1)
        best = found.sort(1).values[:, :k]
    return best


def near_copies(generated: Tensor, heldout: Tensor) -> float:
    """Return the share of generated samples nearer to the training set than the 1 % quantile of held-out ones.

    Both are distances to the nearest training sample, (n,) and (m,). Samples of the true law have 0.01 up to sampling,
    a generator that copies has 1. A distance equal to the quantile is no copy, but 0 always is one.
    """
    return float(((generated < heldout.quantile(QUANTILE)) | (generated == 0)).double().mean())


def data_copying(generated: Tensor, heldout: Tensor) -> float:
    """Return the z-score of the Mann-Whitney test whether generated samples are farther from the training set.

    With U the number of pairs in which the generated sample is the farther one, ties counting half,
    Z_U = (U - n m / 2) / sqrt(n m (n + m + 1) / 12): standard normal for equal laws, far below 0 for copies, far above
    for samples off the data. ``generated`` (n,), ``heldout`` (m,): distances to the nearest training sample.

    Source: Meehan, Chaudhuri & Dasgupta, "A non-parametric test to detect data-copying in generative models", 2020:
    Z_U over all of the space; their C_T is its mean over cells.
    """
    n, m = len(generated), len(heldout)
    ascending = heldout.sort().values
    pairs = torch.searchsorted(ascending, generated) + torch.searchsorted(ascending, generated, right=True)
    return (float(pairs.sum()) / 2 - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12)


def one_nn_accuracy(x: Tensor, y: Tensor) -> float:
    """Return how often a sample's nearest neighbour, itself left out, is of its own side: x (n, d) against y (n, d).

    0.5 for equal laws, 1 where the sides lie apart, below 0.5 where one copies the other; ties count half.

    Source: Lopez-Paz & Oquab, "Revisiting classifier two-sample tests", 2017, with a 1-NN classifier left one out; Xu
    et al., "An empirical study on evaluation metrics of GANs", 2018, section 3.
    """
    right = []
    for own, other in ((x, y), (y, x)):
        inside, across = nearest_distances(own, own, 2)[:, 1], nearest_distances(own, other)[:, 0]
        right.append((inside < across).double() + 0.5 * (inside == across))
    return float(torch.cat(right).mean())


def precision_recall(generated: Tensor, real: Tensor) -> tuple[float, float]:
    """Return precision and recall of points (n, d) and (m, d), n and m at least 4, in the space they lie in.

    Share of generated points within the ball of some real point that reaches to its third neighbour, and the reverse.
    The same as ``frechet.precision_recall`` without torch-fidelity, which a study of points does without.

    Source: Kynkäänniemi et al., "Improved precision and recall metric", 2019, eqs. 1-2.
    """
    return _covered(generated, real), _covered(real, generated)


def _covered(x: Tensor, y: Tensor) -> float:
    x, y = x.double(), y.double()
    reach = nearest_distances(y, y, NEIGHBOURS + 1)[:, NEIGHBOURS].to(y.device)
    inside = [(cost(rows, y) <= reach).any(1) for rows in x.split(ROWS)]
    return float(torch.cat(inside).double().mean())


def memorization_measures(generated: Tensor, heldout: Tensor, train: Tensor) -> list[dict[str, float]]:
    """Measure for each seed whether generated samples are nearer to the training set than held-out ones are.

    - ``nn_train``, ``nn_heldout``: median distance from a generated sample to the nearest of the first n training
      samples, and of the n held-out ones: equal numbers, so that both are equal for a generator that generalises.
    - ``nn_ratio``: median distance from a generated sample to the whole training set over that of a held-out sample:
      1 for a generator that generalises, 0 for one that copies, more for one that misses the data. A median, for a few
      samples far off must not hide that the rest are copies; NaN or infinite where half of the held-out samples are
      in the training set themselves.
    - ``copies``, ``data_copying``: ``near_copies`` and ``data_copying``, distances to the whole training set.
    - ``one_nn_accuracy``: of generated and held-out samples.

    generated (S, n, d); heldout (S, n, d), or (1, n, d) for the same samples at each seed; train (t, d), t >= n >= 2.
    """
    seeds, n, _ = generated.shape
    sides = (nearest_distances(side.flatten(0, 1), train).view(-1, n).expand(seeds, n) for side in (generated, heldout))
    to_train, floor = sides
    to_part = nearest_distances(generated.flatten(0, 1), train[:n]).view(seeds, n)
    measured = []
    for seed, held in enumerate(heldout.expand(seeds, -1, -1)):
        own, mine, theirs = generated[seed], to_train[seed], floor[seed]
        measured.append(
            {
                "nn_train": float(to_part[seed].quantile(0.5)),
                "nn_heldout": float(nearest_distances(own, held).quantile(0.5)),
                "nn_ratio": float(mine.quantile(0.5) / theirs.quantile(0.5)),
                "copies": near_copies(mine, theirs),
                "data_copying": data_copying(mine, theirs),
                "one_nn_accuracy": one_nn_accuracy(own, held),
            }
        )
    return measured
