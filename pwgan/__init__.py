"""Primal Wasserstein GANs: train generators on exact optimal transport, and measure the effect."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pwgan.transport.assignment import solve
    from pwgan.transport.empirical import wasserstein

__version__ = "0.1.0"
__all__ = ["solve", "wasserstein"]
# Loaded on first use: importing the package imports no torch.
_PLACES = {"solve": "pwgan.transport.assignment", "wasserstein": "pwgan.transport.empirical"}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)
