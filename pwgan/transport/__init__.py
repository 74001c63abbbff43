"""Optimal transport between samples: costs, matchings, the empirical distance, its mini-batch version and the bias."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pwgan.transport.api import solve, wasserstein

__all__ = ["solve", "wasserstein"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("pwgan.transport.api"), name)
