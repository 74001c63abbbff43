"""The measures by which figures judge a cell, and the training time of cells."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from pwgan.measures.names import MeasureName
from pwgan.report.frames import CELL, REFERENCE

SPACES = ("inception", "dinov2", "effnet", "classifier", "classifier_heldout", "random")
"""Feature extractors in order of preference where only one is shown; others come last."""

FINAL = {"quality": ("fid", "fd", "ewd-debiased")}
"""What cells are ranked by: images by the Fréchet distance, points, which have none, by the debiased EWD."""


def chosen(measures: pd.DataFrame, quantities: Mapping[str, tuple[str, ...]]) -> pd.DataFrame:
    """Select one measure of each data set for each quantity, as column ``quantity``.

    ``quantities`` names the candidate measures of each quantity in order of preference. Of several feature extractors
    the first of ``SPACES`` is taken, of several sample counts the largest.
    """
    parts = []
    for _, part in measures.groupby("dataset", sort=False):
        trained = part[part["method"] != REFERENCE].drop_duplicates("measure")
        for quantity, names in quantities.items():
            rows = trained[trained["name"].isin(names)]
            if len(rows):
                ranks = rows.assign(
                    order=rows["name"].map(names.index),
                    space=space_ranks(rows["extractor"]).fillna(-1),
                    fewer=-rows["count"],
                )
                best = ranks.sort_values(["order", "space", "fewer"])["measure"].iloc[0]
                parts.append(part[part["measure"] == best].assign(quantity=quantity))
    return pd.concat(parts, ignore_index=True) if parts else measures.head(0).assign(quantity="")


def space_ranks(extractor: pd.Series) -> pd.Series:
    """Rank feature extractors by ``SPACES``: the lowest is preferred; NaN for measures of no extractor."""
    ranks = {name: rank for rank, name in enumerate(SPACES)}
    return extractor.map(ranks).fillna(len(SPACES)).where(extractor.notna())


def training_seconds(costs: pd.DataFrame) -> pd.DataFrame:
    """Return the training ``seconds`` per seed of each cell, the sum over its blocks, and their ``device``."""
    groups = costs[costs["stage"] == "train"].groupby(CELL)
    cells = groups.agg(
        seconds=("seconds", "sum"),
        block_seeds=("seeds", "sum"),
        device=("device", lambda names: ", ".join(sorted(set(names)))),
    ).reset_index()
    return cells.assign(seconds=cells["seconds"] / cells["block_seeds"]).drop(columns="block_seeds")


def most_common_sizes(frame: pd.DataFrame) -> dict[str, int]:
    """Return the m with the most methods of each data set; ties go to the larger m."""
    cells = frame.loc[frame["method"] != REFERENCE, CELL].drop_duplicates()
    counts = cells.groupby(["dataset", "batch_size"]).size().reset_index(name="methods")
    most = counts.sort_values(["methods", "batch_size"]).groupby("dataset")["batch_size"].last()
    return {str(dataset): int(size) for dataset, size in most.items()}


def falls(measure: str) -> bool:
    """Return whether lower values of a distance or share are better, by the full name of the measure."""
    return measure.startswith(("ewd", "fd", "fid", "kid"))


def axis_label(measure: str) -> str:
    """Return the name of a measure on two lines, the second with its feature extractor and sample count."""
    name = MeasureName.parse(measure)
    against = "against training images, " if name.reference == "train" else ""
    return f"{name.measure}\n{against}{f'{name.extractor}, ' if name.extractor else ''}n = {name.count}"
