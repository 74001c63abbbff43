"""Results about real samples that jobs share: each is a file, found by a hash of all that it depends on."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from pwgan.errors import Refused
from pwgan.seals import identity, read_tensors, write_tensors

log = logging.getLogger("pwgan")


def kept(
    folder: Path | None,
    name: str,
    samples: Sequence[Tensor],
    depends_on: Sequence[object],
    compute: Callable[[], Tensor],
) -> Tensor:
    """Return what ``compute`` returns for the samples, from a file in ``folder`` if it is there; None: no files.

    The name of the file is a hash of the samples' bytes and of ``depends_on``, so that no change of any of them finds
    a result of before. A damaged file is replaced.
    """
    if folder is None:
        return compute()
    made_from = identity(name, [_content(one) for one in samples], *depends_on, str(torch.__version__))
    path = folder / f"{name}-{made_from}.safetensors"
    try:
        return read_tensors(path, name, made_from)[0]["kept"]
    except FileNotFoundError:
        pass
    except Refused as error:
        log.warning("%s; computing it again", error)
    result = compute()
    write_tensors(path, name, made_from, {"kept": result}, {})
    return result


def _content(samples: Tensor) -> list[object]:
    content = samples.cpu().contiguous().flatten().view(torch.uint8).numpy().data
    return [*samples.shape, str(samples.dtype), hashlib.blake2b(content, digest_size=16).hexdigest()]
