"""Cost of each cell: time and memory of every stage."""

from __future__ import annotations

import pandas as pd

from pwgan.report.frames import CELL, ordered
from pwgan.report.tables._cells import headed, number
from pwgan.report.tables._pages import Table

SECONDS = {
    "train": "training (s per seed)",
    "evaluate": "EWD along training (s per seed)",
    "measure": "measuring (s per seed)",
}
MEMORY = {"train": "training (MB)", "measure": "measuring (MB)"}


def data(costs: pd.DataFrame) -> pd.DataFrame:
    """Return seconds per block and per seed, and the highest peak memory in MB, of each cell and stage."""
    groups = costs.groupby([*CELL, "stage"], dropna=False, sort=False)
    out = groups.agg(
        blocks=("seconds", "size"),
        seeds=("seeds", "sum"),
        seconds=("seconds", "sum"),
        peak_memory_mb=("peak_memory_mb", "max"),
        device=("device", lambda names: ", ".join(sorted(set(names)))),
    ).reset_index()
    per = {"seconds_per_block": out["seconds"] / out["blocks"], "seconds_per_seed": out["seconds"] / out["seeds"]}
    columns = [*CELL, "stage", "blocks", "seeds", *per, "peak_memory_mb", "device"]
    return ordered(out.assign(**per)[columns])


def readable(frame: pd.DataFrame) -> Table:
    """Lay out one row per method and mini-batch size; the groups of measures are only in the CSV."""
    caption = (
        "Seconds are those of a block of seeds trained together, divided by the number of seeds; for training on a CPU "
        "they are CPU time. Memory is the highest peak over all blocks, of the device on a GPU or of the process on a "
        "CPU, with what earlier blocks left there if several share it (job_seconds). Training "
        "excludes the EWD evaluations. cost.csv has the time of each group of measures."
    )
    blocks = {}
    for dataset, part in frame.groupby("dataset", sort=False):
        lines = []
        for key, group in part.groupby(CELL[1:], dropna=False, sort=False):
            stages = group.set_index("stage")
            seconds, memory = (
                {text: number(stages[column].get(stage, float("nan"))) for stage, text in shown.items()}
                for column, shown in (("seconds_per_seed", SECONDS), ("peak_memory_mb", MEMORY))
            )
            first = {name: str(group[name].iloc[0]) for name in ("blocks", "seeds")}
            devices = {"device": ", ".join(sorted(set(group["device"])))}
            lines.append(dict(zip(CELL[1:], key, strict=True)) | seconds | memory | first | devices)
        blocks[str(dataset)] = headed(pd.DataFrame(lines), {})
    return Table("Cost of each method", caption, blocks)
