"""Generators and critics: shapes, separate seeds, and what a gradient penalty asks of them."""

import re
from collections.abc import Iterator
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from scipy.stats import kstest
from torch import nn

from pwgan.networks import networks
from pwgan.networks.dcgan import DCGAN
from pwgan.networks.layers.dcgan import levels
from pwgan.networks.layers.initial import initialise
from pwgan.networks.layers.seeds import BatchNorm
from pwgan.networks.mlp import MLP
from pwgan.networks.resnet import ResNet

Pair = tuple[nn.Module, nn.Module]
CASES = [
    (MLP(width=6, depth=2, latent_dim=3), (2,), "none"),
    (DCGAN(width=2, latent_dim=3), (3, 8, 8), "batch"),
    (DCGAN(width=2, latent_dim=3), (1, 28, 28), "none"),
    (DCGAN(width=5, latent_dim=3), (3, 16, 16), "batch"),
    (MLP(width=6, depth=2, latent_dim=3), (2,), "spectral"),
    (DCGAN(width=2, latent_dim=3), (3, 8, 8), "spectral"),
]
# test_resnet.py compares these with torch's layers.
SEPARATE = [
    *CASES,
    (ResNet(width=3, latent_dim=3), (3, 8, 8), "batch"),
    (ResNet(width=2, critic_width=3, latent_dim=3), (1, 12, 12), "spectral"),
]


def build(options: MLP | DCGAN, seeds: range, shape: tuple[int, ...], norm: str = "batch") -> Pair:
    pair = options.build(seeds, shape, norm)
    for role, network in zip(("generator", "critic"), pair, strict=True):
        initialise(network, seeds, role, 0.2 if options.name == "dcgan" else None)
    return pair


def latents(seeds: int, m: int, z: int = 3) -> torch.Tensor:
    return torch.randn(seeds, m, z, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        *((MLP(width=7, depth=depth, latent_dim=3), shape) for depth in (1, 3) for shape in ((2,), (5,), (1, 8, 8))),
        *(
            (network(width=2, latent_dim=3), (c, size, size))
            for network in (DCGAN, ResNet)
            for c in (1, 3)
            for size in (8, 12, 28, 32, 64)
        ),
    ],
)
@torch.no_grad()
def test_shapes(options, shape):
    for norm in ("batch", "spectral", "none"):
        generator, critic = build(options, range(2), shape, norm)
        critic.eval()
        made = generator(latents(2, 5))
        assert made.shape == (2, 5, *shape)
        assert critic(made).shape == (2, 5)
        features = critic.features(made)
        assert features.shape[:2] == (2, 5) and features.ndim == 3
        torch.testing.assert_close(critic.score(features).squeeze(-1), critic(made))
    if options.name != "mlp":
        assert made.abs().max() <= 1


def test_images_are_halved_to_four_pixels_or_the_last_even_size():
    assert {size: levels(size) for size in (8, 12, 28, 32, 36, 64)} == {8: 2, 12: 2, 28: 2, 32: 3, 36: 2, 64: 4}


def test_where_batches_are_normalised():
    generator, critic = build(DCGAN(width=2), range(2), (3, 32, 32), "batch")
    # Radford et al. (2016): every layer but the generator's last and the critic's first.
    assert [type(norm) for norm in generator.norms] == [BatchNorm] * 3
    assert [type(norm) for norm in critic.norms] == [nn.Identity, BatchNorm, BatchNorm]
    for norm in ("none", "spectral"):
        _, free = build(DCGAN(width=2), range(2), (3, 32, 32), norm)
        assert not any(isinstance(layer, BatchNorm) for layer in free.modules())
        assert all(down.bias is not None for down in free.downs)


def plain_linear(stacked: nn.Module, s: int) -> nn.Linear:
    layer = nn.Linear(*stacked.weight.shape[1:])
    layer.load_state_dict({"weight": stacked.weight[s].T, "bias": stacked.bias[s, 0]})
    return plain_spectral(stacked, layer, s)


def plain_convolution(stacked: nn.Module, s: int, kind: type[nn.Module]) -> nn.Module:
    first, second = stacked.weight.shape[1:3]
    sizes = (second, first) if kind is nn.Conv2d else (first, second)
    layer = kind(*sizes, 4, 2, 1, bias=stacked.bias is not None)
    layer.load_state_dict({name: parameter[s] for name, parameter in stacked.named_parameters()})
    return plain_spectral(stacked, layer, s)


def plain_spectral(stacked: nn.Module, layer: nn.Module, s: int) -> nn.Module:
    """Normalise a plain layer as torch does, with the vectors of the stacked layer's next pass, if that one is."""
    if not hasattr(stacked, "norm"):
        return layer
    made = nn.utils.parametrizations.spectral_norm(layer)
    kept, matrix, u = made.parametrizations.weight[0], made.parametrizations.weight.original, stacked.norm.u[s, :, 0]
    # Torch turns u before v, so its own step is from another start: ours is taken here, and it takes none.
    kept.n_power_iterations = 0
    v = F.normalize(matrix.flatten(1).T @ u, dim=0)
    kept._v.copy_(v)
    kept._u.copy_(F.normalize(matrix.flatten(1) @ v, dim=0) if stacked.training else u)
    return made


