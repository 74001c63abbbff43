"""The Inception network of FID."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pwgan.errors import Refused
from pwgan.extractors.base import OfPhotographs, as_rgb
from pwgan.extractors.weights import download, read_weights
from pwgan.lazy import torch
from pwgan.optional import optional

if TYPE_CHECKING:
    from torch import Tensor

    from pwgan.networks.layers.classifier import Classifier

LAYER = "2048"  # pooled features, on which FID is defined


class Inception(OfPhotographs):
    """The pooled features of the Inception network on which FID is defined, as torch-fidelity computes them.

    Source: Heusel et al., "GANs trained by a two time-scale update rule converge to a local Nash equilibrium", 2017.
    """

    name: ClassVar[str] = "inception"
    features: ClassVar[int] = 2048
    source: ClassVar[str] = "Inception v3 of 2015, trained on ImageNet: a file, or a download of 96 MB"
    licence: ClassVar[str] = "Apache-2.0"
    preprocessing: ClassVar[str] = (
        "8 bits, RGB, bilinear to 299 × 299 as TensorFlow 1 did (no antialiasing), (x - 128) / 128"
    )
    packages: ClassVar[tuple[str, ...]] = ("torch_fidelity",)
    extra: ClassVar[str] = "fidelity"
    reads_file: ClassVar[bool] = True
    url: ClassVar[str | None] = (
        "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth"
    )

    def load(self, weights: Path | None, model: Classifier | None) -> Any:
        """Raises ``Refused`` for a file with other weights, besides what ``read_weights`` and ``download`` raise."""
        module = optional("torch_fidelity.feature_extractor_inceptionv3", self.extra)
        state = download(self.name, str(self.url)) if weights is None else read_weights(weights, self.name)
        # torch-fidelity unpickles without weights_only: pass it a re-saved copy of the safely loaded tensors.
        plain = io.BytesIO()
        torch.save(state, plain)
        plain.seek(0)
        try:
            # Initialising the weights, which are then overwritten, draws random numbers.
            with torch.random.fork_rng(devices=[]):
                network = module.FeatureExtractorInceptionV3("inception", [LAYER], feature_extractor_weights_path=plain)
        except (RuntimeError, TypeError) as error:
            raise Refused(
                f"{weights or self.url} holds other weights than those of torch-fidelity's Inception network"
            ) from error
        return network.to(self.device)

    def forward(self, images: Tensor) -> Tensor:
        return self.network(as_rgb(images))[0]
