"""Statistics of trained generators: distances, modes, descent, stability, and the effect of the mini-batch size.

Distances are debiased EWDs, 2 W(x, y) - W(x, x') - W(y, y'), in units of one lost mode (``Results.lost_mode``).
Diverged seeds have the worst value of any run on the data set (``Results.filled``), unless said otherwise.
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
SPACES = ("classifier", "random")
"""Feature extractors: shaped by the training set, and by no data."""
NEAR = 0.5
"""Share of samples near modes below which a run says nothing of modes."""


def difference(*pairs: tuple[Place, Place], datasets: Iterable[str] = DATASETS) -> Statistic:
    """Debiased EWD of a cell minus that of another, paired by seed."""

    def statistic(results: Results) -> Parts:
        parts: Parts = {}
        for (method, m), (other, size) in pairs:
            for dataset in datasets:
                cells = Cell(dataset, method, m), Cell(dataset, other, size)
                if results.has(*cells):
                    first, second = (results.filled(cell, DISTANCE) for cell in cells)
                    name = f"{method} m={m} - {other}{f' m={size}' if m != size else ''}, {dataset}"
                    parts[name] = Sample((first - second) / results.lost_mode(dataset), cells)
        return some(parts, f"data set with {' and '.join(f'{a[0]} and {b[0]}' for a, b in pairs)}")

    return statistic


def above_floor(*places: Place, datasets: Iterable[str] = MIXTURES) -> Statistic:
    """Debiased EWD minus that of real samples, by seed."""

    def statistic(results: Results) -> Parts:
        cells = [Cell(dataset, *place) for place in places for dataset in datasets]
        return some(
            {
                str(cell): Sample(
                    (results.filled(cell, DISTANCE) - results.floors(cell, DISTANCE)) / results.lost_mode(cell.dataset),
                    (cell,),
                )
                for cell in cells
                if results.has(cell)
            },
            f"mixture with {' or '.join(place[0] for place in places)}",
        )

    return statistic


def _complete(results: Results, cell: Cell) -> pd.Series:
    """Return for each seed 1 if it covers every mode, else 0; NaN for seeds that diverged or are undecided.

    Undecided: less than half of the samples lie near modes.
    """
    modes, _ = MODE_SPACING[cell.dataset]
    coverage, near = results.values(cell, "coverage"), results.values(cell, "near-modes")
    return (coverage >= modes).astype(float).where(near >= NEAR)


def keeps_modes(*places: Place, together: bool) -> Statistic:
    """Share of the runs of a method that cover every mode, on all mixtures together or on each.

    Runs that diverged or are undecided do not.
    """

    def statistic(results: Results) -> Parts:
        parts: Parts = {}
        for method, m in places:
            cells = tuple(cell for cell in (Cell(dataset, method, m) for dataset in MIXTURES) if results.has(cell))
            groups = {f"{method} m={m}": cells} if together else {str(cell): (cell,) for cell in cells}
            for name, group in groups.items():
                if group:
                    runs = pd.concat([_complete(results, cell) for cell in group]).to_numpy()
                    parts[name] = Sample(runs, group)
        return some(parts, f"mixture with {' or '.join(place[0] for place in places)}")

    return statistic


def loses_modes(*places: Place) -> Statistic:
    """Share of the runs of a cell that lack at least one mode.

    Undecided runs are not among them; diverged ones are left out: what they lack is not known.
    """

    def statistic(results: Results) -> Parts:
        parts: Parts = {}
        for cell in (Cell(dataset, *place) for place in places for dataset in MIXTURES):
            if results.has(cell):
                lacks = (1 - _complete(results, cell)).fillna(0)
                parts[str(cell)] = Sample(lacks[results.statuses(cell) != "diverged"], (cell,))
        return some(parts, f"mixture with {' or '.join(place[0] for place in places)}")

    return statistic


def measured(name: str, datasets: Iterable[str], *places: Place) -> Statistic:
    """Return a measure of each cell; NaN for diverged seeds."""

    def statistic(results: Results) -> Parts:
        cells = [Cell(dataset, *place) for dataset in datasets for place in places]
        return {str(cell): Sample(results.values(cell, name), (cell,)) for cell in cells}

    return statistic


def removed(method: str, m: int) -> Statistic:
    """Share of the initial debiased EWD to held-out samples that training removes: 1 - last / first evaluation.

    Training that diverges removes nothing.
    """

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
            parts[str(cell)] = Sample(share.mask(fate == "diverged", 0.0), (cell,))
        return some(parts, f"cell of {method} m={m}")

    return statistic


def log_ratio(name: str, place: Place, other: Place) -> Statistic:
    """Logarithm of the ratio of a positive measure of two cells, paired by seed."""

    def statistic(results: Results) -> Parts:
        parts: Parts = {}
        for dataset in DATASETS:
            cells = Cell(dataset, *place), Cell(dataset, *other)
            if results.has(*cells):
                first, second = (results.filled(cell, name) for cell in cells)
                parts[f"{place[0]} over {other[0]}, {dataset}"] = Sample(np.log(first / second), cells)
        return some(parts, f"data set with {place[0]} and {other[0]}")

    return statistic


def gain(method: str, small: int, large: int, datasets: Iterable[str] = MIXTURES) -> Statistic:
    """Debiased EWD at the small minus that at the large mini-batch size: positive if a larger m improves."""
    return difference(((method, small), (method, large)), datasets=datasets)


def gain_over(method: str, other: str, small: int, large: int, sign: int = -1) -> Statistic:
    """Gain from a larger m of a method plus ``sign`` times that of another: who depends more on m.

    On mixtures in debiased EWD, on digits in Fréchet distances, whose common bias cancels. The first is larger in size
    than the second if both its difference (sign -1) and its sum (sign 1) are positive.
    """

    def statistic(results: Results) -> Parts:
        parts: Parts = {}
        for dataset in DATASETS:
            cells = tuple(Cell(dataset, name, m) for name in (method, other) for m in (small, large))
            if not results.has(*cells):
                continue
            spaces = (
                {f"{dataset}": (DISTANCE, None, results.lost_mode(dataset))}
                if dataset in MIXTURES
                else {f"{dataset}, {space}": ("fd", space, 1.0) for space in SPACES}
            )
            for place, (measure, space, unit) in spaces.items():
                values = [results.filled(cell, measure, space) / unit for cell in cells]
                own, others = values[0] - values[1], values[2] - values[3]
                parts[f"{method} {'+' if sign > 0 else '-'} {other}, {place}"] = Sample(own + sign * others, cells)
        return some(parts, f"data set with {method} and {other} at m={small} and m={large}")

    return statistic
