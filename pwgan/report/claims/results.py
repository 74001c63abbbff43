"""The results of a study as the claims use them: values by seed of explicitly named cells, and the units of effects."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from pwgan.options import REFERENCE
from pwgan.report import frames
from pwgan.report.confidence import Estimate
from pwgan.report.quality import falls, training_seconds

MODE_SPACING = {"ring8": (8, 2 * np.sin(np.pi / 8)), "grid25": (25, 2.0)}
"""Number of modes of a mixture, and the distance between neighbouring modes."""
MIXTURES = tuple(MODE_SPACING)
DIGITS = "digits"


class NotMeasured(Exception):
    """The results needed for a claim are missing."""


class Cell(NamedTuple):
    """A trained cell: data set, method and training mini-batch size."""

    dataset: str
    method: str
    m: int

    def __str__(self) -> str:
        return f"{self.method} m={self.m}, {self.dataset}"


@dataclass(frozen=True)
class Sample:
    """The statistic of one part of a claim: a value for each seed (NaN if lost) or an estimate, and its cells.

    ``lost``: seeds that are left out of the values.
    """

    values: npt.ArrayLike | Estimate
    cells: tuple[Cell, ...] = ()
    lost: int = 0


Parts = dict[str, Sample]


class Results:
    """The results of a study; frames are read on first use."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.frame = cache(self._frame)
        self.theory = cache(self._theory)
        self.seconds = cache(self._seconds)

    def _frame(self, name: str) -> pd.DataFrame:
        if not (self.folder / f"{name}.parquet").exists():
            raise NotMeasured(f"no {name}.parquet")
        return frames.read(self.folder, name)

    def _theory(self, name: str) -> pd.DataFrame:
        path = self.folder / "theory" / f"{name}.csv"
        if not path.exists():
            raise NotMeasured(f"no theory/{name}.csv")
        return frames.read_csv(path)

    def _seconds(self) -> pd.Series:
        """Return the training seconds per seed of each cell, over all its blocks."""
        return training_seconds(self.frame("costs")).set_index(frames.CELL)["seconds"]

    def has(self, *cells: Cell) -> bool:
        """Return whether all cells were trained."""
        runs = self.frame("runs")
        trained = set(runs[frames.CELL].drop_duplicates().itertuples(index=False, name=None))
        return all(tuple(cell) in trained for cell in cells)

    def statuses(self, cell: Cell) -> pd.Series:
        """Return the status of each seed of a cell; raises ``NotMeasured`` if it was not trained."""
        rows = _of(self.frame("runs"), cell)
        if rows.empty:
            raise NotMeasured(f"{cell} was not trained")
        return rows.set_index("seed")["status"].sort_index()

    def values(self, cell: Cell, name: str, extractor: str | None = None) -> pd.Series:
        """Return a measure of a cell by seed, for the largest sample count; NaN for diverged seeds."""
        seeds = self.statuses(cell).index
        return self._measured(_of(self.frame("measures"), cell), name, extractor, str(cell)).reindex(seeds)

    def filled(self, cell: Cell, name: str, extractor: str | None = None) -> pd.Series:
        """Return a measure of a cell by seed; a diverged seed has the worst value of any run on the data set."""
        values = self.values(cell, name, extractor)
        diverged = self.statuses(cell) == "diverged"
        if not diverged.any():
            return values
        measures = self.frame("measures")
        rows = measures[(measures["dataset"] == cell.dataset) & (measures["method"] != REFERENCE)]
        every = self._largest(rows, name, extractor, str(cell))["value"]
        return values.mask(diverged, every.max() if falls(name) else every.min())

    def floors(self, cell: Cell, name: str, extractor: str | None = None) -> pd.Series:
        """Return a measure of real samples for each seed of a cell."""
        return self.reference(cell.dataset, name, extractor).reindex(self.statuses(cell).index)

    def reference(self, dataset: str, name: str, extractor: str | None = None) -> pd.Series:
        """Return a measure of real samples by seed."""
        measures = self.frame("measures")
        rows = measures[(measures["dataset"] == dataset) & (measures["method"] == REFERENCE)]
        return self._measured(rows, name, extractor, f"real samples of {dataset}")

    def floor(self, dataset: str, name: str, extractor: str | None = None) -> float:
        """Return the mean of a measure over the references."""
        return float(self.reference(dataset, name, extractor).mean())

    def _measured(self, rows: pd.DataFrame, name: str, extractor: str | None, subject: str) -> pd.Series:
        return self._largest(rows, name, extractor, subject).set_index("seed")["value"].sort_index()

    def _largest(self, rows: pd.DataFrame, name: str, extractor: str | None, subject: str) -> pd.DataFrame:
        """Return the rows of a measure with the largest sample count; raises ``NotMeasured`` if there are none."""
        space = rows["extractor"].isna() if extractor is None else rows["extractor"] == extractor
        rows = rows[(rows["name"] == name) & space]
        if rows.empty:
            raise NotMeasured(f"no {name}{f'-{extractor}' if extractor else ''} of {subject}")
        return rows[rows["count"] == rows["count"].max()]

    def lost_mode(self, dataset: str) -> float:
        """Return the unit of effects: the least that the loss of one of K modes adds to the debiased EWD.

        On mixtures the mass 1/K moves to the neighbouring mode at least, so that W is at least spacing / K, and in the
        limit of many samples the debiased EWD is 2 W. On labelled data it is measured: ``lost-class``, the mean over
        classes of the debiased EWD of real samples without the class.
        """
        if dataset in MODE_SPACING:
            modes, spacing = MODE_SPACING[dataset]
            return 2 * float(spacing) / modes
        return self.floor(dataset, "lost-class")


def _of(frame: pd.DataFrame, cell: Cell) -> pd.DataFrame:
    """Return the rows of a cell."""
    same = (frame["dataset"] == cell.dataset) & (frame["method"] == cell.method) & (frame["batch_size"] == cell.m)
    return frame[same.fillna(False).astype(bool)]


def some(parts: Parts, description: str) -> Parts:
    """Return the parts; raises ``NotMeasured`` if there are none."""
    if not parts:
        raise NotMeasured(f"no {description}")
    return parts
