"""Captions of figures and tables: each says on its first line, a comment, which question of the report it answers."""

from __future__ import annotations

from pathlib import Path

from pwgan.errors import Refused

QUESTIONS = (
    "Does training converge?",
    "Do generators reach every mode?",
    "How good are the samples?",
    "How biased are mini-batches?",
    "What does the critic know?",
    "Are samples copies?",
    "What does it cost?",
    "What does the theory say?",
    "What of the article holds?",
)
"""The sections of the report, in their order."""
MARK = ".. question: "


def question(path: str | Path) -> str:
    """Return the question that a caption answers, with its number: a report sorts its sections by their names.

    Raises ``Refused`` if there is no such file, or its first line does not name one of ``QUESTIONS``.
    """
    place = Path(path)
    if not place.is_file():
        raise Refused(f"{place} is missing: every figure and table has a caption")
    first = place.read_text(encoding="utf-8").partition("\n")[0].rstrip()
    asked = first.removeprefix(MARK)
    if asked == first or asked not in QUESTIONS:
        raise Refused(f"{place} begins with {first!r}, not with {MARK!r} and one of: {', '.join(QUESTIONS)}")
    return f"{1 + QUESTIONS.index(asked)}. {asked}"
