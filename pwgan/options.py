"""Typed options: what a study may say of a method, a data set or a network, and how a mistake is answered."""

from __future__ import annotations

import difflib
import inspect
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any, Literal, Self, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    GetJsonSchemaHandler,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import CoreSchema, core_schema

from pwgan.errors import Refused

T = TypeVar("T")
Model = TypeVar("Model", bound=BaseModel)

CostName = Literal["euclidean", "sqeuclidean"]
REFERENCE = "data"
"""Stands for the method where real training samples are measured in a generator's place: the floor of each measure."""


class Options(BaseModel):
    """Immutable options; an unknown key is refused with the nearest valid one."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, given: Any) -> Any:
        if isinstance(given, Mapping):
            for key in given:
                one_of(key, cls.model_fields, f"option of {cls.__name__}")
        return given

    @model_validator(mode="wrap")
    @classmethod
    def _no_truth_value_for_a_number(cls, given: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Refuse what pydantic would read as 0 or 1: YAML turns a bare yes, no, on or off into a truth value."""
        read = handler(given)
        for key, value in given.items() if isinstance(given, Mapping) else ():
            field = getattr(read, key)
            pairs = zip(value, field, strict=True) if isinstance(value, list) else [(value, field)]
            if any(isinstance(one, bool) and not isinstance(number, bool) for one, number in pairs):
                raise ValueError(
                    f"{key}: expected a number, given {value} (YAML: yes and on are true, no and off are false)"
                )
        return read


def one_of(given: object, allowed: Iterable[str], what: str) -> str:
    """Return ``given`` if it is one of ``allowed``; else raise ``Refused`` naming the nearest and all of them."""
    names = list(allowed)
    if given in names:
        return str(given)
    close = difflib.get_close_matches(str(given), names, n=1, cutoff=0.5)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise Refused(f"unknown {what}: {given!r}.{hint} Allowed: {', '.join(sorted(names)) or 'none'}.")


def validated(where: str, cls: type[Model], values: Mapping[str, Any]) -> Model:
    """Read options of a class; raises ``Refused`` that says in which entry of the study each mistake lies."""
    try:
        return cls.model_validate(values)
    except ValidationError as error:
        raise Refused(f"{where}: {explain(error)}") from error


def explain(error: ValidationError) -> str:
    """Say in one line for each mistake where it is, what is wrong and what was given."""
    lines = []
    for slip in error.errors(include_url=False):
        where = ".".join(str(part) for part in slip["loc"])
        text = slip["msg"].removeprefix("Value error, ")
        # Of a missing field, the input is all that stands around it.
        value = "" if slip["type"] == "missing" else f", given {slip['input']!r}"
        lines.append(f"{where}: {text}{value}" if where else text)
    return "; ".join(lines)


@dataclass(frozen=True)
class Choice:
    """Annotates a string that must be one of the names that ``known()`` lists, also in the JSON schema."""

    what: str
    known: Callable[[], Iterable[str]]

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            lambda given: one_of(given, self.known(), self.what),
            serialization=core_schema.plain_serializer_function_ser_schema(str),
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "enum": sorted(self.known())}


def discover(package: ModuleType, base: type[T]) -> dict[str, type[T]]:
    """Find every class under ``base`` that a module of ``package`` defines with a ``name`` of its own."""
    found: dict[str, type[T]] = {}
    for info in pkgutil.iter_modules(package.__path__):
        module = import_module(f"{package.__name__}.{info.name}")
        for _, cls in inspect.getmembers(module, inspect.isclass):
            if not issubclass(cls, base) or cls.__module__ != module.__name__ or (name := _name(cls)) is None:
                continue
            if name in found:
                raise ValueError(f"two classes are named {name!r}: {found[name]} and {cls}")
            found[name] = cls
    return dict(sorted(found.items()))


def _name(cls: type) -> str | None:
    """Return the name that a class gives itself, as an attribute or as the only value of a field."""
    if "name" in vars(cls):
        return vars(cls)["name"]
    if "name" not in vars(cls).get("__annotations__", {}) or not issubclass(cls, BaseModel):
        return None
    field = cls.model_fields.get("name")
    return field.default if field is not None and isinstance(field.default, str) else None
