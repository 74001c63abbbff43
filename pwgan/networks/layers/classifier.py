"""A small convolutional classifier, and the features of the same network with random weights."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor, nn

from pwgan.data.store import to_float

FEATURES = 64
MAPS = 9
"""Layers of the body up to the last convolution and its rectifier."""
LARGE = 16
"""Height from which the first convolution halves the image: a fifth of the time at 28 pixels, and as accurate."""


class Classifier(nn.Module):
    """Three convolutions and two linear layers for square images of ``size`` pixels, 8 to 64, one or three channels.

    The second and third convolution halve the image, from 16 pixels on the first too; average pooling to 2 x 2
    follows. The penultimate layer has 64 non-negative features. Weights have the layout channels last, which is the
    faster one on CPUs.
    """

    def __init__(self, channels: int, classes: int, size: int) -> None:
        super().__init__()
        self.channels, self.classes, self.size = channels, classes, size
        widths = (channels, 32, 64, 128)
        strides = (2 if size >= LARGE else 1, 2, 2)
        layers: list[nn.Module] = []
        for i, stride in enumerate(strides):
            layers += [
                nn.Conv2d(widths[i], widths[i + 1], 3, stride=stride, padding=1, bias=False),
                nn.BatchNorm2d(widths[i + 1]),
                nn.ReLU(),
            ]
        self.body = nn.Sequential(
            *layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * widths[-1], FEATURES), nn.ReLU()
        )
        self.head = nn.Linear(FEATURES, classes)
        self.to(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> Tensor:
        """Map images (n, channels, h, w) in [-1, 1] to logits (n, classes)."""
        logits: Tensor = self.head(self.body(images))
        return logits

    def features(self, images: Tensor, batch: int = 512) -> Tensor:
        """Return the penultimate features (n, 64), float32 on the CPU, of uint8 or [-1, 1] images of any length."""
        return self._batched(self.body, images, batch)

    def predict(self, images: Tensor, batch: int = 512) -> Tensor:
        """Return the most likely labels (n,), int64 on the CPU, of uint8 or [-1, 1] images of any length."""
        return self._batched(self, images, batch).argmax(1)

    @torch.no_grad()
    def _batched(self, network: Callable[[Tensor], Tensor], images: Tensor, batch: int) -> Tensor:
        shape = (self.channels, self.size, self.size)
        if images.shape[1:] != shape or len(images) == 0:
            raise ValueError(f"images must be (n, *{shape}), n >= 1; got {tuple(images.shape)}")
        device = self.head.weight.device
        self.eval()
        return torch.cat([network(to_float(part.to(device))).cpu() for part in images.split(batch)])


@cache
def untrained(channels: int, size: int) -> Classifier:
    """Return the network with random weights, for features that no training set has shaped; the same in each process.

    He's normal weights from a fixed seed, no biases, and batch normalisation with mean 0 and variance 1.

    Sources: Naeem et al., "Reliable fidelity and diversity metrics for generative models", 2020 (random embeddings);
    He et al., "Delving deep into rectifiers", 2015 (weights).
    """
    model = Classifier(channels, 1, size)
    generator = torch.Generator().manual_seed(0)
    for layer in model.body:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
        if isinstance(layer, nn.Linear):
            nn.init.zeros_(layer.bias)
    return model.eval().requires_grad_(False)


def random_maps(images: Tensor) -> Tensor:
    """Return the maps of the last convolution of ``untrained``, with gradients: (S, n, c, h, w) float32 -> (S, n, d).

    d = 8 h w, from 16 pixels on 2 h w. The 64 features after pooling say too little about an image to train on: with
    them ``pwgan_debiased`` reached a Fréchet distance of 51 on digits, with the maps 4.8.
    """
    convolutions = untrained(*images.shape[2:4]).to(images.device).body[:MAPS]
    return convolutions(images.flatten(0, 1)).flatten(1).unflatten(0, images.shape[:2])
