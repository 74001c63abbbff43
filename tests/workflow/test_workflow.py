"""The smoke study, run once from end to end, and what Snakemake then makes anew after a change, and what it leaves."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from pwgan.report.captions import QUESTIONS
from pwgan.report.plugins import figure_names, names
from pwgan.study import Study, read_study

psutil = pytest.importorskip("psutil")
pytest.importorskip("snakemake")
pytestmark = pytest.mark.workflow

ROOT = Path(__file__).parents[2]
SMOKE = ("--configfile", "workflow/studies/smoke.yaml")
SLURM = ("--workflow-profile", "profiles/slurm")
DATA, METHODS = ("ring8", "digits"), ("nsgan", "pwgan", "pwgan_full")
LAST = {"aggregate", "figures", "tables", "all"}
LOGS, BENCHMARKS = ("logs/block", "log"), ("benchmarks/block", "tsv")
# Says at its end which packages a process has imported.
WITNESS = """
import atexit, os, sys
def tell():
    with open(os.environ["IMPORTED"], "w") as file:
        file.write(" ".join({name.partition(".")[0] for name in sys.modules}))
atexit.register(tell)
"""


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "snakemake", *arguments]


def environment(**more: str) -> dict[str, str]:
    own = {key: value for key, value in os.environ.items() if not key.startswith("SNAKEMAKE")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{own['PATH']}"
    return own | {"OMP_NUM_THREADS": "1", "PATH": path} | more


def snakemake(folder: Path, *arguments: str, status: int = 0, **variables: str) -> str:
    """Run snakemake in a folder, expect its exit status, and return all that it says."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    done = subprocess.run(command(*arguments), cwd=folder, env=environment(**variables), **streams)
    assert done.returncode == status, done.stdout[-5000:]
    return done.stdout


def blocks(said: str) -> list[tuple[str, str]]:
    """Return (job, description) of every job of a dry run; a job is its rule and the values of its wildcards."""
    found = []
    for rule, text in re.findall(r"^rule (\w+):\n((?: {4}.*\n)*)", said, re.MULTILINE):
        wildcards = re.search(r"^ +wildcards: (.*)$", text, re.MULTILINE)
        values = [pair.partition("=")[2] for pair in wildcards[1].split(", ")] if wildcards else []
        found.append((" ".join([rule, *values]), text))
    return found


def planned(folder: Path, *arguments: str) -> set[str]:
    """Return the jobs that a dry run announces."""
    return {job for job, _ in blocks(snakemake(folder, "--dry-run", *arguments))}


