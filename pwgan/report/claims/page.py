"""Judge all claims of a study, and write checks, verdicts and the page that presents them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from pwgan.report.claims.checks import CHECKS, Checked, run
from pwgan.report.claims.paper import TITLE, page
from pwgan.report.claims.render import as_html, as_markdown, markdown_table
from pwgan.report.claims.results import Results
from pwgan.report.claims.rules import CLAIMS
from pwgan.report.claims.verdicts import Judgement, Part, judge_all
from pwgan.report.claims.words import check_table, rule, training_times, verdict_table
from pwgan.runtime import atomic_write


def write_claims(results_dir: str | Path, out: str | Path) -> None:
    """Check identities and judge every empirical claim on a study's results.

    Writes verdicts.csv with one row per claim, verdicts-parts.csv with one row per part, checks.csv, the same two
    tables as Markdown, and the page as claims.md and claims.html, with those figures that exist in ``results_dir``.
    """
    folder, out = Path(results_dir), Path(out)
    results = Results(folder)
    checked = [run(check, results) for check in CHECKS]
    judged = judge_all(CLAIMS, results)
    blocks = list(page(judged, checked, folder))
    parts = [_part(one, part) for one in judged for part in (*one.parts, *one.reported)]
    texts = {
        "verdicts.csv": pd.DataFrame([_row(one) for one in judged]).to_csv(index=False),
        "verdicts-parts.csv": pd.DataFrame(parts).to_csv(index=False),
        "verdicts.md": markdown_table(verdict_table(judged)) + "\n",
        "checks.csv": pd.DataFrame([_check(one) for one in checked]).to_csv(index=False),
        "checks.md": markdown_table(check_table(checked)) + "\n",
        "claims.md": as_markdown(blocks, out),
        "claims.html": as_html(blocks, TITLE),
    }
    for name, text in texts.items():
        with atomic_write(out / name) as temporary:
            temporary.write_text(text, encoding="utf-8")


def _row(judgement: Judgement) -> dict[str, object]:
    claim, part = judgement.claim, judgement.deciding
    row: dict[str, object] = {
        "claim": claim.key,
        "statement": claim.statement,
        "rule": "; ".join(rule(claim)),
        "verdict": judgement.verdict,
        "corrected": judgement.corrected,
        "p_support": judgement.within,
        "p_contradiction": judgement.beyond,
        "p_adjusted": judgement.adjusted,
        "missing": judgement.missing,
    }
    deciding = {} if part is None else _numbers(part)
    return {**row, **deciding, "parts": len(judgement.parts), "figure": claim.figure}


def _part(judgement: Judgement, part: Part) -> dict[str, object]:
    criterion = part.criterion
    judged = {"verdict": part.verdict if criterion.judged else "not judged", "statistic": criterion.statistic}
    p = {"p_support": part.within, "p_contradiction": part.beyond}
    return {"claim": judgement.claim.key, **_numbers(part), "region": criterion.region, **p, **judged}


def _numbers(part: Part) -> dict[str, object]:
    numbers = {key: getattr(part, key) for key in ("effect", "low", "high", "seeds", "lost")}
    return {
        "part": part.name,
        **numbers,
        "cells": "; ".join(map(str, part.seconds)),
        "training_seconds": training_times(part),
        "training_ratio": part.imbalance,
    }


def _check(checked: Checked) -> dict[str, object]:
    check = checked.check
    return {
        "check": check.key,
        "statement": check.statement,
        "quantity": check.statistic,
        "largest": checked.largest,
        "where": checked.where,
        "tolerance": check.tolerance,
        "status": checked.status,
        "figure": check.figure,
    }
