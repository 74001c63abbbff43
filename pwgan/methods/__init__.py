"""Training methods: each is a class with a ``name`` in a module of this package, one file per method."""

import sys

from pwgan.methods.base import AdversarialMethod, Batch, FlowMethod, Method, Nets
from pwgan.methods.pairs import PooledMethod, SemidiscreteMethod, TiedMethod
from pwgan.options import discover


def methods() -> dict[str, type[Method]]:
    """Return every known method by name."""
    return discover(sys.modules[__name__], Method)


__all__ = [
    "AdversarialMethod",
    "Batch",
    "FlowMethod",
    "Method",
    "Nets",
    "PooledMethod",
    "SemidiscreteMethod",
    "TiedMethod",
    "methods",
]
