"""Formatting of table cells, and conversion of long frames into wide blocks of cells."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from pwgan.report.frames import CELL, REFERENCE
from pwgan.report.statistics import summary

ABSENT = "-"
PARTS = ["name", "extractor", "count"]
"""Columns for the parts of a measure's name."""
HEADINGS = {"batch_size": "m"}
INTERVALS = "Mean ± half width of the 95 % Student interval over seeds; diverged seeds are counted, but not averaged."


def cell(mean: float, half_width: float) -> str:
    """Format ``mean ± half width``, rounded to two significant digits of the half width."""
    if math.isnan(mean):
        return ABSENT
    if not math.isfinite(half_width):
        return f"{mean:.4g}"
    if half_width <= 1e-5 * abs(mean):
        return f"{mean:.4g} ± 0"
    decimals = max(0, 1 - math.floor(math.log10(half_width)))
    if decimals > 6:
        exponent = math.floor(math.log10(max(abs(mean), half_width)))
        return f"({cell(mean / 10**exponent, half_width / 10**exponent)})e{exponent:03d}"
    # Adding 0 turns -0.0 into 0.0.
    return f"{round(mean, decimals) + 0.0:.{decimals}f} ± {half_width:.{decimals}f}"


def entry(row: Mapping[Hashable, Any]) -> str:
    """Format a row of a summary: ``cell`` of its finite values, and how many of its values are infinite."""
    text, infinite = cell(row["mean"], row["half_width"]), row.get("infinite", 0)
    if not infinite:
        return text
    share = f"{infinite} of {row['seeds'] + row['diverged']} seeds"
    return f"infinite ({share})" if infinite == row["seeds"] else f"{text}; {share}: infinite"


def number(value: float) -> str:
    """Format a number with four significant digits."""
    return ABSENT if pd.isna(value) else f"{value:.4g}"


def picked(measures: pd.DataFrame, names: Iterable[str]) -> pd.DataFrame:
    """Select measures by name, in the order of ``names``, with any feature extractor and count."""
    ranks = {name: rank for rank, name in enumerate(names)}
    chosen = measures[measures["name"].isin(list(ranks))]
    return chosen.sort_values("name", key=lambda column: column.map(ranks), kind="stable")


def with_parts(table: pd.DataFrame, measures: pd.DataFrame) -> pd.DataFrame:
    """Add the parts of each measure's name, taken from ``measures``, to a summary."""
    parts = measures.drop_duplicates("measure")[["measure", *PARTS]]
    columns = [name for column in table.columns for name in ([column, *PARTS] if column == "measure" else [column])]
    return table.merge(parts, on="measure", how="left")[columns].astype({"count": "Int64"})


def summarised(measures: pd.DataFrame, runs: pd.DataFrame, names: Iterable[str]) -> pd.DataFrame:
    """Summarise the named measures over seeds as a long frame, in the order of ``names`` within each cell."""
    chosen = picked(measures, names)
    return with_parts(summary(chosen, runs), chosen)


def spread(
    frame: pd.DataFrame, rows: list[str], names: Sequence[str] = (), headings: Mapping[str, str] | None = None
) -> dict[str, pd.DataFrame]:
    """Pivot the measures of a long frame to columns: one block per data set, or per data set and feature extractor.

    ``rows`` are the columns that identify a row, starting with the data set; ``names`` sets the order of the measures.
    Blocks are split by feature extractor only if a data set has the same measure with several extractors. Measures
    that only the reference has are omitted.
    """
    blocks = {}
    for title, part in _parts(frame):
        trained = part[part["method"] != REFERENCE]
        shown = part if trained.empty else trained
        measures = list((picked(shown, names) if names else shown)["measure"].unique())
        lines = []
        for key, group in part.groupby(rows, dropna=False, sort=False):
            cells = {row["measure"]: entry(row) for row in group.to_dict("records")}
            ends = {"seeds": span(group), "diverged": str(group["diverged"].max())}
            lines.append(dict(zip(rows, key, strict=True)) | cells | ends)
        block = pd.DataFrame(lines)[[*rows[1:], *measures, "seeds", "diverged"]]
        blocks[title] = headed(block, headings or {})
    return blocks


def _parts(frame: pd.DataFrame) -> Iterable[tuple[str, pd.DataFrame]]:
    for dataset, part in frame.groupby("dataset", sort=False):
        kinds = part.get("extractor", pd.Series(index=part.index, dtype=object)).fillna("")
        several = "name" in part and kinds.groupby(part["name"]).nunique().max() > 1
        for kind, rows in part.groupby(kinds, sort=True) if several else [("", part)]:
            yield f"{dataset}, features of {kind}" if kind else str(dataset), rows


def span(group: pd.DataFrame) -> str:
    """Format the number of seeds in a row, as a range if it differs between measures."""
    counts = group.loc[group["mean"].notna(), "seeds"]
    low, high = (counts.min(), counts.max()) if len(counts) else (0, 0)
    return str(low) if low == high else f"{low} to {high}"


def headed(block: pd.DataFrame, headings: Mapping[str, str]) -> pd.DataFrame:
    """Rename the columns to their headings and replace missing cells with ``ABSENT``."""
    return block.astype(object).where(block.notna(), ABSENT).rename(columns={**HEADINGS, **headings})


def by_cell(frame: pd.DataFrame, names: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Pivot a summary of measures with one row per method and mini-batch size."""
    return spread(frame, CELL, names)
