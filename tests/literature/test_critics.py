"""Critics as the benchmark of pairs trains them."""

import pytest
import torch

from pwgan.literature.critics import PUBLISHED, WeightClippingWGAN, published_critics, published_pair
from pwgan.methods import Nets
from pwgan.networks.layers.optimisers import Adam
from pwgan.networks.mlp import MLP


def test_weights_are_clipped_and_biases_are_not():
    network = MLP(width=8, depth=2)
    _, critic = network.build(range(2), (3,), "none")
    for parameter in critic.parameters():
        torch.nn.init.constant_(parameter, -0.5)
    method = PUBLISHED.methods["wgan"]
    assert isinstance(method, WeightClippingWGAN)
    method.after_critic_step(Nets(torch.nn.Identity(), critic))
    for name, parameter in critic.named_parameters():
        assert (parameter == (-0.04 if name.endswith("weight") else -0.5)).all()


def test_the_clipped_critic_steps_as_adam_does():
    method = PUBLISHED.methods["wgan"]
    weight = torch.nn.Parameter(torch.zeros(2, 3))
    theirs = torch.nn.Parameter(torch.zeros(2, 3))
    ours, adam = method.optimiser([weight], 2e-4), torch.optim.Adam([theirs], 2e-4, betas=(0.0, 0.9))
    assert isinstance(ours, Adam)
    for k in range(3):
        for parameter in (weight, theirs):
            parameter.grad = torch.full((2, 3), 0.3 + k)
        ours.step()
        adam.step()
    torch.testing.assert_close(weight, theirs)


@pytest.mark.parametrize(("dimension", "published"), [(2, 0.8174), (8, 1.8817), (32, 1.8217)])
def test_the_published_pairs_have_the_published_distance(dimension, published):
    # Theirs is a mean over 4,096 points, known to about 1 %.
    assert published_pair(dimension).w1(100_000).mean == pytest.approx(published, rel=0.03)


def test_every_seed_has_a_row_for_each_method():
    table = published_critics((2,), 2, PUBLISHED._replace(steps=3, batch=16, points=64))
    assert table[["seed", "method"]].drop_duplicates().shape == (6, 2) and set(table["steps"]) == {3}
    assert table["w1"].unique() == pytest.approx([published_pair(2).w1(200_000).mean], rel=0.01)
