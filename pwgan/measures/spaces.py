"""The feature spaces of a data set; features of real images are kept in a folder, so that other jobs read them."""

from __future__ import annotations

import hashlib
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from pwgan.errors import Refused
from pwgan.provenance import code_version
from pwgan.seals import identity, read_tensors, write_tensors

if TYPE_CHECKING:
    from pwgan.extractors.base import Extractor

log = logging.getLogger("pwgan")


class Space:
    """Features of one extractor: (n, c, h, w) -> (n, d), float32 on the CPU.

    A file in ``folder`` (None: no files) holds the features of one set of real images. Its name is a hash of the
    images' bytes, of the weights, of the code of the extractor, of the versions of torch and the extractor's packages,
    and of the kind of device, so that no change of any of them finds features of before. A damaged file is replaced.
    """

    def __init__(self, extractor: Extractor, folder: Path | None = None) -> None:
        self.extractor, self.folder = extractor, folder

    def __call__(self, images: Tensor) -> Tensor:
        """Return the features of images that no other job measures."""
        return self.extractor(images)

    def real(self, images: Tensor) -> Tensor:
        """Return the features of real images, from the folder if they are there."""
        if self.folder is None:
            return self.extractor(images)
        made_from = self._made_from(images)
        path = self.folder / f"{self.extractor.name}-{made_from}.safetensors"
        try:
            return read_tensors(path, "features", made_from)[0]["features"]
        except FileNotFoundError:
            pass
        except Refused as error:
            log.warning("%s; computing the features again", error)
        features = self.extractor(images)
        about = {"extractor": self.extractor.name, "images": len(images)}
        write_tensors(path, "features", made_from, {"features": features}, about)
        return features

    def _made_from(self, images: Tensor) -> str:
        pixels = images.cpu().contiguous()
        content = hashlib.blake2b(pixels.flatten().view(torch.uint8).numpy().data, digest_size=16).hexdigest()
        packages = [str(getattr(sys.modules.get(name), "__version__", "")) for name in self.extractor.packages]
        return identity(
            self.extractor.name,
            [*images.shape, str(images.dtype), content],
            self.extractor.weights_digest(),
            code_version(type(self.extractor).__module__),
            [str(torch.__version__), *packages],
            self.extractor.device.type,
        )
