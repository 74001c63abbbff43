"""Layers whose parameters have a leading seed axis, so one step trains all seeds.

Vectors are (S, m, features). Between layers, images are (m, S*channels, height, width), the layout of a grouped
convolution with one group per seed. No operation mixes seeds, so a diverging seed does not affect the others.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

# Fastest convolution on a CPU, by benchmarks/convolution.py: a matrix product over 4x4 windows where the product of
# image-side channels and height is small, otherwise one grouped call, with channels last if 3x3 windows make few
# channels. A call for each seed is no faster. On a GPU, one grouped call.
_SMALL = 32
_FEW_CHANNELS = 4
_WINDOW: dict[str, int] = {"kernel_size": 4, "stride": 2, "padding": 1}


def _as_product(x: torch.Tensor, picture_channels: int) -> bool:
    return not x.is_cuda and picture_channels * x.shape[-1] <= _SMALL


def _grouped(
    convolve: Callable[..., torch.Tensor], x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None
) -> torch.Tensor:
    """Convolve the channels of each seed with that seed's kernels, in one call."""
    flat = None if bias is None else bias.flatten()
    outputs, window = weight.shape[1], weight.shape[-1]
    stride, padding = 2 if window == 4 else 1, (window - 1) // 2
    groups, kernel, inputs = len(weight), weight.flatten(0, 1), x.shape[1] // len(weight)
    if window == 3 and not x.is_cuda and inputs > _FEW_CHANNELS:
        if outputs > _FEW_CHANNELS:
            parts = zip(x.chunk(groups, 1), weight, [None] * groups if bias is None else bias, strict=True)
            return torch.cat([convolve(_last(one), _last(own), b, padding=padding) for one, own, b in parts], 1)
        x, kernel = _last(x), _last(kernel)
    return convolve(x, kernel, flat, stride=stride, padding=padding, groups=groups)


def _last(x: torch.Tensor) -> torch.Tensor:
    """Return a tensor with the layout channels last."""
    return x.contiguous(memory_format=torch.channels_last)


class Linear(nn.Module):
    """y = x W + b for every seed: (S, m, inputs) -> (S, m, outputs)."""

    def __init__(self, seeds: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(seeds, inputs, outputs))
        self.bias = nn.Parameter(torch.empty(seeds, 1, outputs))

    def kernel(self) -> torch.Tensor:
        """Return the weights that are applied, (S, inputs, outputs)."""
        return self.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.baddbmm(self.bias, x, self.kernel())


