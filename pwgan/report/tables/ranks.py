"""Every cell of a data set in order of quality, in groups that are not significantly different from their best."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pwgan.report.families import family
from pwgan.report.frames import CELL, REFERENCE, seed_counts
from pwgan.report.quality import FINAL, chosen, falls, training_seconds
from pwgan.report.statistics import PAIRED_SEEDS, best, interval
from pwgan.report.tables._cells import cell, headed, number
from pwgan.report.tables._pages import Table

COLUMNS = [*CELL, "family", "rank", "group", "measure", "mean", "half_width", "seeds", "diverged", "seconds"]


def data(measures: pd.DataFrame, runs: pd.DataFrame, costs: pd.DataFrame) -> pd.DataFrame:
    """Rank the cells of each data set by the Fréchet distance on images, by the debiased EWD elsewhere.

    ``group`` 1 is the best cell and those not distinguished from it (``statistics.best``); group 2 the best of the rest
    and those not distinguished from that; and so on. Cells with a diverged seed come last, without a group.
    ``seconds``: training time per seed.
    """
    values = chosen(measures, FINAL)
    known = runs.drop_duplicates(CELL)[[*CELL, "algorithm"]].merge(seed_counts(runs)[[*CELL, "diverged"]], on=CELL)
    parts = []
    for (_, measure), part in values[values["method"] != REFERENCE].groupby(["dataset", "measure"], sort=False):
        cells = part.groupby(CELL, sort=False)["value"].apply(interval).apply(pd.Series)
        cells = cells.set_axis(["mean", "half_width", "seeds"], axis=1).reset_index().merge(known, on=CELL)
        cells = cells.assign(lost=cells["diverged"] > 0, cost=cells["mean"] if falls(str(measure)) else -cells["mean"])
        cells = cells.sort_values(["lost", "cost"], ignore_index=True)
        wide = part.pivot(index="seed", columns=CELL, values="value")
        columns = wide[[tuple(key) for key in cells.loc[~cells["lost"], CELL].to_numpy()]].to_numpy()
        groups = pd.array([*_groups(columns, falls(str(measure))), *[pd.NA] * int(cells["lost"].sum())], dtype="Int64")
        parts.append(cells.assign(measure=measure, group=groups, rank=range(1, len(cells) + 1)))
    if not parts:
        return pd.DataFrame(columns=COLUMNS)
    table = pd.concat(parts, ignore_index=True).merge(training_seconds(costs), on=CELL, how="left")
    return table.assign(family=table["algorithm"].map(family)).astype({"seeds": int})[COLUMNS]


def _groups(values: np.ndarray, lower: bool) -> list[int]:
    """Number the columns of (seed, cell), which are sorted, the best first."""
    numbers = np.zeros(values.shape[1], dtype=int)
    while len(rest := np.flatnonzero(numbers == 0)):
        tied = best(values[:, rest], lower)
        tied[0] = True  # also where no mean is finite
        numbers[rest[tied]] = numbers.max() + 1
    return numbers.tolist()


def readable(frame: pd.DataFrame) -> Table:
    """Lay out one block per data set, with one row per cell."""
    caption = (
        "All cells of a data set, ranked on images by the Fréchet distance, elsewhere by the debiased EWD; lower is "
        "better. Mean ± half width of the 95 % Student interval over seeds. Group 1 (bold): the best, and what is not "
        "distinguished from it (two-sided t-test paired by seed, 5 %, Holm-corrected for the cells compared with it; "
        f"at least {PAIRED_SEEDS} seeds); group 2: the best of the rest, and what is not distinguished from that; and "
        "so on. Cells with a diverged seed come last. Times compare only if all cells ran on one machine."
    )
    blocks, bold = {}, {}
    for dataset, part in frame.groupby("dataset", sort=False):
        block = part[["rank", "group", "method", "batch_size", "family"]].assign(
            **{str(part["measure"].iloc[0]): [cell(*pair) for pair in part[["mean", "half_width"]].to_numpy()]},
            seeds=part["seeds"],
            diverged=part["diverged"],
            **{"training (s per seed)": part["seconds"].map(number)},
        )
        blocks[str(dataset)] = headed(block, {})
        first = part["group"].eq(1).fillna(False).to_numpy(bool)
        bold[str(dataset)] = pd.DataFrame(np.repeat(first[:, None], block.shape[1], axis=1))
    return Table("Ranks and groups", caption, blocks, bold)
