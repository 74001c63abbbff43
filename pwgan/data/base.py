"""The contract of a data set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from pwgan.options import Options

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Split:
    """Real samples, parted once and for all into a training set and a held-out set that nothing is trained on.

    Points are float32 of shape (n, d). Images are uint8 of shape (n, channels, size, size), read as x / 127.5 - 1,
    or float32 already in [-1, 1]. Labels are int64 of shape (n,). Where the law is known, ``modes`` (k, d) and the
    standard deviation ``sigma`` of each tell the mixture, ``weights`` (k,) its proportions, and ``density`` (g, g) is
    the true density on the square grid of ``extent`` = (left, right, bottom, top), rows from bottom to top.
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


class DataSet(Options):
    """One data set: its options, what is known of it before it is loaded, and how it is loaded.

    Subclasses set ``name`` (what a study calls it), ``kind``, and whether labels exist. Reading a study calls only
    ``train_size`` and ``sample_shape``, which therefore import nothing heavy and download nothing.
    """

    name: ClassVar[str]
    kind: ClassVar[Literal["points", "images"]]
    labelled: ClassVar[bool] = False

    def train_size(self) -> int:
        """Return the number of training samples."""
        raise NotImplementedError

    def heldout_size(self) -> int:
        """Return the number of held-out samples."""
        raise NotImplementedError

    def sample_shape(self) -> tuple[int, ...]:
        """Return the shape of one sample: (d,) or (channels, size, size)."""
        raise NotImplementedError

    def load(self) -> Split:
        """Make or read the data; raises FileNotFoundError, ValueError or RuntimeError with what to do about it."""
        raise NotImplementedError
