"""The environment that a workflow gives to the jobs that it starts."""

from __future__ import annotations

import getpass
import os

from pwgan.provenance import ROOT

JOBS_PER_GPU = "PWGAN_JOBS_PER_GPU"


def prepare(jobs_per_gpu: int = 1) -> None:
    """Let jobs import this package from any folder, and let programs ask for the name of a user who has none.

    ``jobs_per_gpu``: how many jobs on this machine may share a GPU.
    """
    os.environ[JOBS_PER_GPU] = str(jobs_per_gpu)
    inherited = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = f"{ROOT}{os.pathsep}{inherited}" if inherited else str(ROOT)
    try:
        getpass.getuser()
    except (KeyError, OSError):  # a user without an entry in the password file, as in `docker run --user`
        os.environ["LOGNAME"] = str(os.getuid())
