"""Spectral normalisation of each seed against the exact singular values, and what a layer may then stretch."""

import pytest
import torch
from torch import nn

from pwgan.networks.layers.initial import initialise
from pwgan.networks.layers.seeds import Conv2d, Linear, SpectralConv2d, SpectralLinear, SpectralNorm


def layer_of(kind: type[nn.Module], *sizes: int) -> nn.Module:
    """Return a layer of three seeds whose weights and scales differ, in float64."""
    layer = kind(3, *sizes)
    initialise(layer, range(3), "critic")
    with torch.no_grad():
        layer.weight *= torch.tensor([0.1, 1.0, 30.0]).view(3, *[1] * (layer.weight.ndim - 1))
    return layer.double()


def turned(layer: nn.Module, passes: int = 2000) -> nn.Module:
    """Return the layer after so many passes in training mode, in evaluation mode."""
    with torch.no_grad():
        for _ in range(passes):
            layer.kernel()
    return layer.eval()


CASES = [(SpectralLinear, (6, 4)), (SpectralLinear, (3, 5)), (SpectralLinear, (7, 1)), (SpectralConv2d, (3, 5, True))]


@pytest.mark.parametrize(("kind", "sizes"), CASES)
def test_the_largest_singular_value_of_each_seed_is_one(kind, sizes):
    layer = turned(layer_of(kind, *sizes))
    matrices = layer.weight.flatten(2) if kind is SpectralConv2d else layer.weight
    exact = torch.linalg.matrix_norm(matrices, 2).view(3, *[1] * (layer.weight.ndim - 1))
    torch.testing.assert_close(layer.kernel(), layer.weight / exact)


@torch.no_grad()
def test_no_layer_stretches_more_than_its_norm():
    linear = turned(layer_of(SpectralLinear, 6, 4))
    stretched = [torch.linalg.matrix_norm(linear.kernel()[s], 2).item() for s in range(3)]
    assert stretched == pytest.approx([1.0] * 3, rel=1e-9)
    convolution = turned(layer_of(SpectralConv2d, 2, 3, False))
    basis = torch.eye(2 * 64, dtype=torch.float64).view(-1, 2, 8, 8)
    for s in range(3):
        whole = nn.functional.conv2d(basis, convolution.kernel()[s], stride=2, padding=1).flatten(1)
        # More than the norm of the reshaped kernel, 1, but no more than the windows that overlap allow.
        assert 1 < torch.linalg.matrix_norm(whole, 2) <= 2 + 1e-9


def test_one_step_of_the_power_method_in_training_and_none_in_evaluation():
    layer = layer_of(SpectralLinear, 6, 4)
    u = layer.norm.u.clone()
    torch.testing.assert_close(u.norm(dim=1), torch.ones(3, 1, dtype=torch.float64), rtol=1e-6, atol=0)
    matrix = layer.weight.detach().mT
    assert torch.equal(layer.eval().kernel(), layer.kernel()) and torch.equal(layer.norm.u, u)
    layer.train().kernel()
    for s in range(3):
        v = matrix[s].T @ u[s]
        following = matrix[s] @ v
        torch.testing.assert_close(layer.norm.u[s], following / following.norm())
    assert "norm.u" in layer.state_dict()


@pytest.mark.parametrize(("kind", "sizes"), CASES)
def test_the_estimate_is_never_above_the_singular_value(kind, sizes):
    layer = layer_of(kind, *sizes)
    for mode in (True, False):
        layer.train(mode)
        rows = layer.kernel().flatten(2) if kind is SpectralConv2d else layer.kernel()
        assert (torch.linalg.matrix_norm(rows, 2) >= 1 - 1e-12).all()


def test_the_gradient_is_that_of_the_quotient_with_the_vectors_held_fixed():
    norm = SpectralNorm(2, 4).double().eval()
    norm.u = torch.nn.functional.normalize(
        torch.randn(2, 4, 1, generator=torch.Generator().manual_seed(0)).double(), dim=1
    )
    weight = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(1)).double().requires_grad_()
    pull = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(2)).double()
    (found,) = torch.autograd.grad((norm(weight) * pull).sum(), weight)
    for s in range(2):
        w, u = weight[s].detach(), norm.u[s, :, 0]
        v = w.T @ u / (w.T @ u).norm()
        sigma = u @ w @ v
        # Equation 12 of the paper.
        expected = (pull[s] - (pull[s] * w).sum() / sigma * torch.outer(u, v)) / sigma
        torch.testing.assert_close(found[s], expected)


def test_two_passes_may_be_differentiated_together():
    layer, x = layer_of(SpectralLinear, 6, 4), torch.ones(3, 2, 6, dtype=torch.float64)
    (layer(x) + layer(2 * x)).sum().backward()
    assert layer.weight.grad.isfinite().all()


@pytest.mark.parametrize(("plain", "spectral"), [(Linear, SpectralLinear), (Conv2d, SpectralConv2d)])
def test_initial_weights_are_those_of_the_plain_layer_and_vectors_of_a_seed_its_own(plain, spectral):
    sizes = (6, 4) if plain is Linear else (3, 4, True)
    first, second, alone = plain(4, *sizes), spectral(4, *sizes), spectral(1, *sizes)
    for layer, seeds in ((first, range(4)), (second, range(4)), (alone, range(2, 3))):
        initialise(layer, seeds, "critic")
    assert torch.equal(first.weight, second.weight)
    assert torch.equal(alone.norm.u[0], second.norm.u[2]) and not torch.equal(second.norm.u[0], second.norm.u[1])
