"""A data set as one file: written once, memory-mapped when read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pwgan.data.base import Split
from pwgan.errors import Refused
from pwgan.lazy import torch
from pwgan.seals import about_tensors, check, header, identity, metadata, sealed

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class StoredData(Split):
    """A stored split; its arrays are memory-mapped from the file."""

    name: str
    about: Mapping[str, str]

    @property
    def kind(self) -> Literal["points", "images"]:
        """``points`` if samples have one axis, ``images`` if they have three."""
        return "points" if len(self.sample_shape) == 1 else "images"

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """The shape of one sample: (d,) or (channels, size, size)."""
        return self.train_sets.shape[2:]

    @property
    def train_sets(self) -> np.ndarray:
        """The training set of each seed, (S, n, *sample); S = 1 if all seeds share it."""
        return self.train[None] if self.first_seed is None else self.train

    @property
    def heldout_sets(self) -> np.ndarray:
        """The held-out set of each seed, (S, n, *sample); S = 1 if all seeds share it."""
        return self.heldout[None] if self.first_seed is None else self.heldout

    @property
    def train_size(self) -> int:
        """The number of training samples of a seed."""
        return self.train_sets.shape[1]

    @property
    def heldout_size(self) -> int:
        """The number of held-out samples of a seed."""
        return self.heldout_sets.shape[1]

    @property
    def class_weights(self) -> np.ndarray | None:
        """The true share of each class, (K,): of training labels, or 1/K of stacked channels; None without labels."""
        if self.train_labels is None:
            return None
        if self.channel_classes is not None:
            classes = self.channel_classes ** self.sample_shape[0]
            return np.full(classes, 1 / classes)
        return np.bincount(self.train_labels) / len(self.train_labels)

    def of_seeds(self, seeds: range) -> StoredData:
        """Return the data of some seeds, without a copy; raises ``Refused`` if one of their draws is not stored."""
        if self.first_seed is None:
            return self
        stored = range(self.first_seed, self.first_seed + len(self.train))
        if seeds.start not in stored or seeds[-1] not in stored:
            raise Refused(
                f"the stored data {self.name} has draws of seeds {stored.start} to {stored[-1]}; this job needs "
                f"{seeds.start} to {seeds[-1]}"
            )
        part = slice(seeds.start - stored.start, seeds.stop - stored.start)
        return replace(self, train=self.train[part], heldout=self.heldout[part], first_seed=seeds.start)

    def first_draw(self) -> StoredData:
        """Return the data of the first seed alone, (n, *sample)."""
        return replace(self, train=self.train_sets[0], heldout=self.heldout_sets[0], first_seed=None)

    def train_tensor(self, indices: Tensor | None = None, device: torch.device | str = "cpu") -> Tensor:
        """Return the training samples of each seed as float32, images in [-1, 1].

        All of them, (S, n, *sample), or with indices (k,) the same rows of each set, (S, k, *sample); S = 1 if all
        seeds share them. With indices (S, k), one row of them for each seed: (S, k, *sample).
        """
        return _gather(self.train_sets, indices, device)

    def heldout_tensor(self, indices: Tensor | None = None, device: torch.device | str = "cpu") -> Tensor:
        """Return the held-out samples of each seed, as ``train_tensor`` does."""
        return _gather(self.heldout_sets, indices, device)


def _gather(sets: np.ndarray, indices: Tensor | None, device: torch.device | str) -> Tensor:
    samples = torch.from_numpy(sets)
    # Copy even without indices: in-place changes of a batch must not reach the stored rows.
    samples = samples.clone() if indices is None else rows_of(samples, indices.to(samples.device))
    return to_float(samples.to(device))


def rows_of(sets: Tensor, indices: Tensor) -> Tensor:
    """Return rows of each seed's set: sets (S or 1, n, *sample), indices (k,) or (S, k) -> (S or 1, k, *sample)."""
    return sets[torch.arange(len(sets), device=sets.device)[:, None], indices]


def to_float(pixels: Tensor) -> Tensor:
    """Turn uint8 pixels x into float32 x / 127.5 - 1, in [-1, 1]; floats are assumed to be in that range."""
    return pixels.float() if pixels.is_floating_point() else pixels.to(torch.float32).div_(127.5).sub_(1)


def write_data(path: str | Path, split: Split, about: Mapping[str, str]) -> None:
    """Write a split and its metadata ``about``, which must have a ``name``, to one safetensors file.

    Raises ``Refused``, before writing, if ``name`` is missing or the arrays do not satisfy ``Split``.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    path = Path(path)
    if "name" not in about:
        raise Refused(f"about must hold the data set's name; got: {', '.join(about) or 'nothing'}")
    check_split(split)
    values = {field.name: getattr(split, field.name) for field in fields(Split)}
    arrays = {key: np.asarray(value, order="C") for key, value in values.items() if value is not None}
    with sealed(path, "data", identity(about["name"])) as (aside, seal):
        try:
            save_file(arrays, aside, metadata=metadata(about, seal))
        except SafetensorError as error:
            if "os error" not in str(error):
                raise
            raise OSError(f"{path} cannot be written: {error}") from error  # as of a full disk


def read_data(path: str | Path) -> StoredData:
    """Read a file of ``write_data``; the arrays are memory-mapped.

    Raises FileNotFoundError, and ``Refused`` for a file that is damaged or holds something else.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"there is no stored data at {path}")
    check(path, "data")
    with path.open("rb") as file:
        about = about_tensors(file)
    arrays = _mapped(path)
    values: dict[str, Any] = {name: array if array.ndim else array.item() for name, array in arrays.items()}
    if "extent" in values:
        values["extent"] = tuple(values["extent"].tolist())
    return StoredData(**values, name=about["name"], about=about)


