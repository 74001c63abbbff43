"""Join the files of all cells into the tidy frames of a study."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from pwgan.data.store import StoredData, read_data
from pwgan.errors import Refused
from pwgan.report.frames import CELL, COLUMNS, KIND, MADE_WITH
from pwgan.seals import AGAIN, about_tensors, check, identity, read_json, read_table, write_frame

CLASSIFIER, OF_HELDOUT = "-classifier", "-classifier-heldout"
"""Suffixes of classifiers' files, after the name of their data set."""
Rows = list[dict[str, Any]]


def write_aggregates(folders: Iterable[Path], data: Iterable[Path], signals: Iterable[Path], out: Path) -> None:
    """Write every frame of ``frames.COLUMNS`` as parquet into ``out``.

    ``folders`` are the folders of blocks and references; a folder without run.json is a reference (real samples).
    ``data`` are stored data sets and classifiers, ``signals`` the files signal.parquet of the blocks that have one. The
    frames ``runs`` and ``datasets`` have the folder of each block and the file of each data set relative to ``out``: of
    a law, the first in ``data``. Raises ``Refused`` for a damaged file, and for one
    that is not of the block in whose folder it lies.
    """
    folders, out = list(folders), Path(out)
    blocks = [folder for folder in folders if (folder / "run.json").exists()]
    if not blocks:
        raise Refused(f"no trained block (run.json) in {', '.join(map(str, folders))}")
    runs = {folder: read_json(folder / "run.json", "run") for folder in blocks}
    made_from = {folder: _made_from(folder) for folder in folders}
    if len(set(made_from.values())) < len(made_from):
        repeated = [str(folder) for folder, of in made_from.items() if list(made_from.values()).count(of) > 1]
        raise Refused(f"{', '.join(repeated)} hold results of the same block; {AGAIN} where it does not belong")

    def part(folder: Path, name: str) -> pd.DataFrame:
        return read_table(folder / f"{name}.parquet", name, made_from[folder]).to_pandas()

    frames = {name: [part(folder, name) for folder in folders] for name in ("measures", "bias", "interpolation")}
    for name in ("history", "ranking"):
        frames[name] = [_named(part(folder, name), runs[folder]) for folder in blocks]
    frames["mode_steps"] = [part(folder, "mode_steps") for folder in blocks]
    frames["signal"] = [read_table(file, "signal", _made_from(file.parent)).to_pandas() for file in signals]
    frames["signal"] = frames["signal"] or [pd.DataFrame(columns=COLUMNS["signal"])]
    rows: dict[str, Rows] = {"runs": [], "costs": [], "provenance": []}
    for folder, run in runs.items():
        cell, training = _cell(run), run["training"]
        measured = read_json(folder / "measures.json", "costs", made_from[folder])
        block = {**cell, "first_seed": training["first_seed"], "seeds": training["seeds"]}
        rows["runs"] += [
            {
                **cell,
                **seed,
                "algorithm": training["algorithm"],
                "options": json.dumps(training["options"], sort_keys=True),
                "steps": training["steps"],
                "history_points": training["evaluation_points"],
                "dual": run["dual"],
                "folder": _relative(folder, out),
            }
            for seed in run["seeds"]
        ]
        costs = measured["costs"]
        total = {
            "seconds": sum(cost["seconds"] for cost in costs.values()),
            "peak_memory_mb": max((cost["peak_memory_mb"] for cost in costs.values()), default=0.0),
        }
        trained = {key: run[key] for key in ("seconds", "peak_memory_mb", "device")}
        rows["costs"] += [
            {**block, "stage": "train", **trained},
            {**block, "stage": "evaluate", **trained, "seconds": run["evaluation_seconds"]},
            {**block, "stage": "measure", **total, "device": measured["device"]},
        ]
        rows["costs"] += [
            {**block, "stage": f"measure: {name}", **cost, "device": measured["device"]} for name, cost in costs.items()
        ]
    for folder in folders:
        measured = read_json(folder / "measures.json", "costs", made_from[folder])
        block = {key: measured[key] for key in (*CELL, "first_seed", "seeds")}
        stages = {"train": runs[folder]} if folder in runs else {}
        rows["provenance"] += [
            {**block, "stage": stage, **_made_with(record)}
            for stage, record in (stages | {"measure": measured}).items()
        ]
    study = identity(*made_from.values())
    joined = {name: _joined(parts) for name, parts in frames.items()}
    for name, frame in (joined | {name: pd.DataFrame(content) for name, content in rows.items()}).items():
        typed = frame.astype({"batch_size": "Int64"} | ({"diverged_at": "Int64"} if "diverged_at" in frame else {}))
        write_frame(out / f"{name}.parquet", KIND + name, study, typed)
    write_frame(out / "datasets.parquet", f"{KIND}datasets", study, _datasets(list(data), out))


