"""The values of every seed, for whoever wants to judge again."""

from __future__ import annotations

import pandas as pd

from pwgan.report.frames import CELL, REFERENCE, ordered
from pwgan.report.tables import interpolation, main, neighbours, stability
from pwgan.report.tables._cells import headed, picked
from pwgan.report.tables._pages import Table

KEYS = [*CELL, "seed"]
DIGITS = 6


def data(measures: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each seed of each cell, and a column for each measure of the tables of measures.

    ``status`` is that of the run, and missing for real samples.
    """
    names = [*main.NAMES, *stability.NAMES, *neighbours.NAMES, *interpolation.NAMES]
    chosen = picked(main.with_excess(measures), names)
    columns = list(chosen["measure"].unique())
    # The reference has no mini-batch size, and pandas drops what is missing from an index.
    wide = chosen.assign(batch_size=chosen["batch_size"].fillna(0)).pivot(index=KEYS, columns="measure", values="value")
    wide = wide[columns].map(lambda value: float(f"{value:.{DIGITS}g}")).reset_index()
    wide = wide.assign(batch_size=wide["batch_size"].where(wide["batch_size"] > 0))
    known = pd.concat([runs[[*KEYS, "status"]], wide.loc[wide["method"] == REFERENCE, KEYS]], ignore_index=True)
    return ordered(known.merge(wide, on=KEYS, how="left"))[[*KEYS, "status", *columns]]


def readable(frame: pd.DataFrame) -> Table:
    """Say how many rows and columns there are of each data set."""
    caption = (
        f"per_seed.csv has a row for each of {len(frame)} seeds and real samples, and the measures of the tables main, "
        f"stability, neighbours and interpolation, rounded to {DIGITS} significant digits; empty: not measured, or "
        "diverged. The main table compares methods by seed: rows of a data set with one seed share the random numbers "
        'of training. pandas.read_csv("per_seed.csv") reads it.'
    )
    lines = []
    for dataset, part in frame.groupby("dataset", sort=False):
        trained = part[part["method"] != REFERENCE]
        line = {"dataset": dataset, "rows": len(part), "methods": trained["method"].nunique()}
        line |= {"m": ", ".join(str(size) for size in sorted(trained["batch_size"].unique()))}
        line |= {"seeds": trained["seed"].nunique(), "diverged": (trained["status"] == "diverged").sum()}
        lines.append(line | {"measures": part.drop(columns=[*KEYS, "status"]).notna().any().sum()})
    return Table("Values of every seed", caption, {"All data sets": headed(pd.DataFrame(lines), {})})
