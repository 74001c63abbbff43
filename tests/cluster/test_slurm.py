"""The workflow on a real Slurm: its jobs, what ends them, and results that are those of a local run."""

from __future__ import annotations

import inspect
import itertools
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pwgan.report import plugins
from pwgan.study import read_study

pytest.importorskip("snakemake_executor_plugin_slurm")
pytestmark = pytest.mark.workflow

ROOT = Path(__file__).parents[2]
SMOKE = ROOT / "workflow/studies/smoke.yaml"
BLOCK = "ring8/nsgan/m16/seeds0-1"
# The plugin asks slurmdbd by default, which this cluster does not have.
PROFILE = ("--workflow-profile", ROOT / "profiles/slurm", "--slurm-status-command", "squeue")
SOONER = (
    "--slurm-init-seconds-before-status-checks",
    "2",
    "--seconds-between-status-checks",
    "2",
    "--latency-wait",
    "5",
)


def snakemake(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "snakemake", "-s", str(ROOT / "Snakefile"), *map(str, arguments)]


@pytest.fixture
def login(cluster: Any) -> dict[str, str]:
    """The environment of a login node with a GPU, which the node of the cluster seems to have."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{cluster.environment()['PATH']}"
    return cluster.environment() | {"PATH": path, "CUDA_VISIBLE_DEVICES": "0", "OMP_NUM_THREADS": "1"}


@pytest.fixture
def longer(tmp_path: Path) -> Callable[[int], Path]:
    """Write the smoke study with more iterations."""

    def write(steps: int) -> Path:
        content = yaml.safe_load(SMOKE.read_text()) | {"steps": steps, "evaluate_every": steps // 10}
        (tmp_path / "longer.yaml").write_text(yaml.safe_dump(content))
        return tmp_path / "longer.yaml"

    return write


@pytest.fixture
def started(cluster: Any, login: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start snakemake on the cluster for one block of a study; whatever still runs is stopped at the end."""
    running = []

    def start(study: Path, *more: object) -> subprocess.Popen[str]:
        target = f"results/smoke/{BLOCK}/measures.json"
        command = snakemake(target, *PROFILE, *SOONER, *more, "--configfile", study, "--config", "device=cpu")
        with (tmp_path / "said.txt").open("w") as said:
            running.append(
                subprocess.Popen(command, cwd=tmp_path, env=login, stdout=said, stderr=subprocess.STDOUT, text=True)
            )
        return running[-1]

    yield start
    for one in running:
        if one.poll() is None:
            one.send_signal(signal.SIGINT)
            one.wait(60)


def test_the_study_is_that_of_a_local_run(cluster: Any, login: dict[str, str], tmp_path: Path) -> None:
    before = len(cluster.jobs())
    # auto: jobs ask for the GPU that the login node sees, and use the CPU, since torch cannot use it.
    for folder, how in {"there": (*PROFILE, *SOONER, "--config", "device=auto"), "here": ("--cores", "2")}.items():
        (tmp_path / folder).mkdir()
        environment = login if folder == "there" else login | {"CUDA_VISIBLE_DEVICES": ""}
        done = subprocess.run(
            snakemake(*how, "--configfile", SMOKE),
            cwd=tmp_path / folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == 0, done.stdout[-5000:]
    jobs = cluster.jobs()[before:]
    study = read_study(SMOKE)
    # The classifier of digits, too.
    assert len(jobs) == len(study.blocks) + len(study.references) + 1
    assert {job.state for job in jobs} == {"COMPLETED"}
    # They ask for the only GPU, and so run one after the other. Times are texts whose order is that of time.
    assert {job.requested for job in jobs} == {"gres:gpu:1"}
    jobs.sort(key=lambda job: job.start)
    assert all(one.end <= other.start for one, other in itertools.pairwise(jobs))
    here, there = (tmp_path / folder / "results/smoke" for folder in ("here", "there"))
    timeless = [
        name
        for name in plugins.names("tables")
        if "costs" not in inspect.signature(plugins.load("tables", name).data).parameters
    ]
    assert len(timeless) > 8
    for name in timeless:
        for suffix in ("csv", "md", "html"):
            file = f"tables/{name}.{suffix}"
            assert (here / file).read_bytes() == (there / file).read_bytes(), file
    for path in study.blocks:
        for file in ("history.parquet", "samples.npy", "generator.safetensors", "measures.parquet"):
            assert (here / path / file).read_bytes() == (there / path / file).read_bytes(), f"{path}/{file}"


def _scancel(cluster: Any, number: int) -> None:
    cluster.ask("scancel", str(number))


def _wait_for_the_limit(cluster: Any, number: int) -> None:
    """Do nothing: the limit is a minute."""


def _kill_slurmd(cluster: Any, number: int) -> None:
    """Kill the daemon of the node and start it again: the job outlives it."""
    cluster.kill("slurmd")
    cluster.start()


@pytest.mark.parametrize("end", [_scancel, _wait_for_the_limit, _kill_slurmd])
def test_a_job_that_was_ended_goes_on(
    cluster: Any, started: Callable[..., Any], longer: Callable[[int], Path], tmp_path: Path, end: Callable[..., None]
) -> None:
    limited = end is _wait_for_the_limit
    steps = 60_000 if limited else 5000
    before = {job.number for job in cluster.jobs()}
    limit = "block:runtime=1 + 20 * (attempt - 1)" if limited else "block:runtime=20"
    running = started(longer(steps), "--set-resources", limit)
    log = tmp_path / f"results/smoke/logs/block/{BLOCK}.log"
    cluster.until(lambda: log.exists() and re.search(rf"step [1-9]\d* of {steps}", log.read_text()), 120)
    (number,) = (int(line) for line in cluster.ask("squeue", "-h", "-t", "RUNNING", "-o", "%i").split())
    end(cluster, number)
    assert running.wait(300) == 0, (tmp_path / "said.txt").read_text()[-5000:]
    states = {job.number: job.state for job in cluster.jobs() if job.number not in before}
    expected = {_scancel: "CANCELLED", _wait_for_the_limit: "TIMEOUT", _kill_slurmd: "COMPLETED"}
    assert states.pop(number) == expected[end]
    assert (tmp_path / f"results/smoke/{BLOCK}/measures.json").exists()
    if end is _kill_slurmd:
        assert states == {}
        return
    assert list(states.values()) == ["COMPLETED"]
    # Slurm sends SIGTERM first: the step in hand is finished, and no step is trained twice.
    resumed = re.search(rf"resuming from step ([1-9]\d*) of {steps}", log.read_text())
    stopped = re.search(rf"stopped by SIGTERM at step (\d+) of {steps}", (tmp_path / "said.txt").read_text())
    assert resumed and stopped and resumed[1] == stopped[1]
