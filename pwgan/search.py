"""Searches: a method of a study with lists of values becomes one method for each combination of them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

MOST = 99


def searched(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Replace every method of a study that has ``search`` by its settings.

    ``pwgan: {search: {generator_lr: [1e-3, 4e-3], betas: [[0.5, 0.999], [0, 0.9]]}, ...}`` becomes pwgan_s01 to
    pwgan_s04, the last option varying fastest, each with the other options of the entry; options that a data set
    changes for pwgan are changed for each of them. A value that is a mapping sets several options together, and its key
    is only a label: ``rates: [{generator_lr: 1e-3, critic_lr: 1e-3}, ...]``. A list of searches has the settings of the
    first, then those of the second, and so on. A data set may have a search of its own for pwgan: its k-th setting
    changes the options of the k-th one there.

    Raises ValueError if the methods of a study that are searched do not have the same number of settings: the best of
    more settings is better by chance.
    """
    methods, datasets = values.get("methods"), values.get("datasets")
    if not isinstance(methods, Mapping):
        return values
    settings = {
        name: _settings(f"methods.{name}", name, entry) for name, entry in methods.items() if _has_search(entry)
    }
    if not settings:
        return values
    counts = {name: len(found) for name, found in settings.items()}
    if len(set(counts.values())) > 1:
        raise ValueError(f"search: every method must have the same number of settings; got {counts}")
    changed: dict[str, Any] = {}
    if isinstance(datasets, Mapping):
        changed["datasets"] = {
            name: _changed(f"datasets.{name}.methods", entry, settings) for name, entry in datasets.items()
        }
    changed["methods"] = {
        key: {"method": name} | options if name in settings else options
        for name, entry in methods.items()
        for key, options in settings.get(name, {name: entry}).items()
    }
    return {**values, **changed}


def _has_search(entry: object) -> bool:
    return isinstance(entry, Mapping) and bool(entry.get("search"))


def _settings(where: str, name: str, entry: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the options of each setting by its name."""
    found = entry["search"]
    combined = []
    for lists in found if isinstance(found, list) else [found]:
        if not isinstance(lists, Mapping) or not all(isinstance(values, list) and values for values in lists.values()):
            raise ValueError(f"{where}.search: lists of values by option are needed; got {lists!r}")
        combined += [_options(dict(zip(lists, choice, strict=True))) for choice in itertools.product(*lists.values())]
    rest = {key: value for key, value in entry.items() if key != "search"}
    if len(combined) > MOST:
        raise ValueError(f"{where}.search: {len(combined)} settings; allowed: {MOST}")
    return {f"{name}_s{number:02d}": rest | setting for number, setting in enumerate(combined, 1)}


def _options(choice: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that one combination of values sets."""
    parts = [value if isinstance(value, Mapping) else {key: value} for key, value in choice.items()]
    return {key: value for part in parts for key, value in part.items()}


def _changed(where: str, entry: Any, settings: Mapping[str, Mapping[str, Any]]) -> Any:
    """Return the entry of a data set with its options of searched methods given to each of their settings."""
    own = entry.get("methods") if isinstance(entry, Mapping) else None
    if not isinstance(own, Mapping):
        return entry
    changed: dict[str, Any] = {}
    for name, options in own.items():
        if name not in settings:
            changed[name] = options
        elif not _has_search(options):
            changed |= dict.fromkeys(settings[name], options)
        else:
            here = _settings(f"{where}.{name}", name, options)
            if list(here) != list(settings[name]):
                raise ValueError(
                    f"{where}.{name}.search: {len(here)} settings; methods.{name} has {len(settings[name])}"
                )
            changed |= here
    return {**entry, "methods": changed}
