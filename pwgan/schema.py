"""The JSON schema of a study, for completion and checks in editors, generated from the classes that validate it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from pwgan.data import datasets
from pwgan.methods import methods
from pwgan.networks import networks
from pwgan.study import DataSetEntry, MethodEntry, Study

Schema = dict[str, Any]


def schema() -> str:
    """Return the schema as JSON. It covers keys, names, types and ranges, not the cross-field checks of ``Study``."""
    content = Study.model_json_schema()
    content["title"] = "pwgan study"
    definitions, parts = content["$defs"], content["properties"]
    entry = _define(definitions, "DataSetEntry", DataSetEntry)
    _define(definitions, "MethodEntry", MethodEntry)
    _networks(definitions)
    algorithm = {"method": {"type": "string", "description": "the method, if the entry has another name"}}
    parts["datasets"] = _entries(parts["datasets"], "dataset", datasets(), _shared(DataSetEntry), definitions)
    method_keys = algorithm | _shared(MethodEntry)
    parts["methods"] = _entries(parts["methods"], "method", methods(), method_keys, definitions)
    changed = {name: {"$ref": f"#/$defs/method-{name}"} for name in methods()}
    entry["properties"]["methods"] |= {"properties": changed, "additionalProperties": {"type": "object"}}
    return json.dumps(content, indent=1, sort_keys=True) + "\n"


def _networks(definitions: Schema) -> None:
    """Define a network as one of the known networks, discriminated by ``name``."""
    known = {name: _define(definitions, f"network-{name}", cls) for name, cls in networks().items()}
    refs = {name: f"#/$defs/network-{name}" for name in known}
    definitions["Network"] = {
        "discriminator": {"propertyName": "name", "mapping": refs},
        "oneOf": [{"$ref": ref} for ref in refs.values()],
    }


def _shared(cls: type[BaseModel]) -> Schema:
    """Return references to the keys that every entry accepts."""
    return {key: {"$ref": f"#/$defs/{cls.__name__}/properties/{key}"} for key in cls.model_fields}


def _define(definitions: Schema, name: str, cls: type[BaseModel]) -> Schema:
    """Add the schema of a class, and those it refers to, to the definitions; return the schema of the class."""
    class_schema = cls.model_json_schema()
    definitions.update(class_schema.pop("$defs", {}))
    definitions[name] = class_schema
    return class_schema


def _entries(
    mapping: Schema, key: str, classes: Mapping[str, type[BaseModel]], shared: Schema, definitions: Schema
) -> Schema:
    """Return the schema of a mapping of entries; an entry not named after a class must name one under ``key``."""
    (pattern,) = mapping.pop("patternProperties")
    known: Schema = {}
    choices: list[Schema] = []
    for name, cls in classes.items():
        class_schema = _define(definitions, f"{key}-{name}", cls)
        class_schema["properties"] = shared | class_schema.get("properties", {})
        # `ring8:` without a value is an entry without options.
        class_schema["type"] = "object" if class_schema.get("required") else ["object", "null"]
        known[name] = {"$ref": f"#/$defs/{key}-{name}"}
        choices.append({"if": {"properties": {key: {"const": name}}, "required": [key]}, "then": known[name]})
    named = {"type": "object", "required": [key], "properties": {key: {"enum": list(classes)}}, "allOf": choices}
    return mapping | {"propertyNames": {"pattern": pattern}, "properties": known, "additionalProperties": named}