def _relative(path: Path, out: Path) -> str:
    return path.resolve().relative_to(out.resolve()).as_posix()


def _datasets(files: list[Path], out: Path) -> pd.DataFrame:
    """Describe each data set, with the held-out accuracy of its classifier."""
    rows: Rows = []
    for path in files:
        if path.stem.endswith((CLASSIFIER, OF_HELDOUT)):
            continue
        stored = read_data(path)
        if stored.name in (row["dataset"] for row in rows):
            continue  # further draws of a law
        classifier = path.with_stem(path.stem + CLASSIFIER)
        report = _report(classifier, identity(stored.name)) if classifier in files else {}
        other = path.with_stem(path.stem + OF_HELDOUT)
        measured = {}
        if other in files:  # only studies that ask for it have the column
            measured["classifier_heldout_accuracy"] = _report(other, identity(stored.name, "heldout"))["accuracy"]
        rows.append(
            {
                "dataset": stored.name,
                "source": stored.about["source"],
                "sample": "×".join(str(axis) for axis in stored.sample_shape),
                "training": stored.train_size,
                "heldout": stored.heldout_size,
                "modes": _modes(stored),
                "file": _relative(path, out),
                "classifier_accuracy": report.get("accuracy"),
                "classifier_epochs": report.get("epochs"),
                **measured,
            }
        )
    return pd.DataFrame(rows).astype({"modes": "Int64", "classifier_accuracy": float, "classifier_epochs": "Int64"})


def _report(classifier: Path, of: str) -> dict[str, float]:
    """Read the training report of a classifier, without torch, which its weights would need."""
    check(classifier, "classifier", of)
    with classifier.open("rb") as file:
        return about_tensors(file)["report"]


def _modes(stored: StoredData) -> int | None:
    """Count the modes of a mixture, or the classes of labelled images."""
    if stored.modes is not None:
        return len(stored.modes)
    return None if stored.class_weights is None else len(stored.class_weights)


def _joined(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Concatenate frames, with a nullable integer ``batch_size`` (missing for references)."""
    filled = [part for part in parts if len(part)] or parts[:1]
    return pd.concat([part.astype({"batch_size": "Int64"}) for part in filled], ignore_index=True)


def _made_from(folder: Path) -> str:
    """Return what the seals of all files of a block or reference must name."""
    run = folder / "run.json"
    if run.exists():
        return identity(read_json(run, "run")["training"])
    measured = read_json(folder / "measures.json", "costs")
    return identity(*(measured[key] for key in ("dataset", "first_seed", "seeds")))


def _named(frame: pd.DataFrame, run: dict[str, Any]) -> pd.DataFrame:
    """Add the columns that identify the cell to a table written by training."""
    return frame.assign(**_cell(run))[[*_cell(run), *frame.columns]]


def _made_with(record: dict[str, Any]) -> dict[str, Any]:
    return {key: record[key] for key in MADE_WITH} | {"packages": json.dumps(record["packages"], sort_keys=True)}


def _cell(run: dict[str, Any]) -> dict[str, Any]:
    return {key: run["training"][key] for key in ("dataset", "method", "batch_size")}
