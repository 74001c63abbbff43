"""A small classifier, trained by a fixed rule, for mode counts and features of labelled images."""

from __future__ import annotations

import math
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from pwgan.data.store import StoredData, to_float
from pwgan.errors import Refused
from pwgan.networks.layers.classifier import Classifier
from pwgan.networks.layers.stacked import StackedClassifier, distinct_channels
from pwgan.seals import identity, read_tensors, write_tensors

BATCH = 128
LEARNING_RATE = 1e-2
IMAGES = 270_000
MAX_EPOCHS = 40


def train_classifier(
    train: Tensor,
    labels: Tensor,
    heldout: Tensor,
    heldout_labels: Tensor,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> tuple[Classifier, dict[str, float]]:
    """Train a classifier by a rule that is the same for all data sets, and report its held-out accuracy.

    The rule: Adam with batches of 128 minimises the cross entropy for 40 epochs, or fewer if there are so many images
    that 270,000 are seen in fewer; the learning rate rises to 1e-2 and falls to 0 in one cycle. The held-out set is not
    used for training.

    ``train`` (n, c, h, w) and ``heldout`` (n', c, h, w) are uint8 or float in [-1, 1]; labels (n,), (n',) are integers
    from 0. Only batches are converted and moved to ``device``. On a CPU, results are bit-identical for equal seeds and
    numbers of threads, and no global random state is read or changed.

    Returns the classifier in eval mode and its report: ``accuracy`` (held-out), ``epochs``. Raises ValueError for
    invalid shapes, labels or values. Source: Smith and Topin, "Super-convergence", 2019, for the cycle.
    """
    for images, image_labels in ((train, labels), (heldout, heldout_labels)):
        _check(images, image_labels)
    if len(train) < 10 or train.shape[1:] != heldout.shape[1:]:
        raise ValueError(
            "at least 10 training images, and held-out images of their shape, are needed; "
            f"got {tuple(train.shape)} and {tuple(heldout.shape)}"
        )
    labels, heldout_labels = labels.long().cpu(), heldout_labels.long().cpu()
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        classes = int(max(labels.max(), heldout_labels.max())) + 1
        model = Classifier(train.shape[1], classes, train.shape[2])
    model.to(device).train()
    epochs = min(MAX_EPOCHS, math.ceil(IMAGES / len(train)))
    steps = epochs * math.ceil(len(train) / BATCH)
    optimiser = torch.optim.Adam(model.parameters(), betas=(0.9, 0.99))
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps, cycle_momentum=False)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(epochs):
        for index in torch.randperm(len(train), generator=generator).split(BATCH):
            loss = F.cross_entropy(model(to_float(train[index].to(device))), labels[index].to(device))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            cycle.step()
    return model.eval(), {"accuracy": _accuracy(model, heldout, heldout_labels), "epochs": epochs}


def write_classifier(path: Path, data: StoredData, device: torch.device, of_heldout: bool = False) -> None:
    """Train the classifier of a stored data set and write it; raises ``Refused`` if it has no labels.

    With ``of_heldout`` it is trained on the second half of the held-out images, and its accuracy is that on the first.
    That of stacked channels is trained on the distinct channels; its report is of single channels.
    """
    if data.train_labels is None or data.heldout_labels is None:
        raise Refused(f"{data.name} has no labels to train a classifier on")
    first, second = (data.train, data.train_labels), (data.heldout, data.heldout_labels)
    if of_heldout:
        half = data.heldout_size // 2  # the references of the extractor classifier_heldout
        first, second = ((second[0][part], second[1][part]) for part in (slice(half, None), slice(half)))
    if len(first[0]) < 10:
        raise Refused(f"{data.name} has {len(first[0])} images to train on; a classifier needs at least 10")
    if data.channel_classes is not None:
        first, second = (distinct_channels(*part, data.channel_classes) for part in (first, second))
    train, labels, heldout, heldout_labels = (torch.from_numpy(array) for part in (first, second) for array in part)
    model, report = train_classifier(train, labels, heldout, heldout_labels, device=device)
    if data.channel_classes is not None:
        single, model = model, StackedClassifier(data.sample_shape[0], data.channel_classes, model.size)
        model.load_state_dict(single.state_dict())
    save_classifier(path, model, report, data.name, of_heldout)


def save_classifier(
    path: Path, model: Classifier, report: dict[str, float], dataset: str, of_heldout: bool = False
) -> None:
    """Write weights, architecture and report of the classifier of a data set to one safetensors file, atomically."""
    about = {"channels": model.channels, "classes": model.classes, "size": model.size, "report": report}
    if isinstance(model, StackedClassifier):
        about |= {"channels": model.stack, "channel_classes": model.channel_classes}
    weights = {name: value.cpu().contiguous() for name, value in model.state_dict().items()}
    write_tensors(path, "classifier", classifier_identity(dataset, of_heldout), weights, about)


def classifier_identity(dataset: str, of_heldout: bool) -> str:
    """Return what the seal of a classifier's file names."""
    return identity(dataset, "heldout") if of_heldout else identity(dataset)


def load_classifier(path: Path, dataset: str, of_heldout: bool = False) -> tuple[Classifier, dict[str, float]]:
    """Load a file of ``save_classifier``: the classifier, on the CPU in eval mode, and its report.

    Raises FileNotFoundError for a missing file and ``Refused`` for one without the classifier of this data set.
    """
    state, about = read_tensors(path, "classifier", classifier_identity(dataset, of_heldout))
    channels, size, channel_classes = about["channels"], about["size"], about.get("channel_classes")
    model = (
        StackedClassifier(channels, channel_classes, size)
        if channel_classes
        else Classifier(channels, about["classes"], size)
    )
    model.load_state_dict(state)
    return model.eval(), about["report"]


def _accuracy(model: Classifier, images: Tensor, labels: Tensor) -> float:
    """Return the fraction of images whose predicted label is correct."""
    return float((model.predict(images) == labels).double().mean())


def _check(images: Tensor, labels: Tensor) -> None:
    """Raise ValueError unless images and labels are valid and of equal number."""
    if images.ndim != 4 or labels.shape != images.shape[:1] or len(images) == 0:
        raise ValueError(f"images (n, c, h, w) need labels (n,); got {tuple(images.shape)} and {tuple(labels.shape)}")
    if labels.is_floating_point() or labels.dtype == torch.bool or int(labels.min()) < 0:
        raise ValueError(f"labels must be integers from 0; got {labels.dtype}, smallest {labels.min()}")
    if images.is_floating_point() and not bool((images.abs() <= 1).all()):
        raise ValueError("images must be uint8 or finite floats in [-1, 1]; got others (NaN or out of range)")
