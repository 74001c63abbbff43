"""A study of the user's own files, started from a folder of the user's, through Snakemake."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

pytest.importorskip("snakemake")
pytestmark = pytest.mark.workflow

ROOT = Path(__file__).parents[2]
DATA = [f"results/mine/data/{name}.safetensors" for name in ("pictures", "points")]


def snakemake(folder: Path, *arguments: str, status: int = 0) -> str:
    """Run the Snakefile of the repository in a folder, where no pwgan is installed, and return what it says."""
    own = {key: value for key, value in os.environ.items() if not key.startswith("SNAKEMAKE") and key != "PYTHONPATH"}
    environment = own | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{own['PATH']}"}
    command = [sys.executable, "-P", "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), *arguments]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    done = subprocess.run(command, cwd=folder, env=environment, **streams)
    assert done.returncode == status, done.stdout[-5000:]
    return done.stdout


def planned(folder: Path) -> list[str]:
    said = snakemake(folder, "--dry-run", *DATA)
    return [path for path in DATA if f"output: {path}" in said]


def paint(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (8, 8), np.uint8)).save(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with braces and accents in every name, and a study named config.yaml."""
    folder = tmp_path_factory.mktemp("own") / "{st}udy é"
    for i in range(20):
        paint(folder / f"pic{{ture}}s é/a/b/{i:02}.png", i)
    (folder / "points {set}").mkdir()
    np.save(folder / "points {set}/plane.npy", np.random.default_rng(0).normal(size=(40, 2)))
    network = {"network": {"name": "mlp", "width": 4, "depth": 1, "latent_dim": 2}}
    study = {
        "study": "mine",
        "device": "cpu",
        "seeds": 1,
        "seed_block": 1,
        "batch_sizes": [8],
        "steps": 4,
        "evaluate_every": 2,
        "datasets": {
            "pictures": {"dataset": "folder", "path": "pic{ture}s é", "size": 8, "heldout_fraction": 0.4, **network},
            "points": {"dataset": "array", "path": "points {set}/plane.npy", **network},
        },
        "methods": {"pwgan": {}},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(study, allow_unicode=True), encoding="utf-8")
    snakemake(folder, "--cores", "2", *DATA)
    return folder


@pytest.mark.fault("unusual names and paths", count=3)
def test_a_study_of_paths_with_braces_is_run_from_any_folder(folder: Path) -> None:
    assert [(folder / path).stat().st_size > 500 for path in DATA] == [True, True]
    assert planned(folder) == []


@pytest.mark.fault("stale inputs", count=2)
def test_a_picture_overwritten_in_a_subfolder_makes_its_data_set_stale(folder: Path) -> None:
    paint(folder / "pic{ture}s é/a/b/07.png", 100)
    (folder / "points {set}/plane.npy").touch()
    assert planned(folder) == DATA[:1]
    snakemake(folder, "--touch", "--cores", "1", *DATA)
    assert planned(folder) == []
    paint(folder / "pic{ture}s é/a/new.png", 101)
    assert planned(folder) == DATA[:1]


@pytest.mark.fault("malformed studies", count=2)
def test_a_key_given_twice_is_refused_wherever_snakemake_reads_it(folder: Path, tmp_path: Path) -> None:
    text = (folder / "config.yaml").read_text(encoding="utf-8") + "seeds: 2\n"
    (tmp_path / "study.yaml").write_text(text, encoding="utf-8")
    shutil.copy(tmp_path / "study.yaml", tmp_path / "config.yaml")
    for arguments in ((), ("--configfile", "study.yaml")):
        said = snakemake(tmp_path, "--dry-run", *arguments, status=1)
        assert "the key 'seeds' is given twice" in said and "Traceback" not in said
