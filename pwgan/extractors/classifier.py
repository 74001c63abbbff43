"""The classifier of a labelled data set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pwgan.errors import Refused
from pwgan.extractors.base import Extractor

if TYPE_CHECKING:
    from torch import Tensor

    from pwgan.data.base import DataSet
    from pwgan.networks.layers.classifier import Classifier


class OfClassifier(Extractor):
    """The penultimate layer of a classifier that was trained on the data set's own images."""

    features: ClassVar[int] = 64
    licence: ClassVar[str] = "that of the data"
    preprocessing: ClassVar[str] = "none: own size and channels, in [-1, 1]"
    classifier: ClassVar[bool] = True

    @classmethod
    def check(cls, data: DataSet) -> None:
        if not data.labelled:
            raise ValueError(f"features: {cls.name} needs labels, and this data set has none")

    def load(self, weights: Path | None, model: Classifier | None) -> Any:
        if model is None:
            option = f"--{self.name.replace('_', '-')}"
            raise Refused(f"features: {self.name} needs the trained classifier of the data set; give {option} FILE")
        return model.to(self.device).eval()

    def forward(self, images: Tensor) -> Tensor:
        return self.network.features(images)


class OfTraining(OfClassifier):
    """The classifier that is trained on the training set by a fixed rule (``measures.classifier``)."""

    name: ClassVar[str] = "classifier"
    source: ClassVar[str] = "trained on the training set by a fixed rule"
