"""A classifier of a labelled data set that no training image has shaped."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pwgan.extractors.classifier import OfClassifier

if TYPE_CHECKING:
    from pwgan.data.base import DataSet

FEWEST_HELDOUT = 200


class OfHeldout(OfClassifier):
    """A classifier trained by the same rule on the second half of the held-out images; references are the first half.

    Training images look otherwise to the network that was trained on them than new ones do, which shifts the distance
    of a generator that copies them and of the real ones that are the floor.
    """

    name: ClassVar[str] = "classifier_heldout"
    source: ClassVar[str] = "trained on the second half of the held-out images by the same rule"

    @classmethod
    def check(cls, data: DataSet) -> None:
        super().check(data)
        if data.heldout_size() < FEWEST_HELDOUT:
            raise ValueError(
                f"features: {cls.name} is trained on half of the held-out images, at least {FEWEST_HELDOUT // 2}; "
                f"{data.heldout_size()} are held out"
            )

    @classmethod
    def references(cls, heldout: int) -> int:
        return heldout // 2
