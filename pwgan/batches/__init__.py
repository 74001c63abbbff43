"""Mini-batch samplers: each is a class with a ``name`` in a module of this package."""

from __future__ import annotations

import sys
from typing import Annotated

from pwgan.batches.base import Sampler
from pwgan.options import Choice, discover


def samplers() -> dict[str, type[Sampler]]:
    """Return every known sampler by name."""
    return discover(sys.modules[__name__], Sampler)


SamplerName = Annotated[str, Choice("sampler", samplers)]
"""An option that names a sampler."""

__all__ = ["Sampler", "SamplerName", "samplers"]
