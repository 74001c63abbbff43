"""Figures and tables as plug-ins: one module per figure or table, named by the stem of its file, and one caption.

Planning only lists the folders and does not import the modules. The parameters of a module's function ``data`` are the
frames of the study that it needs (``report.FRAMES``).
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
    """Return the sorted stems of all modules of a kind; ``figures/each`` are drawn once per data set."""
    return sorted(path.stem for path in (PACKAGE / FOLDERS[kind]).glob("*.py") if not path.stem.startswith("_"))


def modules(*kinds: Kind) -> list[str]:
    """Return the full names of all modules of the given kinds."""
    return [_module(kind, name) for kind in kinds for name in names(kind)]


def figure_names(datasets: Iterable[str]) -> list[str]:
    """Return the file stems of all figures of a study."""
    return [*names("figures"), *(f"{name}-{dataset}" for name in names("figures/each") for dataset in datasets)]


def load(kind: Kind, name: str) -> ModuleType:
    """Import the module of a figure or table."""
    return import_module(_module(kind, name))


def _module(kind: Kind, name: str) -> str:
    return f"pwgan.{FOLDERS[kind].replace('/', '.')}.{name}"


def call(function: Callable[..., Any], given: Mapping[str, Any]) -> Any:
    """Call a function with the given values that match its parameters by name.

    A value may be a function without arguments, which is called only if the value is needed. Raises ``KeyError`` for a
    parameter without a value.
    """
    arguments = {name: given[name] for name in inspect.signature(function).parameters}
    return function(**{name: value() if callable(value) else value for name, value in arguments.items()})
