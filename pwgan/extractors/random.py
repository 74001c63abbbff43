"""A small network with random weights: features that no training set has shaped."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pwgan.extractors.base import Extractor

if TYPE_CHECKING:
    from torch import Tensor

    from pwgan.networks.layers.classifier import Classifier


class Random(Extractor):
    """The network of the classifier with He's normal weights from a fixed seed.

    Source: Naeem et al., "Reliable fidelity and diversity metrics for generative models", 2020 (random embeddings).
    """

    name: ClassVar[str] = "random"
    features: ClassVar[int] = 64
    source: ClassVar[str] = "none: drawn from a fixed seed"
    licence: ClassVar[str] = "none needed"
    preprocessing: ClassVar[str] = "none: own size and channels, in [-1, 1]"

    def load(self, weights: Path | None, model: Classifier | None) -> Any:
        return None  # it depends on the number of channels

    def forward(self, images: Tensor) -> Tensor:
        from pwgan.networks.layers.classifier import untrained

        return untrained(*images.shape[1:3]).to(self.device).features(images)

    def weights_digest(self) -> str:
        return ""  # they are a function of the code
