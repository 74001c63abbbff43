"""Optional packages: whether they are installed, and their import with a message that says what to install."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from pwgan.errors import Refused


def require_installed(packages: Iterable[str], extra: str, what: str) -> None:
    """Raise ``Refused``, naming ``what`` needs them and the extra of pwgan, unless all packages can be found.

    Nothing is imported.
    """
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        raise Refused(f"{what} needs {', '.join(missing)}: install pwgan[{extra}], or leave it out")


def optional(module: str, extra: str) -> Any:
    """Import a module of an optional package; raises ``Refused`` if the package is not installed."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if error.name != package:
            raise
        raise Refused(f"this needs {package}: install pwgan[{extra}], or set features: none") from error
