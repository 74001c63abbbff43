"""The JSON schema of a study, from the same classes that check it: editors complete and check a study with it."""

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
    """Return the schema as JSON; of what ``Study`` refuses it knows keys, names, types and ranges."""
    content = Study.model_json_schema()
    content["title"] = "pwgan study"
    definitions, parts = content["$defs"], content["properties"]
    entry = _define(definitions, "DataSetEntry", DataSetEntry)
    _define(definitions, "MethodEntry", MethodEntry)
    _networks(definitions)
    algorithm = {"method": {"type": "string", "description": "the method, where the entry has a name of its own"}}
    parts["datasets"] = _entries(parts["datasets"], "dataset", datasets(), _shared(DataSetEntry), definitions)
    placed = algorithm | _shared(MethodEntry)
    parts["methods"] = _entries(parts["methods"], "method", methods(), placed, definitions)
    changed = {name: {"$ref": f"#/$defs/method-{name}"} for name in methods()}
    entry["properties"]["methods"] |= {"properties": changed, "additionalProperties": {"type": "object"}}
    return json.dumps(content, indent=1, sort_keys=True) + "\n"


def _networks(definitions: Schema) -> None:
    """Say that a network is one of those known, told apart by their names."""
    known = {name: _define(definitions, f"network-{name}", cls) for name, cls in networks().items()}
    refs = {name: f"#/$defs/network-{name}" for name in known}
    definitions["Network"] = {
        "discriminator": {"propertyName": "name", "mapping": refs},
        "oneOf": [{"$ref": ref} for ref in refs.values()],
    }


def _shared(cls: type[BaseModel]) -> Schema:
    """Refer to what every entry may say."""
    return {key: {"$ref": f"#/$defs/{cls.__name__}/properties/{key}"} for key in cls.model_fields}


def _define(definitions: Schema, name: str, cls: type[BaseModel]) -> Schema:
    """Put the schema of a class, and of all that it refers to, among the definitions, and return it."""
    own = cls.model_json_schema()
    definitions.update(own.pop("$defs", {}))
    definitions[name] = own
    return own


def _entries(
    mapping: Schema, key: str, classes: Mapping[str, type[BaseModel]], shared: Schema, definitions: Schema
) -> Schema:
    """Say what stands behind a known name; any other name needs ``key``, and is then held to the same rules."""
    (pattern,) = mapping.pop("patternProperties")
    known: Schema = {}
    choices: list[Schema] = []
    for name, cls in classes.items():
        own = _define(definitions, f"{key}-{name}", cls)
        own["properties"] = shared | own.get("properties", {})
        # `ring8:` with nothing behind it is an entry without options.
        own["type"] = "object" if own.get("required") else ["object", "null"]
        known[name] = {"$ref": f"#/$defs/{key}-{name}"}
        choices.append({"if": {"properties": {key: {"const": name}}, "required": [key]}, "then": known[name]})
    named = {"type": "object", "required": [key], "properties": {key: {"enum": list(classes)}}, "allOf": choices}
    return mapping | {"propertyNames": {"pattern": pattern}, "properties": known, "additionalProperties": named}
