"""What the loss of a class costs, where two classes are two points and the answer is a count."""

import numpy as np
import pytest
import torch

from pwgan.data.store import StoredData
from pwgan.measures.lost import lost_class
from pwgan.training.samples import training_order


def two_points(train, heldout):
    labels = [np.arange(count) % 2 for count in (train, heldout)]
    sets = [np.stack([side.astype(np.float32), np.zeros(len(side), np.float32)], 1) for side in labels]
    return StoredData(
        train=sets[0],
        heldout=sets[1],
        train_labels=labels[0].astype(np.int64),
        heldout_labels=labels[1].astype(np.int64),
        name="two",
        about={},
    )


def test_without_one_of_two_points_its_share_moves_to_the_other():
    data = two_points(60, 40)
    n, values = lost_class(data, range(3), 20)
    assert 10 < n <= 20
    for seed, value in enumerate(values):
        shares = data.heldout[:n, 0].mean(), data.train[training_order(data, seed)[:n], 0].mean()
        # W(x, y) is the share of the class that y lacks: together 1. W(y, y') is 0.
        assert value == pytest.approx(1 - abs(shares[0] - shares[1]))


def test_all_sets_are_as_large_as_the_rarest_rest():
    data = two_points(60, 40)
    n, _ = lost_class(data, range(2), 1000)
    rest = [torch.cat([training_order(data, seed)[25:] % 2, torch.arange(25, 40) % 2]) for seed in range(2)]
    assert n == min(int((one == label).sum()) for one in rest for label in (0, 1)) // 2
