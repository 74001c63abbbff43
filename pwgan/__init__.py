"""Primal Wasserstein GANs: train generators on exact optimal transport, and measure the effect."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pwgan.transport.api import solve, wasserstein

__version__ = "0.1.0"
__all__ = ["solve", "wasserstein"]


def __getattr__(name: str) -> Any:
    # Loaded on first use: importing the package imports no torch.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("pwgan.transport.api"), name)
