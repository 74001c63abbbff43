"""The names of all tables and figures, known before a study has run; imports nothing."""

from __future__ import annotations

from collections.abc import Iterable

TABLES = ("main", "bias", "cost", "datasets")
TABLE_FORMATS = ("csv", "md", "html")
FIGURES = ("bias", "coverage", "convergence", "losses", "cost", "neighbours", "frechet")
EACH = ("samples", "interpolation")
FIGURE_FORMATS = ("csv", "png")
THEORY = ("lines", "picture", "recovery", "duality")
"""Tables that need no training, each with a figure of its name; ``critics`` is one more, which trains."""
THEORY_FIGURES = (*THEORY, "critics")


def figure_names(datasets: Iterable[str]) -> list[str]:
    """Return the stem of every figure of a study: the fixed ones, and those that each data set has of its own."""
    return [*FIGURES, *(f"{figure}-{dataset}" for figure in EACH for dataset in datasets)]