def jobs(rule: str, *methods: str, seeds: str = "0-1") -> set[str]:
    return {f"{rule} {data} {method} 16 {seeds}" for data in DATA for method in methods}


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository in which the smoke study has been run; one for all processes that share the tests."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "finished"
    with open(f"{folder}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            folder.mkdir()
            for name in ("Snakefile", "config.yaml"):
                shutil.copy(ROOT / name, folder)
            for name in ("pwgan", "workflow", "envs", "profiles"):
                shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            said = snakemake(folder, "--cores", "2", "--resources", "gpu=1", *SMOKE)
            (folder / "said.txt").write_text(said)
    assert (folder / "said.txt").exists(), "the smoke study failed, in the first test that asked for it"
    return folder


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished study to change at will; that it is elsewhere now must not matter."""
    return Path(shutil.copytree(finished, tmp_path / "moved", symlinks=True))


@pytest.fixture
def changed(folder: Path) -> Callable[..., tuple[str, str]]:
    """Write the smoke study with a change, and return the arguments that run it."""

    def write(change: Callable[[dict[str, Any]], object]) -> tuple[str, str]:
        content = yaml.safe_load((folder / SMOKE[1]).read_text())
        change(content)
        (folder / "changed.yaml").write_text(yaml.safe_dump(content))
        return "--configfile", "changed.yaml"

    return write


def test_run_makes_everything(finished: Path) -> None:
    results = finished / "results/smoke"
    study: Study = read_study(finished / SMOKE[1])
    expected = [f"tables/{name}.{ext}" for name in names("tables") for ext in ("csv", "md", "html")]
    expected += [f"figures/{name}.{ext}" for name in figure_names(DATA) for ext in ("csv", "png")]
    expected += ["data/ring8/seeds0-1.safetensors", "data/digits.safetensors", "data/digits-classifier.safetensors"]
    measured = ("measures.parquet", "bias.parquet", "interpolation.parquet", "interpolation.npy", "measures.json")
    trained = ("run.json", "history.parquet", "generator.safetensors", "samples.npy")
    along = ("ranking.parquet", "snapshots.safetensors", "mode_steps.parquet")
    expected += [f"{cell}/{name}" for cell in study.blocks for name in (*measured, *trained, *along)]
    expected += [f"{place}/{name}" for place in study.references for name in measured]
    expected += [f"{kind}/{cell}.{end}" for cell in study.blocks for kind, end in (LOGS, BENCHMARKS)]
    assert [name for name in expected if not (results / name).exists()] == []
    assert [name for name in expected if "logs" not in name and not (results / name).stat().st_size] == []
    assert list(results.rglob("checkpoint.pt")) == []
    assert len(study.blocks) == len(DATA) * len(METHODS)


def test_second_run_does_nothing(folder: Path) -> None:
    said = snakemake(folder, "--dry-run", *SMOKE)
    assert blocks(said) == [] and "Nothing to be done" in said
    assert "profile profiles/default" in said


def test_status_is_told_beside_a_running_study(folder: Path) -> None:
    said = snakemake(folder, "status", "--nolock", "--cores", "1", *SMOKE)
    count = len(DATA) * len(METHODS)
    assert f"smoke: {count} blocks: {count} done" in said
    log = next((folder / "results/smoke/logs/block").rglob("*.log")).read_text()
    assert f"of {count}" in log.splitlines()[0]


def test_device_retrains_nothing(folder: Path) -> None:
    assert planned(folder, *SMOKE, "--config", "device=cuda") == set()


def test_jobs_that_go_on_with_other_blocks_leave_the_same_results(folder: Path) -> None:
    sharing = (*SMOKE, "--config", "job_seconds=600")
    assert planned(folder, *sharing) == set()
    results = folder / "results/smoke/ring8"
    before = {path: path.read_bytes() for path in results.glob("*/m16/*/measures.parquet")}
    before |= {path: path.read_bytes() for path in results.glob("data/*/measures.parquet")}
    for name in (*METHODS, "data"):
        shutil.rmtree(results / name)
    targets = [str(path.with_name("measures.json").relative_to(folder)) for path in before]
    # A block first: the job of real samples takes no block.
    snakemake(folder, targets[0], "--cores", "1", *sharing)
    snakemake(folder, *targets, "--cores", "1", *sharing)
    assert {path: path.read_bytes() for path in before} == before
    logs = [path.read_text() for path in (folder / "results/smoke/logs").glob("[br]*/ring8/**/*.log")]
    assert sorted("finished ahead of this job" in log for log in logs) == [False, True, True, True]
    assert planned(folder, *SMOKE) <= LAST


def test_learning_rate_reruns_its_cells(folder: Path, changed: Callable[..., tuple[str, str]]) -> None:
    arguments = changed(lambda study: study["methods"].update(nsgan={"generator_lr": 0.005}))
    assert planned(folder, *arguments) == jobs("block", "nsgan") | LAST


def test_measure_option_retrains_nothing(folder: Path, changed: Callable[..., tuple[str, str]]) -> None:
    arguments = changed(lambda study: study["measures"].update(ewd_points=90))
    assert planned(folder, *arguments) == MEASURED | LAST
    assert not retrained(folder, *arguments)


def retrained(folder: Path, *arguments: str) -> bool:
    """Run one block again, and return whether it was trained; it must have been measured."""
    block = folder / "results/smoke/ring8/nsgan/m16/seeds0-1"
    before = {name: (block / name).stat().st_mtime_ns for name in ("run.json", "generator.safetensors")}
    measured = (block / "measures.parquet").stat().st_mtime_ns
    snakemake(folder, str((block / "measures.json").relative_to(folder)), "--cores", "1", *arguments)
    assert (block / "measures.parquet").stat().st_mtime_ns > measured
    changed = {(block / name).stat().st_mtime_ns > time for name, time in before.items()}
    assert len(changed) == 1
    said = (folder / "results/smoke/logs/block/ring8/nsgan/m16/seeds0-1.log").read_text()
    assert ("finished, and nothing to do" in said) is not changed.copy().pop()
    return changed.pop()


@pytest.mark.parametrize(("module", "trained"), [("measures/modes.py", False), ("training/draws.py", True)])
def test_code_of_training_retrains_and_code_of_measures_does_not(folder: Path, module: str, trained: bool) -> None:
    with open(folder / "pwgan" / module, "a") as file:
        file.write("# A change.\n")
    assert retrained(folder, *SMOKE) is trained


def test_a_feature_extractor_measures_its_data_set_again(folder: Path, changed: Callable[..., tuple[str, str]]) -> None:
    several = changed(lambda study: study["datasets"]["digits"].update(features=["classifier", "classifier_heldout"]))
    assert planned(folder, *several) == {"classifier_heldout digits"} | OF_DIGITS


def test_more_seeds_add_blocks(folder: Path, changed: Callable[..., tuple[str, str]]) -> None:
    new = planned(folder, *changed(lambda study: study.update(seeds=4)))
    blocks_added = jobs("block", *METHODS, seeds="2-3")
    references = {f"reference {data} 2-3" for data in DATA}
    assert new == {"data ring8/seeds2-3"} | blocks_added | references | LAST


TRAINED = jobs("block", *METHODS)
MEASURED = TRAINED | {f"reference {data} 0-1" for data in DATA}
OF_DIGITS = {job for job in MEASURED if "digits" in job} | LAST
PREPARED = {"data ring8/seeds0-1", "data digits", "classifier digits"}


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("report/figures/coverage.py", {"figures", "all"}),
        ("report/tables/main.py", {"tables", "all"}),
        ("methods/nsgan.py", jobs("block", "nsgan") | LAST),
        ("training/draws.py", MEASURED | LAST),
        ("measures/modes.py", MEASURED | LAST),
        ("extractors/classifier.py", OF_DIGITS),
        ("extractors/base.py", OF_DIGITS),
        ("data/store.py", PREPARED | MEASURED | LAST),
    ],
)
def test_code_reruns_what_depends_on_it_and_no_more(folder: Path, module: str, expected: set[str]) -> None:
    with open(folder / "pwgan" / module, "a") as file:
        file.write("# A change.\n")
    assert planned(folder, *SMOKE) == expected


def test_code_that_changes_no_result_of_a_study_reruns_nothing(folder: Path) -> None:
    for module in (
        "measures/signal.py",
        "extractors/effnet.py",
        "extractors/__init__.py",
        "cells.py",
        "stages.py",
        "options.py",
        "report/claims/rules.py",
    ):
        with open(folder / "pwgan" / module, "a") as file:
            file.write("# A change.\n")
    examples = {"method": "methods/lsgan.py", "dataset": "data/two_moons.py", "measure": "measures/energy.py"}
    for example, place in examples.items():
        shutil.copy(ROOT / f"docs/example_{example}.py", folder / "pwgan" / place)
    assert planned(folder, *SMOKE) == set()


def test_a_new_figure_is_drawn(folder: Path) -> None:
    shutil.copy(ROOT / "docs/example_figure.py", folder / "pwgan/report/figures/seeds.py")
    shutil.copy(ROOT / "docs/example_figure.rst", folder / "workflow/report/figures/seeds.rst")
    assert planned(folder, *SMOKE) == {"figures", "all"}


@pytest.mark.parametrize("study", ["config.yaml", "workflow/studies/claims.yaml"])
def test_planning_imports_nothing_heavy(folder: Path, study: str) -> None:
    (folder / "witness").mkdir()
    (folder / "witness/sitecustomize.py").write_text(WITNESS)
    witnessed = {"PYTHONPATH": str(folder / "witness"), "IMPORTED": str(folder / "imported.txt")}
    said = snakemake(folder, "--dry-run", "--forceall", "--configfile", study, **witnessed)
    trained = [job for job, _ in blocks(said) if job.startswith("block ")]
    assert len(trained) == len(read_study(folder / study).blocks)
    imported = set((folder / "imported.txt").read_text().split())
    assert "pwgan" in imported
    assert imported.isdisjoint({"torch", "torchvision", "torch_fidelity", "sklearn", "scipy", "matplotlib"})


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        (lambda study: study.update(sedes=3), "'seeds'"),
        (lambda study: study["methods"].update(pwgam={}), "'pwgan'"),
        (lambda study: study["datasets"]["ring8"].update(sampels=3), "'samples'"),
    ],
)
def test_slip_is_answered(
    folder: Path, changed: Callable[..., tuple[str, str]], change: Callable[[dict[str, Any]], object], hint: str
) -> None:
    said = snakemake(folder, "--dry-run", *changed(change), status=1)
    assert f"Did you mean {hint}?" in said
    assert "Traceback" not in said


def test_all_files_of_a_refused_study_are_named(folder: Path) -> None:
    (folder / "more.yaml").write_text("steps: 7\n")
    (folder / "wrong.yaml").write_text("sedes: 3\n")
    said = snakemake(folder, "--dry-run", *SMOKE, "wrong.yaml", "more.yaml", status=1)
    assert re.search("smoke.yaml, .*wrong.yaml, .*more.yaml: unknown option of Study: 'sedes'", said)


@pytest.mark.parametrize(("config", "gpu"), [((), 1), (("--config", "device=cpu"), 0)], ids=["as it is", "on cpu"])
def test_slurm_profile_plans(folder: Path, config: tuple[str, ...], gpu: int) -> None:
    pytest.importorskip("snakemake_executor_plugin_slurm")
    said = snakemake(folder, "--dry-run", "--forceall", *SLURM, *SMOKE, *config)
    announced = blocks(said)
    computing = [text for job, text in announced if job.split()[0] in ("block", "reference")]
    assert len(computing) == len(jobs("block", *METHODS)) + len(DATA)
    for text in computing:
        assert f"gpu={gpu}, device={'cuda' if gpu else 'cpu'}" in text
        assert re.search(r"mem_mb=16000,.*runtime=\d+,", text)
    profile = yaml.safe_load((folder / SLURM[1] / "config.yaml").read_text())
    known = {job.split()[0] for job, _ in announced} | {"classifier_heldout"}  # which other studies have
    assert set(profile["set-resources"]) <= known
    assert "set-threads" not in profile  # results depend on the number of threads: it is the study's


@pytest.mark.parametrize(
    "ending",
    [
        pytest.param(signal.SIGKILL, marks=pytest.mark.fault("SIGKILL of training")),
        pytest.param(signal.SIGTERM, marks=pytest.mark.fault("SIGTERM of training")),
    ],
)
def test_ended_training_goes_on(folder: Path, changed: Callable[..., tuple[str, str]], ending: signal.Signals) -> None:
    arguments = changed(lambda study: study.update(steps=1000, evaluate_every=100))
    block = "results/smoke/ring8/nsgan/m16/seeds0-1"
    arguments = (f"{block}/measures.json", "--cores", "1", *arguments)
    log = folder / "results/smoke/logs/block/ring8/nsgan/m16/seeds0-1.log"
    log.unlink()
    unheard = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command(*arguments), cwd=folder, env=environment(), **unheard) as running:
        while running.poll() is None and not (log.exists() and "step 100 of 1000" in log.read_text()):
            time.sleep(0.05)
        assert running.poll() is None
        children = psutil.Process(running.pid).children(recursive=True)
        (training,) = [child for child in children if child.cmdline()[1:4] == ["-m", "pwgan", "block"]]
        training.send_signal(ending)
    assert running.returncode == 1
    assert not (folder / block / "measures.json").exists()
    assert (folder / block / "checkpoint.pt").exists()
    stopped = re.search(r"stopped by SIGTERM at step (\d+) of 1000", log.read_text())
    snakemake(folder, *arguments)
    resumed = re.search(r"resuming from step ([1-9]\d*) of 1000", log.read_text())
    assert resumed and (resumed[1] == stopped[1] if stopped else ending == signal.SIGKILL)
    assert json.loads((folder / block / "run.json").read_text())["steps"] == 1000
    assert not (folder / block / "checkpoint.pt").exists()


def test_report_shows_figures_and_tables(folder: Path) -> None:
    snakemake(folder, "--report", "report.html", *SMOKE)
    page = (folder / "report.html").read_text()
    categories = re.search(r"var categories = (\{.*\})", page)
    results = re.search(r"var results = (\{.*\})", page)
    assert categories and results
    shown: dict[str, Any] = json.loads(results[1])
    files = {f"figures/{name}.png" for name in figure_names(DATA)} | {f"tables/{name}.html" for name in names("tables")}
    assert set(shown) == {f"results/smoke/{file}" for file in files}
    assert all(len(result["caption"]) > 40 for result in shown.values())
    assert all(result["data_uri"].startswith("data:") for result in shown.values())
    # Theory and claims were not asked for.
    asked = [f"{number}. {question}" for number, question in enumerate(QUESTIONS, 1)]
    assert sorted(json.loads(categories[1])) == asked[:-2]
    assert "Study smoke" in page and all(f"<h1>{question}</h1>" in page for question in asked[:-2])


def test_style(folder: Path) -> None:
    assert "good condition" in snakemake(folder, "--lint")
    subprocess.run([sys.executable, "-m", "snakefmt", "--check", "Snakefile", "workflow/rules"], cwd=folder, check=True)
