"""A made-up study in the files that a real one leaves behind."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pwgan import report
from pwgan.data import Split
from pwgan.data.store import write_data
from pwgan.report.frames import COLUMNS, KIND
from pwgan.seals import identity, write_array, write_frame, write_json

Study = tuple[Path, list[tuple[str, str, int, Path]]]
Tables = dict[str, list[dict[str, Any]]]
POINTS = ("ring8", "grid25")
NEAR = {"nn_ratio": (1.0, 3.0), "copies": (0.01, 0.2), "data_copying": (-0.3, -20.0)}
FRAMES = tuple(name for name in report.FRAMES if name != "datasets")
STEPS = range(0, 2001, 200)
STUDY = identity("study")  # what all its files were made from, as their seals say
ALGORITHM = re.compile("wgan_gp|wgan|nsgan|pwgan|gan")
MADE_WITH = {"commit": "0123456789ab", "lock": None, "packages": '{"pwgan": "0.1.0", "torch": "2.11.0"}'}
MADE_WITH |= {"python": "3.11.7", "machine": "Linux x86_64", "device": "cpu", "threads": 1}
METHODS = ("gan", "nsgan", "pwgan", "wgan", "wgan_gp")
Scales = tuple[float, ...]


def make_study(
    root: Path,
    datasets: tuple[str, ...] = ("ring8", "grid25", "digits"),
    methods: tuple[str, ...] = METHODS,
    sizes: tuple[int, ...] = (16, 64),
    seeds: int = 4,
    diverged: dict[tuple[str, str, int], int] | None = None,
    arrays: dict[str, Scales] | None = None,
    samplers: tuple[str, ...] = ("random",),
) -> Study:
    """Write all frames and files of a study; ``diverged`` says how many seeds of a cell did.

    ``arrays`` adds data sets of points of which no law is known: by name, the scale of each coordinate.
    """
    rng = np.random.default_rng(0)
    shapes: dict[str, Scales] = dict.fromkeys(POINTS, (1.0, 1.0)) | (arrays or {})
    datasets = (*datasets, *(arrays or {}))
    lost = diverged or {}
    tables: Tables = {name: [] for name in FRAMES}
    cells = []
    for dataset in datasets:
        _data(root / "data" / f"{dataset}.safetensors", dataset, shapes.get(dataset), rng)
        _reference(tables, dataset, seeds, samplers, rng)
        real = root / dataset / "data" / f"seeds0-{min(seeds, 4) - 1}"
        _paths(real, tables, (dataset, "data", None), seeds, 0, shapes.get(dataset), rng)
        write_json(real / "measures.json", "costs", identity(dataset), {})
        for rank, method in enumerate(methods):
            for m in sizes:
                path = root / dataset / method / f"m{m}" / f"seeds0-{min(seeds, 4) - 1}" / "samples.npy"
                cells.append((dataset, method, m, path))
                failed = lost.get((dataset, method, m), 0)
                _cell(tables, (dataset, method, m), rank, seeds, failed, samplers, rng)
                path.parent.mkdir(parents=True)
                scales = shapes.get(dataset)
                shape = (40, 1, 8, 8) if scales is None else (400, len(scales))
                drawn = rng.normal(size=(seeds, *shape)).astype(np.float32)
                drawn[:failed] = np.nan
                samples = np.tanh(drawn) if scales is None else drawn * np.array(scales, np.float32)
                write_json(path.with_name("run.json"), "run", STUDY, {})
                write_array(path, "samples", STUDY, samples)
                _paths(path.parent, tables, (dataset, method, m), seeds, failed, scales, rng)
    sizes_of = {"training": 500, "heldout": 100, "modes": 8, "classifier_epochs": 3}
    described = [
        {"dataset": name, "source": name, "sample": "2", "classifier_accuracy": 0.98, **sizes_of}
        | {"file": f"data/{name}.safetensors"}
        for name in datasets
    ]
    write_frame(root / "datasets.parquet", f"{KIND}datasets", STUDY, pd.DataFrame(described))
    for name, rows in tables.items():
        frame = pd.DataFrame(rows, columns=None if rows else COLUMNS[name])
        frame["batch_size"] = frame["batch_size"].astype("Int64")
        if name == "runs":
            frame["diverged_at"] = frame["diverged_at"].astype("Int64")
        write_frame(root / f"{name}.parquet", KIND + name, STUDY, frame)
    return root, cells


def _paths(
    folder: Path,
    tables: Tables,
    cell: tuple[str, str, int | None],
    seeds: int,
    failed: int,
    scales: Scales | None,
    rng: np.random.Generator,
) -> None:
    """Write two paths of each seed: samples, and distances that are twice the floor in the middle."""
    dataset, method, m = cell
    key = {"dataset": dataset, "method": method, "batch_size": m}
    for seed in range(seeds):
        for path in range(2):
            for t in np.linspace(0, 1, 9):
                ratio = np.nan if seed < failed else 1 + np.sin(np.pi * t) + 0.1 * seed
                tables["interpolation"].append(
                    {
                        **key,
                        "seed": seed,
                        "path": path,
                        "t": t,
                        "nn_train": 0.1 * ratio,
                        "nn_ratio": ratio,
                        "on_manifold": 1.0,
                    }
                )
    folder.mkdir(parents=True, exist_ok=True)
    drawn = rng.uniform(-1, 1, (seeds, 2, 9, *((1, 8, 8) if scales is None else (len(scales),)))).astype(np.float32)
    drawn = drawn if scales is None else drawn * np.array(scales, np.float32)
    drawn[:failed] = np.nan
    write_array(folder / "interpolation.npy", "strips", identity(dataset) if method == "data" else STUDY, drawn)


def _names(dataset: str) -> dict[str, tuple[float, float]]:
    """Return the value of each measure on real samples, and the factor by which a bad generator is off."""
    if dataset in POINTS:
        modes = 8.0 if dataset == "ring8" else 25.0
        return {
            "ewd@1000": (0.1, 1.5),
            "ewd-debiased@1000": (0.001, 90),
            "coverage@2500": (modes, 0.8),
            "coverage-kl@2500": (0.01, 20),
            "high-quality@2500": (0.99, 0.8),
            "std-ratio@2500": (0.97, 1.3),
            "captured@2500": (modes, 0.8),
            **{f"{name}@1000": value for name, value in NEAR.items()},
        }
    return {
        "ewd@360": (0.8, 1.5),
        "ewd-debiased@360": (0.01, 60),
        "coverage-classifier@500": (10.0, 0.9),
        "fd-classifier@500": (1.2, 4),
        "kid-classifier@500": (0.0004, 30),
        **{f"{name}{space}@180": value for space in ("", "-classifier") for name, value in NEAR.items()},
    }


def _reference(tables: Tables, dataset: str, seeds: int, samplers: tuple[str, ...], rng: np.random.Generator) -> None:
    key = {"dataset": dataset, "method": "data", "batch_size": None}
    for seed in range(seeds):
        values = {
            name: value * (1 + rng.normal(0, 0.02) * ("coverage" not in name))
            for name, (value, _) in _names(dataset).items()
        }
        values["ewd-history@500"] = rng.normal(0.15, 0.004)
        tables["measures"] += [{**key, "seed": seed, "measure": name, "value": value} for name, value in values.items()]
        for sampler in samplers:
            _bias(tables, key | {"sampler": sampler}, seed, 0.1, rng)


def _bias(tables: Tables, key: dict[str, Any], seed: int, ewd: float, rng: np.random.Generator) -> None:
    n = 1024
    for m in (16, 64, 256, n):
        bias = 0.6 * (m**-0.5 - n**-0.5) * np.exp(rng.normal(0, 0.1)) if m < n else -1e-17
        cosines = dict.fromkeys(("cosine_batch", "cosine_mean"), np.nan if key["method"] == "data" else 0.9)
        transport = {"ewd": ewd, "mbwd": ewd + bias, "bias": bias}
        bounds = {"deviation": 1.6 * max(bias, 0), "bound": 4 * max(bias, 0), "differing": 0.9 * (m < n)}
        rung = {"seed": seed, "partition": key["sampler"] != "dpp", "eval_batch": m, "n": n}
        values = transport | bounds | cosines
        if np.isnan(ewd):
            values = dict.fromkeys(values, np.nan)
        tables["bias"].append({**key, **rung, **values})


def _cell(
    tables: Tables,
    cell: tuple[str, str, int],
    rank: int,
    seeds: int,
    failed: int,
    samplers: tuple[str, ...],
    rng: np.random.Generator,
) -> None:
    dataset, method, m = cell
    key = {"dataset": dataset, "method": method, "batch_size": m}
    for seed in range(seeds):
        gone = seed < failed
        for name, (value, worse) in _names(dataset).items():
            made = value * (1 + (worse - 1) * (0.3 + 0.15 * rank) * (16 / m) ** 0.3 * np.exp(rng.normal(0, 0.15)))
            tables["measures"].append({**key, "seed": seed, "measure": name, "value": np.nan if gone else made})
        for sampler in samplers:
            _bias(tables, key | {"sampler": sampler}, seed, np.nan if gone else 0.2 + 0.1 * rank, rng)
        for step in range(20, 401 if gone else 2001, 20):
            level = (0.16 + 0.1 * rank + 2 * np.exp(-step / (300 + 100 * rank))) * np.exp(rng.normal(0, 0.1))
            critic = np.nan if method == "pwgan" else 0.7 + rng.normal(0, 0.05) + np.exp(-step / 100)
            losses = {"critic_loss": critic, "generator_loss": level, "ewd": np.nan if step % 200 else level}
            dual = np.nan if step % 200 or method == "pwgan" else level - 0.2
            slope = {
                "critic_dual": dual,
                "critic_slope": 2.0,
                "critic_slope_mean": 1.0,
                "ewd_debiased": 2 * losses["ewd"] - 0.3,
            }
            tables["history"].append({**key, "seed": seed, "step": step, **losses, **slope})
        _along(tables, key, seed, gone, 8 if dataset == "ring8" else 25 if dataset == "grid25" else 10, rng)
        fate = {"status": "ok", "diverged_at": None, "reason": None}
        if gone:
            fate = {"status": "diverged", "diverged_at": 401, "reason": "loss"}
        options = {"generator_lr": 1e-3} | ({} if method == "pwgan" else {"critic_steps": 1, "generator_steps": 1})
        known = ALGORITHM.match(method)
        how = {
            "algorithm": known[0] if known else "gan",
            "options": json.dumps(options),
            "steps": 2000,
            "history_points": 500,
        }
        block = f"seeds{seed // 4 * 4}-{min(seed // 4 * 4 + 4, seeds) - 1}"
        where = {"dual": method.startswith("wgan"), "folder": f"{dataset}/{method}/m{m}/{block}"}
        tables["runs"].append({**key, "seed": seed, **fate, **how, **where})
        for generator in ("initial", "trained") if method == "gan" else ():
            for critic in ("gan", "wgan"):
                for step in (0, 1, 2, 4, 8):
                    norm = np.nan if gone else np.exp(rng.normal(0, 0.2)) / (max(step, 1) if critic == "gan" else 1)
                    tables["signal"].append(
                        {**key, "generator": generator, "critic": critic, "seed": seed, "step": step}
                        | {"critic_loss": 0.5, "parameter_gradient": norm, "sample_gradient": norm, "cosine": 0.5}
                        | {"apart": 9.0 + seed, "ceiling": 0.9, "stationary": step == 8}
                        | {"probe_before": 0.5, "probe_1": 0.6, "probe_128": 0.5}
                    )
    for first in range(0, seeds, 4):
        for stage, seconds in (("train", 30.0 + 8 * rank), ("measure", 6.0)):
            block = {"first_seed": first, "seeds": min(4, seeds - first), "stage": stage, "seconds": seconds}
            tables["costs"].append({**key, **block, "peak_memory_mb": 500.0 + 20 * rank, "device": "cpu"})
            del block["seconds"]
            tables["provenance"].append({**key, **block, **MADE_WITH})


def _along(tables: Tables, key: dict[str, Any], seed: int, gone: bool, modes: int, rng: np.random.Generator) -> None:
    """Write what is watched along training: a mode lost for good after step 1000, and critics that forget."""
    until = [step for step in STEPS if step <= 400 or not gone]
    for step in until:
        counts = rng.multinomial(250, np.full(modes, 1 / modes))
        counts[-1] *= step <= 1000
        tables["mode_steps"] += [
            {**key, "seed": seed, "step": step, "mode": mode, "count": int(count), "samples": 256}
            | {"covered": bool(count >= 0.2 * 256 / modes)}
            for mode, count in enumerate(counts)
        ]
    if key["method"] != "pwgan":
        tables["ranking"] += [
            {**key, "seed": seed, "step": step, "earlier_step": earlier, "auc": auc}
            for step in STEPS
            for earlier in STEPS
            if earlier <= step
            for auc in [0.9 - 0.2 * (step - earlier) / 2000 if step in until else np.nan]
        ]
    ends = {
        "ewd-above-floor@500": 0.1,
        "ewd-trend@500": -1e-5,
        "ewd-variance@500": 1e-4,
        "ewd-debiased-trend@500": -2e-5,
        "coverage-lost@256": 1.0,
    }
    for name, value in ends.items():
        value = np.nan if gone else value * (1 + 0.1 * seed)
        tables["measures"].append({**key, "seed": seed, "measure": name, "value": value})


def _data(path: Path, dataset: str, scales: Scales | None, rng: np.random.Generator) -> None:
    if scales is None:
        train, heldout = (rng.integers(0, 256, (60, 1, 8, 8), dtype=np.uint8) for _ in range(2))
        write_data(path, Split(train, heldout), {"name": dataset})
        return
    if dataset not in POINTS:
        train, heldout = rng.normal(size=(2, 500, len(scales))).astype(np.float32) * np.array(scales, np.float32)
        write_data(path, Split(train, heldout), {"name": dataset})
        return
    angles, side = np.arange(8) * np.pi / 4, np.linspace(-2, 2, 5)
    ring = np.stack([2 * np.cos(angles), 2 * np.sin(angles)], axis=1)
    modes = ring if dataset == "ring8" else np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    draws = modes[rng.integers(0, len(modes), 1000)] + rng.normal(0, 0.1, (1000, 2))
    axis = np.linspace(-3, 3, 60)
    plane = np.stack(np.meshgrid(axis, axis), axis=-1)
    density = np.exp(-((plane[:, :, None] - modes) ** 2).sum(-1) / 0.02).sum(-1)
    train, heldout = np.split(draws.astype(np.float32), 2)
    law = {"modes": modes, "density": density, "extent": np.array([-3.0, 3.0, -3.0, 3.0])}
    write_data(path, Split(train, heldout, **law), {"name": dataset})


@pytest.fixture
def study(tmp_path: Path) -> Callable[..., Study]:
    """Return the maker of studies, each in a directory of its own."""
    return lambda **options: make_study(tmp_path / "results", **options)
