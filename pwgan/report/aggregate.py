"""Join the files of all cells into the tidy frames of a study."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors import safe_open

from pwgan.data.store import StoredData, read_data
from pwgan.errors import Refused
from pwgan.report.frames import COLUMNS
from pwgan.runtime import atomic_write

CLASSIFIER = "-classifier"  # suffix of a classifier's file, after the name of its data set
Rows = list[dict[str, Any]]


def write_aggregates(folders: Iterable[Path], data: Iterable[Path], signals: Iterable[Path], out: Path) -> None:
    """Write every frame of ``frames.COLUMNS`` as parquet into ``out``.

    ``folders`` are the folders of blocks and references; a folder without run.json is a reference (real samples).
    ``data`` are stored data sets and classifiers, ``signals`` the files signal.parquet of the blocks that have one. The
    frame ``runs`` has the folder of each block relative to ``out``.
    """
    folders, out = list(folders), Path(out)
    blocks = [folder for folder in folders if (folder / "run.json").exists()]
    if not blocks:
        raise Refused(f"no trained block (run.json) in {', '.join(map(str, folders))}")
    frames = {
        name: [pd.read_parquet(folder / f"{name}.parquet") for folder in folders]
        for name in ("measures", "bias", "interpolation")
    }
    for name in ("history", "ranking"):
        frames[name] = [_named(folder, name) for folder in blocks]
    frames["mode_steps"] = [pd.read_parquet(folder / "mode_steps.parquet") for folder in blocks]
    frames["signal"] = [pd.read_parquet(file) for file in signals] or [pd.DataFrame(columns=COLUMNS["signal"])]
    rows: dict[str, Rows] = {"runs": [], "costs": []}
    for folder in blocks:
        run, cell = _read(folder / "run.json"), _cell(folder)
        training, measured = run["training"], _read(folder / "measures.json")
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
                "folder": folder.resolve().relative_to(out.resolve()).as_posix(),
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
    joined = {name: _joined(parts) for name, parts in frames.items()}
    for name, frame in (joined | {name: pd.DataFrame(content) for name, content in rows.items()}).items():
        typed = frame.astype({"batch_size": "Int64"} | ({"diverged_at": "Int64"} if "diverged_at" in frame else {}))
        with atomic_write(out / f"{name}.parquet") as temporary:
            typed.to_parquet(temporary, index=False)
    with atomic_write(out / "datasets.parquet") as temporary:
        _datasets(list(data)).to_parquet(temporary, index=False)


def _datasets(files: list[Path]) -> pd.DataFrame:
    """Describe each data set, with the held-out accuracy of its classifier."""
    rows = []
    for path in files:
        if path.stem.endswith(CLASSIFIER):
            continue
        stored = read_data(path)
        classifier = path.with_stem(path.stem + CLASSIFIER)
        report = _report(classifier) if classifier in files else {}
        rows.append(
            {
                "dataset": stored.name,
                "source": stored.about["source"],
                "sample": "×".join(str(axis) for axis in stored.train.shape[1:]),
                "training": len(stored.train),
                "heldout": len(stored.heldout),
                "modes": _modes(stored),
                "classifier_accuracy": report.get("accuracy"),
                "classifier_epochs": report.get("epochs"),
            }
        )
    return pd.DataFrame(rows).astype({"modes": "Int64", "classifier_accuracy": float, "classifier_epochs": "Int64"})


def _report(classifier: Path) -> dict[str, float]:
    """Read the training report of a classifier, without its weights."""
    with safe_open(classifier, framework="numpy") as file:
        return json.loads(file.metadata()["report"])


def _modes(stored: StoredData) -> int | None:
    """Count the modes of a mixture, or the classes of labelled images."""
    if stored.modes is not None:
        return len(stored.modes)
    return None if stored.train_labels is None else len(np.unique(stored.train_labels))


def _joined(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Concatenate frames, with a nullable integer ``batch_size`` (missing for references)."""
    filled = [part for part in parts if len(part)] or parts[:1]
    return pd.concat([part.astype({"batch_size": "Int64"}) for part in filled], ignore_index=True)


def _named(folder: Path, table: str) -> pd.DataFrame:
    """Read a table written by training and add the columns that identify the cell."""
    frame = pd.read_parquet(folder / f"{table}.parquet")
    return frame.assign(**_cell(folder))[[*_cell(folder), *frame.columns]]


def _cell(folder: Path) -> dict[str, Any]:
    training = _read(folder / "run.json")["training"]
    return {key: training[key] for key in ("dataset", "method", "batch_size")}


def _read(path: Path) -> Any:
    return json.loads(path.read_text())
