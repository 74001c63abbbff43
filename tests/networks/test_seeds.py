"""The layers of the seed axis: each seed is the plain torch layer with that seed's slice of the parameters."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from pwgan.networks.layers import seeds as layers
from pwgan.networks.layers.initial import initialise
from pwgan.networks.layers.seeds import (
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Linear,
    SpectralConv2d,
    from_maps,
    to_maps,
)

# Which channels times height count as small decides the way a convolution is computed.
WAYS = {"matrix product": 9999, "grouped": 0, "as chosen": layers._SMALL}


def filled(layer: nn.Module) -> nn.Module:
    """Give every parameter and buffer of a layer values that differ everywhere."""
    with torch.no_grad():
        for k, parameter in enumerate(layer.parameters()):
            parameter.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(k)) / 3)
    return layer


def noise(*shape: int, seed: int = 9) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(layers, "_SMALL", WAYS[request.param])
    return request.param


@torch.no_grad()
def test_linear():
    layer, x = filled(Linear(3, 5, 4)), noise(3, 7, 5)
    for s in range(3):
        plain = nn.Linear(5, 4)
        plain.weight.copy_(layer.weight[s].T)
        plain.bias.copy_(layer.bias[s, 0])
        torch.testing.assert_close(layer(x)[s], plain(x[s]))


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(("stacked", "plain"), [(Conv2d, nn.Conv2d), (ConvTranspose2d, nn.ConvTranspose2d)])
@pytest.mark.parametrize("seeds", [1, 3])
@pytest.mark.parametrize(("inputs", "outputs"), [(1, 3), (3, 1), (4, 4), (5, 6)])
@pytest.mark.parametrize("size", [2, 8, 16])
@pytest.mark.parametrize("bias", [True, False])
def test_convolutions_with_their_gradients(stacked, plain, seeds, inputs, outputs, size, bias):
    layer = filled(stacked(seeds, inputs, outputs, bias))
    x = noise(2, seeds * inputs, size, size).requires_grad_()
    made = layer(x)
    pull = noise(*made.shape, seed=10)
    made.backward(pull)
    for s in range(seeds):
        single = plain(inputs, outputs, 4, 2, 1, bias=bias)
        with torch.no_grad():
            single.weight.copy_(layer.weight[s])
            if bias:
                single.bias.copy_(layer.bias[s])
        own = x.detach()[:, s * inputs : (s + 1) * inputs].requires_grad_()
        expected = single(own)
        expected.backward(pull[:, s * outputs : (s + 1) * outputs])
        torch.testing.assert_close(made[:, s * outputs : (s + 1) * outputs], expected, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(x.grad[:, s * inputs : (s + 1) * inputs], own.grad, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(layer.weight.grad[s], single.weight.grad, atol=1e-4, rtol=1e-4)
        if bias:
            torch.testing.assert_close(layer.bias.grad[s], single.bias.grad, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("stacked", [Conv2d, SpectralConv2d])
@pytest.mark.parametrize("window", [1, 3])
def test_convolutions_that_keep_the_size(stacked, window):
    layer = filled(stacked(3, 2, 5, True, window)).eval()
    if stacked is SpectralConv2d:
        layer.norm.u = F.normalize(noise(3, 5, 1), dim=1)
    x = noise(4, 6, 7, 7)
    for s in range(3):
        plain = F.conv2d(x[:, 2 * s : 2 * s + 2], layer.kernel()[s], layer.bias[s], padding="same")
        torch.testing.assert_close(layer(x)[:, 5 * s : 5 * s + 5], plain)


@torch.no_grad()
def test_batch_norm_in_training_and_evaluation():
    stacked = filled(BatchNorm(2, 3))
    plain = [nn.BatchNorm2d(3) for _ in range(2)]
    for s, single in enumerate(plain):
        single.weight.copy_(stacked.weight[s])
        single.bias.copy_(stacked.bias[s])
    for step in range(3):
        x = noise(4, 6, 5, 5, seed=step) * torch.arange(1.0, 7.0).view(1, 6, 1, 1) + step
        made = stacked(x)
        for s, single in enumerate(plain):
            torch.testing.assert_close(made[:, 3 * s : 3 * s + 3], single(x[:, 3 * s : 3 * s + 3]))
            torch.testing.assert_close(stacked.running_mean[s], single.running_mean)
            torch.testing.assert_close(stacked.running_var[s], single.running_var)
    kept = stacked.eval().running_mean.clone()
    made = stacked(x[:1])
    for s, single in enumerate(plain):
        torch.testing.assert_close(made[:, 3 * s : 3 * s + 3], single.eval()(x[:1, 3 * s : 3 * s + 3]))
    assert torch.equal(stacked.running_mean, kept)


def test_images_travel_as_maps_and_back():
    images = noise(3, 5, 2, 4, 4)
    maps = to_maps(images)
    assert maps.shape == (5, 6, 4, 4)
    assert torch.equal(maps[4, 2:4], images[1, 4])
    assert torch.equal(from_maps(maps, 3), images)


def network(seeds: range) -> nn.ModuleDict:
    count = len(seeds)
    return nn.ModuleDict(
        {
            "linear": Linear(count, 30, 40),
            "other": Linear(count, 30, 40),
            "down": Conv2d(count, 6, 10, bias=True),
            "up": ConvTranspose2d(count, 6, 10, bias=True),
            "bare": Conv2d(count, 6, 10, bias=False),
            "norm": BatchNorm(count, 400),
        }
    )


@pytest.mark.parametrize("std", [None, 0.02])
def test_initial_weights_of_a_seed_are_its_own(std):
    of = {}
    for seeds in (range(8), range(4), range(3, 4)):
        made = network(seeds)
        initialise(made, seeds, "critic", std)
        of[seeds] = {name: tensor[list(seeds).index(3)] for name, tensor in made.state_dict().items()}
        of[seeds, "all"] = made["linear"].weight
    for name, tensor in of[range(8)].items():
        assert torch.equal(tensor, of[range(4)][name]) and torch.equal(tensor, of[range(3, 4)][name]), name
    assert len({tuple(row.flatten().tolist()) for row in of[range(8), "all"]}) == 8
    assert not torch.equal(of[range(8)]["linear.weight"], of[range(8)]["other.weight"])
    generator = network(range(4))
    initialise(generator, range(4), "generator", std)
    assert not torch.equal(generator["linear"].weight[3], of[range(4)]["linear.weight"])


def test_initial_weights_of_dcgan():
    made = network(range(2))
    initialise(made, range(2), "critic", "normal", 0.02)
    for name in ("linear", "down", "up", "bare"):
        weight = made[name].weight
        assert weight.std().item() == pytest.approx(0.02, rel=0.1) and abs(weight.mean().item()) < 0.002, name
    assert all(made[name].bias.count_nonzero() == 0 for name in ("linear", "down", "up", "norm"))
    gain = made["norm"].weight
    assert gain.mean().item() == pytest.approx(1, abs=0.005) and gain.std().item() == pytest.approx(0.02, rel=0.15)


def test_initial_weights_of_glorot():
    made = network(range(2))
    initialise(made, range(2), "critic", "glorot")
    # 6 and 10 channels and windows of 4 x 4 on either side.
    for name, fans in (("linear", 30 + 40), ("down", 16 * 16), ("up", 16 * 16), ("bare", 16 * 16)):
        limit = math.sqrt(6 / fans)
        assert 0.9 * limit < made[name].weight.abs().max().item() <= limit, name
        assert made[name].weight.std().item() == pytest.approx(limit / math.sqrt(3), rel=0.1), name
    assert all(made[name].bias.count_nonzero() == 0 for name in ("linear", "down", "up", "norm"))
    assert (made["norm"].weight == 1).all()


def test_initial_weights_of_a_plain_network():
    made = network(range(2))
    initialise(made, range(2), "critic")
    # A unit's fan-in is the number of inputs it sums; of a transposed layer torch counts outputs x window.
    for name, fan_in in (("linear", 30), ("down", 6 * 16), ("up", 10 * 16)):
        limit = 1 / math.sqrt(fan_in)
        for values in (made[name].weight, made[name].bias):
            assert 0.8 * limit < values.abs().max().item() <= limit, name
        assert made[name].weight.std().item() == pytest.approx(limit / math.sqrt(3), rel=0.1), name
    assert (made["norm"].weight == 1).all() and (made["norm"].bias == 0).all()


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("stacked", [Conv2d, ConvTranspose2d])
def test_nan_of_one_seed_stays_with_it(stacked):
    layer, sound = filled(stacked(3, 3, 2, True)), noise(2, 9, 8, 8)
    spoilt = sound.clone()
    spoilt[:, 3:6] = torch.nan
    whole, hurt = layer(sound), layer(spoilt)
    assert hurt[:, 2:4].isnan().all()
    assert torch.equal(hurt[:, :2], whole[:, :2]) and torch.equal(hurt[:, 4:], whole[:, 4:])
    with torch.no_grad():
        layer.weight[1] = torch.inf
    hurt = layer(sound)
    assert torch.equal(hurt[:, :2], whole[:, :2]) and torch.equal(hurt[:, 4:], whole[:, 4:])


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("stacked", [Conv2d, ConvTranspose2d])
def test_second_derivatives_of_convolutions(stacked):
    layer = filled(stacked(2, 2, 3, True)).double()
    x = noise(1, 4, 4, 4).double().requires_grad_()

    def nonlinear(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        return F.softplus(torch.func.functional_call(layer, {"weight": weight, "bias": bias}, (x,)))

    assert torch.autograd.gradgradcheck(nonlinear, (x, layer.weight, layer.bias), fast_mode=True)
