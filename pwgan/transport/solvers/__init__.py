"""Solvers of assignment problems; ``pwgan.transport`` selects one."""
