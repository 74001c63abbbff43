"""Typed options of methods, data sets and networks, with readable messages for invalid ones."""

from __future__ import annotations

import difflib
import inspect
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import CoreSchema, core_schema

from pwgan.errors import Refused

T = TypeVar("T")
Model = TypeVar("Model", bound=BaseModel)

Count = Annotated[int, Field(ge=1, le=2**31 - 1)]
CostName = Literal["euclidean", "sqeuclidean", "cityblock", "cosine"]
CostFeatures = Literal["none", "random"]
REFERENCE = "data"
"""Method name of real training samples measured in place of generated ones: the floor of each measure."""


class Options(BaseModel):
    """Immutable options; an unknown key raises ``Refused`` with the nearest valid key."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, values: Any) -> Any:
        if isinstance(values, Mapping):
            for key in values:
                one_of(key, cls.model_fields, f"option of {cls.__name__}")
        return values

    @model_validator(mode="wrap")
    @classmethod
    def _no_truth_value_for_a_number(cls, values: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Raise ValueError for a truth value in place of a number: YAML reads yes and no as true and false."""
        options = handler(values)
        for key, value in values.items() if isinstance(values, Mapping) else ():
            field = getattr(options, key)
            pairs = zip(value, field, strict=True) if isinstance(value, list) else [(value, field)]
            if any(isinstance(one, bool) and not isinstance(number, bool) for one, number in pairs):
                raise ValueError(
                    f"{key}: expected a number, got {value} (YAML: yes and on are true, no and off are false)"
                )
        return options


def one_of(value: object, allowed: Iterable[str], kind: str) -> str:
    """Return ``value`` if it is one of ``allowed``; else raise ``Refused`` with the nearest and all allowed names."""
    names = list(allowed)
    if value in names:
        return str(value)
    close = difflib.get_close_matches(str(value), names, n=1, cutoff=0.5)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise Refused(f"unknown {kind}: {value!r}.{hint} Allowed: {', '.join(sorted(names)) or 'none'}.")


def validated(where: str, cls: type[Model], values: Mapping[str, Any]) -> Model:
    """Validate options of a class; raises ``Refused`` naming the entry of the study and every error in it."""
    try:
        return cls.model_validate(values)
    except ValidationError as error:
        raise Refused(f"{where}: {explain(error)}") from error


def explain(error: ValidationError) -> str:
    """Return one line with the location, the problem and the value of every error."""
    lines = []
    for detail in error.errors(include_url=False):
        where = ".".join(str(part) for part in detail["loc"] if part != "[key]")  # said of a key, not of its value
        text = detail["msg"].removeprefix("Value error, ")
        # For a missing field, pydantic reports the enclosing mapping as the input.
        value = "" if detail["type"] == "missing" else f", got {shown(detail['input'])}"
        lines.append(f"{where}: {text}{value}" if where else text)
    return " ".join("; ".join(lines).split())


def shown(value: object) -> str:
    """Return the representation of a value for a message: one line of at most 200 characters."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # an integer of more digits than Python prints, or a value that holds itself
        return f"a very large {type(value).__name__}"
    return text if len(text) <= 200 else f"{text[:200]}..."


@dataclass(frozen=True)
class Choice:
    """Annotation of a string that must be one of the names in ``known()``; the JSON schema lists them."""

    kind: str
    known: Callable[[], Iterable[str]]

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            lambda value: one_of(value, self.known(), self.kind),
            serialization=core_schema.plain_serializer_function_ser_schema(str),
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "enum": sorted(self.known())}


def discover(package: ModuleType, base: type[T]) -> dict[str, type[T]]:
    """Return the subclasses of ``base`` with their own ``name`` that modules of ``package`` define, sorted by name.

    Folders of the package hold what these modules use, and are not searched: importing them may take long. Raises
    ValueError if two classes have the same name.
    """
    classes: dict[str, type[T]] = {}
    for info in pkgutil.iter_modules(package.__path__):
        if info.ispkg:
            continue
        module = import_module(f"{package.__name__}.{info.name}")
        for _, cls in inspect.getmembers(module, inspect.isclass):
            if not issubclass(cls, base) or cls.__module__ != module.__name__ or (name := _name(cls)) is None:
                continue
            if name in classes:
                raise ValueError(f"two classes are named {name!r}: {classes[name]} and {cls}")
            classes[name] = cls
    return dict(sorted(classes.items()))


def _name(cls: type) -> str | None:
    """Return the ``name`` that a class defines itself, as an attribute or as the default of a field; else None."""
    if "name" in vars(cls):
        return vars(cls)["name"]
    if "name" not in vars(cls).get("__annotations__", {}) or not issubclass(cls, BaseModel):
        return None
    field = cls.model_fields.get("name")
    return field.default if field is not None and isinstance(field.default, str) else None
