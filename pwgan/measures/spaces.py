"""The feature spaces of a data set; features of real images are kept in a folder, so that other jobs read them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from pwgan.measures.kept import kept
from pwgan.provenance import code_version

if TYPE_CHECKING:
    from pwgan.extractors.base import Extractor


class Space:
    """Features of one extractor: (n, c, h, w) -> (n, d), float32 on the CPU.

    Those of real images are kept in ``folder`` (None: nowhere), by the images, the weights, the code of the extractor,
    the versions of torch and of the extractor's packages, and the kind of device.
    """

    def __init__(self, extractor: Extractor, folder: Path | None = None) -> None:
        self.extractor, self.folder = extractor, folder

    def __call__(self, images: Tensor) -> Tensor:
        """Return the features of images that no other job measures."""
        return self.extractor(images)

    def real(self, images: Tensor) -> Tensor:
        """Return the features of real images, from the folder if they are there."""
        return kept(
            self.folder,
            f"features-{self.extractor.name}",
            [images],
            [
                self.extractor.weights_digest(),
                code_version(type(self.extractor).__module__),
                [str(getattr(sys.modules.get(name), "__version__", "")) for name in self.extractor.packages],
                self.extractor.device.type,
            ],
            lambda: self.extractor(images),
        )
