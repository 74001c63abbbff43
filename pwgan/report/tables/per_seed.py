"""The values of every seed, for further analysis."""

from __future__ import annotations

import pandas as pd

from pwgan.report.frames import CELL, REFERENCE, ordered
from pwgan.report.tables import interpolation, main, neighbours, stability
from pwgan.report.tables._cells import headed, picked
from pwgan.report.tables._pages import Table

KEYS = [*CELL, "seed"]
DIGITS = 6


def data(measures: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Return one row per seed of each cell, with a column per measure of four tables (main, stability, ...).

    ``status`` is the status of the run; it is missing for real samples.
    """
    names = [*main.NAMES, *stability.NAMES, *neighbours.NAMES, *interpolation.NAMES]
    chosen = picked(main.with_excess(measures), names)
    columns = list(chosen["measure"].unique())
    # The reference has no mini-batch size, and pandas drops missing values from an index.
    wide = chosen.assign(batch_size=chosen["batch_size"].fillna(0)).pivot(index=KEYS, columns="measure", values="value")
    wide = wide[columns].map(lambda value: float(f"{value:.{DIGITS}g}")).reset_index()
    wide = wide.assign(batch_size=wide["batch_size"].where(wide["batch_size"] > 0))
    known = pd.concat([runs[[*KEYS, "status"]], wide.loc[wide["method"] == REFERENCE, KEYS]], ignore_index=True)
    return ordered(known.merge(wide, on=KEYS, how="left"))[[*KEYS, "status", *columns]]


def readable(frame: pd.DataFrame) -> Table:
    """Lay out the number of rows and columns of each data set."""
    caption = (
        f"per_seed.csv has {len(frame)} rows, one per seed of each cell and of real samples, with the measures of the "
        f"tables main, stability, neighbours and interpolation, rounded to {DIGITS} significant digits. Empty: not "
        "measured, or diverged. Rows of a data set with the same seed share the random numbers of training; the main "
        'table therefore compares methods by seed. Read it with pandas.read_csv("per_seed.csv").'
    )
    lines = []
    for dataset, part in frame.groupby("dataset", sort=False):
        trained = part[part["method"] != REFERENCE]
        line = {"dataset": dataset, "rows": len(part), "methods": trained["method"].nunique()}
        line |= {"m": ", ".join(str(size) for size in sorted(trained["batch_size"].unique()))}
        line |= {"seeds": trained["seed"].nunique(), "diverged": (trained["status"] == "diverged").sum()}
        lines.append(line | {"measures": part.drop(columns=[*KEYS, "status"]).notna().any().sum()})
    return Table("Values of every seed", caption, {"All data sets": headed(pd.DataFrame(lines), {})})
