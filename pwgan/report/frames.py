"""The tidy frames that a study leaves behind: reading, ordering, and what belongs to a cell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from pwgan.errors import Refused
from pwgan.measures.names import MeasureName
from pwgan.options import REFERENCE

CELL = ["dataset", "method", "batch_size"]

BIAS = ["ewd", "mbwd", "bias", "deviation", "bound", "differing", "cosine_batch", "cosine_mean"]
BIAS_PARTS = ["matching_bias", "sampling_bias"]
"""The bias of batches that do not part the pool, taken apart; for those that do, the first is all of it."""

COLUMNS = {
    "measures": [*CELL, "seed", "measure", "value"],
    "bias": [*CELL, "seed", "sampler", "partition", "eval_batch", "n", *BIAS],
    "interpolation": [*CELL, "seed", "path", "t", "nn_train", "nn_ratio"],
    "history": [*CELL, "seed", "step", "critic_loss", "generator_loss", "ewd", "critic_dual", "critic_slope"],
    "ranking": [*CELL, "seed", "step", "earlier_step", "auc"],
    "mode_steps": [*CELL, "seed", "step", "mode", "count", "samples"],
    "runs": [*CELL, "seed", "status", "history_points", "algorithm", "options", "dual", "folder"],
    "costs": [*CELL, "seeds", "stage", "seconds", "peak_memory_mb", "device"],
    "signal": [*CELL, "generator", "critic", "seed", "step", "critic_loss", "parameter_gradient", "sample_gradient"],
    "datasets": ["dataset", "source", "sample", "training", "heldout", "modes"],
}
"""The frames of a study, and the columns that each must have."""


def read(results_dir: str | Path, name: str) -> pd.DataFrame:
    """Read ``{name}.parquet`` of a study; raises ``Refused`` if a column is missing.

    ``measures`` gains the columns ``name``, ``extractor`` and ``count``, the parts of each measure's name.
    """
    path = Path(results_dir) / f"{name}.parquet"
    frame = pd.read_parquet(path)
    missing = [column for column in COLUMNS[name] if column not in frame]
    if missing:
        raise Refused(f"{path} lacks {missing}; it has {list(frame.columns)} and must have {COLUMNS[name]}")
    if name == "measures":
        frame = with_names(frame)
    return typed(frame) if "batch_size" in frame else frame


def with_names(frame: pd.DataFrame) -> pd.DataFrame:
    """Add the parts of each name in column ``measure``: ``name``, ``extractor`` (missing where none) and ``count``."""
    parts = {text: MeasureName.parse(text) for text in frame["measure"].unique()}
    return frame.assign(
        name=frame["measure"].map({text: part.measure for text, part in parts.items()}),
        extractor=frame["measure"].map({text: part.extractor for text, part in parts.items()}),
        count=frame["measure"].map({text: part.count for text, part in parts.items()}),
    )


def shared_sizes(runs: pd.DataFrame) -> dict[str, int]:
    """Return, by data set, the largest mini-batch size with which all its methods were trained, where there is one."""
    sizes = {
        str(dataset): set.intersection(*own.groupby("method")["batch_size"].agg(set))
        for dataset, own in runs.groupby("dataset", sort=False)
    }
    return {dataset: max(shared) for dataset, shared in sizes.items() if shared}


def at_shared(frame: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Keep the cells of the mini-batch sizes at which the methods of ``runs`` can be compared, and the references."""
    wanted = frame["dataset"].map(shared_sizes(runs))
    return frame[(frame["batch_size"] == wanted) | (frame["method"] == REFERENCE)]


def typed(frame: pd.DataFrame) -> pd.DataFrame:
    """Give ``batch_size`` the one type that holds whole numbers and the missing value of the reference."""
    return frame.assign(batch_size=frame["batch_size"].astype("Int64"))


def methods(frame: pd.DataFrame) -> list[str]:
    """Return the names of all methods in order, without the reference."""
    return sorted(set(frame["method"]) - {REFERENCE})


def ordered(frame: pd.DataFrame) -> pd.DataFrame:
    """Sort stably: data sets as they appear, the reference before the methods, methods by name, then by m."""
    datasets = {name: rank for rank, name in enumerate(frame["dataset"].unique())}
    names = {name: rank for rank, name in enumerate([REFERENCE, *methods(frame)])}
    keys = (frame["batch_size"].fillna(0), frame["method"].map(names), frame["dataset"].map(datasets))
    return frame.iloc[np.lexsort([key.to_numpy(dtype=np.int64) for key in keys])].reset_index(drop=True)


def with_fates(frame: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Add the ``status`` of each seed; one that diverged before it left a row gets a row of missing values.

    Of data sets that the frame lacks nothing is added. The reference has no status.
    """
    key = [*CELL, "seed"]
    fates = runs.loc[runs["dataset"].isin(frame["dataset"]), [*key, "status"]]
    joined = frame.merge(fates, on=key, how="left")
    lost = fates[fates["status"] == "diverged"].merge(frame[key].drop_duplicates(), on=key, how="left", indicator=True)
    silent = lost[lost["_merge"] == "left_only"].drop(columns="_merge")
    return joined if silent.empty else pd.concat([joined, silent], ignore_index=True)
