"""The claims of the article as a page: statement, rule, verdict and figure."""

from __future__ import annotations

import base64
import html
import math
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pandas as pd

from pwgan.report.claims.evidence import Results
from pwgan.report.claims.rules import CLAIMS
from pwgan.report.claims.verdicts import CONTRADICTED, INCONCLUSIVE, SUPPORTED, Effect, Judgement, judge
from pwgan.report.tables import ABSENT
from pwgan.runtime import atomic_write

Part = tuple[str, str | Path]
"""The kind of a part of the page, and its text or the path of its figure."""
GROUPS = {
    "A": "Divergences between distributions",
    "B": "The GAN",
    "C": "The Wasserstein GAN, which learns the dual",
    "D": "The primal Wasserstein GAN",
    "E": "What the article concludes",
}
ABOUT = (
    "Each statement of the article with its rule (fixed before the run) and the verdict of this study. A claim is "
    "supported if the interval of its statistic lies within the region of the rule for every part (data set, method), "
    "contradicted if it lies entirely outside the region for one of them, and inconclusive otherwise. Intervals are "
    "Student intervals over seeds, at 95 % for all parts of a claim together (Bonferroni). The part shown first is the "
    "one that decides the verdict. The floor is the EWD of real samples. Rules amended after a first run are marked."
)


def write_claims(results_dir: str | Path, out: str | Path) -> None:
    """Judge every claim on a study's results.

    Writes claims.csv with one row per claim, claims-parts.csv with one row per part, claims-table.md, and the page as
    claims.md and claims.html, with those figures that exist in ``results_dir``.
    """
    folder, out = Path(results_dir), Path(out)
    results = Results(folder)
    judged = [judge(claim, results) for claim in CLAIMS]
    rows = pd.DataFrame([_row(judgement) for judgement in judged])
    parts = pd.DataFrame([{"claim": j.claim.key, **vars(part)} for j in judged for part in j.parts])
    texts = {
        "claims.csv": rows.to_csv(index=False),
        "claims-parts.csv": parts.to_csv(index=False),
        "claims-table.md": summary(judged),
        "claims.md": as_markdown(page(judged, folder), out),
        "claims.html": as_html(page(judged, folder)),
    }
    for name, text in texts.items():
        with atomic_write(out / name) as temporary:
            temporary.write_text(text, encoding="utf-8")


def _row(judgement: Judgement) -> dict[str, object]:
    claim, part = judgement.claim, judgement.deciding
    row = {
        "claim": claim.key,
        "statement": claim.statement,
        "statistic": claim.statistic,
        "rule": claim.rule,
        "verdict": judgement.verdict,
        "amended": claim.amended,
    }
    if part is None:
        return {**row, "part": judgement.missing, "figure": claim.figure}
    numbers = {key: getattr(part, key) for key in ("part", "effect", "low", "high", "seeds", "diverged")}
    return {**row, **numbers, "parts": len(judgement.parts), "figure": claim.figure}


def answer(judgement: Judgement) -> str:
    """Summarise a judgement in one line: verdict, and effect, interval and seeds of the deciding part."""
    part = judgement.deciding
    if part is None:
        return f"{judgement.verdict} ({judgement.missing})"
    text = f"{judgement.verdict}: {effect(part)} ({part.part}"
    text += f", {part.seeds} seeds" if part.seeds else ""
    text += f", {part.diverged} diverged" if part.diverged else ""
    others = len(judgement.parts) - 1
    return text + (f"; {others} other part{'s' * (others > 1)})" if others else ")")


def effect(part: Effect) -> str:
    """Format an effect and its interval with three significant digits; a part without seeds has no interval."""
    if not part.seeds:
        return f"{part.effect:.3g}"
    ends = [ABSENT if math.isnan(end) else f"{end:.3g}" for end in (part.low, part.high)]
    return f"{part.effect:.3g} [{ends[0]}, {ends[1]}]"


def summary(judgements: Iterable[Judgement]) -> str:
    """Return a Markdown table with one row per claim."""
    rows = ["| | claim | rule | verdict |", "| --- | --- | --- | --- |"]
    for judgement in judgements:
        claim = judgement.claim
        cells = (claim.key, claim.statement, f"{claim.statistic}: {claim.rule}", answer(judgement))
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows) + "\n"


def page(judgements: list[Judgement], folder: Path) -> Iterator[Part]:
    """Yield the parts of the page in order; each figure in ``folder`` is shown where it is first referred to."""
    yield "title", "The article's claims"
    yield "text", ABOUT
    counts = Counter(judgement.verdict for judgement in judgements)
    totals = [f"{counts[verdict]} {verdict}" for verdict in (SUPPORTED, CONTRADICTED, INCONCLUSIVE)]
    yield "text", f"Of {len(judgements)} claims, {totals[0]}, {totals[1]} and {totals[2]}."
    shown: set[Path] = set()
    for letter, title in GROUPS.items():
        yield "heading", f"{letter}. {title}"
        for judgement in (j for j in judgements if j.claim.key.startswith(letter)):
            claim = judgement.claim
            yield "claim", f"{claim.key}. {claim.statement}"
            yield "text", f"Rule. {_sentence(claim.statistic)}: {claim.rule}."
            if claim.amended:
                yield "text", f"Amended after a first run. {claim.amended}"
            yield "answer", f"{_sentence(answer(judgement))}."
            if len(judgement.parts) > 1:
                yield "text", "; ".join(f"{part.part}: {effect(part)}, {part.verdict}" for part in judgement.parts)
            image = folder / f"{claim.figure}.png"
            if image in shown:
                yield "text", f"Figure: {image.stem}, above."
            elif image.exists():
                yield "figure", image
                shown.add(image)


def as_markdown(parts: Iterable[Part], out: Path) -> str:
    """Render a page as Markdown, with links to figures relative to the folder ``out``."""
    forms = {"title": "# {}", "heading": "## {}", "claim": "**{}**", "answer": "*{}*", "text": "{}"}
    texts = [
        f"![{content.stem}]({os.path.relpath(content, out)})"
        if isinstance(content, Path)
        else forms[kind].format(content)
        for kind, content in parts
    ]
    return "\n\n".join(texts) + "\n"


def as_html(parts: Iterable[Part]) -> str:
    """Render a page as self-contained HTML with embedded figures."""
    forms = {"title": "h1", "heading": "h2", "claim": "h3", "answer": "p class=answer", "text": "p"}
    style = (
        "body{font:15px/1.5 sans-serif;margin:2em auto;max-width:60em;padding:0 1em;color:#222}img{max-width:100%}"
        "h2{border-bottom:1px solid #ccc}h3{margin:1.6em 0 .2em}p{margin:.3em 0}.answer{font-weight:bold}"
    )
    body = ""
    for kind, content in parts:
        if isinstance(content, Path):
            data = base64.b64encode(content.read_bytes()).decode()
            body += f'<img alt="{html.escape(content.stem)}" src="data:image/png;base64,{data}">\n'
        else:
            body += f"<{forms[kind]}>{html.escape(content)}</{forms[kind].split()[0]}>\n"
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>The article\'s claims</title>'
        f"<style>{style}</style></head>\n<body>\n{body}</body></html>\n"
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
