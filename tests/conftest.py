"""What tests share: a tiny study, its data, the marker of tests that need a GPU, and the count of faults tried."""

from __future__ import annotations

import copy
import csv
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# The same examples each time: a test that fails once can be run again. `--hypothesis-profile=default` draws fresh ones.
settings.register_profile("reproducible", derandomize=True)
settings.load_profile("reproducible")

# Before torch is loaded: the bits of a run are those of its number of threads, also in the processes a test starts.
os.environ.setdefault("OMP_NUM_THREADS", "1")

Given = dict[str, Any]

TINY: Given = {
    "study": "tiny",
    "device": "cpu",
    "seeds": 2,
    "seed_block": 2,
    "batch_sizes": [8],
    "steps": 20,
    "evaluate_every": 5,
    "evaluation_points": 32,
    "datasets": {
        "ring8": {
            "samples": 256,
            "heldout": 64,
            "network": {"name": "mlp", "width": 8, "depth": 2, "latent_dim": 3},
        }
    },
    "methods": {"nsgan": {}, "pwgan": {}},
    "measures": {
        "ewd_points": 32,
        "mode_samples": 50,
        "feature_samples": 32,
        "bias_points": 16,
        "bias_partitions": 1,
    },
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run whole studies first: left to the end, the longest tests would keep one process busy and the other idle."""
    items.sort(key=lambda item: item.get_closest_marker("workflow") is None)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--cluster", action="store_true", help="run the tests that start a Slurm cluster of one node")
    parser.addoption("--faults", type=Path, metavar="FILE", help="write how many faults were tried and survived as CSV")


# Kind of fault -> how many were tried, and survived: from the marker `fault` of the tests that ran.
_tried: Counter[str] = Counter()
_survived: Counter[str] = Counter()


def pytest_itemcollected(item: pytest.Item) -> None:
    for marker in item.iter_markers("fault"):
        item.user_properties.append(("fault", [marker.args[0], marker.kwargs.get("count", 1)]))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when != "call" or report.skipped:
        return
    for name, value in report.user_properties:
        if name == "fault":
            kind, count = value
            _tried[kind] += count
            _survived[kind] += count * report.passed


def pytest_sessionfinish(session: pytest.Session) -> None:
    path = session.config.getoption("--faults")
    if path is not None and not hasattr(session.config, "workerinput"):
        with path.open("w", newline="") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(("fault", "tried", "survived"))
            rows.writerows((kind, _tried[kind], _survived[kind]) for kind in sorted(_tried))


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu"):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("needs a CUDA device, and torch finds none")


@pytest.fixture(scope="session")
def tiny() -> Callable[..., Given]:
    """Return the maker of tiny studies, as a YAML file would state them; keywords replace its keys."""
    return lambda **changes: copy.deepcopy(TINY) | changes


@pytest.fixture(scope="session")
def ring8(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Store the tiny study's ring8 and return the file."""
    from pwgan.data.mixtures import Ring8
    from pwgan.data.store import write_data

    path = tmp_path_factory.mktemp("data") / "ring8.safetensors"
    write_data(path, Ring8(samples=256, heldout=64).load(), {"name": "ring8"})
    return path
