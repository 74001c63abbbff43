"""The names of all figures, known before a study has run; imports nothing."""

from __future__ import annotations

from collections.abc import Iterable

FIGURES = (
    "bias",
    "coverage",
    "convergence",
    "losses",
    "forgetting",
    "ranking",
    "dual",
    "cost",
    "neighbours",
    "frechet",
)
EACH = ("samples", "interpolation")
FIGURE_FORMATS = ("csv", "png")
THEORY_DRAWN = ("lines", "picture", "recovery", "duality", "bias", "game")
THEORY = (*THEORY_DRAWN, "bias-slopes", "bias-ratios", "game-checks", "js", "plans")
"""Tables that train no generator, some with a figure of their name; ``critics`` is one more, which takes longer."""
THEORY_FIGURES = (*THEORY_DRAWN, "critics")
CLAIM_FIGURES = ("schedules", "signal")
"""Figures of cells that few studies have, drawn with the claims."""
CLAIM_FILES = ("claims.csv", "claims-parts.csv", "claims-table.md", "claims.md", "claims.html")


def figure_names(datasets: Iterable[str]) -> list[str]:
    """Return the stem of every figure of a study: the fixed ones, and those that each data set has of its own."""
    return [*FIGURES, *(f"{figure}-{dataset}" for figure in EACH for dataset in datasets)]
