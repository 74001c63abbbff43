"""torch, imported when it is first used.

Planning a study imports every method and data set to check options; importing torch would add seconds.
Modules that declare options therefore write ``from pwgan.lazy import F, torch`` and use both names as
usual, but only inside functions.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    import torch.nn.functional as F
else:

    class _Lazy:
        """Proxy that imports a module when one of its attributes is first accessed."""

        def __init__(self, name: str) -> None:
            self._name = name

        def __getattr__(self, attribute: str) -> Any:
            return getattr(import_module(self._name), attribute)

    torch = _Lazy("torch")
    F = _Lazy("torch.nn.functional")

__all__ = ["F", "torch"]
