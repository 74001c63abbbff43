"""Data sets in MNIST's file format: MNIST and Fashion-MNIST, their files verified by checksums."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from pwgan.data.torchvision import TorchVision
from pwgan.errors import Refused
from pwgan.runtime import sha256

if TYPE_CHECKING:
    from torch import Tensor

FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
SIZES = (47_040_016, 60_008, 7_840_016, 10_008)
"""Bytes of the published files, uncompressed; the same for MNIST and Fashion-MNIST."""


class Raw(NamedTuple):
    """Images (n, 28, 28) uint8 and labels (n,) of one part, as the data sets of torchvision name them."""

    data: Tensor
    targets: Tensor


def published(folder: str, *sums: str) -> dict[str, tuple[int, str]]:
    """Return size in bytes and SHA-256 of each of ``FILES`` by its path below the root."""
    return {f"{folder}/{name}": (size, sha) for name, size, sha in zip(FILES, SIZES, sums, strict=True)}


class Idx(TorchVision):
    """Grey 28x28 images in MNIST's file format.

    A file as large as the published one must have its SHA-256. Smaller files are read if ``samples`` and ``heldout``
    ask for no more images than they hold.
    """

    totals: ClassVar[tuple[int, int]] = (60_000, 10_000)
    sums: ClassVar[dict[str, tuple[int, str]]]

    @property
    def labelled(self) -> bool:
        return True

    def sample_shape(self) -> tuple[int, ...]:
        return (1, 28, 28)

    def sources(self) -> list[Path]:
        """Return the files of ``root``, if the user gave one; raises as the base class, and as ``refuse_altered``."""
        files = super().sources()
        if self.root:
            self.refuse_altered(self._root())
        return files

    def refuse_altered(self, root: Path) -> None:
        """Raise ``Refused`` naming the first file that has the size of the published one, but not its contents."""
        for path, (size, expected) in self.sums.items():
            file = root / path
            if file.is_file() and file.stat().st_size == size and (found := sha256(file)) != expected:
                raise Refused(
                    f"data set {self.name!r}: {file} is as large as the published file, but its contents differ "
                    f"(SHA-256 {found}, published {expected}). Replace it"
                )

    def _read(self, root: Path, train: bool, fetch: bool) -> Any:
        from torchvision import datasets
        from torchvision.datasets.mnist import read_image_file, read_label_file

        if fetch:
            getattr(datasets, self.torchvision_class)(root, download=True)
        self.refuse_altered(root)
        # The class would read files of an older torchvision, processed/*.pt, instead of these where it finds them.
        images, labels = (str(root / path) for path in self.needed[0 if train else 2 :][:2])
        source = Raw(read_image_file(images), read_label_file(labels))
        if source.data.shape != (len(source.targets), 28, 28):
            raise Refused(f"images of shape {tuple(source.data.shape)} with {len(source.targets)} labels")
        return source

    def _pixels(self, source: Any, part: str) -> np.ndarray:
        return source.data.numpy()[self._choice(len(source.data), part), None]


class Mnist(Idx):
    """60000 + 10000 handwritten digits, 28x28 grey, ten classes. Source: LeCun et al. 1998."""

    name: ClassVar[str] = "mnist"
    torchvision_class: ClassVar[str] = "MNIST"
    sums: ClassVar[dict[str, tuple[int, str]]] = published(
        "MNIST/raw",
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    )
    needed: ClassVar[tuple[str, ...]] = tuple(sums)


class FashionMnist(Idx):
    """60000 + 10000 photographs of clothes, 28x28 grey, ten classes. Source: Xiao et al. 2017."""

    name: ClassVar[str] = "fashion_mnist"
    torchvision_class: ClassVar[str] = "FashionMNIST"
    sums: ClassVar[dict[str, tuple[int, str]]] = published(
        "FashionMNIST/raw",
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    )
    needed: ClassVar[tuple[str, ...]] = tuple(sums)
