"""The tables of the theory stage, each computed by a pure function."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pandas as pd

from pwgan.runtime import atomic_write
from pwgan.theory.bias import bias_curves, bias_ratios
from pwgan.theory.duality import duality
from pwgan.theory.game import game, game_checks
from pwgan.theory.identities import js_checks, plans
from pwgan.theory.lines import lines
from pwgan.theory.picture import picture
from pwgan.theory.rates import bias_rates
from pwgan.theory.recovery import recovery
from pwgan.theory.shrinkage import shrinkage

SEEDS = range(8)
curves = cache(bias_curves)
discriminators = cache(lambda: game(SEEDS))
TABLES: dict[str, Callable[[], pd.DataFrame]] = {
    "lines": lines,
    "picture": picture,
    "recovery": recovery,
    "duality": duality,
    "bias": curves,
    "game": discriminators,
    "bias-rates": lambda: bias_rates(curves()),
    "bias-ratios": lambda: bias_ratios(curves()),
    "game-checks": lambda: game_checks(discriminators()),
    "js": js_checks,
    "plans": plans,
    "shrinkage": shrinkage,
}
log = logging.getLogger("pwgan")


def write_theory(out: Path) -> None:
    """Write every table of ``pwgan.theory.TABLES`` as {name}.csv into ``out``."""
    for name, table in TABLES.items():
        started = time.perf_counter()
        write_csv(table(), out / f"{name}.csv")
        log.info("%s: %.2f s", name, time.perf_counter() - started)


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """Write a frame as CSV, atomically."""
    with atomic_write(path) as aside:
        frame.to_csv(aside, index=False)