_TYPES = {"U8": np.uint8, "F32": np.float32, "F64": np.float64, "I64": np.int64, "BOOL": np.bool_}


def _mapped(path: Path) -> dict[str, np.ndarray]:
    """Memory-map the tensors of a checked safetensors file.

    The numpy reader of safetensors copies every tensor; most jobs need only a small part of a large file.
    The mapping is copy-on-write: writing to an array changes neither the file nor another process.
    """
    with path.open("rb") as file:
        entries, start = header(file), file.tell()
    entries.pop("__metadata__")
    whole = np.memmap(path, mode="c")
    return {
        name: whole[start + entry["data_offsets"][0] : start + entry["data_offsets"][1]]
        .view(np.ndarray)
        .view(_TYPES[entry["dtype"]])
        .reshape(entry["shape"])
        for name, entry in entries.items()
    }


def check_split(split: Split) -> None:
    """Raise ``Refused``, naming the array, unless shapes, types and values are as ``Split`` documents."""
    drawn = split.first_seed is not None
    _check_samples("train", split.train, drawn)
    _check_samples("heldout", split.heldout, drawn)
    kinds = [(side.dtype, len(side) if drawn else 1, side.shape[1 + drawn :]) for side in (split.train, split.heldout)]
    if kinds[0] != kinds[1]:
        raise Refused(
            f"train and heldout must hold the same kind of sample; got {_describe(split.train)} and "
            f"{_describe(split.heldout)}"
        )
    if drawn and split.train_labels is not None:
        raise Refused("labels are not supported where each seed has samples of its own")
    if split.fresh and (split.modes is None or split.weights is None or split.sigma is None):
        raise Refused("fresh mini-batches need the modes, weights and sigma of a mixture")
    if (split.train_labels is None) != (split.heldout_labels is None):
        raise Refused("labels must be given for train and heldout, or for neither")
    for name, labels, rows in (
        ("train_labels", split.train_labels, split.train),
        ("heldout_labels", split.heldout_labels, split.heldout),
    ):
        if labels is not None and (labels.dtype != np.int64 or labels.shape != rows.shape[:1]):
            raise Refused(f"{name} must be int64 of shape {rows.shape[:1]}; got {_describe(labels)}")
    if split.train_labels is not None and split.heldout_labels is not None:
        if split.channel_classes is None:
            _check_classes(split.train_labels, split.heldout_labels)
        else:
            for side in (split.train_labels, split.heldout_labels):
                _check_stacks(side, split.train.shape[1], split.channel_classes)
    for name in ("modes", "weights", "density", "offset"):
        array = getattr(split, name)
        if array is not None and not (array.dtype == np.float64 and np.isfinite(array).all()):
            raise Refused(f"{name} must be finite float64; got {_describe(array)}")


def _check_classes(train: np.ndarray, heldout: np.ndarray) -> None:
    """Raise ``Refused`` unless the classes are 0..k-1 and each has training samples, which the classifier needs."""
    classes = np.unique(train)
    if not np.array_equal(classes, np.arange(len(classes))) or heldout.min() < 0 or heldout.max() >= len(classes):
        raise Refused(
            f"classes must be 0..k-1, each with training samples; got {classes[:20].tolist()} in training and "
            f"{np.unique(heldout)[:20].tolist()} held out"
        )


def _check_stacks(labels: np.ndarray, channels: int, classes: int) -> None:
    """Raise ``Refused`` unless labels are below classes^channels; most of them may be missing from few stacks."""
    if labels.min() < 0 or labels.max() >= classes**channels:
        raise Refused(
            f"labels of {channels} channels of {classes} classes each must be 0..{classes**channels - 1}; got "
            f"{labels.min()}..{labels.max()}"
        )


def _check_samples(name: str, rows: np.ndarray, drawn: bool) -> None:
    axes = rows.ndim - drawn
    points = axes == 2 and rows.dtype == np.float32
    images = axes == 4 and rows.dtype in (np.float32, np.uint8) and rows.shape[-1] == rows.shape[-2]
    if not (points or images) or rows.size == 0:
        lead = "seeds, " if drawn else ""
        raise Refused(
            f"{name} must be float32 points ({lead}n, d), or uint8 or float32 images ({lead}n, channels, size, size), "
            f"and not empty; got {_describe(rows)}"
        )
    if rows.dtype == np.uint8:
        return
    low, high = rows.min(), rows.max()  # the minimum of an array with NaN is NaN
    if not (np.isfinite(low) and np.isfinite(high)):
        raise Refused(f"{name} holds values that are not finite")
    if images and (low < -1 or high > 1):
        raise Refused(f"{name}: float images must lie in [-1, 1]; got values in [{low}, {high}]")


def _describe(array: np.ndarray) -> str:
    return f"{array.dtype} of shape {array.shape}"
