"""Figures of the theory, one module each, drawn from the CSV of the same name."""

from __future__ import annotations

from pathlib import Path

from pwgan.report import plugins
from pwgan.report.figures import save
from pwgan.report.frames import read_csv


def write_theory_figures(tables: Path, output: Path) -> None:
    """Draw {name}.csv in ``tables`` as {name}.png in ``output``, for every figure of this package."""
    for name in plugins.names("theory"):
        figure = plugins.load("theory", name).draw(read_csv(tables / f"{name}.csv"))
        save(figure, output / f"{name}.png")