def plain_norm(stacked: nn.Module, s: int) -> nn.Module:
    if isinstance(stacked, nn.Identity):
        return stacked
    layer = nn.BatchNorm2d(stacked.weight.shape[1])
    layer.load_state_dict({name: tensor[s] for name, tensor in stacked.state_dict().items()}, strict=False)
    return layer


def plain_layers(network: nn.Module, s: int, role: str) -> Iterator[nn.Module]:
    """The network of one seed in the layers of torch."""
    if role == "critic":
        if hasattr(network, "downs"):
            for down, norm in zip(network.downs, network.norms, strict=True):
                yield from (plain_convolution(down, s, nn.Conv2d), plain_norm(norm, s), nn.LeakyReLU(0.2))
        else:
            for layer in network.layers:
                yield from (plain_linear(layer, s), nn.LeakyReLU(0.2))
        yield from (nn.Flatten(), plain_linear(network.score, s), nn.Flatten(0))
    elif hasattr(network, "ups"):
        size = network.start
        yield from (plain_linear(network.project, s), nn.Unflatten(1, (-1, size, size)))
        for norm, up in zip(network.norms, [*network.ups, network.last], strict=True):
            yield from (plain_norm(norm, s), nn.ReLU(), plain_convolution(up, s, nn.ConvTranspose2d))
        yield nn.Tanh()
    else:
        for layer in network.layers[:-1]:
            yield from (plain_linear(layer, s), nn.ReLU())
        yield from (plain_linear(network.layers[-1], s), nn.Unflatten(1, network.shape))


@pytest.mark.parametrize(("options", "shape", "norm"), CASES)
@torch.no_grad()
def test_each_seed_is_a_plain_network(options, shape, norm):
    generator, critic = build(options, range(3), shape, norm)
    z = latents(3, 6)
    for training in (True, False):
        generator.train(training), critic.train(training)
        plain = {
            role: [nn.Sequential(*plain_layers(network, s, role)).train(training) for s in range(3)]
            for role, network in (("generator", generator), ("critic", critic))
        }
        made = generator(z)
        scores = critic(made)
        for s in range(3):
            torch.testing.assert_close(made[s], plain["generator"][s](z[s]), atol=1e-5, rtol=1e-4)
            torch.testing.assert_close(scores[s], plain["critic"][s](made[s]), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("options", "shape", "norm"), SEPARATE)
def test_gradients_do_not_cross_seeds(options, shape, norm):
    generator, critic = build(options, range(3), shape, norm)
    critic(generator(latents(3, 6)))[1].square().sum().backward()
    for name, parameter in [*generator.named_parameters(), *critic.named_parameters()]:
        assert parameter.grad[0].count_nonzero() == 0 and parameter.grad[2].count_nonzero() == 0, name
        assert parameter.grad[1].count_nonzero() > 0, name


@pytest.mark.parametrize(("options", "shape", "norm"), SEPARATE)
def test_a_diverged_seed_leaves_the_bits_of_the_others(options, shape, norm):
    outcomes = []
    for spoil in (False, True):
        generator, critic = build(options, range(3), shape, norm)
        if spoil:
            with torch.no_grad():
                for parameter in [*generator.parameters(), *critic.parameters()]:
                    parameter[1] = torch.nan
        made = generator(latents(3, 6))
        scores = critic(made)
        scores.square().sum().backward()
        assert scores[1].isnan().all() == spoil
        named = [*generator.named_parameters(), *critic.named_parameters()]
        buffers = [*generator.named_buffers(), *critic.named_buffers()]
        outcomes.append([made, scores, *(parameter.grad for _, parameter in named), *(buffer for _, buffer in buffers)])
    for sound, hurt in zip(*outcomes, strict=True):
        assert torch.equal(sound[[0, 2]], hurt[[0, 2]])


@pytest.mark.parametrize(
    ("options", "shape"),
    [(MLP(width=4, depth=2), (2,)), (DCGAN(width=1), (1, 8, 8)), (ResNet(width=1), (1, 8, 8))],
)
def test_the_gradient_of_a_gradient_penalty(options, shape):
    _, critic = build(options, range(2), shape, "none")
    critic.double()
    x = torch.randn(2, 3, *shape, generator=torch.Generator().manual_seed(1)).double().requires_grad_()
    names = [name for name, _ in critic.named_parameters()]

    def penalty(*parameters: torch.Tensor) -> torch.Tensor:
        scores = torch.func.functional_call(critic, dict(zip(names, parameters, strict=True)), (x,))
        (slopes,) = torch.autograd.grad(scores.sum(), x, create_graph=True)
        return (slopes.flatten(2).norm(dim=-1) - 1).square().mean(-1) + scores.square().mean(-1)

    assert torch.autograd.gradcheck(penalty, tuple(critic.parameters()), eps=1e-7, atol=1e-5)


