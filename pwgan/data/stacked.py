"""Stacked MNIST: three digits as the channels of one image, a thousand modes that a classifier of digits counts."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from pwgan.data.base import DataSet, Split
from pwgan.data.embedded import Mnist5k
from pwgan.data.idx import Mnist
from pwgan.errors import Refused
from pwgan.runtime import seed_of

DIGITS = 10
CHANNELS = 3
STACKS = 128_000


class StackedMnist(DataSet):
    """Three digits a, b, c, drawn independently, as the channels of an image (3, 28, 28), uint8; label 100a + 10b + c.

    The stacks are fixed: training stacks are drawn with replacement from the training digits of ``source``. The first
    half of the held-out stacks is drawn from the first half of the held-out digits, the second from the second, so
    that what is learnt from one half has not seen the digits of the other.

    Sources: Metz et al. 2017, section 3.3.1; Srivastava et al. 2017, section 4.2; Lin et al. 2018, section 4.2, for
    128,000 fixed stacks, drawn there from all 70,000 digits, and 26,000 samples on which modes are counted. Metz et al.
    draw new stacks for every mini-batch instead.
    """

    name: ClassVar[str] = "stacked_mnist"

    source: Literal["mnist5k", "mnist"] = Field("mnist5k", description="the digits; mnist5k needs no download")
    root: Path | None = Field(None, description="of source mnist: a folder in torchvision's layout")
    download: bool = Field(True, description="of source mnist: download files that are missing")
    samples: int = Field(STACKS, ge=1, le=STACKS, description="number of training stacks, the first ones")
    heldout: int = Field(26_000, ge=1, description="number of held-out stacks")

    @model_validator(mode="after")
    def _fits(self) -> StackedMnist:
        if self.root is not None and self.source != "mnist":
            raise Refused(f"root is read with source: mnist only; got source: {self.source}")
        return self

    @property
    def labelled(self) -> bool:
        return True

    def train_size(self) -> int:
        return self.samples

    def heldout_size(self) -> int:
        return self.heldout

    def sample_shape(self) -> tuple[int, ...]:
        return (CHANNELS, 28, 28)

    def sources(self) -> list[Path]:
        return self._digits().sources()

    def load(self) -> Split:
        digits = self._digits().load()
        assert digits.train_labels is not None and digits.heldout_labels is not None
        train, train_labels = self._stacks(digits.train, digits.train_labels, "train", self.samples)
        halves = np.arange(self.heldout) >= self.heldout // 2
        heldout, heldout_labels = self._stacks(digits.heldout, digits.heldout_labels, "heldout", self.heldout, halves)
        return Split(train, heldout, train_labels, heldout_labels, channel_classes=DIGITS)

    def _digits(self) -> DataSet:
        return (
            Mnist5k()
            if self.source == "mnist5k"
            else Mnist.model_validate({"root": self.root, "download": self.download})
        )

    def _stacks(
        self, images: np.ndarray, labels: np.ndarray, part: str, count: int, halves: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw stacks, uint8 (count, 3, 28, 28), and their labels (count,).

        ``halves`` (count,) says of each stack whether its digits are of the first half of the images (0) or the second
        (1); without it they are of all images, and the stacks of a smaller count come first.
        """
        rng = np.random.default_rng(seed_of("data", self.name, part))
        if halves is None:
            chosen = rng.integers(len(images), size=(count, CHANNELS))
        else:
            half = len(images) // 2
            chosen = rng.integers(half, size=(count, CHANNELS)) + half * halves[:, None]
        return images[chosen, 0], labels[chosen] @ DIGITS ** np.arange(CHANNELS)[::-1]
