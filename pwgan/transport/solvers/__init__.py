"""Solvers of assignment problems; ``pwgan.transport`` selects one."""

import numba

from pwgan.runtime import private_folder


def _probe() -> None:
    """Stand for the kernels of this folder, which are all compiled with ``cache=True``."""


# Numba keeps compiled kernels beside the package or in the home folder, and fails if it can write to neither.
try:
    numba.njit(cache=True)(_probe)
except RuntimeError:
    numba.config.CACHE_DIR = str(private_folder("numba"))
