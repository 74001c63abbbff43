"""Code that a result depends on: the package modules that a stage imports, directly or indirectly.

Workflow rules and checkpoints both use ``closure``: the results of a stage depend on everything it imports, at module
level or inside a function.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
"""The folder that holds the package."""
REGISTRIES = ("pwgan.batches", "pwgan.data", "pwgan.extractors", "pwgan.methods", "pwgan.networks")
"""Packages that look up members by name; the member a job uses is one of its parameters and is added separately."""
EXEMPT = {
    "pwgan": "the version and the public names",
    "pwgan.cells": "reads the parameters of a job; the parameters themselves are tracked",
    "pwgan.errors": "an exception class",
    "pwgan.interrupts": "ends a run; a resumed one has the same results",
    "pwgan.lazy": "imports torch on first use",
    "pwgan.options": "checks parameters",
    "pwgan.provenance": "lists files",
    "pwgan.versions": "records what a result was made with",
    **dict.fromkeys(REGISTRIES, "finds members by name"),
}
"""Modules whose own code changes no result, with the reason. Their imports are still followed."""


@cache
def closure(*modules: str) -> list[str]:
    """Return the files of the modules and of all they import, without ``EXEMPT``, sorted and relative to ``ROOT``.

    Raises ValueError for a module outside the package.
    """
    visited: set[str] = set()
    queue = list(modules)
    while queue:
        module = queue.pop()
        if module not in visited:
            visited.add(module)
            queue += _imports(module)
    return sorted(_file(module).relative_to(ROOT).as_posix() for module in visited - EXEMPT.keys())


@cache
def code_version(*modules: str) -> str:
    """Return a hash of the names and contents of ``closure(*modules)``."""
    digest = hashlib.blake2b(digest_size=16)
    for file in closure(*modules):
        digest.update(f"{file}\0".encode())
        digest.update(_content_hash(file))
    return digest.hexdigest()


@cache
def _content_hash(file: str) -> bytes:
    return hashlib.blake2b((ROOT / file).read_bytes(), digest_size=16).digest()


@cache
def _imports(module: str) -> tuple[str, ...]:
    """Return the package modules that a module imports, and its parent packages."""
    tree = ast.parse(_file(module).read_text(encoding="utf-8"))
    parents = [module.rsplit(".", depth)[0] for depth in range(1, module.count(".") + 1)]
    return (*parents, *(name for node in _running(tree) for name in _named(node)))


def _running(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield all nodes except those under ``if TYPE_CHECKING``."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            for other in node.orelse:
                yield other
                yield from _running(other)
            continue
        yield node
        yield from _running(node)


def _named(node: ast.AST) -> Iterator[str]:
    """Yield the package modules that an import statement names."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if _of_package(alias.name))
    elif isinstance(node, ast.ImportFrom) and node.module and _of_package(node.module):
        exported = _exported(node.module)
        for alias in node.names:
            member = f"{node.module}.{alias.name}"
            yield member if _path(member) else exported.get(alias.name, node.module)


@cache
def _exported(package: str) -> dict[str, str]:
    """Return which module a package takes its lazily exported names from, as its imports for type checkers say."""
    tree = ast.parse(_file(package).read_text(encoding="utf-8"))
    lazy = any(isinstance(node, ast.FunctionDef) and node.name == "__getattr__" for node in tree.body)
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module] if lazy else []
    return {alias.name: str(node.module) for node in nodes for alias in node.names if _of_package(str(node.module))}


def _of_package(name: str) -> bool:
    return name.partition(".")[0] == "pwgan"


def _file(module: str) -> Path:
    path = _path(module) if _of_package(module) else None
    if path is None:
        raise ValueError(f"{module!r} is not a module of the package")
    return path


def _path(module: str) -> Path | None:
    """Return the file of a module or package; None if there is neither."""
    base = ROOT.joinpath(*module.split("."))
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)
