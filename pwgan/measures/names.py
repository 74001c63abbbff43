"""Names of measures: quantity, feature extractor and number of samples."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pwgan.cells import EXTRACTORS

FRECHET = ("fd", "fid")
"""Names of the Fréchet distance: ``fid`` in the features of Inception, otherwise ``fd``."""
_FORM = re.compile(rf"(?P<measure>.+?)(?:-(?P<extractor>{'|'.join(EXTRACTORS)}))?@(?P<count>\d+)")


@dataclass(frozen=True)
class MeasureName:
    """One measure as tables name it: ``measure@count``, or ``measure-extractor@count`` in the features of a network."""

    measure: str
    extractor: str | None
    count: int

    def __str__(self) -> str:
        features = f"-{self.extractor}" if self.extractor else ""
        return f"{self.measure}{features}@{self.count}"

    @classmethod
    def parse(cls, text: str) -> MeasureName:
        """Parse a name; raises ValueError if it is invalid."""
        form = _FORM.fullmatch(text)
        if form is None:
            raise ValueError(f"{text!r} is not the name of a measure: MEASURE@COUNT or MEASURE-EXTRACTOR@COUNT")
        return cls(form["measure"], form["extractor"], int(form["count"]))


def named(values: Mapping[str, float], count: int, extractor: str | None = None) -> dict[str, float]:
    """Give measures of ``count`` samples their full names."""
    return {str(MeasureName(measure, extractor, count)): value for measure, value in values.items()}
