"""The environment that a workflow gives to the jobs that it starts."""

from __future__ import annotations

import getpass
import os

from pwgan.provenance import ROOT


def prepare() -> None:
    """Let jobs import this package from any folder, and let programs ask for the name of a user who has none."""
    inherited = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = f"{ROOT}{os.pathsep}{inherited}" if inherited else str(ROOT)
    try:
        getpass.getuser()
    except (KeyError, OSError):  # a user without an entry in the password file, as in `docker run --user`
        os.environ["LOGNAME"] = str(os.getuid())
