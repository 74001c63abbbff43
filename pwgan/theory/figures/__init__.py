"""Figures of the theory, one module each, drawn from the CSV of the same name."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from pwgan.report import plugins
from pwgan.report.figures import save
from pwgan.report.frames import read_csv
from pwgan.theory import TABLES


def write_theory_figures(tables: Path, output: Path) -> None:
    """Draw {name}.csv in ``tables`` as {name}.png in ``output``, for every figure of this package.

    A module's ``draw`` takes this table as ``frame``; other parameters are further tables, with _ for - in their names.
    """
    others = {name.replace("-", "_"): partial(read_csv, tables / f"{name}.csv") for name in TABLES}
    for name in plugins.names("theory"):
        given = others | {"frame": partial(read_csv, tables / f"{name}.csv")}
        save(plugins.call(plugins.load("theory", name).draw, given), output / f"{name}.png")
