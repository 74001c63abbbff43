"""The interface of a feature extractor."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pwgan.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor

    from pwgan.data.base import DataSet
    from pwgan.networks.layers.classifier import Classifier


class Extractor:
    """A fixed map from images (n, c, h, w) to features (n, d), in which two sets of images are compared.

    Subclasses set ``name`` (used in studies and in names of measures) and the other attributes, and implement ``load``
    and ``forward``. Reading a study uses the class only, so a module must not import large packages.
    """

    name: ClassVar[str]
    features: ClassVar[int]
    """Number d of features."""
    source: ClassVar[str]
    """Where the weights come from, in words."""
    licence: ClassVar[str]
    """Licence of the weights."""
    preprocessing: ClassVar[str]
    """What happens to an image before the network, in words; in code it is part of ``forward``."""
    packages: ClassVar[tuple[str, ...]] = ()
    """Optional packages that must be installed, and the extra of pwgan that installs them."""
    extra: ClassVar[str] = ""
    reads_file: ClassVar[bool] = False
    """Whether a study may name a file of weights, ``measures.weights.NAME``; it must if there is no ``url``."""
    url: ClassVar[str | None] = None
    """Where the weights are downloaded from if the study names no file; the file name holds their hash."""
    classifier: ClassVar[bool] = False
    """Whether the network is a classifier trained on the data set, which is passed as ``model``."""

    def __init__(
        self,
        weights: Path | None = None,
        model: Classifier | None = None,
        device: torch.device | str = "cpu",
        batch: int = 64,
    ) -> None:
        """Load the network once; raises ``Refused`` or FileNotFoundError if that is impossible."""
        self.device, self.batch = torch.device(device), batch
        self.network = self.load(weights, model)

    @classmethod
    def check(cls, data: DataSet) -> None:
        """Raise ValueError if images of a data set cannot be measured; planning calls it."""

    @classmethod
    def references(cls, heldout: int) -> int:
        """Return how many of the first held-out images may be references: those that did not shape the network."""
        return heldout

    def load(self, weights: Path | None, model: Classifier | None) -> Any:
        """Return the network in eval mode on ``self.device``."""
        raise NotImplementedError

    def forward(self, images: Tensor) -> Tensor:
        """Return features (n, d) of a batch on ``self.device``: uint8, or floats in [-1, 1]."""
        raise NotImplementedError

    def __call__(self, images: Tensor) -> Tensor:
        """Return features (n, d), float32 on the CPU, of images (n, c, h, w), uint8 or floats in [-1, 1].

        Raises ValueError for other shapes, types and values.
        """
        _check(images)
        with torch.no_grad():
            parts = [self.forward(part.to(self.device)).cpu() for part in images.split(self.batch)]
        return torch.cat(parts)

    def weights_digest(self) -> str:
        """Return a hash of all weights of the network."""
        digest = hashlib.blake2b(digest_size=16)
        for name, tensor in sorted(self.network.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
        return digest.hexdigest()


class OfPhotographs(Extractor):
    """A network trained on photographs: it reads 8-bit RGB images, grey ones repeated over the channels."""

    @classmethod
    def check(cls, data: DataSet) -> None:
        channels = data.sample_shape()[0]
        if channels not in (1, 3):
            raise ValueError(f"features: {cls.name} reads images of 1 or 3 channels, and these have {channels}")


def as_bytes(images: Tensor) -> Tensor:
    """Return images as uint8: x in [-1, 1] becomes the nearest integer to 127.5 (x + 1), uint8 stays."""
    return images if images.dtype == torch.uint8 else ((images + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def as_rgb(images: Tensor) -> Tensor:
    """Return images (n, 1 or 3, h, w) as 8-bit RGB (n, 3, h, w); raises ValueError for other numbers of channels."""
    if images.shape[1] not in (1, 3):
        raise ValueError(f"images must have 1 or 3 channels; got {images.shape[1]}")
    return as_bytes(images).expand(-1, 3, -1, -1)


def _check(images: Tensor) -> None:
    """Raise ValueError unless ``images`` is a batch of images, uint8 or finite floats in [-1, 1]."""
    if images.ndim != 4 or len(images) == 0:
        raise ValueError(f"images must be (n, c, h, w), n >= 1; got {tuple(images.shape)}")
    if images.dtype != torch.uint8 and not (images.is_floating_point() and bool((images.abs() <= 1 + 1e-4).all())):
        raise ValueError(f"images must be uint8 or finite floats in [-1, 1]; got {images.dtype} out of range or NaN")