@torch.no_grad()
def test_in_evaluation_no_sample_depends_on_its_mates():
    generator, _ = build(DCGAN(width=2, latent_dim=3), range(2), (1, 8, 8))
    z = latents(2, 6)
    generator(z)
    assert not torch.allclose(generator(z)[:, :2], generator(z[:, :2]), atol=1e-3)
    generator.eval()
    torch.testing.assert_close(generator(z)[:, :2], generator(z[:, :2]))


@pytest.mark.parametrize("network", [DCGAN(), ResNet()])
@pytest.mark.parametrize("shape", [(2,), (8, 8), (1, 4, 4), (1, 8, 12), (1, 30, 30), (3, 0, 0)])
def test_networks_of_images_refuse_what_they_cannot_make(network, shape):
    message = rf"square images .* of size 8, 12, 16, .*got samples of shape {re.escape(str(shape))}"
    with pytest.raises(ValueError, match=message):
        network.check(shape)
    with pytest.raises(ValueError, match=message):
        network.build(range(1), shape, "none")


@pytest.mark.parametrize("size", [8, 12, 28, 32, 64])
def test_dcgan_accepts_the_usual_sizes(size):
    DCGAN().check((3, size, size))
    MLP().check((3, size, size))


@pytest.mark.parametrize(
    ("activation", "expected"),
    [("relu", torch.relu), ("tanh", torch.tanh), ("leaky", partial(F.leaky_relu, negative_slope=0.2))],
)
def test_hidden_layers_of_an_mlp_have_the_activation_that_was_asked_for(activation, expected):
    network = MLP(width=5, depth=1, latent_dim=3, activation=activation)
    generator, critic = network.build(range(2), (2,), "none")
    network.initialise(generator, range(2), "generator")
    network.initialise(critic, range(2), "critic")
    z, x = torch.randn(2, 4, 3), torch.randn(2, 4, 2)
    first, last = generator.layers
    torch.testing.assert_close(generator(z), expected(z @ first.weight + first.bias) @ last.weight + last.bias)
    (hidden,) = critic.layers
    torch.testing.assert_close(critic.features(x), expected(x @ hidden.weight + hidden.bias))


def test_an_mlp_s_critic_has_its_own_size():
    network = MLP(width=5, depth=2, latent_dim=3, critic_width=7, critic_depth=4)
    generator, critic = network.build(range(1), (2,), "none")
    sizes = [[tuple(layer.weight.shape[1:]) for layer in net.layers] for net in (generator, critic)]
    assert sizes == [[(3, 5), (5, 5), (5, 2)], [(2, 7), (7, 7), (7, 7), (7, 7)]]
    linear = sum(p.numel() for net in (generator, critic) for name, p in net.named_parameters() if "weight" in name)
    assert network.weights((2,)) == linear


@pytest.mark.parametrize(("shape", "gain"), [((6, 6), 1.4), ((3, 6), 1.0), ((6, 2), 0.8)])
def test_orthogonal_weights_have_singular_values_equal_to_the_gain(shape, gain):
    network = MLP(width=shape[1], depth=1, latent_dim=shape[0], init="orthogonal", init_scale=gain)
    generator, _ = network.build(range(2), (2,), "none")
    network.initialise(generator, range(2), "generator")
    first = generator.layers[0]
    values = torch.linalg.svdvals(first.weight)
    torch.testing.assert_close(values, torch.full_like(values, gain), rtol=1e-5, atol=1e-5)
    assert not first.bias.any() and not torch.allclose(first.weight[0], first.weight[1])


def test_an_initial_scale_without_effect_is_refused():
    with pytest.raises(Exception, match="init_scale has no effect on init: default; allowed with: orthogonal, normal"):
        MLP(init_scale=1.4)
    assert MLP(init="normal").init_scale is None


@pytest.mark.parametrize("name", ["mlp", "dcgan", "resnet"])
def test_uniform_latents_are_uniform_on_the_cube(name):
    network = networks()[name].model_validate({"latent": "uniform", "latent_dim": 2, "width": 4})
    generator, _ = network.build(range(1), (1, 8, 8), "none")
    network.initialise(generator, range(1), "generator")
    seen = []
    first = generator.layers[0] if name == "mlp" else generator.project
    first.register_forward_hook(lambda layer, given, out: seen.append(given[0].detach()))
    generator(torch.randn(1, 4000, 2, generator=torch.Generator().manual_seed(0)))
    for column in seen[0][0].T:
        assert kstest(column.numpy(), "uniform", (-1, 2)).pvalue > 1e-3
