"""Solvers of assignment problems; ``pwgan.transport`` selects one."""

import pwgan.compiled  # noqa: F401
