"""The claims of the article as a page to read: question, figure, answer."""

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
"""What a part of the page is, and its text or the file of its figure."""
GROUPS = {
    "A": "Divergences between distributions",
    "B": "The GAN",
    "C": "The Wasserstein GAN, which learns the dual",
    "D": "The primal Wasserstein GAN",
    "E": "What the article concludes",
}
ABOUT = (
    "Each statement of the article, the rule that judges it (fixed before the run) and what this study says. A claim "
    "is supported where the interval of its statistic lies within the region of the rule in every part (data set, "
    "method), contradicted where it lies wholly outside in one of them, and inconclusive otherwise. Intervals are "
    "Student's over seeds, at 95 % for all parts of a claim together. The part shown first is the one that decides. A "
    "floor is the EWD of real samples in the generator's place. Rules that were changed after a first run say so."
)


def write_claims(results_dir: str | Path, out: str | Path) -> None:
    """Judge every claim on a study's results.

    Writes claims.csv with a row for each claim, claims-parts.csv with every part, claims-table.md, and the page to
    read, claims.md and claims.html, which shows the figures of ``results_dir`` that are there.
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
        with atomic_write(out / name) as aside:
            aside.write_text(text, encoding="utf-8")


def _row(judgement: Judgement) -> dict[str, object]:
    claim, part = judgement.claim, judgement.deciding
    said = {
        "claim": claim.key,
        "statement": claim.statement,
        "statistic": claim.statistic,
        "rule": claim.rule,
        "verdict": judgement.verdict,
        "amended": claim.amended,
    }
    if part is None:
        return {**said, "part": judgement.missing, "figure": claim.figure}
    found = {key: getattr(part, key) for key in ("part", "effect", "low", "high", "seeds", "diverged")}
    return {**said, **found, "parts": len(judgement.parts), "figure": claim.figure}


def answer(judgement: Judgement) -> str:
    """Say in one line what was found: verdict, effect with its interval, seeds, and the part that decides."""
    part = judgement.deciding
    if part is None:
        return f"{judgement.verdict} ({judgement.missing})"
    told = f"{judgement.verdict}: {effect(part)} ({part.part}"
    told += f", {part.seeds} seeds" if part.seeds else ""
    told += f", {part.diverged} diverged" if part.diverged else ""
    others = len(judgement.parts) - 1
    return told + (f"; {others} other part{'s' * (others > 1)})" if others else ")")


def effect(part: Effect) -> str:
    """Write an effect with its interval, three significant digits each; the interval of a bare number is left out."""
    if not part.seeds:
        return f"{part.effect:.3g}"
    ends = [ABSENT if math.isnan(end) else f"{end:.3g}" for end in (part.low, part.high)]
    return f"{part.effect:.3g} [{ends[0]}, {ends[1]}]"


def summary(judgements: Iterable[Judgement]) -> str:
    """Return one row of Markdown for each claim."""
    rows = ["| | claim | rule | verdict |", "| --- | --- | --- | --- |"]
    for judgement in judgements:
        claim = judgement.claim
        cells = (claim.key, claim.statement, f"{claim.statistic}: {claim.rule}", answer(judgement))
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows) + "\n"


def page(judgements: list[Judgement], folder: Path) -> Iterator[Part]:
    """Yield the parts of the page in order; each figure of ``folder`` is shown where it is first needed."""
    yield "title", "The article's claims"
    yield "text", ABOUT
    counts = Counter(judgement.verdict for judgement in judgements)
    told = [f"{counts[verdict]} {verdict}" for verdict in (SUPPORTED, CONTRADICTED, INCONCLUSIVE)]
    yield "text", f"Of {len(judgements)} claims, {told[0]}, {told[1]} and {told[2]}."
    shown: set[Path] = set()
    for letter, title in GROUPS.items():
        yield "heading", f"{letter}. {title}"
        for judgement in (j for j in judgements if j.claim.key.startswith(letter)):
            claim = judgement.claim
            yield "claim", f"{claim.key}. {claim.statement}"
            yield "text", f"Rule. {_sentence(claim.statistic)}: {claim.rule}."
            if claim.amended:
                yield "text", f"Amended after a first run had been seen. {claim.amended}"
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
    """Write a page as Markdown; figures are linked from the folder ``out``."""
    forms = {"title": "# {}", "heading": "## {}", "claim": "**{}**", "answer": "*{}*", "text": "{}"}
    texts = [
        f"![{what.stem}]({os.path.relpath(what, out)})" if isinstance(what, Path) else forms[kind].format(what)
        for kind, what in parts
    ]
    return "\n\n".join(texts) + "\n"


def as_html(parts: Iterable[Part]) -> str:
    """Write a page as HTML that needs no other file: figures are within it."""
    forms = {"title": "h1", "heading": "h2", "claim": "h3", "answer": "p class=answer", "text": "p"}
    style = (
        "body{font:15px/1.5 sans-serif;margin:2em auto;max-width:60em;padding:0 1em;color:#222}img{max-width:100%}"
        "h2{border-bottom:1px solid #ccc}h3{margin:1.6em 0 .2em}p{margin:.3em 0}.answer{font-weight:bold}"
    )
    body = ""
    for kind, what in parts:
        if isinstance(what, Path):
            data = base64.b64encode(what.read_bytes()).decode()
            body += f'<img alt="{html.escape(what.stem)}" src="data:image/png;base64,{data}">\n'
        else:
            body += f"<{forms[kind]}>{html.escape(what)}</{forms[kind].split()[0]}>\n"
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>The article\'s claims</title>'
        f"<style>{style}</style></head>\n<body>\n{body}</body></html>\n"
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
