"""The interface of a data set."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from pwgan.options import Options


@dataclass(frozen=True)
class Split:
    """Real samples in a fixed split: a training set, and a held-out set that is never used for training.

    Points are float32 of shape (n, d). Images are uint8 of shape (n, channels, size, size), read as x / 127.5 - 1,
    or float32 already in [-1, 1]. Labels are int64 of shape (n,). Rows are in a fixed random order: the first
    n rows are a random sample without replacement.

    All seeds share these samples, unless each has draws of its own: then ``train`` and ``heldout`` have a leading axis,
    (S, n, *sample), of the draws of the seeds ``first_seed``, ``first_seed`` + 1, ...

    If the distribution is a known mixture, ``modes`` (k, d) are its modes, ``sigma`` the standard deviation of each and
    ``weights`` (k,) their proportions; with ``fresh``, mini-batches are drawn from it instead of from ``train``, which
    measures still use. ``density`` (g, g) is the true density averaged over each cell of a square grid
    covering ``extent`` = (left, right, bottom, top), rows from bottom to top.

    With ``channel_classes`` k, each channel of an image is an image of its own, of one of k classes: the label is c_1
    k^(channels - 1) + ... + c_channels, and every one of the k^channels labels is equally likely by the law.

    If float32 cannot hold the user's points, ``offset`` (d,) was subtracted from them: rows + offset are the points.
    """

    train: np.ndarray
    heldout: np.ndarray
    train_labels: np.ndarray | None = None
    heldout_labels: np.ndarray | None = None
    modes: np.ndarray | None = None
    weights: np.ndarray | None = None
    sigma: float | None = None
    density: np.ndarray | None = None
    extent: tuple[float, float, float, float] | None = None
    offset: np.ndarray | None = None
    first_seed: int | None = None
    fresh: bool = False
    channel_classes: int | None = None

    def restored(self, samples: np.ndarray) -> np.ndarray:
        """Return samples (..., *sample) in the user's coordinates: with the offset added, float64, if there is one."""
        return samples if self.offset is None else samples + self.offset


class DataSet(Options):
    """One data set: its options, its properties known before loading, and how to load it.

    Subclasses set ``name`` (used in studies) and implement the methods below. Reading a study calls all of them except
    ``load``, so they must not download anything or import large packages.
    """

    name: ClassVar[str]

    @property
    def kind(self) -> Literal["points", "images"]:
        """``points`` if samples have one axis, ``images`` if they have three."""
        return "points" if len(self.sample_shape()) == 1 else "images"

    @property
    def labelled(self) -> bool:
        """Whether every sample has a class label; overridden by subclasses with labels."""
        return False

    def natural_network(self) -> str:
        """Return the name of the network used by default."""
        return "mlp" if self.kind == "points" else "dcgan"

    def train_size(self) -> int:
        """Return the number of training samples."""
        raise NotImplementedError

    def heldout_size(self) -> int:
        """Return the number of held-out samples."""
        raise NotImplementedError

    def sample_shape(self) -> tuple[int, ...]:
        """Return the shape of one sample: (d,) or (channels, size, size)."""
        raise NotImplementedError

    def sources(self) -> list[Path]:
        """Return the user's files that ``load`` reads or downloads: if they change, the data set must be read again.

        Raises FileNotFoundError or ``Refused`` if files are missing that ``load`` does not download.
        """
        return []

    def load(self) -> Split:
        """Generate or read the data; raises FileNotFoundError or ``Refused`` with a remedy."""
        raise NotImplementedError


class Synthetic(DataSet):
    """A data set drawn from a known distribution: the training and held-out set of a seed are draws of its own."""

    def draw(self, seed: int) -> Split:
        """Draw the split of one seed, a function of the options and the seed alone."""
        raise NotImplementedError

    def draws(self, seeds: range) -> Split:
        """Draw the splits of all seeds, (S, n, *sample)."""
        splits = [self.draw(seed) for seed in seeds]
        train, heldout = (np.stack([getattr(split, side) for split in splits]) for side in ("train", "heldout"))
        return replace(splits[0], train=train, heldout=heldout, first_seed=seeds.start)

    def load(self) -> Split:
        """Draw the split of seed 0."""
        return self.draw(0)
