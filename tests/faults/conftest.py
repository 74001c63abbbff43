"""A finished tiny study, and stages of it run in forked processes, with a fault at a chosen file operation."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from pwgan.__main__ import main
from pwgan.report import plugins
from pwgan.study import Study, read_study
from pwgan.theory.picture import picture

METHOD = "wgan"
SHORTENED = {
    "tables": {"tables": ["bias", "per_seed"]},
    "figures": {"figures": ["losses"], "figures/each": []},
    "theory_figures": {"theory": ["picture"]},
}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


@dataclass(frozen=True)
class Ended:
    """How a process ended: its exit status, or minus the signal, and what it said."""

    status: int
    said: str


def _forked(work: Callable[[], int]) -> Ended:
    """Run a function in a copy of this process, with all that it has imported; five minutes are a failure."""
    reader, writer = os.pipe()
    process = os.fork()
    if process == 0:
        status = 70
        try:
            signal.alarm(300)
            for stream in (1, 2):
                os.dup2(writer, stream)
            sys.stdout, sys.stderr = (os.fdopen(stream, "w", buffering=1, closefd=False) for stream in (1, 2))
            status = work()
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader) as said:
        text = said.read()
    return Ended(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), text)


def _at_operation(root: Path, number: int, fault: Callable[[str], object]) -> Callable[[], int]:
    """Call ``fault`` with the path before file operation ``number`` below ``root`` (from 1).

    They are opening a file to write, renaming, and making a folder; the function returned tells their count so far.
    """
    count = 0

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal count
        if event not in ("open", "os.rename", "os.mkdir") or isinstance(arguments[0], int):
            return
        if event == "open" and not (arguments[2] & WRITING):
            return
        path = os.path.abspath(os.fsdecode(arguments[0]))
        if not path.startswith(f"{root}{os.sep}") or (event == "os.mkdir" and os.path.isdir(path)):
            return
        count += 1
        if count == number:
            fault(path)

    sys.addaudithook(hook)
    return lambda: count


@dataclass(frozen=True)
class Stages:
    """A finished study in ``root``: the arguments of each stage, and the files that it writes."""

    root: Path
    study: Study
    commands: dict[str, list[str]]

    def run(self, stage: str) -> int:
        """Run a stage, some of them shortened: few tables and figures, epochs, and steps of critics."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("pwgan.measures.classifier.MAX_EPOCHS", 2)
            patch.setattr("pwgan.measures.signal.block_signal.__defaults__", (4,))
            patch.setattr("pwgan.theory.tables.TABLES", {"picture": picture})
            if stage in SHORTENED:
                patch.setattr(plugins, "names", SHORTENED[stage].get)
            return main(self.commands[stage])

    def files(self) -> dict[str, bytes]:
        """Return all files that must be a function of the study alone."""
        spent = {"run.json", "measures.json", "costs.parquet", "checkpoint.pt", "study.yaml", ".lock"}
        return {
            path.relative_to(self.root).as_posix(): path.read_bytes()
            for path in sorted(self.root.rglob("*"))
            if path.is_file() and path.name not in spent
        }

    def copy(self, root: Path) -> Stages:
        """Return a copy of the study in another folder."""
        shutil.copytree(self.root, root)
        return stages_of(root)


def make(root: Path) -> Stages:
    """Run every stage of a tiny study of images in a folder."""
    rng = np.random.default_rng(0)
    labels = np.arange(120) % 2
    images = 0.8 * (labels - 0.5)[:, None, None, None] + rng.uniform(-0.5, 0.5, (120, 1, 8, 8))
    (root / "given").mkdir(parents=True)
    np.save(root / "given/images.npy", images.astype(np.float32))
    np.save(root / "given/labels.npy", labels)
    shades = {
        "dataset": "array",
        "path": str(root / "given/images.npy"),
        "labels": str(root / "given/labels.npy"),
        "heldout_fraction": 0.3,
        "network": {"name": "dcgan", "width": 2, "latent_dim": 3},
    }
    content = {
        "study": "tiny",
        "device": "cpu",
        "seeds": 2,
        "seed_block": 2,
        "batch_sizes": [8],
        "steps": 12,
        "evaluate_every": 6,
        "evaluation_points": 16,
        "datasets": {"shades": shades},
        "methods": {METHOD: {}, "pwgan": {}},
        "measures": {"ewd_points": 16, "mode_samples": 32, "feature_samples": 16, "bias_points": 16},
    }
    path = root / "study.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    made = stages_of(root)
    for stage in made.commands:
        assert made.run(stage) == 0, stage
    return made


def stages_of(root: Path) -> Stages:
    """Return the stages of the study in a folder."""
    path = root / "study.yaml"
    study, results = read_study(path), root / "results"
    data, classifier = results / "data/shades.safetensors", results / "data/shades-classifier.safetensors"
    on = ["--data", str(data), "--device", "cpu", "--output"]
    place, other = study.blocks
    block, reference = str(results / place), str(results / "shades/data/seeds0-1")
    blocks, theory = [block, str(results / other)], str(results / "theory")
    commands = {
        "data": ["data", f"{path}:shades", "--output", str(data)],
        "classifier": ["classifier", *on, str(classifier)],
        "train": ["train", f"{path}:{place}", *on, block],
        "train other": ["train", f"{path}:{other}", *on, blocks[1]],
        "measure": ["measure", f"{path}:{place}", *on, block, "--classifier", str(classifier)],
        "measure other": ["measure", f"{path}:{other}", *on, blocks[1], "--classifier", str(classifier)],
        "signal": ["signal", f"{path}:{place}", *on, block, "--critics", f"{path}:{place}"],
        "reference": ["reference", f"{path}:shades/data/seeds0-1", *on, reference, "--classifier", str(classifier)],
        "aggregate": ["aggregate", "--output", str(results), "--data", str(data), str(classifier)],
        "tables": ["tables", "--results", str(results), "--output", str(results / "tables")],
        "figures": ["figures", "--results", str(results), "--output", str(results / "figures")],
        "theory": ["theory", "--output", theory],
        "theory_figures": ["theory_figures", "--theory", theory, "--output", theory],
        "claims": ["claims", "--results", str(results), "--output", str(results / "claims")],
    }
    commands["aggregate"] += ["--cells", *blocks, reference, "--signals", f"{block}/signal.parquet"]
    return Stages(root, study, commands)


def _leftovers(root: Path) -> list[Path]:
    """Return the files that were being written when their writers ended."""
    return sorted(root.rglob(".pwgan-*"))


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Stages:
    """Return the finished study; this process has then imported and compiled all that a forked one needs."""
    return make(tmp_path_factory.mktemp("faults") / "whole")


@pytest.fixture(scope="session")
def forked() -> Callable[[Callable[[], int]], Ended]:
    return _forked


@pytest.fixture(scope="session")
def at_operation() -> Callable[..., Callable[[], int]]:
    return _at_operation


@pytest.fixture(scope="session")
def leftovers() -> Callable[[Path], list[Path]]:
    return _leftovers
