"""What a claim is: a statement with criteria, each a statistic and the region in which the claim holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pwgan.report.claims.results import Parts, Results

Kind = Literal["mean", "share", "bounded"]


@dataclass(frozen=True)
class Criterion:
    """A statistic and the region of its parameter in which a claim holds.

    ``statistic``: description; ``evidence`` computes its parts. ``kind``: values of seeds are averaged (Student),
    counted (0 or 1; Wilson), or bounded and averaged (bootstrap). ``log``: values are logarithms of ratios; region and
    effects are given as ratios. ``equal_compute``: the cells of a part must have trained for equal times. ``judged``:
    false for statistics that are shown beside the claim and do not enter its verdict. ``premise``: unless all parts lie
    within the region, the claim is not judged; its parts are shown beside the claim.
    """

    statistic: str
    evidence: Callable[[Results], Parts]
    low: float
    high: float
    kind: Kind = "mean"
    log: bool = False
    equal_compute: bool = False
    judged: bool = True
    premise: bool = False

    @property
    def region(self) -> str:
        """Describe the region in words."""
        if not self.judged:
            return "not judged"
        return f"{self._within} (premise)" if self.premise else self._within

    @property
    def _within(self) -> str:
        if self.low == -np.inf or (self.log and self.low == 0):
            return f"at most {self.high:g}"
        return f"at least {self.low:g}" if self.high == np.inf else f"from {self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Claim:
    """A claim, its criteria, and the figure of the study that shows it, without suffix.

    ``once``: the claim is that something can happen, not that it always does. ``first``: the verdict of the first study
    and why its rule was replaced, for claims that it judged.
    """

    key: str
    statement: str
    criteria: tuple[Criterion, ...]
    figure: str
    once: bool = False
    first: tuple[str, str] | None = None
