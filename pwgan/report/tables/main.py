"""The main table: quality and cost of each method, and which differences are significant."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from pwgan.measures.names import MeasureName
from pwgan.report.frames import CELL, REFERENCE, ordered, with_names
from pwgan.report.quality import space_ranks
from pwgan.report.statistics import PAIRED_SEEDS, best, summary, with_diverged
from pwgan.report.tables._cells import ABSENT, INTERVALS, entry, headed, span, with_parts
from pwgan.report.tables._pages import Table
from pwgan.report.tables.cost import data as cost_table

EXCESS, SECONDS = "ewd-excess", "training-seconds"


class Column(NamedTuple):
    """A column: its heading, candidate measures in order of preference, and whether lower is better, if either is."""

    heading: str
    names: tuple[str, ...]
    lower: bool | None


QUALITY = (
    Column("debiased EWD", ("ewd-debiased",), True),
    Column("coverage", ("coverage",), False),
    Column("high quality", ("high-quality",), False),
    Column("std ratio", ("std-ratio",), None),
    Column("Fréchet distance", ("fid", "fd"), True),
    Column("recall", ("recall",), False),
    Column("precision", ("precision",), False),
)
MOST = 5
"""Maximum number of quality columns that fit beside seconds, seeds and diverged."""
ARROWS = {True: "↓", False: "↑", None: ""}
COST = Column("training (s per seed)", (SECONDS,), True)
NAMES = ("ewd", EXCESS, *(name for column in QUALITY for name in column.names))


def data(measures: pd.DataFrame, runs: pd.DataFrame, costs: pd.DataFrame) -> pd.DataFrame:
    """Return the summary of all measures as a long frame: one row per data set, method, m and measure.

    ``best`` is true or false for measures shown in the main table, and missing for all others.
    """
    every = with_excess(measures)
    table = ordered(pd.concat([with_parts(summary(every, runs), every), _seconds(costs, runs)], ignore_index=True))
    return table.assign(best=_best(table, every))


def with_excess(measures: pd.DataFrame) -> pd.DataFrame:
    """Add each seed's EWD minus the mean EWD of real samples: ``ewd-excess@N`` for ``ewd@N``."""
    ewd = measures[measures["name"] == "ewd"]
    keys = ["dataset", "count"]
    floors = ewd[ewd["method"] == REFERENCE].groupby(keys)["value"].mean().rename("floor").reset_index()
    excess = ewd.drop(columns=["name", "extractor", "count"]).assign(
        value=ewd["value"] - ewd[keys].merge(floors, on=keys, how="left")["floor"].to_numpy(),
        measure=[str(MeasureName(EXCESS, None, count)) for count in ewd["count"]],
    )
    return pd.concat([measures, with_names(excess)], ignore_index=True)


def shown(part: pd.DataFrame) -> dict[Column, str]:
    """Choose the measure of each column from the long frame of a data set; columns without a measure are omitted.

    With several feature extractors the first in ``SPACES`` is used, with several counts the largest.
    """
    trained = part[part["method"] != REFERENCE]
    names = (part if trained.empty else trained).drop_duplicates("measure")
    chosen = {}
    for column in (*QUALITY, COST):
        rows = names[names["name"].isin(column.names)]
        if len(rows):
            ranks = {
                "order": rows["name"].map(column.names.index),
                "features": space_ranks(rows["extractor"]).fillna(np.inf),
                "samples": -rows["count"],
            }
            chosen[column] = rows.assign(**ranks).sort_values(list(ranks))["measure"].iloc[0]
    kept = [column for column in QUALITY if column in chosen][:MOST]
    return {column: measure for column, measure in chosen.items() if column in kept or column is COST}


