"""The residual network against the table of the paper, one seed at a time, in the layers and the order of the paper."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from pwgan.networks.resnet import ResNet


def built(options: ResNet, shape: tuple[int, ...], norm: str) -> tuple[nn.Module, nn.Module]:
    """Two seeds with gains and biases that differ everywhere, in evaluation mode."""
    pair = options.build(range(2), shape, norm)
    for role, network in zip(("generator", "critic"), pair, strict=True):
        options.initialise(network, range(2), role)
        for k, parameter in enumerate(network.parameters()):
            parameter.data += torch.randn(parameter.shape, generator=torch.Generator().manual_seed(k)) / 10
    return tuple(network.eval() for network in pair)


def convolved(x: torch.Tensor, layer: nn.Module, s: int) -> torch.Tensor:
    return F.conv2d(x, layer.kernel()[s], layer.bias[s], padding="same")


def rectified(x: torch.Tensor, norm: nn.Module, s: int) -> torch.Tensor:
    if not isinstance(norm, nn.Identity):
        x = F.batch_norm(x, norm.running_mean[s], norm.running_var[s], norm.weight[s], norm.bias[s])
    return F.relu(x)


def upsampled(x: torch.Tensor) -> torch.Tensor:
    return x.repeat_interleave(2, 2).repeat_interleave(2, 3)


@torch.no_grad()
@pytest.mark.parametrize(("size", "blocks"), [(8, 2), (28, 2), (32, 3)])
def test_the_generator_is_that_of_the_paper(size, blocks):
    generator, _ = built(ResNet(width=4, latent_dim=3), (3, size, size), "none")
    assert len(generator.blocks) == blocks
    z = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))
    made = generator(z)
    start = size >> blocks
    for s in range(2):
        x = (z[s] @ generator.project.weight[s] + generator.project.bias[s]).view(5, 4, start, start)
        for block in generator.blocks:
            hidden = convolved(upsampled(rectified(x, block.norms[0], s)), block.convolutions[0], s)
            hidden = convolved(rectified(hidden, block.norms[1], s), block.convolutions[1], s)
            x = hidden + convolved(upsampled(x), block.shortcut, s)
        expected = convolved(rectified(x, generator.norm, s), generator.last, s).tanh()
        torch.testing.assert_close(made[s], expected, atol=1e-5, rtol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("norm", ["none", "batch", "spectral"])
def test_the_critic_is_that_of_the_paper(norm):
    _, critic = built(ResNet(width=2, critic_width=5), (3, 12, 12), norm)
    images = torch.randn(2, 4, 3, 12, 12, generator=torch.Generator().manual_seed(1))
    scores = critic(images)
    for s in range(2):
        x = images[s]
        for k, block in enumerate(critic.blocks):
            hidden = convolved(x if k == 0 else rectified(x, block.norms[0], s), block.convolutions[0], s)
            hidden = convolved(rectified(hidden, block.norms[1], s), block.convolutions[1], s)
            kept = x if k > 1 else convolved(x, block.shortcut, s)
            x = hidden + kept if k > 1 else F.avg_pool2d(hidden, 2) + F.avg_pool2d(kept, 2)
        features = F.relu(x).sum((2, 3))
        torch.testing.assert_close(critic.features(images)[s], features, atol=1e-5, rtol=1e-4)
        expected = (features @ critic.score.kernel()[s] + critic.score.bias[s])[:, 0]
        torch.testing.assert_close(scores[s], expected, atol=1e-4, rtol=1e-4)
    kinds = {type(layer).__name__ for layer in critic.modules()}
    assert ("BatchNorm" in kinds, "SpectralConv2d" in kinds) == (norm == "batch", norm == "spectral")
