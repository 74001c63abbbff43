"""Names of measures: quantity, real images compared with, feature extractor and number of samples."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from pwgan.cells import FeatureReference
from pwgan.extractors import extractors

FRECHET = ("fd", "fid")
"""Names of the Fréchet distance: ``fid`` in the features of Inception, otherwise ``fd``."""


@cache
def _form() -> re.Pattern[str]:
    extractor = "|".join(map(re.escape, extractors()))
    return re.compile(rf"(?P<measure>.+?)(?:(?P<train>-train)?-(?P<extractor>{extractor}))?@(?P<count>\d+)")


@dataclass(frozen=True)
class MeasureName:
    """One measure as tables name it: ``measure@count``, or ``measure-extractor@count`` in the features of a network.

    ``measure-train-extractor@count`` compares with training images instead of held-out ones.
    """

    measure: str
    extractor: str | None
    count: int
    reference: FeatureReference = "heldout"

    def __str__(self) -> str:
        reference = "-train" if self.reference == "train" else ""
        features = f"-{self.extractor}" if self.extractor else ""
        return f"{self.measure}{reference}{features}@{self.count}"

    @classmethod
    def parse(cls, text: str) -> MeasureName:
        """Parse a name; raises ValueError if it is invalid."""
        form = _form().fullmatch(text)
        if form is None:
            raise ValueError(f"{text!r} is not the name of a measure: MEASURE@COUNT or MEASURE-EXTRACTOR@COUNT")
        reference: FeatureReference = "train" if form["train"] else "heldout"
        return cls(form["measure"], form["extractor"], int(form["count"]), reference)


def named(
    values: Mapping[str, float],
    count: int,
    extractor: str | None = None,
    reference: FeatureReference = "heldout",
) -> dict[str, float]:
    """Give measures of ``count`` samples their full names."""
    return {str(MeasureName(measure, extractor, count, reference)): value for measure, value in values.items()}
