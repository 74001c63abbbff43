"""Features of images, for Fréchet and kernel distances, precision and recall."""

from __future__ import annotations

import contextlib
import io
import pickle
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pwgan.cells import EXTRACTORS
from pwgan.errors import Refused
from pwgan.networks.layers.classifier import Classifier, untrained
from pwgan.options import one_of

LAYER = "2048"  # pooled features, on which FID is defined


def extractor(
    name: str,
    model: Classifier | None = None,
    weights: str | Path | None = None,
    device: torch.device | str = "cpu",
    batch_size: int = 64,
) -> Callable[[Tensor], Tensor]:
    """Return the feature extractor ``name``, images (n, c, h, w) -> features (n, d).

    ``random`` is ``untrained``; ``classifier`` needs ``model``; ``inception`` reads ``weights`` (key
    ``inception_weights``), or downloads them if that is None. The network is loaded once, in this call. Raises
    ValueError for an unknown name or a missing model, and the exceptions of ``load_inception``.
    """
    one_of(name, EXTRACTORS, "feature extractor")
    if name == "random":
        return lambda images: classifier_features(untrained(*images.shape[1:3]).to(device), images, batch_size)
    if name == "inception":
        network = load_inception(weights, device)
        return lambda images: inception_features(network, images, batch_size)
    if model is None:
        raise Refused("features: classifier needs the trained classifier of the data set; give --classifier FILE")
    model = model.to(device)
    return lambda images: classifier_features(model, images, batch_size)


def classifier_features(model: Classifier, images: Tensor, batch_size: int = 64) -> Tensor:
    """Return the classifier's features (n, 64), float32 on the CPU, of images in [-1, 1] or uint8."""
    _check(images)
    return model.features(images, batch_size)


@torch.no_grad()
def inception_features(network: Any, images: Tensor, batch_size: int = 64) -> Tensor:
    """Return the Inception features (n, 2048), float32 on the CPU, of images in [-1, 1] or uint8.

    ``images`` (n, 1 or 3, h, w); grey images are repeated over the three channels. Floats are rounded to 256 levels,
    since FID is defined on 8-bit images. Resizing to 299 x 299 is done by torch-fidelity, as in the original.
    """
    _check(images)
    if images.shape[1] not in (1, 3):
        raise ValueError(f"Inception reads images of 1 or 3 channels; got {images.shape[1]}")
    device = next(network.parameters()).device
    parts = (as_bytes(part.to(device)).expand(-1, 3, -1, -1) for part in images.split(batch_size))
    return torch.cat([network(part)[0].cpu() for part in parts])


def as_bytes(images: Tensor) -> Tensor:
    """Return images as uint8: x in [-1, 1] becomes the nearest integer to 127.5 (x + 1), uint8 stays."""
    return images if images.dtype == torch.uint8 else ((images + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def load_inception(weights: str | Path | None = None, device: torch.device | str = "cpu") -> Any:
    """Load the Inception network of FID from a file, or download it if ``weights`` is None.

    Raises FileNotFoundError for a missing file, and ``Refused`` for a file with other weights, a failed download or a
    missing torch-fidelity.
    """
    module = fidelity("feature_extractor_inceptionv3")
    state = _download(module.URL_INCEPTION_V3) if weights is None else _read(Path(weights))
    # torch-fidelity unpickles without weights_only: pass it a re-saved copy of the safely loaded tensors.
    plain = io.BytesIO()
    torch.save(state, plain)
    plain.seek(0)
    try:
        with torch.random.fork_rng(
            devices=[]
        ):  # initialising the weights, which are then overwritten, draws random numbers
            network = module.FeatureExtractorInceptionV3("inception", [LAYER], feature_extractor_weights_path=plain)
    except (RuntimeError, TypeError) as error:
        source = weights or module.URL_INCEPTION_V3
        raise Refused(f"{source} holds other weights than those of torch-fidelity's Inception network") from error
    return network.to(device)


def fidelity(module: str) -> Any:
    """Import a module of torch-fidelity; raises ``Refused`` if the package is not installed."""
    try:
        return import_module(f"torch_fidelity.{module}")
    except ModuleNotFoundError as error:
        if error.name != "torch_fidelity":
            raise
        raise Refused("this needs torch-fidelity: install pwgan[fidelity], or set features: none") from error


def _read(path: Path) -> Any:
    """Load a file of weights without executing pickled code."""
    if not path.is_file():
        raise FileNotFoundError(f"no Inception weights at {path}: correct the key inception_weights")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise Refused(f"{path} (key inception_weights) is not a readable file of PyTorch weights") from error


def _download(url: str) -> Any:
    """Load the weights from torch's cache, downloading them if needed; checked against the hash in their name."""
    try:
        with contextlib.redirect_stdout(sys.stderr):
            return torch.hub.load_state_dict_from_url(
                url, map_location="cpu", progress=False, check_hash=True, weights_only=True
            )
    except (OSError, RuntimeError, pickle.UnpicklingError, EOFError) as error:
        raise Refused(
            f"could not get the Inception weights from {url} ({error}). Download that file manually and set "
            "inception_weights to its path, or set features to classifier or none."
        ) from error


def _check(images: Tensor) -> None:
    """Raise ValueError unless ``images`` is a batch of images, uint8 or finite floats in [-1, 1]."""
    if images.ndim != 4 or len(images) == 0:
        raise ValueError(f"images must be (n, c, h, w), n >= 1; got {tuple(images.shape)}")
    if images.dtype != torch.uint8 and not (images.is_floating_point() and bool((images.abs() <= 1 + 1e-4).all())):
        raise ValueError(f"images must be uint8 or finite floats in [-1, 1]; got {images.dtype} out of range or NaN")
