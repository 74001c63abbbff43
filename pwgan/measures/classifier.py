"""A small classifier, trained by a fixed rule, for mode counts and features of labelled images."""

from __future__ import annotations

import copy
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from pwgan.data.store import StoredData, to_float
from pwgan.errors import Refused
from pwgan.networks.layers.classifier import Classifier
from pwgan.seals import identity, read_tensors, write_tensors

BATCH = 128
LEARNING_RATE = 1e-3
PATIENCE = 5
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

    The rule: a tenth of the training set, drawn by ``seed``, is set aside for validation; Adam with learning rate 1e-3
    and batches of 128 minimises the cross entropy on the rest; training stops once validation accuracy has not improved
    for 5 epochs, or after 40 epochs; the weights of the best epoch, the first among equals, are kept. The held-out set
    is not used for training.

    ``train`` (n, c, h, w) and ``heldout`` (n', c, h, w) are uint8 or float in [-1, 1]; labels (n,), (n',) are integers
    from 0. Only batches are converted and moved to ``device``. On a CPU, results are bit-identical for equal seeds and
    numbers of threads, and no global random state is read or changed.

    Returns the classifier in eval mode and its report: ``accuracy`` (held-out), ``validation`` (best accuracy),
    ``epochs`` (run). Raises ValueError for invalid shapes, labels or values.
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
        model = Classifier(train.shape[1], int(max(labels.max(), heldout_labels.max())) + 1)
    model.to(device)
    optimiser = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(train), generator=generator)
    validation, training = order[: len(train) // 10], order[len(train) // 10 :]

    best, best_epoch, best_state = -1.0, 0, model.state_dict()
    for epoch in range(1, MAX_EPOCHS + 1):
        model.train()
        for index in training[torch.randperm(len(training), generator=generator)].split(BATCH):
            loss = F.cross_entropy(model(to_float(train[index].to(device))), labels[index].to(device))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        accuracy = _accuracy(model, train[validation], labels[validation])
        if accuracy > best:
            best, best_epoch, best_state = accuracy, epoch, copy.deepcopy(model.state_dict())
        if epoch - best_epoch >= PATIENCE:
            break
    model.load_state_dict(best_state)
    return model.eval(), {
        "accuracy": _accuracy(model, heldout, heldout_labels),
        "validation": best,
        "epochs": epoch,
    }


def write_classifier(path: Path, data: StoredData, device: torch.device, of_heldout: bool = False) -> None:
    """Train the classifier of a stored data set and write it; raises ``Refused`` if it has no labels.

    With ``of_heldout`` it is trained on the second half of the held-out images, and its accuracy is that on the first.
    """
    if data.train_labels is None or data.heldout_labels is None:
        raise Refused(f"{data.name} has no labels to train a classifier on")
    heldout, heldout_labels = torch.from_numpy(data.heldout), torch.from_numpy(data.heldout_labels)
    train, labels = torch.from_numpy(data.train), torch.from_numpy(data.train_labels)
    if of_heldout:
        half = len(heldout) // 2  # the references of the extractor classifier_heldout
        train, labels, heldout, heldout_labels = (
            heldout[half:],
            heldout_labels[half:],
            heldout[:half],
            heldout_labels[:half],
        )
    if len(train) < 10:
        raise Refused(f"{data.name} has {len(train)} images to train on; a classifier needs at least 10")
    model, report = train_classifier(train, labels, heldout, heldout_labels, device=device)
    save_classifier(path, model, report, data.name, of_heldout)


def save_classifier(
    path: Path, model: Classifier, report: dict[str, float], dataset: str, of_heldout: bool = False
) -> None:
    """Write weights, architecture and report of the classifier of a data set to one safetensors file, atomically."""
    about = {"channels": model.channels, "classes": model.classes, "report": report}
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
    model = Classifier(about["channels"], about["classes"])
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