def readable(frame: pd.DataFrame) -> Table:
    """Lay out one row per method and mini-batch size, with at most eight other columns."""
    blocks, bold, few = {}, {}, []
    for dataset, part in frame.groupby("dataset", sort=False):
        columns = shown(part)
        lines, marks = [], []
        for key, group in part.groupby(CELL[1:], dropna=False, sort=False):
            rows = {row["measure"]: row for row in group.to_dict("records")}
            have = {column: rows[measure] for column, measure in columns.items() if measure in rows}
            counted = group[group["measure"].isin([columns[column] for column in have if column is not COST])]
            line = dict(zip(CELL[1:], key, strict=True))
            line |= {column.heading: entry(have[column]) if column in have else ABSENT for column in columns}
            lines.append(line | {"seeds": span(counted), "diverged": str(group["diverged"].max())})
            best_of = {column.heading for column, row in have.items() if pd.notna(row["best"]) and row["best"]}
            marks.append([heading in best_of for heading in lines[-1]])
        arrows = {column.heading: f"{column.heading} {ARROWS[column.lower]}".strip() for column in columns}
        blocks[str(dataset)] = headed(pd.DataFrame(lines), arrows)
        bold[str(dataset)] = pd.DataFrame(marks)
        if part.loc[part["best"].notna() & (part["name"] != SECONDS), "seeds"].max() < PAIRED_SEEDS:
            few.append(str(dataset))
    return Table("Main results", _caption(few), blocks, bold)


def _caption(few: list[str]) -> str:
    """Return the caption of the table; ``few`` are the data sets with too few seeds for paired tests."""
    note = f" Paired tests need at least {PAIRED_SEEDS} seeds: only the best is bold on {', '.join(few)}."
    untested = note if few else ""
    return (
        f"{INTERVALS} ↓: lower is better; ↑: higher is better. Bold: the best of a data set and those that do not "
        "differ significantly from it (two-sided t-test paired by seed, 5 %, Holm-corrected for all comparisons in the "
        f"column); for seconds, only the lowest.{untested} Cells with a diverged seed are never bold. Debiased EWD: 2 "
        "W(x, y) - W(x, x') - W(y, y') between real samples x, x' and generated samples y, y'. The row `data` is real "
        "samples: close to 0, above or below by chance. High quality: higher counts as better, although the "
        "true mixture has 0.989; samples that are too concentrated score more, but their std ratio, 0.974 for the "
        "truth, is lower. Sample counts, feature extractors and all other measures are in main.csv and in the tables "
        "coverage, quality, stability, forgetting, neighbours and interpolation."
    )


def _seconds(costs: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Return training seconds per seed as rows of a summary; the times of single seeds are not recorded."""
    trained = cost_table(costs).query("stage == 'train'")
    rows = trained[[*CELL, "seeds"]].assign(measure=SECONDS, name=SECONDS, infinite=0)
    rows = with_diverged(rows.assign(mean=trained["seconds_per_seed"], half_width=np.nan), runs)
    sound = rows["seeds"] - rows["diverged"]
    return rows.assign(seeds=sound, mean=rows["mean"].where(sound > 0))


def _best(table: pd.DataFrame, every: pd.DataFrame) -> pd.Series:
    """Mark the best cells of each column and data set, among cells without a diverged seed."""
    marks = pd.Series(None, index=table.index, dtype=object)
    for _, part in table[table["method"] != REFERENCE].groupby("dataset", sort=False):
        for column, measure in shown(part).items():
            rows = part[part["measure"] == measure]
            marks[rows.index] = False
            sound = rows[rows["diverged"] == 0]
            if column is COST:
                marks[sound.index[sound["mean"] == sound["mean"].min()]] = True
            elif len(sound) and column.lower is not None:
                values = sound[[*CELL, "measure"]].merge(every, on=[*CELL, "measure"])
                by_seed = values.pivot(index="seed", columns=["method", "batch_size"], values="value")
                order = list(sound[["method", "batch_size"]].itertuples(index=False, name=None))
                marks[sound.index] = best(by_seed[order].to_numpy(float), column.lower)
    return marks
