"""Networks: each is a class of options with a ``name`` in a module of this package; its layers are in ``layers``."""

import sys
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, SerializeAsAny

from pwgan.errors import Refused
from pwgan.networks.base import CriticNorm, Network
from pwgan.options import discover, one_of


def networks() -> dict[str, type[Network]]:
    """Return every known network by name."""
    return discover(sys.modules[__name__], Network)


def _read(options: Any) -> Any:
    """Validate options of a network with the class that ``name`` refers to; raises ``Refused`` without a name."""
    if not isinstance(options, Mapping):
        return options
    known = networks()
    if "name" not in options:
        raise Refused(f"a network needs 'name': {', '.join(known)}")
    return known[one_of(options["name"], known, "network")].model_validate(options)


AnyNetwork = Annotated[SerializeAsAny[Network], BeforeValidator(_read)]
"""A field that takes the options of any known network."""

__all__ = ["AnyNetwork", "CriticNorm", "Network", "networks"]
