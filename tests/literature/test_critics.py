"""Critics as the benchmark of pairs trains them."""

import pytest
import torch

from pwgan.literature.critics import PUBLISHED, WeightClippingWGAN, published_critics
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


def test_every_pair_has_a_row_for_each_method():
    table = published_critics((2,), 2, PUBLISHED._replace(steps=3, batch=16, points=64))
    assert table[["pair", "method"]].drop_duplicates().shape == (6, 2) and set(table["steps"]) == {3}
    assert table["ratio"].to_numpy() == pytest.approx((table["estimate"] / table["w1"]).to_numpy())
    assert table.groupby("pair")["w1"].first().nunique() == 2
