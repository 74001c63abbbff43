"""Compiled kernels of the samplers."""

import pwgan.compiled  # noqa: F401
