"""Studies as files: YAML or JSON, read strictly.

PyYAML keeps the last of two equal keys, recurses as deeply as the text is nested, and copies nothing where a text
refers to itself, so that a few lines can stand for billions of values. Here each of these raises ``Refused``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from pwgan.errors import Refused

MOST = 100_000
"""The most values that a file may hold, counting each alias as all that it stands for."""
MERGE = "tag:yaml.org,2002:merge"


def study_files(given: Iterable[str | Path], workflow: str | Path) -> list[Path]:
    """Return the files of a study that Snakemake is to read, once each was read strictly: it keeps the last equal key.

    They are those ``given``, else config.yaml of the working directory, else that of the folder of the ``workflow``.
    Raises ``Refused`` as ``load`` does, and for a workflow in whose path Snakemake would find wildcards.
    """
    if {"{", "}"} & set(str(workflow)):
        raise Refused(f"Snakemake takes braces in the path of its workflow for wildcards: rename {workflow}")
    own = Path("config.yaml")
    files = [Path(path) for path in given] or [own if own.exists() else Path(workflow, own)]
    for file in files:
        load(file)
    return files


def load(path: str | Path) -> Any:
    """Return the content of a YAML or JSON file, always read as UTF-8.

    Raises ``Refused``, naming the file, for text that is neither, a key given twice, more than ``MOST`` values or
    deep nesting, and OSError for a file that cannot be read.
    """
    try:
        return parse(Path(path).read_bytes().decode("utf-8-sig"))
    except (Refused, UnicodeDecodeError) as error:
        raise Refused(f"{path}: {error}") from error


def parse(text: str) -> Any:
    """Return the content of YAML or JSON text; raises ``Refused`` as ``load`` does."""
    try:
        return _json(text) if text.lstrip().startswith("{") else _yaml(text)
    except yaml.YAMLError as error:
        raise Refused(f"not valid YAML: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise Refused("nested too deeply; a study needs at most five levels") from error
    except Refused:
        raise
    except ValueError as error:  # of Python: an integer of more digits than it converts, or a date that is none
        raise Refused(f"not valid YAML: {error}") from error


def _json(text: str) -> Any:
    """Read JSON; text in braces that is not JSON may be YAML."""
    try:
        return json.loads(text, object_pairs_hook=_pairs)
    except json.JSONDecodeError:
        return _yaml(text)


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for key, value in pairs:
        if key in content:
            raise _twice(key)
        content[key] = value
    return content


def _yaml(text: str) -> Any:
    loader = yaml.SafeLoader(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return None
        _count(root, {})
        return loader.construct_document(root)
    finally:
        loader.dispose()


def _count(node: yaml.Node, counts: dict[int, int]) -> int:
    """Return how many values a node stands for, and check its keys; ``counts`` holds the nodes counted before."""
    if id(node) in counts:
        if not counts[id(node)]:
            raise Refused(f"line {node.start_mark.line + 1}: an alias stands for a value that holds itself")
        return counts[id(node)]
    counts[id(node)] = 0  # while it is being counted
    total = 1
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != MERGE:
                if key.value in seen:
                    raise _twice(key.value, f"line {key.start_mark.line + 1}: ")
                seen.add(key.value)
        total += sum(_count(key, counts) + _count(value, counts) for key, value in node.value)
    elif isinstance(node, yaml.SequenceNode):
        total += sum(_count(value, counts) for value in node.value)
    if total > MOST:
        raise Refused(f"more than {MOST} values, counting each alias as all that it stands for")
    counts[id(node)] = total
    return total


def _twice(key: str, where: str = "") -> Refused:
    return Refused(f"{where}the key {key!r} is given twice in the same mapping; keep one of them")
