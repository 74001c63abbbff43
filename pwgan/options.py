"""Typed options: what a study may say of a method, a data set or a network, and how a slip is answered."""

from __future__ import annotations

import difflib
import inspect
import pkgutil
from collections.abc import Iterable, Mapping
from importlib import import_module
from types import ModuleType
from typing import Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ModelWrapValidatorHandler, model_validator

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

    @model_validator(mode="wrap")
    @classmethod
    def _no_truth_value_for_a_number(cls, given: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Refuse what pydantic would read as 0 or 1: YAML turns a bare yes, no, on or off into a truth value."""
        read = handler(given)
        for key, value in given.items() if isinstance(given, Mapping) else ():
            own = getattr(read, key)
            pairs = zip(value, own, strict=True) if isinstance(value, list) else [(value, own)]
            if any(isinstance(one, bool) and not isinstance(number, bool) for one, number in pairs):
                raise ValueError(f"{key}: true and false (in YAML also yes, no, on, off) are no numbers, given {value}")
        return read


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
