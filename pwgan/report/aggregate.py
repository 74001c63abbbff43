"""Join the files of all cells into the tidy frames of a study."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pyarrow

from pwgan.data.store import StoredData, read_data
from pwgan.errors import Refused
from pwgan.report.frames import CELL, COLUMNS, KIND, MADE_WITH
from pwgan.seals import AGAIN, about_tensors, check, identity, read_json, read_table, write_frame, write_tables

CLASSIFIER, OF_HELDOUT = "-classifier", "-classifier-heldout"
"""Suffixes of classifiers' files, after the name of their data set."""
Rows = list[dict[str, Any]]
MEASURED = ("measures", "bias", "interpolation")
"""Frames of tables that real samples have too."""
LONG = (*MEASURED, "history", "ranking", "mode_steps")
"""Frames that are written some blocks at a time: of a large study they may not fit in memory."""
AT_ONCE = 200
"""Blocks whose tables are held at once."""
READERS = 4
"""Threads that read: for file systems that take long to answer; on a fast one they win nothing, and more lose."""


def write_aggregates(folders: Iterable[Path], data: Iterable[Path], signals: Iterable[Path], out: Path) -> None:
    """Write every frame of ``frames.COLUMNS`` as parquet into ``out``.

    ``folders`` are the folders of blocks and references; a folder without run.json is a reference (real samples).
    ``data`` are stored data sets and classifiers, ``signals`` the files signal.parquet of the blocks that have one. The
    frames ``runs`` and ``datasets`` have the folder of each block and the file of each data set relative to ``out``: of
    a law, the first in ``data``. Raises ``Refused`` for a damaged file, and for one
    that is not of the block in whose folder it lies.
    """
    out = Path(out)
    with ThreadPoolExecutor(READERS) as pool:
        parts = list(pool.map(_Part.read, folders))
        blocks = [part for part in parts if part.run]
        if not blocks:
            raise Refused(f"no trained block (run.json) in {', '.join(str(part.folder) for part in parts)}")
        of = Counter(part.of for part in parts)
        if repeated := [str(part.folder) for part in parts if of[part.of] > 1]:
            raise Refused(f"{', '.join(repeated)} hold results of the same block; {AGAIN} where it does not belong")
        study = identity(*(part.of for part in parts))
        for name in LONG:
            chunks = _tables(pool, parts if name in MEASURED else blocks, name)
            first = next(chunks)
            write_tables(out / f"{name}.parquet", KIND + name, study, first.schema, chain([first], chunks))
    frames = {
        "runs": pd.DataFrame([row for part in blocks for row in part.seeds(out)]).astype({"diverged_at": "Int64"}),
        "costs": pd.DataFrame([row for part in blocks for row in part.costs()]),
        "provenance": pd.DataFrame([row for part in parts for row in part.provenance()]),
        "signal": _joined([read_table(file, "signal", _Part.read(file.parent).of).to_pandas() for file in signals]),
    }
    for name, frame in frames.items():
        write_frame(out / f"{name}.parquet", KIND + name, study, frame.astype({"batch_size": "Int64"}))
    write_frame(out / "datasets.parquet", f"{KIND}datasets", study, _datasets(list(data), out))


class _Part(NamedTuple):
    """The folder of a block, or of a reference, whose ``run`` is None; ``of`` is what the seals of its files name."""

    folder: Path
    run: dict[str, Any] | None
    measured: dict[str, Any]
    of: str

    @classmethod
    def read(cls, folder: Path) -> _Part:
        run = read_json(folder / "run.json", "run") if (folder / "run.json").exists() else None
        of = identity(run["training"]) if run else None
        measured = read_json(folder / "measures.json", "costs", of)
        return cls(
            folder, run, measured, of or identity(*(measured[key] for key in ("dataset", "first_seed", "seeds")))
        )

    @property
    def cell(self) -> dict[str, Any]:
        return {key: self.measured[key] for key in CELL}

    @property
    def block(self) -> dict[str, Any]:
        return self.cell | {key: self.measured[key] for key in ("first_seed", "seeds")}

    def table(self, name: str) -> pyarrow.Table:
        """Read a table of the folder; those that training wrote get the columns that name the cell."""
        table = read_table(self.folder / f"{name}.parquet", name, self.of)
        for place, (key, value) in enumerate(self.cell.items()):
            if key not in table.column_names:
                table = table.add_column(place, key, pyarrow.repeat(value, len(table)))
        return table

    def seeds(self, out: Path) -> Rows:
        """Return the rows of the frame ``runs``."""
        assert self.run
        training = self.run["training"]
        about = {
            "algorithm": training["algorithm"],
            "options": json.dumps(training["options"], sort_keys=True),
            "steps": training["steps"],
            "history_points": training["evaluation_points"],
            "dual": self.run["dual"],
            "folder": _relative(self.folder, out),
        }
        return [{**self.cell, **seed, **about} for seed in self.run["seeds"]]

    def costs(self) -> Rows:
        """Return the rows of the frame ``costs``."""
        assert self.run
        costs, device = self.measured["costs"], self.measured["device"]
        total = {
            "seconds": sum(cost["seconds"] for cost in costs.values()),
            "peak_memory_mb": max((cost["peak_memory_mb"] for cost in costs.values()), default=0.0),
        }
        trained = {key: self.run[key] for key in ("seconds", "peak_memory_mb", "device")}
        return [
            {**self.block, "stage": "train", **trained},
            {**self.block, "stage": "evaluate", **trained, "seconds": self.run["evaluation_seconds"]},
            {**self.block, "stage": "measure", **total, "device": device},
            *({**self.block, "stage": f"measure: {name}", **cost, "device": device} for name, cost in costs.items()),
        ]

    def provenance(self) -> Rows:
        """Return the rows of the frame ``provenance``."""
        records = ({"train": self.run} if self.run else {}) | {"measure": self.measured}
        return [
            {**self.block, "stage": stage, **{key: record[key] for key in MADE_WITH}}
            | {"packages": json.dumps(record["packages"], sort_keys=True)}
            for stage, record in records.items()
        ]


def _tables(pool: ThreadPoolExecutor, parts: list[_Part], name: str) -> Iterator[pyarrow.Table]:
    """Read a table of all parts; yield those of some joined, with the columns of the first that has rows."""
    schema = None
    for start in range(0, len(parts), AT_ONCE):
        read = list(pool.map(lambda part: part.table(name), parts[start : start + AT_ONCE]))
        filled = [table for table in read if len(table)]
        if schema is None and (filled or start + AT_ONCE >= len(parts)):
            schema = _for_pandas((filled or read)[0].schema)
        if schema is not None:
            yield pyarrow.concat_tables([table.cast(schema) for table in filled] or [schema.empty_table()])


def _for_pandas(schema: pyarrow.Schema) -> pyarrow.Schema:
    """Let pandas read ``batch_size`` as integers that may be missing."""
    frame = schema.empty_table().to_pandas().astype({"batch_size": "Int64"})
    return schema.with_metadata(pyarrow.Schema.from_pandas(frame, preserve_index=False).metadata)


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
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=COLUMNS["signal"])
