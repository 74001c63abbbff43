"""What the loss of a class costs: the unit in which distances of labelled data are told."""

from __future__ import annotations

import torch

from pwgan.data.store import StoredData
from pwgan.training.samples import training_order
from pwgan.transport.cost import points
from pwgan.transport.empirical import debiased, ewd

MOST = 1000  # points of each set: the mean over classes and seeds needs no more


def lost_class(data: StoredData, seeds: range, limit: int) -> tuple[int, list[float]]:
    """Return the mean over classes of the debiased EWD of real samples that lack one class, for each seed.

    2 W(x, y) - W(x, x') - W(y, y') with x held-out and x' training samples, and y, y' other real samples without the
    class, n disjoint points each. The first value is n, at most ``limit`` and as many as every class leaves. The data
    must be labelled.
    """
    train, heldout = points(data.train_tensor()).squeeze(0), points(data.heldout_tensor()).squeeze(0)
    assert data.train_labels is not None and data.heldout_labels is not None
    labels = tuple(map(torch.from_numpy, (data.train_labels, data.heldout_labels)))
    n = min(limit, MOST, len(train), len(heldout), (len(train) + len(heldout)) // 4)
    real, others = [], []
    for seed in seeds:
        order = training_order(data, seed)
        real.append((heldout[:n], train[order[:n]]))
        rest, of = torch.cat([train[order[n:]], heldout[n:]]), torch.cat([labels[0][order[n:]], labels[1][n:]])
        # No more than can be needed: all of them, of ten classes and four seeds of MNIST, are 8 GB.
        others.append([rest[(of != label).nonzero()[: 2 * n, 0]] for label in labels[0].unique()])
    n = min(n, min(len(kept) for each in others for kept in each) // 2)
    values = []
    for (x, other_x), each in zip(real, others, strict=True):
        floor = float(ewd(x[:n], other_x[:n]))
        costs = [debiased(float(ewd(x[:n], y[:n])), floor, float(ewd(y[:n], y[n : 2 * n]))) for y in each]
        values.append(sum(costs) / len(costs))
    return n, values
