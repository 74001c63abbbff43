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
from pwgan.report.quality import training_seconds

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
    """The statistic of one part of a claim: a value for each seed (NaN if lost) or an estimate, and its cells."""

    values: npt.ArrayLike | Estimate
    cells: tuple[Cell, ...] = ()


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

    def reference(self, dataset: str, name: str, extractor: str | None = None) -> pd.Series:
        """Return a measure of real samples by seed."""
        measures = self.frame("measures")
        rows = measures[(measures["dataset"] == dataset) & (measures["method"] == REFERENCE)]
        return self._measured(rows, name, extractor, f"real samples of {dataset}")

    def floor(self, dataset: str, name: str, extractor: str | None = None) -> float:
        """Return the mean of a measure over the references."""
        return float(self.reference(dataset, name, extractor).mean())

    def _measured(self, rows: pd.DataFrame, name: str, extractor: str | None, subject: str) -> pd.Series:
        space = rows["extractor"].isna() if extractor is None else rows["extractor"] == extractor
        rows = rows[(rows["name"] == name) & space]
        if rows.empty:
            raise NotMeasured(f"no {name}{f'-{extractor}' if extractor else ''} of {subject}")
        return rows[rows["count"] == rows["count"].max()].set_index("seed")["value"].sort_index()

    def lost_mode(self, dataset: str) -> float:
        """Return the unit of effects: the debiased EWD of a generator that lacks one of K modes, perfect otherwise.

        The mass 1/K moves to the neighbouring mode, so that W = spacing / K, and in the limit of many samples the
        debiased EWD is 2 W. For images with K classes the mass moves by at least the distance W(x, x') between matched
        samples of two draws of the data, the floor of the EWD.
        """
        if dataset in MODE_SPACING:
            modes, spacing = MODE_SPACING[dataset]
            return 2 * float(spacing) / modes
        described = self.frame("datasets").set_index("dataset")["modes"].get(dataset)
        if described is None or pd.isna(described):
            raise NotMeasured(f"no number of classes of {dataset}")
        return 2 * self.floor(dataset, "ewd") / int(described)


def _of(frame: pd.DataFrame, cell: Cell) -> pd.DataFrame:
    """Return the rows of a cell."""
    same = (frame["dataset"] == cell.dataset) & (frame["method"] == cell.method) & (frame["batch_size"] == cell.m)
    return frame[same.fillna(False).astype(bool)]


def some(parts: Parts, description: str) -> Parts:
    """Return the parts; raises ``NotMeasured`` if there are none."""
    if not parts:
        raise NotMeasured(f"no {description}")
    return parts
