"""Looks shared by several figures of the theory."""

from __future__ import annotations

from typing import Any

from pwgan.report.style import COLOURS

TRUTH: dict[str, Any] = {"color": "black", "linestyle": ":", "linewidth": 1.2}
SIDES = {
    "real": {"color": COLOURS[0], "marker": "o", "linestyle": ""},
    "generated": {"color": COLOURS[1], "marker": "s", "linestyle": ""},
}
