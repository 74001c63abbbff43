"""Optimal transport between samples: costs, matchings, the empirical distance, its mini-batch version and the bias."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pwgan.transport.empirical import wasserstein

__all__ = ["wasserstein"]


def __getattr__(name: str) -> Any:
    if name != "wasserstein":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return import_module("pwgan.transport.empirical").wasserstein
