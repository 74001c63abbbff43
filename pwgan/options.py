"""Typed options: what a study may say of a method, a data set or a network, and how a slip is answered."""

from __future__ import annotations

import difflib
import inspect
import pkgutil
from collections.abc import Iterable, Mapping
from importlib import import_module
from types import ModuleType
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, model_validator

T = TypeVar("T")

CostName = Literal["euclidean", "sqeuclidean"]
SamplerName = Literal["random", "stratified", "dpp"]


class Options(BaseModel):
    """Immutable options; an unknown key is refused with the nearest valid one."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, given: Any) -> Any:
        if isinstance(given, Mapping):
            for key in given:
                nearest(key, cls.model_fields, f"option of {cls.__name__}")
        return given


def nearest(given: object, allowed: Iterable[str], what: str) -> str:
    """Return ``given`` if it is one of ``allowed``; else raise ValueError naming the nearest and all of them."""
    names = list(allowed)
    if given in names:
        return str(given)
    close = difflib.get_close_matches(str(given), names, n=1, cutoff=0.5)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise ValueError(f"unknown {what}: {given!r}.{hint} Allowed: {', '.join(sorted(names)) or 'none'}.")


def discover(package: ModuleType, base: type[T]) -> dict[str, type[T]]:
    """Find every class under ``base`` that a module of ``package`` defines with a ``name`` of its own."""
    found: dict[str, type[T]] = {}
    for info in pkgutil.iter_modules(package.__path__):
        module = import_module(f"{package.__name__}.{info.name}")
        for _, cls in inspect.getmembers(module, inspect.isclass):
            if issubclass(cls, base) and cls.__module__ == module.__name__ and "name" in vars(cls):
                name = vars(cls)["name"]
                if name in found:
                    raise ValueError(f"two classes are named {name!r}: {found[name]} and {cls}")
                found[name] = cls
    return dict(sorted(found.items()))
