"""Training a cell of the tiny study in a folder, and reading what it left there."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from pwgan.cells import Block
from pwgan.data import Split
from pwgan.data.store import StoredData, read_data, write_data
from pwgan.runtime import exclusive
from pwgan.study import parse_study
from pwgan.training.run import train

RESULTS = ("generator.safetensors", "history.parquet", "ranking.parquet", "samples.npy", "snapshots.safetensors")


@dataclass(frozen=True)
class Run:
    """A trained block and its files."""

    folder: Path
    cell: Block

    @property
    def seeds(self) -> list[dict[str, Any]]:
        return json.loads((self.folder / "run.json").read_text())["seeds"]

    @property
    def steps(self) -> int:
        return json.loads((self.folder / "run.json").read_text())["steps"]

    @property
    def history(self) -> pd.DataFrame:
        return pd.read_parquet(self.folder / "history.parquet")

    @property
    def generator(self) -> dict[str, torch.Tensor]:
        return load_file(self.folder / "generator.safetensors")

    @property
    def samples(self) -> np.ndarray:
        return np.load(self.folder / "samples.npy", allow_pickle=False)

    @property
    def bytes(self) -> dict[str, bytes]:
        """The files that must not depend on when a run was stopped."""
        return {name: (self.folder / name).read_bytes() for name in RESULTS}


@pytest.fixture
def data(ring8: Path) -> StoredData:
    return read_data(ring8)


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> StoredData:
    """Return 256 training and 64 held-out images of 8x8 pixels of noise."""
    pixels = np.random.default_rng(0).uniform(-1, 1, (320, 1, 8, 8)).astype(np.float32)
    path = tmp_path_factory.mktemp("data") / "images.safetensors"
    write_data(path, Split(pixels[:256], pixels[256:]), {"name": "images"})
    return read_data(path)


@pytest.fixture
def block(tiny: Callable[..., Any]) -> Callable[..., Block]:
    """Return the maker of the one cell of a tiny study with one method and one block of seeds."""

    def make(method: str = "pwgan", options: dict[str, Any] | None = None, seeds: int = 2, **changes: Any) -> Block:
        study = parse_study(tiny(methods={method: options or {}}, seeds=seeds, seed_block=seeds, **changes))
        (cell,) = study.blocks.values()
        return cell

    return make


@pytest.fixture
def trained(block: Callable[..., Block], data: StoredData, tmp_path: Path) -> Callable[..., Run]:
    """Return a function that trains such a cell in a folder of that name."""

    def run(folder: str = "run", method: str = "pwgan", options: dict[str, Any] | None = None, **changes: Any) -> Run:
        cell = block(method, options, **changes)
        with exclusive(tmp_path / folder):
            train(cell.training, data, tmp_path / folder, torch.device("cpu"))
        return Run(tmp_path / folder, cell)

    return run
