"""Flows: the order of their solver, and velocity networks whose seeds are apart."""

import itertools
import math
import re

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from pwgan.errors import Refused
from pwgan.networks.base import Network
from pwgan.networks.dcgan import DCGAN
from pwgan.networks.layers.flow import Flow
from pwgan.networks.layers.seeds import Conv2d, Linear
from pwgan.networks.mlp import MLP

S, M = 3, 4
CASES = pytest.mark.parametrize(
    ("network", "shape"),
    [
        (MLP(width=6, depth=2, activation="tanh"), (2,)),
        (MLP(width=6, depth=1, activation="tanh"), (1, 4, 4)),
        (DCGAN(width=2), (1, 8, 8)),
        (DCGAN(width=2), (3, 12, 12)),
    ],
)


class Field(nn.Module):
    """A velocity that is given as a function."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        assert t.shape == x.shape[:2]
        return self.function(x, t)


def draw(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def velocity(network: Network, shape: tuple[int, ...], seeds: int = S) -> nn.Module:
    built = network.build_velocity(range(seeds), shape)
    network.initialise(built, range(seeds), "velocity")
    return built


def test_the_error_of_a_linear_flow_falls_with_the_square_of_the_step():
    matrix, start = draw(0, S, 2, 2), draw(1, S, M, 2)
    exact = start @ torch.linalg.matrix_exp(matrix).mT
    errors = []
    for steps in (32, 64, 128):
        end = Flow(Field(lambda x, t: x @ matrix.mT), (2,), steps)(start)
        errors.append((end - exact).flatten(1).norm(dim=1))
    for coarse, fine in itertools.pairwise(errors):
        assert ((coarse / fine - 4).abs() < 0.4).all()
    assert (errors[-1] < 1e-2 * (exact - start).flatten(1).norm(dim=1)).all()


def test_times_are_those_of_the_velocities():
    # Autonomous velocities do not show the time: x' = t x ends at x exp(1/2), and x' = 2 t is exact at any step.
    start = draw(2, S, M, 2)
    assert torch.allclose(Flow(Field(lambda x, t: (2 * t).unsqueeze(-1).expand_as(x)), (2,), 3)(start), start + 1)
    ends = [Flow(Field(lambda x, t: t.unsqueeze(-1) * x), (2,), steps)(start) for steps in (20, 40)]
    coarse, fine = ((end - start * math.exp(0.5)).abs().max() for end in ends)
    assert 3.5 < coarse / fine < 4.5


def test_one_step_by_hand():
    # k1 = 1 + x, k2 = 2 + (x + k1): from 0, 1 and 3.
    flow = Flow(Field(lambda x, t: 1 + t.unsqueeze(-1) + x), (1,), 1)
    assert flow(torch.zeros(1, 1, 1)).item() == 2


@pytest.mark.parametrize("shape", [(6,), (1, 2, 3)])
def test_a_path_leads_from_the_latent_to_the_sample(shape):
    flow, latent = Flow(Field(lambda x, t: -x), shape, 5), draw(3, S, M, 6)
    path = list(flow.path(latent))
    assert len(path) == 6 and torch.equal(path[0], latent.view(S, M, *shape)) and torch.equal(path[-1], flow(latent))
    for k in range(6):
        torch.testing.assert_close(flow.velocity_at(path[k], k), -path[k])
        torch.testing.assert_close(path[k], path[0] * (1 - 0.2 + 0.02) ** k)


@CASES
def test_velocities_have_the_shape_of_samples_and_depend_on_both_arguments(network, shape):
    net, x = velocity(network, shape), draw(0, S, M, *shape).float().requires_grad_()
    t = torch.rand(S, M, generator=torch.Generator().manual_seed(1)).requires_grad_()
    made = net(x, t)
    assert made.shape == x.shape
    by_x, by_t = torch.autograd.grad(made.square().sum(), [x, t])
    assert (by_x.flatten(2).norm(dim=-1) > 0).all() and (by_t != 0).all()


@CASES
def test_seeds_and_samples_are_apart(network, shape):
    x, t = draw(0, S, M, *shape).float(), torch.rand(S, M, generator=torch.Generator().manual_seed(1))
    net = velocity(network, shape)
    whole = net(x, t)
    torch.testing.assert_close(net(x[:, 1:], t[:, 1:]), whole[:, 1:])  # nothing is normalised over the batch
    torch.testing.assert_close(velocity(network, shape, 2)(x[:2], t[:2]), whole[:2])
    alike = net(x[:1].expand_as(x), t[:1].expand_as(t))
    assert not torch.allclose(alike[0], alike[1])
    whole[1].square().sum().backward()
    for parameter in net.parameters():
        assert not parameter.grad[[0, 2]].any() and parameter.grad[1].any()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter[1] = torch.nan
        lost = net(x, t)
    assert lost[1].isnan().any() and torch.equal(lost[[0, 2]], whole[[0, 2]])


def test_the_velocity_of_an_mlp_is_a_plain_network_of_sample_and_time():
    net = velocity(MLP(width=5, depth=2, activation="tanh"), (2,))
    x, t = draw(0, S, M, 2).float(), torch.rand(S, M)
    first, second, last = (layer for layer in net.modules() if isinstance(layer, Linear))
    for s in range(S):
        hidden = torch.cat([x[s], t[s][:, None]], 1)
        for layer in (first, second):
            hidden = torch.tanh(hidden @ layer.weight[s] + layer.bias[s])
        torch.testing.assert_close(net(x, t)[s], hidden @ last.weight[s] + last.bias[s])


@torch.no_grad()
def test_the_velocity_of_a_dcgan_is_a_plain_encoder_and_decoder():
    net, x, t = velocity(DCGAN(width=2), (3, 32, 32)), draw(0, S, M, 3, 32, 32).float(), torch.rand(S, M)
    assert [len(layers) for layers in (net.downs, net.ups)] == [3, 3]
    for s in range(S):
        maps, kept = torch.cat([x[s], t[s].view(M, 1, 1, 1).expand(M, 1, 32, 32)], 1), []
        for down in net.downs:
            maps = F.silu(F.conv2d(maps, down.weight[s], down.bias[s], stride=2, padding=1))
            kept.append(maps)
        maps = F.conv_transpose2d(kept[2], net.ups[0].weight[s], net.ups[0].bias[s], stride=2, padding=1)
        for up, skipped in zip(net.ups[1:], (kept[1], kept[0]), strict=True):
            both = torch.cat([F.silu(maps), skipped], 1)
            maps = F.conv_transpose2d(both, up.weight[s], up.bias[s], stride=2, padding=1)
        torch.testing.assert_close(net(x, t)[s], maps, atol=1e-5, rtol=1e-4)


def test_velocities_of_a_dcgan_do_not_begin_at_nothing():
    # Weights ~ N(0, 0.02^2) without normalisation would make them some 1e-4.
    net, x = velocity(DCGAN(width=16), (1, 8, 8)), draw(0, S, 64, 1, 8, 8).float()
    assert net(x, torch.full((S, 64), 0.5)).std() > 0.02
    for layer in net.modules():
        if isinstance(layer, Conv2d):
            assert layer.weight.abs().max() <= 1 / math.sqrt(layer.weight[0, 0].numel())


@pytest.mark.parametrize("network", [MLP(latent_dim=3), DCGAN()])
def test_the_latents_of_a_flow_have_the_dimension_of_a_sample(network):
    assert network.for_flow((1, 8, 8)) == network.model_copy(update={"latent_dim": 64})


def test_what_no_flow_can_use_is_refused():
    class Plain(Network):
        name: str = "plain"

    with pytest.raises(Refused, match="plain has no velocity network"):
        Plain().for_flow((2,))
    with pytest.raises(Refused, match=re.escape("latent: uniform: the flow of this method starts from N(0, I)")):
        MLP(latent="uniform").for_flow((2,))
