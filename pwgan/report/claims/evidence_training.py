"""Statistics of trained generators: distances, modes, descent, stability, and the effect of the mini-batch size.

Distances are debiased EWDs, 2 W(x, y) - W(x, x') - W(y, y'), in units of one lost mode (``Results.lost_mode``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd

from pwgan.report.claims.results import DIGITS, MIXTURES, MODE_SPACING, Cell, Parts, Results, Sample, some

Statistic = Callable[[Results], Parts]
Place = tuple[str, int]
"""A method and its training mini-batch size."""
DATASETS = (*MIXTURES, DIGITS)
DISTANCE = "ewd-debiased"
FD = ("fd", "classifier")


def difference(*pairs: tuple[Place, Place], datasets: Iterable[str] = DATASETS) -> Statistic:
    """Debiased EWD of a cell minus that of another, paired by seed."""

    def statistic(results: Results) -> Parts:
        parts: Parts = {}
        for (method, m), (other, size) in pairs:
            for dataset in datasets:
                cells = Cell(dataset, method, m), Cell(dataset, other, size)
                if results.has(*cells):
                    first, second = (results.values(cell, DISTANCE) for cell in cells)
                    name = f"{method} m={m} - {other}{f' m={size}' if m != size else ''}, {dataset}"
                    parts[name] = Sample((first - second) / results.lost_mode(dataset), cells)
        return some(parts, f"data set with {' and '.join(f'{a[0]} and {b[0]}' for a, b in pairs)}")

    return statistic


def above_floor(*places: Place, datasets: Iterable[str] = MIXTURES) -> Statistic:
    """Debiased EWD minus that of real samples."""

    def statistic(results: Results) -> Parts:
        cells = [Cell(dataset, *place) for place in places for dataset in datasets]
        return some(
            {
                str(cell): Sample(
                    (results.values(cell, DISTANCE) - results.floor(cell.dataset, DISTANCE))
                    / results.lost_mode(cell.dataset),
                    (cell,),
                )
                for cell in cells
                if results.has(cell)
            },
            f"mixture with {' or '.join(place[0] for place in places)}",
        )

    return statistic


def _complete(results: Results, cell: Cell) -> pd.Series:
    """Return for each seed 1 if it covers every mode, else 0; NaN for diverged seeds."""
    modes, _ = MODE_SPACING[cell.dataset]
    coverage = results.values(cell, "coverage")
    return (coverage >= modes).astype(float).where(coverage.notna())


def keeps_modes(*places: Place) -> Statistic:
    """Share of the runs of a method on the mixtures, all data sets together, that cover every mode."""

    def statistic(results: Results) -> Parts:
        parts: Parts = {}
        for method, m in places:
            cells = tuple(cell for cell in (Cell(dataset, method, m) for dataset in MIXTURES) if results.has(cell))
            if cells:
                runs = [_complete(results, cell) for cell in cells]
                parts[f"{method} m={m}"] = Sample(pd.concat(runs).to_numpy(), cells)
        return some(parts, f"mixture with {' or '.join(place[0] for place in places)}")

    return statistic


def loses_modes(*places: Place) -> Statistic:
    """Share of the runs of a cell that lack at least one mode; a diverged run is not one of them."""

    def statistic(results: Results) -> Parts:
        parts: Parts = {}
        for cell in (Cell(dataset, *place) for place in places for dataset in MIXTURES):
            if results.has(cell):
                parts[str(cell)] = Sample(1 - _complete(results, cell), (cell,))
        return some(parts, f"mixture with {' or '.join(place[0] for place in places)}")

    return statistic


def high_quality(dataset: str, *places: Place) -> Statistic:
    """Share of the samples within 3 sigma of a mode."""

    def statistic(results: Results) -> Parts:
        cells = [Cell(dataset, *place) for place in places]
        return {str(cell): Sample(results.values(cell, "high-quality"), (cell,)) for cell in cells}

    return statistic


def removed(method: str, m: int) -> Statistic:
    """Share of the initial debiased EWD to held-out samples that training removes: 1 - last / first evaluation."""

    def statistic(results: Results) -> Parts:
        history = results.frame("history")
        parts: Parts = {}
        for cell in (Cell(dataset, method, m) for dataset in DATASETS):
            if not results.has(cell):
                continue
            rows = history[(history["dataset"] == cell.dataset) & (history["method"] == method)]
            rows = rows[rows["batch_size"] == m].dropna(subset="ewd_debiased").sort_values("step")
            ends = rows.groupby("seed")["ewd_debiased"].agg(["first", "last"])
            fate = results.statuses(cell)
            share = (1 - ends["last"] / ends["first"]).reindex(fate.index)
            parts[str(cell)] = Sample(share.where(fate != "diverged"), (cell,))
        return some(parts, f"cell of {method} m={m}")

    return statistic


def log_ratio(name: str, place: Place, other: Place) -> Statistic:
    """Logarithm of the ratio of a positive measure of two cells, paired by seed."""

    def statistic(results: Results) -> Parts:
        parts: Parts = {}
        for dataset in DATASETS:
            cells = Cell(dataset, *place), Cell(dataset, *other)
            if results.has(*cells):
                first, second = (results.values(cell, name) for cell in cells)
                parts[f"{place[0]} over {other[0]}, {dataset}"] = Sample(np.log(first / second), cells)
        return some(parts, f"data set with {place[0]} and {other[0]}")

    return statistic


def gain(method: str, small: int, large: int, datasets: Iterable[str] = MIXTURES) -> Statistic:
    """Debiased EWD at the small minus that at the large mini-batch size: positive if a larger m improves."""
    return difference(((method, small), (method, large)), datasets=datasets)


def gain_over(method: str, other: str, small: int, large: int) -> Statistic:
    """Gain from a larger m of a method minus that of another: on mixtures in debiased EWD, on digits in log FD."""

    def statistic(results: Results) -> Parts:
        parts: Parts = {}
        for dataset in DATASETS:
            cells = tuple(Cell(dataset, name, m) for name in (method, other) for m in (small, large))
            if not results.has(*cells):
                continue
            if dataset in MIXTURES:
                values = [results.values(cell, DISTANCE) / results.lost_mode(dataset) for cell in cells]
            else:
                values = [np.log(results.values(cell, *FD)) for cell in cells]
            own, others = values[0] - values[1], values[2] - values[3]
            parts[f"{method} - {other}, {dataset}"] = Sample(own - others, cells)
        return some(parts, f"data set with {method} and {other} at m={small} and m={large}")

    return statistic
