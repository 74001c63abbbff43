"""Verdicts on the empirical claims, from the results of a study.

A claim has one or more criteria; each computes a statistic for one or more parts (data sets, methods). Every part gives
two p-values, from the confidence distribution of its estimate: that its parameter lies within the criterion's region by
chance (for support), and beyond it by chance (for contradiction).

- A claim that something always holds is supported if every part is (the largest p-value: an intersection-union test),
  and contradicted if one part is (the smallest, times the number of parts: Bonferroni).
- A claim that something can happen is supported if one part is (Bonferroni), and contradicted if all are.

The level is 5 %. The corrected verdicts apply Holm's procedure to all empirical claims together, each with the smaller
of its two p-values; claims without results count with p = 1. Diverged seeds count against: a share or a bounded value
of a diverged seed is 0, and a mean over seeds with a diverged one never supports.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd

from pwgan.report.claims.claim import Claim, Criterion
from pwgan.report.claims.results import Cell, NotMeasured, Results, Sample
from pwgan.report.confidence import Estimate, bootstrap_estimate, mean_estimate, share_estimate
from pwgan.report.statistics import CONFIDENCE, holm

Verdict = Literal["supported", "contradicted", "inconclusive"]
SUPPORTED: Verdict = "supported"
CONTRADICTED: Verdict = "contradicted"
INCONCLUSIVE: Verdict = "inconclusive"
LEVEL = 1 - CONFIDENCE
ROUNDING = 1e-12
"""P-values up to this much above the level count as at the level."""


@dataclass(frozen=True)
class Part:
    """One part of a criterion: its estimate in the units of the criterion, p-values, lost seeds and seconds.

    ``lost`` counts the seeds that diverged, or whose critic did not come to a standstill; ``within`` and ``beyond`` are
    the p-values for support and for contradiction; ``seconds`` the training seconds per seed of each cell compared.
    """

    criterion: Criterion
    name: str
    effect: float
    low: float
    high: float
    seeds: int
    lost: int
    within: float
    beyond: float
    seconds: dict[Cell, float] = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        """The verdict on this part alone."""
        return _verdict(self.within, self.beyond)

    @property
    def imbalance(self) -> float:
        """Longest over shortest training time of the cells compared; NaN if fewer than two are known."""
        known = [value for value in self.seconds.values() if value > 0]
        return max(known) / min(known) if len(known) > 1 else np.nan


@dataclass(frozen=True)
class Judgement:
    """A claim with its p-values, uncorrected and corrected verdict, and parts; ``missing`` says what was not measured.

    ``reported`` are parts of criteria that are shown and not judged.
    """

    claim: Claim
    within: float
    beyond: float
    parts: list[Part]
    reported: list[Part]
    missing: str = ""
    adjusted: float = 1.0

    @property
    def verdict(self) -> Verdict:
        """The verdict without correction for the number of claims."""
        return _verdict(self.within, self.beyond)

    @property
    def corrected(self) -> Verdict:
        """The verdict after Holm's correction for all claims together."""
        return self.verdict if self.adjusted <= LEVEL + ROUNDING else INCONCLUSIVE

    @property
    def deciding(self) -> Part | None:
        """The part that decides the verdict: the one farthest from support, or nearest to it if one part is enough."""
        if not self.parts:
            return None
        choose = min if self.claim.once else max
        return choose(self.parts, key=lambda part: (part.within, -part.beyond))


def judge_all(claims: Iterable[Claim], results: Results) -> list[Judgement]:
    """Judge all claims, with Holm's correction for their number."""
    judged = [judge(claim, results) for claim in claims]
    adjusted = holm([min(one.within, one.beyond) for one in judged])
    return [
        Judgement(one.claim, one.within, one.beyond, one.parts, one.reported, one.missing, float(p))
        for one, p in zip(judged, adjusted, strict=True)
    ]


def judge(claim: Claim, results: Results) -> Judgement:
    """Compute the statistics of a claim and apply its rule, without correction for the number of claims."""
    parts: list[Part] = []
    reported: list[Part] = []
    missing: list[str] = []
    for criterion in claim.criteria:
        try:
            samples = criterion.evidence(results)
        except NotMeasured as reason:
            if criterion.judged:
                missing.append(str(reason))
            continue
        chosen = parts if criterion.judged else reported
        chosen += [_part(criterion, name, sample, results) for name, sample in samples.items()]
    within, beyond = 1.0, 1.0
    if parts:
        withins, beyonds = [part.within for part in parts], [part.beyond for part in parts]
        if claim.once:
            within, beyond = _one_of(withins), max(beyonds)
        else:
            within, beyond = max(withins), _one_of(beyonds)
    if missing:
        # What is missing could refuse a claim about everything, and could support one that something can happen.
        within, beyond = (within, 1.0) if claim.once else (1.0, beyond)
    return Judgement(claim, within, beyond, parts, reported, "; ".join(dict.fromkeys(missing)))


def _one_of(ps: list[float]) -> float:
    """Return Bonferroni's p-value of the hypothesis that all of several hypotheses hold."""
    return min(1.0, len(ps) * min(ps))


def _verdict(within: float, beyond: float) -> Verdict:
    if within <= LEVEL + ROUNDING:
        return SUPPORTED
    return CONTRADICTED if beyond <= LEVEL + ROUNDING else INCONCLUSIVE


def _part(criterion: Criterion, name: str, sample: Sample, results: Results) -> Part:
    if isinstance(sample.values, Estimate):
        estimate, lost = sample.values, 0
    else:
        values = np.atleast_1d(np.asarray(sample.values, float))
        lost = int(np.isnan(values).sum())
        estimate = _estimate(criterion, values)
    low, high = criterion.low, criterion.high
    if criterion.log:
        with np.errstate(divide="ignore"):
            low, high = float(np.log(low)), float(np.log(high))
    within, beyond = (p if p == p else 1.0 for p in (estimate.within(low, high), estimate.beyond(low, high)))
    if lost and criterion.kind == "mean":
        within = 1.0
    ends = np.array([estimate.value, estimate.low, estimate.high])
    effect, lower, upper = np.exp(ends) if criterion.log else ends
    numbers = float(effect), float(lower), float(upper), estimate.count
    return Part(criterion, name, *numbers, lost, within, beyond, _seconds(sample, results))


def _estimate(criterion: Criterion, values: np.ndarray) -> Estimate:
    if criterion.kind == "share":
        return share_estimate(int(np.nansum(values)), len(values))
    if criterion.kind == "bounded":
        return bootstrap_estimate(np.nan_to_num(values, nan=0.0))
    return mean_estimate(values[~np.isnan(values)])


def _seconds(sample: Sample, results: Results) -> dict[Cell, float]:
    if not sample.cells:
        return {}
    try:
        known: pd.Series = results.seconds()
    except NotMeasured:
        return {}
    return {cell: float(known.get(tuple(cell), np.nan)) for cell in sample.cells}
