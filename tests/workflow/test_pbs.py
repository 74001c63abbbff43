"""The profile of PBS with stubs for its commands: one block of the smoke study, lost once and tried again."""

import itertools
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("snakemake_executor_plugin_cluster_generic")
pytestmark = pytest.mark.workflow

ROOT = Path(__file__).parents[2]
BLOCK = "results/smoke/ring8/pwgan/m16/seeds0-1/measures.json"
# A job is a line of queue/jobs, its arguments; queue/N holds its exit status as soon as it has ended.
# The first job is lost, as on a node that fails.
QSUB = """#!/bin/sh
mkdir -p queue
echo "$*" >> queue/jobs
number=$(($(wc -l < queue/jobs)))
for script in "$@"; do :; done
echo "$number.stub"
if [ "$number" = 1 ]; then echo 271 > queue/1; exit; fi
(sh "$script" > "queue/$number.log" 2>&1; echo $? > "queue/$number.part"; mv "queue/$number.part" "queue/$number") \
  > /dev/null 2>&1 &
"""
QSTAT = """#!/bin/sh
for id in "$@"; do :; done
echo "Job Id: $id"
if [ -f "queue/${id%.stub}" ]; then
  echo "    job_state = F"; echo "    Exit_status = $(cat "queue/${id%.stub}")"
else
  echo "    job_state = R"
fi
"""


def test_a_lost_job_is_submitted_again_with_more_memory_and_time(tmp_path: Path) -> None:
    commands = tmp_path / "bin"
    commands.mkdir()
    for name, text in {"qsub": QSUB, "qstat": QSTAT}.items():
        (commands / name).write_text(text)
        (commands / name).chmod(0o755)
    own = {key: value for key, value in os.environ.items() if not key.startswith("SNAKEMAKE")}
    path = os.pathsep.join([str(commands), str(Path(sys.executable).parent), own["PATH"]])
    files = ["-s", ROOT / "Snakefile", "--workflow-profile", ROOT / "profiles/pbs"]
    study = ["--configfile", ROOT / "workflow/studies/smoke.yaml", "--config", "device=cpu"]
    faster = ["--seconds-between-status-checks", "1", "--latency-wait", "5"]
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", BLOCK, *files, *study, *faster],
        cwd=tmp_path,
        env=own | {"PATH": path, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-5000:]
    assert (tmp_path / BLOCK).exists()
    jobs = [shlex.split(line) for line in (tmp_path / "queue/jobs").read_text().splitlines()]
    assert len(jobs) == 2
    for attempt, job in enumerate(jobs, 1):
        asked = [value for option, value in itertools.pairwise(job) if option == "-l"]
        memory, minutes = 16000 * attempt, 840 * attempt
        assert asked == [f"select=1:ncpus=1:mem={memory}mb:ngpus=0", f"walltime={60 * minutes}"]
        assert "-V" in job and job[job.index("-N") + 1] == "pwgan-block"
    # The data are made where snakemake runs, and the block by its job.
    assert re.search(r"with external jobid '2\.stub'", done.stdout)
    assert "rule block" in (tmp_path / "queue/2.log").read_text()
