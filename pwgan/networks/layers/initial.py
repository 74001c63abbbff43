"""Initial parameters with a seed axis: each seed draws its own."""

from __future__ import annotations

import math

import torch
from torch import nn

from pwgan.networks.layers.seeds import BatchNorm, Conv2d, ConvTranspose2d, Linear, SpectralNorm
from pwgan.runtime import seed_of


@torch.no_grad()
def initialise(network: nn.Module, seeds: range, role: str, rule: str = "default", scale: float = 1.0) -> None:
    """Draw the initial parameters of each seed from its own generator.

    ``default``: weights and biases ~ U(-1/sqrt(fan_in), 1/sqrt(fan_in)), as torch's linear layers. ``normal``: weights
    ~ N(0, scale^2). ``orthogonal``: weights of orthonormal rows or columns, times ``scale`` (Saxe et al., 2014).
    ``glorot``: weights ~ U(-a, a), a^2 = 6 / (fan_in + fan_out) (Glorot and Bengio, 2010). With these three, biases are
    0. Gains of a normalisation are 1, or ~ N(1, scale^2) with ``normal``, as in DCGAN.
    Vectors of a power method are uniform on the sphere. A seed's draws do not depend on the other seeds.
    """
    for name, layer in network.named_modules():
        if not isinstance(layer, Linear | Conv2d | ConvTranspose2d | BatchNorm | SpectralNorm):
            continue
        for s, seed in enumerate(seeds):
            generator = torch.Generator().manual_seed(seed_of("initial weights", role, name, seed))
            if isinstance(layer, SpectralNorm):
                layer.u[s] = nn.functional.normalize(torch.randn(layer.u[s].shape, generator=generator), dim=0)
                continue
            weight, bias = layer.weight[s], layer.bias
            if bias is not None:
                bias[s] = 0.0
            if isinstance(layer, BatchNorm):
                gains = torch.randn(weight.shape, generator=generator) * scale + 1
                weight.copy_(gains if rule == "normal" else torch.ones_like(weight))
            elif rule == "normal":
                weight.copy_(torch.randn(weight.shape, generator=generator) * scale)
            elif rule == "orthogonal":
                weight.copy_(nn.init.orthogonal_(torch.empty(weight.shape), scale, generator=generator))
            elif rule == "glorot":
                weight.copy_(nn.init.xavier_uniform_(torch.empty(weight.shape), generator=generator))
            else:
                fan_in = weight.shape[0] if isinstance(layer, Linear) else weight[0].numel()
                limit = 1 / math.sqrt(fan_in)
                weight.copy_((2 * torch.rand(weight.shape, generator=generator) - 1) * limit)
                if bias is not None:
                    bias[s] = (2 * torch.rand(bias[s].shape, generator=generator) - 1) * limit
