"""Verdicts, effects and rules in words, and the two tables of the page."""

from __future__ import annotations

import math
from collections.abc import Iterable

from pwgan.report.claims.checks import Checked
from pwgan.report.claims.claim import Claim
from pwgan.report.claims.render import Grid, Rows
from pwgan.report.claims.verdicts import INCONCLUSIVE, Judgement, Part
from pwgan.report.tables import ABSENT


def effect(part: Part) -> str:
    """Format an effect and its interval with three significant digits."""
    if math.isnan(part.effect):
        return "not measured"
    if math.isnan(part.low) or math.isnan(part.high):
        return f"{part.effect:.3g}"
    return f"{part.effect:.3g} [{part.low:.3g}, {part.high:.3g}]"


def seeds(part: Part) -> str:
    """Format the number of values of a part, and how many of its seeds were lost."""
    count = str(part.seeds) if part.seeds else ABSENT
    return f"{count}, {part.lost} lost" if part.lost else count


def rule(claim: Claim) -> list[str]:
    """Return each criterion of a claim in words."""
    return [f"{criterion.statistic}: {criterion.region}" for criterion in claim.criteria]


def verdict(judgement: Judgement) -> str:
    """Format both verdicts: the uncorrected one, and the corrected one if it differs."""
    if not judgement.parts:
        return "not measured"
    if judgement.verdict != judgement.corrected:
        return f"{judgement.verdict} ({judgement.corrected} after correction)"
    return judgement.verdict


def answer(judgement: Judgement) -> str:
    """Summarise a judgement in one sentence without a full stop: verdict, effect and the part that decides."""
    part = judgement.deciding
    if part is None:
        return f"not measured ({missing(judgement)})"
    others = len(judgement.parts) - 1
    text = f"{verdict(judgement)}: {effect(part)} ({part.name}; {part.criterion.region}"
    text += f"; {others} other part{'s' * (others > 1)})" if others else ")"
    return text + (f"; not measured: {missing(judgement)}" if judgement.missing else "")


def missing(judgement: Judgement) -> str:
    """Return the first reason why a claim was not measured, and how many more there are."""
    first, *more = judgement.missing.split("; ")
    return f"{first}, and {len(more)} more" if more else first


def unequal(judgement: Judgement) -> list[Part]:
    """Return the parts that must compare equal training times and do not, or whose times are unknown."""
    return [part for part in judgement.parts if part.unequal]


def training_times(part: Part) -> str:
    """Format the training seconds per seed of the cells of a part."""
    return ", ".join(f"{value:.3g}" for value in part.seconds.values() if not math.isnan(value)) or ABSENT


def p_value(p: float) -> str:
    """Format a p-value."""
    return "< 0.0001" if p < 1e-4 else f"{p:.2g}"


def verdict_table(judged: Iterable[Judgement]) -> Grid:
    """Return one row per claim, with the part that decides."""
    rows: Rows = []
    for one in judged:
        part, claim = one.deciding, one.claim
        start = claim.key, claim.statement
        if part is None:
            rows.append(
                (*start, ABSENT, ABSENT, ABSENT, ABSENT, ABSENT, f"not measured: {missing(one)}", ABSENT, claim.figure)
            )
            continue
        p = p_value(min(one.within, one.beyond))
        statistic = f"{part.criterion.statistic}; {part.name}: {part.criterion.region}"
        times = training_times(part) + (" (unequal)" if unequal(one) else "")
        ends = one.verdict, one.corrected, claim.figure
        rows.append((*start, statistic, effect(part), seeds(part), times, p, *ends))
    headings = ("", "claim", "deciding part and region", "effect [95 %]", "seeds", "training s per seed", "p")
    return Grid((*headings, "verdict", "corrected", "figure"), rows)


def check_table(checked: Iterable[Checked]) -> Grid:
    """Return one row per check."""
    rows: Rows = []
    for one in checked:
        check = one.check
        largest = ABSENT if math.isnan(one.largest) else f"{one.largest:.3g}"
        limit = f"differs from 1 by {check.tolerance:g}" if check.equation else f"at most {check.tolerance:g}"
        rows.append((check.key, check.statement, check.statistic, largest, limit, one.status, one.where))
    return Grid(("", "statement", "quantity", "largest", "tolerance", "status", "where"), rows)


def changed(judged: Iterable[Judgement]) -> Grid:
    """Return the claims whose verdict differs from that of the first study: then, now, why the rule was replaced."""
    rows: Rows = []
    for one in judged:
        if one.claim.first is not None and one.parts:
            then, why = one.claim.first
            if then != one.corrected:
                rows.append((one.claim.key, one.claim.statement, then, verdict(one), why))
    return Grid(("", "claim", "then", "now", "why the rule was replaced"), rows)


def count(judged: list[Judgement], corrected: bool) -> str:
    """Format how many claims are supported, contradicted, inconclusive and not measured."""
    found = [one.corrected if corrected else one.verdict for one in judged if one.parts]
    missing = sum(not one.parts for one in judged)
    texts = [f"{found.count(name)} {name}" for name in ("supported", "contradicted", INCONCLUSIVE)]
    return ", ".join([*texts, *([f"{missing} not measured"] if missing else [])])
