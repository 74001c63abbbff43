"""The tidy frames of a study: reading, sorting, and selecting cells."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from pwgan.errors import Refused
from pwgan.measures.names import MeasureName
from pwgan.options import REFERENCE
from pwgan.seals import AGAIN, check, read_table

CELL = ["dataset", "method", "batch_size"]
KIND = "study-"  # in the seals of frames, before the name: those of a block have the same names

BIAS = ["ewd", "mbwd", "bias", "deviation", "bound", "differing", "cosine_batch", "cosine_mean"]
BIAS_PARTS = ["matching_bias", "sampling_bias"]
"""The two parts of the bias for samplers that do not partition the pool; otherwise, all of it is matching bias."""

SIGNAL = ["parameter_gradient", "sample_gradient", "cosine"]
"""What a generator receives from a critic."""
PROBE = ["probe_before", "probe_1", "probe_128"]
"""How the last critic ranks a probe against unseen samples: before one step on it, and 1 and 128 steps after."""

MADE_WITH = ["commit", "lock", "packages", "python", "machine", "device", "threads"]
"""What a stage of a block was made with (``versions.made_with``); ``packages`` is JSON."""

COLUMNS = {
    "measures": [*CELL, "seed", "measure", "value"],
    "bias": [*CELL, "seed", "sampler", "partition", "eval_batch", "n", *BIAS],
    "interpolation": [*CELL, "seed", "path", "t", "nn_train", "nn_ratio", "on_manifold"],
    "history": [
        *CELL,
        "seed",
        "step",
        "critic_loss",
        "generator_loss",
        "ewd",
        "critic_dual",
        "critic_slope",
        "ewd_debiased",
    ],
    "ranking": [*CELL, "seed", "step", "earlier_step", "auc"],
    "mode_steps": [*CELL, "seed", "step", "mode", "count", "samples", "covered"],
    "runs": [*CELL, "seed", "status", "history_points", "algorithm", "options", "dual", "folder"],
    "costs": [*CELL, "seeds", "stage", "seconds", "peak_memory_mb", "device"],
    "provenance": [*CELL, "first_seed", "seeds", "stage", *MADE_WITH],
    "signal": [
        *CELL,
        "generator",
        "critic",
        "seed",
        "step",
        "critic_loss",
        *SIGNAL,
        "apart",
        "ceiling",
        "stationary",
        *PROBE,
    ],
    "datasets": ["dataset", "source", "sample", "training", "heldout", "modes", "file"],
}
"""The frames of a study and their required columns."""


def read(results_dir: str | Path, name: str) -> pd.DataFrame:
    """Read ``{name}.parquet`` of a study; raises ``Refused`` if it is damaged, of another study or lacks a column.

    For ``measures``, the parts of each measure's name are added as columns ``name``, ``extractor`` and ``count``.
    """
    path = Path(results_dir) / f"{name}.parquet"
    runs = path.with_name("runs.parquet")
    study = check(runs, f"{KIND}runs").of if runs.exists() else None
    frame = read_table(path, KIND + name, study).to_pandas()
    missing = [column for column in COLUMNS[name] if column not in frame]
    if missing:
        raise Refused(f"{path} lacks {missing}; it has {list(frame.columns)} and must have {COLUMNS[name]}")
    if name == "measures":
        frame = with_names(frame)
    return typed(frame) if "batch_size" in frame else frame


def read_csv(path: Path) -> pd.DataFrame:
    """Read a table of the theory; raises ``Refused`` if it is no CSV file."""
    try:
        return pd.read_csv(path)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise Refused(f"{path} is damaged ({' '.join(str(error).split())}); {AGAIN}") from error


def with_names(frame: pd.DataFrame) -> pd.DataFrame:
    """Add the parts of each measure's name as columns: ``name``, ``extractor`` (may be missing) and ``count``."""
    parts = {text: MeasureName.parse(text) for text in frame["measure"].unique()}
    return frame.assign(
        name=frame["measure"].map({text: part.measure for text, part in parts.items()}),
        extractor=frame["measure"].map({text: part.extractor for text, part in parts.items()}),
        count=frame["measure"].map({text: part.count for text, part in parts.items()}),
    )


def shared_sizes(runs: pd.DataFrame) -> dict[str, int]:
    """Return the largest mini-batch size that all methods of a data set were trained with, where there is one."""
    sizes = {
        str(dataset): set.intersection(*rows.groupby("method")["batch_size"].agg(set))
        for dataset, rows in runs.groupby("dataset", sort=False)
    }
    return {dataset: max(shared) for dataset, shared in sizes.items() if shared}


def at_shared(frame: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Keep the cells at the mini-batch size shared by all methods of ``runs`` in a data set, and the references."""
    wanted = frame["dataset"].map(shared_sizes(runs))
    return frame[(frame["batch_size"] == wanted) | (frame["method"] == REFERENCE)]


def typed(frame: pd.DataFrame) -> pd.DataFrame:
    """Convert ``batch_size`` to a nullable integer (it is missing for the reference)."""
    return frame.assign(batch_size=frame["batch_size"].astype("Int64"))


def methods(frame: pd.DataFrame) -> list[str]:
    """Return the sorted names of all methods, without the reference."""
    return sorted(set(frame["method"]) - {REFERENCE})


def ordered(frame: pd.DataFrame) -> pd.DataFrame:
    """Sort stably by data set (in order of appearance), method (reference first, then by name) and m."""
    datasets = {name: rank for rank, name in enumerate(frame["dataset"].unique())}
    names = {name: rank for rank, name in enumerate([REFERENCE, *methods(frame)])}
    keys = (frame["batch_size"].fillna(0), frame["method"].map(names), frame["dataset"].map(datasets))
    return frame.iloc[np.lexsort([key.to_numpy(dtype=np.int64) for key in keys])].reset_index(drop=True)


def seed_counts(runs: pd.DataFrame) -> pd.DataFrame:
    """Count the seeds of each cell: ``trained``, and those of them that ``diverged``."""
    lost = runs.assign(lost=runs["status"] == "diverged").groupby(CELL, sort=False)["lost"]
    return lost.agg(trained="size", diverged="sum").reset_index()


def with_fates(frame: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Add the ``status`` of each seed, and a row of missing values for each diverged seed without a row.

    No rows are added for data sets that are not in the frame. The reference has no status.
    """
    key = [*CELL, "seed"]
    fates = runs.loc[runs["dataset"].isin(frame["dataset"]), [*key, "status"]]
    joined = frame.merge(fates, on=key, how="left")
    lost = fates[fates["status"] == "diverged"].merge(frame[key].drop_duplicates(), on=key, how="left", indicator=True)
    silent = lost[lost["_merge"] == "left_only"].drop(columns="_merge")
    return joined if silent.empty else pd.concat([joined, silent], ignore_index=True)