class Conv2d(nn.Module):
    """Convolution with one kernel per seed: 4x4 windows that halve height and width, or 3x3 or 1x1 that keep them."""

    def __init__(self, seeds: int, inputs: int, outputs: int, bias: bool, window: int = 4) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(seeds, outputs, inputs, window, window))
        self.bias = nn.Parameter(torch.empty(seeds, outputs)) if bias else None

    def kernel(self) -> torch.Tensor:
        """Return the weights that are applied, (S, outputs, inputs, window, window)."""
        return self.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kernel = self.kernel()
        seeds, _outputs, inputs, window = kernel.shape[:4]
        if window < 4 or not _as_product(x, inputs):
            return _grouped(F.conv2d, x, kernel, self.bias)
        patches = F.unfold(x, **_WINDOW).unflatten(1, (seeds, inputs * 16))
        maps = torch.einsum("sop,mspl->msol", kernel.flatten(2), patches)
        if self.bias is not None:
            maps = maps + self.bias.unsqueeze(-1)
        return maps.flatten(1, 2).unflatten(-1, (x.shape[-2] // 2, x.shape[-1] // 2))


class ConvTranspose2d(nn.Module):
    """Strided 4x4 transposed convolution with one kernel per seed; doubles height and width."""

    def __init__(self, seeds: int, inputs: int, outputs: int, bias: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(seeds, inputs, outputs, 4, 4))
        self.bias = nn.Parameter(torch.empty(seeds, outputs)) if bias else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        seeds, inputs, outputs = self.weight.shape[:3]
        if not _as_product(x, outputs):
            return _grouped(F.conv_transpose2d, x, self.weight, self.bias)
        pixels = x.flatten(2).unflatten(1, (seeds, inputs))
        patches = torch.einsum("sip,msil->mspl", self.weight.flatten(2), pixels).flatten(1, 2)
        maps = F.fold(patches, (2 * x.shape[-2], 2 * x.shape[-1]), **_WINDOW)
        return maps if self.bias is None else maps + self.bias.view(-1, 1, 1)


class BatchNorm(nn.Module):
    """Batch normalisation with separate statistics for each seed."""

    def __init__(self, seeds: int, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(seeds, channels))
        self.bias = nn.Parameter(torch.empty(seeds, channels))
        self.running_mean: torch.Tensor
        self.running_var: torch.Tensor
        self.register_buffer("running_mean", torch.zeros(seeds, channels))
        self.register_buffer("running_var", torch.ones(seeds, channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.batch_norm(
            x,
            self.running_mean.view(-1),
            self.running_var.view(-1),
            self.weight.flatten(),
            self.bias.flatten(),
            training=self.training,
        )


class SpectralNorm(nn.Module):
    """Matrices W (S, rows, columns) -> W / sigma, sigma an estimate of each seed's largest singular value.

    One step of the power method: v = W^T u / |W^T u|, u' = W v / |W v|, sigma = u'^T W v. In training u' replaces u,
    the buffer ``u`` (S, rows, 1), so that later passes go on where this one ended; in evaluation u' = u. No gradient
    flows through u and v. sigma is never above the singular value, and tends to it where the weights change slowly.
    Source: Miyato et al., "Spectral normalization for generative adversarial networks", 2018, algorithm 1.
    """

    def __init__(self, seeds: int, rows: int) -> None:
        super().__init__()
        self.u: torch.Tensor
        self.register_buffer("u", torch.empty(seeds, rows, 1))

    def forward(self, matrix: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            v = F.normalize(matrix.mT @ self.u, dim=1)
            if self.training:
                # A new tensor: the graphs of earlier passes still hold the old one.
                self.u = F.normalize(matrix @ v, dim=1)
        return matrix / (self.u.mT @ matrix @ v)


class SpectralLinear(Linear):
    """``Linear`` with the weights of each seed divided by their largest singular value."""

    def __init__(self, seeds: int, inputs: int, outputs: int) -> None:
        super().__init__(seeds, inputs, outputs)
        self.norm = SpectralNorm(seeds, outputs)

    def kernel(self) -> torch.Tensor:
        return self.norm(self.weight.mT).mT


class SpectralConv2d(Conv2d):
    """``Conv2d`` with the kernels of each seed divided by the largest singular value of outputs x (inputs w w).

    That is the norm by which the paper replaces the norm of the convolution itself (section 2.1 and 3). Each number of
    an image is in at most 4 windows of size 4 and stride 2, or in 9 of size 3, so the norm of such a layer is at most 2
    or 3, not 1.
    """

    def __init__(self, seeds: int, inputs: int, outputs: int, bias: bool, window: int = 4) -> None:
        super().__init__(seeds, inputs, outputs, bias, window)
        self.norm = SpectralNorm(seeds, outputs)

    def kernel(self) -> torch.Tensor:
        return self.norm(self.weight.flatten(2)).view_as(self.weight)


def to_maps(images: torch.Tensor) -> torch.Tensor:
    """(S, m, channels, h, w) -> (m, S*channels, h, w)."""
    return images.transpose(0, 1).flatten(1, 2)


def from_maps(maps: torch.Tensor, seeds: int) -> torch.Tensor:
    """(m, S*channels, h, w) -> (S, m, channels, h, w)."""
    return maps.unflatten(1, (seeds, -1)).transpose(0, 1)


def latents(normal: torch.Tensor, law: str) -> torch.Tensor:
    """Return latents of a law from standard normal ones: themselves, or erf(z / sqrt 2), uniform on [-1, 1]."""
    return normal if law == "normal" else torch.erf(normal / math.sqrt(2))
