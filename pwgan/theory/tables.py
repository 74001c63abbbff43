"""The tables of the theory stage: each from a pure function, written whole."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from pwgan.runtime import whole_file
from pwgan.theory.duality import duality
from pwgan.theory.lines import lines
from pwgan.theory.picture import picture
from pwgan.theory.recovery import recovery

TABLES: dict[str, Callable[[], pd.DataFrame]] = {
    "lines": lines,
    "picture": picture,
    "recovery": recovery,
    "duality": duality,
}
log = logging.getLogger("pwgan")


def write_theory(out: Path) -> None:
    """Write every table of ``names.THEORY`` as {name}.csv into ``out``."""
    for name, table in TABLES.items():
        started = time.perf_counter()
        write_csv(table(), out / f"{name}.csv")
        log.info("%s: %.2f s", name, time.perf_counter() - started)


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """Write a frame as CSV, whole or not at all."""
    with whole_file(path) as aside:
        frame.to_csv(aside, index=False)
