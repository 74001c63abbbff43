"""Critics on pairs of known distance."""

import numpy as np
import pytest
import torch
from torch import nn

from pwgan.data.funnels import funnels
from pwgan.theory import critics as module
from pwgan.theory.critics import BUDGET, critics

SHORT = BUDGET._replace(steps=150, points=256)


class Scaled(nn.Module):
    """The true potential of a pair times a factor for each seed: (S, m, d) -> (S, m)."""

    def __init__(self, law, factors):
        super().__init__()
        self.centres, self.offsets = torch.tensor(law.centres).float(), torch.tensor(law.offsets).float()
        self.factors = torch.tensor(factors)

    def forward(self, x):
        heights = (x[:, :, None] - self.centres).norm(dim=-1) + self.offsets
        return self.factors[:, None] * heights.min(-1).values


def test_the_true_potential_as_critic_has_the_true_distance_slope_and_direction():
    law = funnels(8)
    p, q = (np.stack(side) for side in zip(*(law.pair(4000, "test", seed) for seed in (0, 1)), strict=True))
    found = module._measured(Scaled(law, [1.0, -3.0]), law, p, q, torch.device("cpu"))
    truth = law.w1(100_000).mean
    np.testing.assert_allclose(found["estimate"], [truth, -3 * truth], rtol=0.1)
    np.testing.assert_allclose(found["slope"], [1, 3], rtol=1e-4)
    np.testing.assert_allclose(found["scaled"], [truth, -truth], rtol=0.1)
    np.testing.assert_allclose(found["cosine"], [1, -1], atol=1e-3)


@pytest.fixture(scope="module")
def table():
    return critics(dimensions=(8,), seeds=2, budget=SHORT)


def test_each_solver_has_a_row_for_each_seed(table):
    assert list(table.groupby("method").size().items()) == [("ewd", 2), ("wgan", 2), ("wgan_gp", 2)]
    trained = table[table["method"] != "ewd"]
    np.testing.assert_allclose(trained["scaled"], trained["estimate"] / trained["slope"])
    assert table.loc[table["method"] == "ewd", ["slope", "scaled"]].isna().all(axis=None)
    assert table["w1"].nunique() == table["w1_error"].nunique() == 1


def test_a_penalised_critic_learns_distance_and_direction(table):
    critic, exact = (table[table["method"] == name] for name in ("wgan_gp", "ewd"))
    assert (abs(critic["estimate"] / critic["w1"] - 1) < 0.4).all()
    assert (critic["cosine"] > 0.5).all() and (critic["slope"] < 2).all()
    assert (critic["cosine"].to_numpy() > exact["cosine"].to_numpy()).all()


def test_training_of_a_seed_does_not_depend_on_other_seeds(table):
    alone = critics(dimensions=(8,), seeds=1, budget=SHORT)
    shared = table[table["seed"] == 0].reset_index(drop=True)
    columns = ["estimate", "slope", "cosine"]
    np.testing.assert_allclose(alone[columns], shared[columns], rtol=0.02)
