"""Figures and tables as plug-ins: a file in a folder, whose stem is its name, and one caption.

Planning lists the folders and imports nothing. A module declares by the parameters of its function ``data`` which
frames of the study it needs (``report.FRAMES``).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

Kind = Literal["figures", "figures/each", "tables", "theory"]
PACKAGE = Path(__file__).parents[1]
FOLDERS: dict[Kind, str] = {
    "figures": "report/figures",
    "figures/each": "report/figures/each",
    "tables": "report/tables",
    "theory": "theory/figures",
}


def names(kind: Kind) -> list[str]:
    """Return the stems of all modules of a kind, sorted: ``figures/each`` are drawn once for each data set."""
    return sorted(path.stem for path in (PACKAGE / FOLDERS[kind]).glob("*.py") if not path.stem.startswith("_"))


def modules(*kinds: Kind) -> list[str]:
    """Return the full names of all modules of some kinds."""
    return [_module(kind, name) for kind in kinds for name in names(kind)]


def figure_names(datasets: Iterable[str]) -> list[str]:
    """Return the file stem of every figure of a study: one of each kind, or one for each data set."""
    return [*names("figures"), *(f"{name}-{dataset}" for name in names("figures/each") for dataset in datasets)]


def load(kind: Kind, name: str) -> ModuleType:
    """Import the module of a figure or table."""
    return import_module(_module(kind, name))


def _module(kind: Kind, name: str) -> str:
    return f"pwgan.{FOLDERS[kind].replace('/', '.')}.{name}"


def call(function: Callable[..., Any], given: Mapping[str, Any]) -> Any:
    """Call a function with those of the given values that its parameters name.

    A value may be a function of no arguments, which is called only if it is asked for. Raises ``KeyError`` for a
    parameter that nothing is given for.
    """
    chosen = {name: given[name] for name in inspect.signature(function).parameters}
    return function(**{name: value() if callable(value) else value for name, value in chosen.items()})
