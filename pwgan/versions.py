"""What a result was made with: versions, commit, lock, machine and device. Records it; results do not depend on it."""

from __future__ import annotations

import hashlib
import platform
import re
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pwgan.lazy import torch
from pwgan.provenance import ROOT

PACKAGES = ("pwgan", "torch", "torchvision", "torch-fidelity", "numpy", "scipy", "numba")
LOCK = ROOT / "envs" / "requirements.lock"


def made_with(device: torch.device) -> dict[str, Any]:
    """Return package versions, the commit and lock of the code, and machine, device and threads.

    ``commit`` is that of a checkout, with + after it if files of the package differ from it, or None elsewhere;
    ``lock`` the first digits of the SHA-256 of the lock, if the installed packages are those that it names, else None.
    """
    return {
        "packages": {name: _installed(name) for name in PACKAGES},
        "commit": _commit(),
        "lock": _lock(),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "threads": torch.get_num_threads(),
    }


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


@cache
def _commit() -> str | None:
    try:
        folder, found = _git("rev-parse", "--show-toplevel", "HEAD").splitlines()
        # The package may be installed inside the checkout of something else.
        if Path(folder) != ROOT.resolve():
            return None
        return found[:12] + ("+" if _git("status", "--porcelain", "--", "pwgan") else "")
    except (OSError, ValueError, subprocess.SubprocessError):  # no git, or no checkout
        return None


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", "-C", ROOT, *arguments], check=True, capture_output=True, text=True, timeout=60)
    return done.stdout


@cache
def _lock() -> str | None:
    if not LOCK.is_file():
        return None
    content = LOCK.read_bytes()
    pinned = dict(re.findall(r"^([\w.-]+)==([^ ;]+)", content.decode(), re.MULTILINE))
    # Wheels of torch name their platform after a +.
    installed = {name: (_installed(name) or "").partition("+")[0] for name in PACKAGES if name != "pwgan"}
    return hashlib.sha256(content).hexdigest()[:12] if all(pinned.get(n) == v for n, v in installed.items()) else None
