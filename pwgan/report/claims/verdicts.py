"""Verdicts on the empirical claims, from the results of a study.

A claim has one or more criteria; each computes a statistic for one or more parts (data sets, methods). Every part gives
two p-values, from the confidence distribution of its estimate: that its parameter lies within the criterion's region by
chance (for support), and beyond it by chance (for contradiction).

- A claim that something always holds is supported if every part is (the largest p-value: an intersection-union test),
  and contradicted if one part is (the smallest, times the number of parts: Bonferroni).
- A claim that something can happen is supported if one part is (Bonferroni), and contradicted if all are.

The level is 5 %. The corrected verdicts apply Holm's procedure to all empirical claims together, each with the smaller
of its two p-values; claims without results count with p = 1. A diverged seed is 0 in a share or a bounded value; a mean
in which the value of a seed is missing never supports. A part that must compare equal training times and does not, or
whose times are unknown, has p = 1, and so has a claim with a premise that is not shown.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
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
EQUAL = 1.25
"""Largest ratio of training times that count as equal."""
ROUNDING = 1e-12
"""P-values up to this much above the level count as at the level."""


@dataclass(frozen=True)
class Part:
    """One part of a criterion: its estimate in the units of the criterion, p-values, lost seeds and seconds.

    ``lost`` counts the runs that diverged, or whose critic did not come to a standstill; ``within`` and ``beyond`` are
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
        """Longest over shortest training time of the cells compared; NaN unless all of two or more are known."""
        times = list(self.seconds.values())
        return max(times) / min(times) if len(times) > 1 and all(value > 0 for value in times) else np.nan

    @property
    def unequal(self) -> bool:
        """Whether the part must compare equal training times and does not, as far as is known."""
        return self.criterion.equal_compute and not self.imbalance <= EQUAL


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
    open_premises: list[str] = []
    for criterion in claim.criteria:
        try:
            samples = criterion.evidence(results)
        except NotMeasured as reason:
            if criterion.premise:
                open_premises.append(str(reason))
            elif criterion.judged:
                missing.append(str(reason))
            continue
        chosen = parts if criterion.judged and not criterion.premise else reported
        found = [_part(criterion, name, sample, results) for name, sample in samples.items()]
        chosen += found
        if criterion.premise:
            open_premises += [f"premise not shown: {part.name}" for part in found if part.verdict != SUPPORTED]
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
    if open_premises:
        within, beyond = 1.0, 1.0
    return Judgement(claim, within, beyond, parts, reported, "; ".join(dict.fromkeys([*open_premises, *missing])))


def _one_of(ps: list[float]) -> float:
    """Return Bonferroni's p-value of the hypothesis that all of several hypotheses hold."""
    return min(1.0, len(ps) * min(ps))


def _verdict(within: float, beyond: float) -> Verdict:
    if within <= LEVEL + ROUNDING:
        return SUPPORTED
    return CONTRADICTED if beyond <= LEVEL + ROUNDING else INCONCLUSIVE


def _part(criterion: Criterion, name: str, sample: Sample, results: Results) -> Part:
    if isinstance(sample.values, Estimate):
        estimate, missing = sample.values, 0
    else:
        values = np.atleast_1d(np.asarray(sample.values, float))
        missing = int(np.isnan(values).sum())
        estimate = _estimate(criterion, values)
    lost = max(missing + sample.lost, _diverged(sample, results))
    low, high = criterion.low, criterion.high
    if criterion.log:
        with np.errstate(divide="ignore"):
            low, high = float(np.log(low)), float(np.log(high))
    within, beyond = (p if p == p else 1.0 for p in (estimate.within(low, high), estimate.beyond(low, high)))
    if missing and criterion.kind == "mean":
        within = 1.0
    ends = np.array([estimate.value, estimate.low, estimate.high])
    effect, lower, upper = np.exp(ends) if criterion.log else ends
    numbers = float(effect), float(lower), float(upper), estimate.count
    part = Part(criterion, name, *numbers, lost, within, beyond, _seconds(sample, results))
    return replace(part, within=1.0, beyond=1.0) if part.unequal else part


def _estimate(criterion: Criterion, values: np.ndarray) -> Estimate:
    if criterion.kind == "share":
        return share_estimate(int(np.nansum(values)), len(values))
    if criterion.kind == "bounded":
        return bootstrap_estimate(np.nan_to_num(values, nan=0.0))
    return mean_estimate(values[~np.isnan(values)])


def _diverged(sample: Sample, results: Results) -> int:
    """Return the number of diverged runs of the cells compared; 0 if the runs are not known."""
    try:
        return sum(int((results.statuses(cell) == "diverged").sum()) for cell in sample.cells)
    except NotMeasured:
        return 0


def _seconds(sample: Sample, results: Results) -> dict[Cell, float]:
    if not sample.cells:
        return {}
    try:
        known: pd.Series = results.seconds()
    except NotMeasured:
        return {}
    return {cell: float(known.get(tuple(cell), np.nan)) for cell in sample.cells}
