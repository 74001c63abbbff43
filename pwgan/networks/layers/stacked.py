"""The classifier of images whose channels are images of their own, with a class each (stacked MNIST)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from pwgan.networks.layers.classifier import Classifier


class StackedClassifier(Classifier):
    """A classifier of single channels, applied to each of ``stack`` channels.

    The label of an image is c_1 k^(stack - 1) + ... + c_stack for the predicted classes c_i of its channels, 0 <= c_i <
    k; its features are those of its channels, concatenated. The weights are those of ``Classifier(1, k, size)``.
    """

    def __init__(self, stack: int, channel_classes: int, size: int) -> None:
        super().__init__(1, channel_classes, size)
        self.stack, self.channel_classes = stack, channel_classes
        self.classes = channel_classes**stack

    def features(self, images: Tensor, batch: int = 512) -> Tensor:
        """Return the features (n, 64 stack), float32 on the CPU, of uint8 or [-1, 1] images (n, stack, h, w)."""
        return super().features(self._single(images), batch).unflatten(0, images.shape[:2]).flatten(1)

    def predict(self, images: Tensor, batch: int = 512) -> Tensor:
        """Return the most likely labels (n,), int64 on the CPU, of uint8 or [-1, 1] images (n, stack, h, w)."""
        classes = super().predict(self._single(images), batch).unflatten(0, images.shape[:2])
        return (classes * places(self.stack, self.channel_classes)).sum(1)

    def _single(self, images: Tensor) -> Tensor:
        """Return the channels as images of their own: (n, stack, h, w) -> (n stack, 1, h, w)."""
        if images.ndim != 4 or images.shape[1] != self.stack:
            raise ValueError(f"images must be (n, {self.stack}, h, w), n >= 1; got {tuple(images.shape)}")
        return images.flatten(0, 1).unsqueeze(1)


def places(stack: int, channel_classes: int) -> Tensor:
    """Return what the class of each channel counts in a label, (stack,): ..., k^2, k, 1."""
    return channel_classes ** torch.arange(stack - 1, -1, -1)


def distinct_channels(images: np.ndarray, labels: np.ndarray, channel_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct channels of images as images of their own, in the order of their first appearance.

    Stacks share their channels: without this, a classifier would see each many times. images (n, stack, h, w), labels
    (n,) -> (m, 1, h, w), (m,) with labels in 0..k-1.
    """
    single = images.reshape(-1, 1, *images.shape[2:])
    classes = labels[:, None] // places(images.shape[1], channel_classes).numpy() % channel_classes
    rows = np.ascontiguousarray(single).reshape(len(single), -1)
    _, first = np.unique(rows.view(f"V{rows.itemsize * rows.shape[1]}"), return_index=True)
    first.sort()
    return single[first], classes.ravel()[first]
