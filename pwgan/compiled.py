"""Where numba keeps compiled kernels: every folder of them imports this, and compiles them with ``cache=True``."""

import numba

from pwgan.runtime import private_folder


def _probe() -> None:
    """Stand for the kernels."""


# Numba keeps them beside the package or in the home folder, and fails if it can write to neither.
try:
    numba.njit(cache=True)(_probe)
except RuntimeError:
    numba.config.CACHE_DIR = str(private_folder("numba"))
