"""Captions of figures and tables; the first line of each, a comment, names the question that it answers."""

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
"""The sections of the report, in order."""
MARK = ".. question: "


def question(path: str | Path) -> str:
    """Return the question that a caption answers, numbered, because reports sort their sections by name.

    Raises ``Refused`` if the file does not exist, or if its first line does not name one of ``QUESTIONS``.
    """
    file = Path(path)
    if not file.is_file():
        raise Refused(f"{file} is missing: every figure and table needs a caption")
    first = file.read_text(encoding="utf-8").partition("\n")[0].rstrip()
    asked = first.removeprefix(MARK)
    if asked == first or asked not in QUESTIONS:
        raise Refused(f"{file} begins with {first!r}, not with {MARK!r} and one of: {', '.join(QUESTIONS)}")
    return f"{1 + QUESTIONS.index(asked)}. {asked}"
