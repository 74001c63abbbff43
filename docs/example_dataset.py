"""Example of a data set. Copy this file to pwgan/data/ and add ``two_moons`` to ``datasets`` of a study.

A data set is a class with a ``name``. Its fields are the options that a study can set; they are validated before any
job starts. All methods except ``load`` are called while the workflow is planned, so libraries are imported in ``load``.
All seeds share these samples; a class derived from ``pwgan.data.Synthetic`` has ``draw(seed)`` instead of ``load``.
"""

from typing import ClassVar

import numpy as np
from pydantic import Field

from pwgan.data.base import DataSet, Split


class TwoMoons(DataSet):
    """Two interleaved half circles of radius 1 with Gaussian noise, as scikit-learn draws them."""

    name: ClassVar[str] = "two_moons"

    samples: int = Field(10_000, ge=1, description="number of training points")
    heldout: int = Field(2_000, ge=1, description="number of held-out points")
    noise: float = Field(0.05, ge=0, description="standard deviation of the noise")

    def train_size(self) -> int:
        return self.samples

    def heldout_size(self) -> int:
        return self.heldout

    def sample_shape(self) -> tuple[int, ...]:
        return (2,)

    def load(self) -> Split:
        from sklearn.datasets import make_moons

        # Fixed seeds, so that every study uses the same data; different seeds, so that the two sets are independent.
        train, _ = make_moons(self.samples, noise=self.noise, random_state=0)
        heldout, _ = make_moons(self.heldout, noise=self.noise, random_state=1)
        return Split(train=train.astype(np.float32), heldout=heldout.astype(np.float32))
