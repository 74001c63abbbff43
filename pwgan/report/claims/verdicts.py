"""Verdicts on the claims, from the results of a study.

The statistic of a claim has one or more parts (data sets, methods); each part has one value per seed, or a single
number for a check that has no seeds. A part is supported if its interval lies within the region of the claim,
contradicted if it lies entirely outside, and inconclusive otherwise. Intervals are Student intervals over seeds, at
95 % for all parts of a claim together (Bonferroni). A claim that something always holds is contradicted if one of its
parts is, and supported if all are. A claim that something can happen is supported if one of its parts is, and
contradicted if all are. A part with a diverged seed is never supported.
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
    """One part of a claim: mean and interval of its statistic, number of seeds and of diverged seeds, and verdict."""

    part: str
    effect: float
    low: float
    high: float
    seeds: int
    diverged: int
    verdict: str


@dataclass(frozen=True)
class Judgement:
    """A claim with its verdict and its parts; ``missing`` is the reason if there are no parts."""

    claim: Claim
    verdict: str
    parts: list[Effect]
    missing: str = ""

    @property
    def deciding(self) -> Effect | None:
        """The part that decides the verdict: the one farthest from support, or nearest to it if one part is enough."""
        order = [CONTRADICTED, INCONCLUSIVE, SUPPORTED]
        choose = max if self.claim.once else min
        return choose(
            self.parts, key=lambda part: (order.index(part.verdict), -_beyond(self.claim, part)), default=None
        )


def _beyond(claim: Claim, part: Effect) -> float:
    """Return the distance of an effect from the region; negative inside."""
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
    sample = np.atleast_1d(np.asarray(values, float))
    exact = np.ndim(values) == 0
    diverged = int(np.isnan(sample).sum())
    mean, half, seeds = interval(sample, 1 - (1 - CONFIDENCE) / parts)
    low, high = (mean, mean) if exact else (mean - half, mean + half)
    if claim.log:
        mean, low, high = np.exp(mean), np.exp(low), np.exp(high)
    verdict = INCONCLUSIVE
    if high < claim.low or low > claim.high:
        verdict = CONTRADICTED
    elif claim.low <= low and high <= claim.high and not diverged:
        verdict = SUPPORTED
    return Effect(name, float(mean), float(low), float(high), 0 if exact else seeds, diverged, verdict)
