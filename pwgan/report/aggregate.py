"""From the files of all cells to the tidy frames of a study."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from pwgan.runtime import whole_file

Rows = list[dict[str, Any]]


def write_aggregates(folders: Iterable[Path], out: Path) -> None:
    """Write measures, bias, history, runs, costs and measure_costs as parquet, from folders of blocks and references.

    A folder without run.json is that of a reference, the real samples.
    """
    folders = list(folders)
    blocks = [folder for folder in folders if (folder / "run.json").exists()]
    frames = {
        name: [pd.read_parquet(folder / f"{name}.parquet") for folder in folders] for name in ("measures", "bias")
    }
    frames["history"] = [_history(folder) for folder in blocks]
    rows: dict[str, Rows] = {"runs": [], "costs": [], "measure_costs": []}
    for folder in blocks:
        run, cell = _read(folder / "run.json"), _cell(folder)
        training, measured = run["training"], _read(folder / "measures.json")
        block = {**cell, "first_seed": training["first_seed"], "seeds": training["seeds"]}
        rows["runs"] += [
            {
                **cell,
                **seed,
                "steps": training["steps"],
                "history_points": training["evaluation_points"],
                "folder": str(folder),
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
            {**block, "stage": "measure", **total, "device": measured["device"]},
        ]
        rows["measure_costs"] += [{**block, "measure": name, **cost} for name, cost in costs.items()]
    joined = {name: _joined(parts) for name, parts in frames.items()}
    for name, frame in (joined | {name: pd.DataFrame(content) for name, content in rows.items()}).items():
        typed = frame.astype({"batch_size": "Int64"} | ({"diverged_at": "Int64"} if "diverged_at" in frame else {}))
        with whole_file(out / f"{name}.parquet") as aside:
            typed.to_parquet(aside, index=False)


def _joined(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Join frames, with the one type of batch_size that holds the references' missing values."""
    return pd.concat([part.astype({"batch_size": "Int64"}) for part in parts if len(part)], ignore_index=True)


def _history(folder: Path) -> pd.DataFrame:
    frame = pd.read_parquet(folder / "history.parquet")
    return frame.assign(**_cell(folder))[[*_cell(folder), *frame.columns]]


def _cell(folder: Path) -> dict[str, Any]:
    training = _read(folder / "run.json")["training"]
    return {key: training[key] for key in ("dataset", "method", "batch_size")}


def _read(path: Path) -> Any:
    return json.loads(path.read_text())
