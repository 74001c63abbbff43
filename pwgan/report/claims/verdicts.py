"""Verdicts: what a study's results say of each claim.

A claim rests on a statistic with one or more parts (data sets, methods), each a value per seed, or one number where the
check is arithmetic. A part is supported where its interval lies within the region of its claim, contradicted where it
lies wholly outside, and inconclusive otherwise. The intervals are Student's over seeds, at 95 % for all parts of a
claim together (Bonferroni). A claim that says "always" is contradicted if one of its parts is, supported if all are;
one that says "it happens" is supported if one of its parts is, contradicted if all are. A part in which a seed diverged
cannot be supported.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pwgan.report.claims.evidence import NotMeasured, Results
from pwgan.report.claims.rules import Claim
from pwgan.report.statistics import CONFIDENCE, interval

SUPPORTED, CONTRADICTED, INCONCLUSIVE = "supported", "contradicted", "inconclusive"


@dataclass(frozen=True)
class Effect:
    """One part of a claim: mean and interval of its statistic, seeds behind it, those that diverged, the verdict."""

    part: str
    effect: float
    low: float
    high: float
    seeds: int
    diverged: int
    verdict: str


@dataclass(frozen=True)
class Judgement:
    """A claim with its verdict, the parts that it rests on, and why there are none, if so."""

    claim: Claim
    verdict: str
    parts: list[Effect]
    missing: str = ""

    @property
    def deciding(self) -> Effect | None:
        """The part that the verdict hangs on: the one farthest from support, or nearest if one is enough."""
        order = [CONTRADICTED, INCONCLUSIVE, SUPPORTED]
        choose = max if self.claim.once else min
        return choose(
            self.parts, key=lambda part: (order.index(part.verdict), -_beyond(self.claim, part)), default=None
        )


def _beyond(claim: Claim, part: Effect) -> float:
    """By how much an effect lies outside the region, or less than nothing inside."""
    scale = np.log if claim.log else float
    with np.errstate(divide="ignore"):
        return float(max(scale(part.effect) - scale(claim.high), scale(claim.low) - scale(part.effect)))


def judge(claim: Claim, results: Results) -> Judgement:
    """Compute a claim's statistic and apply its rule."""
    try:
        parts = claim.evidence(results)
    except NotMeasured as reason:
        return Judgement(claim, INCONCLUSIVE, [], f"not measured: {reason}")
    effects = [_effect(claim, name, values, len(parts)) for name, values in parts.items()]
    verdicts = {effect.verdict for effect in effects}
    one, every = (SUPPORTED, CONTRADICTED) if claim.once else (CONTRADICTED, SUPPORTED)
    if one in verdicts:
        return Judgement(claim, one, effects)
    return Judgement(claim, every if verdicts == {every} else INCONCLUSIVE, effects)


def _effect(claim: Claim, name: str, values: npt.ArrayLike, parts: int) -> Effect:
    given = np.atleast_1d(np.asarray(values, float))
    exact = np.ndim(values) == 0
    diverged = int(np.isnan(given).sum())
    mean, half, seeds = interval(given, 1 - (1 - CONFIDENCE) / parts)
    low, high = (mean, mean) if exact else (mean - half, mean + half)
    if claim.log:
        mean, low, high = np.exp(mean), np.exp(low), np.exp(high)
    verdict = INCONCLUSIVE
    if high < claim.low or low > claim.high:
        verdict = CONTRADICTED
    elif claim.low <= low and high <= claim.high and not diverged:
        verdict = SUPPORTED
    return Effect(name, float(mean), float(low), float(high), 0 if exact else seeds, diverged, verdict)
