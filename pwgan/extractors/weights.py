"""Files of weights: read without running code from them, or downloaded to torch's cache."""

from __future__ import annotations

import contextlib
import os
import pickle
import sys
from pathlib import Path
from typing import Any

from pwgan.errors import Refused
from pwgan.lazy import torch
from pwgan.runtime import sha256


def read_weights(path: Path, name: str) -> Any:
    """Load a file of PyTorch or safetensors weights of the extractor ``name``, without executing pickled code.

    Raises FileNotFoundError for a missing file, ``Refused`` for one that cannot be read.
    """
    key = f"measures.weights.{name}"
    if not path.is_file():
        raise FileNotFoundError(f"no weights at {path}: correct the key {key}")
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, SafetensorError) as error:
        raise Refused(f"{path} (key {key}) is not a readable file of weights") from error


def cached(url: str) -> Path:
    """Return where torch keeps a downloaded file of weights, whether it is there or not."""
    # As torch.hub.get_dir, which planning must not import.
    home = os.environ.get("TORCH_HOME", os.path.join(os.environ.get("XDG_CACHE_HOME", "~/.cache"), "torch"))
    return Path(os.path.expanduser(home), "hub", "checkpoints", url.rpartition("/")[2])


def require_published(url: str) -> None:
    """Raise ``Refused`` unless the SHA-256 of the file in torch's cache begins with the digits that its name ends in.

    torch checks what it downloads, but not what its cache holds already.
    """
    file, expected = cached(url), url.rpartition("-")[2].partition(".")[0]
    if not (found := sha256(file)).startswith(expected):
        raise Refused(f"{file} is not the file of {url} (SHA-256 {found}, published {expected}...). Delete it")


def download(name: str, url: str) -> Any:
    """Load weights from torch's cache, downloading them if needed; checked against the hash in their name."""
    if cached(url).exists():
        require_published(url)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            return torch.hub.load_state_dict_from_url(
                url, map_location="cpu", progress=False, check_hash=True, weights_only=True
            )
    except (OSError, RuntimeError, pickle.UnpicklingError, EOFError) as error:
        raise Refused(
            f"could not get the weights of {name} from {url} ({error}). Download that file manually and set "
            f"measures.weights.{name} to its path, or leave {name} out of features."
        ) from error
