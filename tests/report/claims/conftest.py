"""Frames of made-up studies whose answers are known by hand."""

from __future__ import annotations

from itertools import product
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from pwgan.report.claims.results import Results
from pwgan.report.frames import COLUMNS, KIND
from pwgan.seals import identity, write_frame

SEEDS = (0, 1, 2)


def cell(method, m=64, dataset="ring8"):
    return {"dataset": dataset, "method": method, "batch_size": None if method == "data" else m}


def runs(methods, m=64, dataset="ring8", diverged=()):
    how = {"history_points": 10, "options": "{}", "dual": False, "folder": "."}
    return [
        {**cell(method, m, dataset), "seed": seed, "status": "diverged" if (method, seed) in diverged else "ok"}
        | {"algorithm": method, **how}
        for method, seed in product(methods, SEEDS)
    ]


def measures(values, m=64, dataset="ring8"):
    """Rows of {(method, measure): one value for each seed}."""
    return [
        {**cell(method, m, dataset), "seed": seed, "measure": measure, "value": value}
        for (method, measure), own in values.items()
        for seed, value in zip(SEEDS, own, strict=True)
    ]


def costs(seconds, m=64, dataset="ring8", device="cpu"):
    """Rows of {method: training seconds of each block of three seeds}."""
    return [
        {**cell(method, m, dataset), "seeds": 3, "stage": stage, "seconds": value if stage == "train" else 1.0}
        | {"peak_memory_mb": 1.0, "device": device}
        for method, blocks in seconds.items()
        for value in blocks
        for stage in ("train", "measure")
    ]


def signal(critic, norms, cosine=0.5, stationary=(True, True, True), apart=9.0, dataset="ring8", method="gan", m=64):
    """Rows of untrained generators at steps 0, 1, ...: one norm for each, three times as large under trained ones."""
    return [
        {**cell(method, m, dataset), "generator": generator, "critic": critic, "seed": seed, "step": step}
        | {"critic_loss": 1.0, "parameter_gradient": norm * factor, "sample_gradient": 1.0}
        | {"cosine": cosine * (step == len(norms) - 1), "stationary": stationary[seed], "apart": apart, "ceiling": 0.8}
        | {"probe_before": 0.5, "probe_1": 0.5 + 0.1 * factor, "probe_128": 0.5 + 0.01 * factor}
        for generator, factor in (("initial", 1.0), ("trained", 3.0))
        for seed in SEEDS
        for step, norm in enumerate(norms)
    ]


@pytest.fixture
def rows():
    return SimpleNamespace(cell=cell, runs=runs, measures=measures, costs=costs, signal=signal, seeds=SEEDS)


@pytest.fixture
def study(tmp_path):
    """Return the maker of a study from rows of its frames, and tables of its theory."""

    def make(theory=None, **frames):
        for name, rows in frames.items():
            frame = pd.DataFrame(rows)
            for column in set(COLUMNS[name]) - set(frame.columns):
                frame[column] = np.nan
            if "batch_size" in frame:
                frame["batch_size"] = frame["batch_size"].astype("Int64")
            write_frame(tmp_path / f"{name}.parquet", KIND + name, identity("study"), frame)
        (tmp_path / "theory").mkdir(exist_ok=True)
        for name, rows in (theory or {}).items():
            pd.DataFrame(rows).to_csv(tmp_path / "theory" / f"{name}.csv", index=False)
        return Results(tmp_path)

    return make
