"""The contract of a data set."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from pwgan.options import Options

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Split:
    """Real samples, parted once and for all into a training set and a held-out set that nothing is trained on.

    Points are float32 of shape (n, d). Images are uint8 of shape (n, channels, size, size), read as x / 127.5 - 1,
    or float32 already in [-1, 1]. Labels are int64 of shape (n,). Rows come in a fixed random order, so that the
    first n of them are a fair sample of the whole.

    Where the law is known, ``modes`` (k, d) and the standard deviation ``sigma`` of each tell the mixture, ``weights``
    (k,) its proportions, and ``density`` (g, g) is the mean of the true density over each cell of a square grid that
    covers ``extent`` = (left, right, bottom, top), rows from bottom to top.
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

    Subclasses set ``name`` (what a study calls it) and answer the methods below. Reading a study calls all of them but
    ``load``; they import nothing heavy and download nothing.
    """

    name: ClassVar[str]

    @property
    def kind(self) -> Literal["points", "images"]:
        """Tell points, whose samples have one axis, from images, which have three."""
        return "points" if len(self.sample_shape()) == 1 else "images"

    @property
    def labelled(self) -> bool:
        """Say whether every sample has a class label; subclasses that have labels override this."""
        return False

    def natural_network(self) -> str:
        """Return the name of the network that is used where a study names none."""
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
        """Return the user's files and folders that are read: when they change, so does the data set."""
        return []

    def load(self) -> Split:
        """Make or read the data; raises FileNotFoundError, ValueError or RuntimeError with what to do about it."""
        raise NotImplementedError
