"""The documented examples of a data set, a method, a measure and a figure, through a whole study to its report."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

pytest.importorskip("snakemake")
pytestmark = pytest.mark.workflow

ROOT = Path(__file__).parents[2]
PLACES = {
    "example_dataset.py": "pwgan/data/two_moons.py",
    "example_method.py": "pwgan/methods/lsgan.py",
    "example_measure.py": "pwgan/measures/energy.py",
    "example_figure.py": "pwgan/report/figures/seeds.py",
    "example_figure.rst": "workflow/report/figures/seeds.rst",
}
IMPORT = "from pwgan.measures.energy import measure_energy\n"
LINE = '    "energy": measure_energy,\n'


def snakemake(folder: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "snakemake", "--configfile", "study.yaml", *arguments]
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout[-5000:]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Add the examples as a newcomer would, and run a study with them and with arrays that were hard to draw."""
    folder = tmp_path_factory.mktemp("examples")
    for name in ("pwgan", "workflow", "envs", "profiles"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Snakefile", "config.yaml"):
        shutil.copy(ROOT / name, folder)
    for example, place in PLACES.items():
        assert not (folder / place).exists()
        shutil.copy(ROOT / "docs" / example, folder / place)
    measuring = folder / "pwgan/measures/measuring.py"
    text = measuring.read_text().replace(
        "from pwgan.measures.forgetting import", f"{IMPORT}from pwgan.measures.forgetting import", 1
    )
    measuring.write_text(text.replace('    "bias": Measuring._bias,\n', f'    "bias": Measuring._bias,\n{LINE}', 1))
    cells = folder / "pwgan/cells.py"
    cells.write_text(cells.read_text().replace('"interpolation", "bias"]', '"interpolation", "bias", "energy"]', 1))
    rng = np.random.default_rng(0)
    np.save(folder / "line.npy", rng.normal(size=(300, 1)))
    np.save(folder / "scales.npy", rng.normal([1e6, 0], [1, 1e6], size=(300, 2)))  # the first is too far for float32
    small = {"network": {"name": "mlp", "width": 8, "depth": 2, "latent_dim": 3}}
    content = {
        "study": "examples",
        "device": "cpu",
        "seeds": 2,
        "seed_block": 2,
        "batch_sizes": [8],
        "steps": 20,
        "evaluate_every": 10,
        "evaluation_points": 20,
        "datasets": {
            "two_moons": {"samples": 200, "heldout": 60, **small},
            "line": {"dataset": "array", "path": "line.npy", **small},
            "scales": {"dataset": "array", "path": "scales.npy", **small},
        },
        # The example method everywhere; another one beside it where nothing is hard to draw.
        "methods": {"lsgan": {}, "pwgan": {"datasets": ["two_moons"]}},
        "measures": {"ewd_points": 20, "mode_samples": 50, "bias_points": 16, "neighbour_samples": 20},
    }
    (folder / "study.yaml").write_text(yaml.safe_dump(content))
    snakemake(folder, "--cores", "2", "--resources", "gpu=1")
    snakemake(folder, "--report", "report.html")
    return folder


@pytest.mark.parametrize("dataset", ["two_moons", "line", "scales"])
def test_method_and_data_set_are_trained_and_measured(study: Path, dataset: str) -> None:
    frame = pd.read_csv(study / "results/examples/tables/main.csv")
    rows = frame[(frame["dataset"] == dataset) & (frame["method"] == "lsgan") & (frame["measure"] == "ewd@20")]
    assert rows["mean"].notna().all() and (rows["seeds"] == 2).all() and len(rows) == 1
    for figure in ("samples", "interpolation"):
        assert (study / f"results/examples/figures/{figure}-{dataset}.png").stat().st_size > 5000


def test_the_measure_is_in_the_tables_with_its_floor_and_its_cost(study: Path) -> None:
    frame = pd.read_csv(study / "results/examples/tables/main.csv")
    rows = frame[frame["measure"] == "energy@20"]
    assert set(rows["method"]) == {"data", "lsgan", "pwgan"} and (rows["mean"] > 0).all()
    costs = pd.read_parquet(study / "results/examples/costs.parquet")
    assert "measure: energy" in set(costs["stage"])


def test_the_figure_is_in_the_report_under_its_question(study: Path) -> None:
    shown = json.loads(re.search(r"var results = (\{.*\})", (study / "report.html").read_text())[1])
    figure = shown["results/examples/figures/seeds.png"]
    assert "how much one run may differ" in figure["caption"]
    for name in ("samples-line", "samples-scales", "interpolation-two_moons"):
        assert f"results/examples/figures/{name}.png" in shown
    drawn = pd.read_csv(study / "results/examples/figures/seeds.csv")
    assert len(drawn) == 4 * 2 and set(drawn["method"]) == {"lsgan", "pwgan"}
