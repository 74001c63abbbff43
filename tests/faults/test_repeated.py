"""A study run a second time, by a process with another order of sets, has the same bytes in all files of results."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

SPENT = ("seconds", "evaluation_seconds", "peak_memory_mb", "seal")
AGAIN = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from conftest import stages_of
stages = stages_of(Path(sys.argv[2]))
for stage in stages.commands:
    assert stages.run(stage) == 0, stage
"""


def test_results_are_a_function_of_the_study_alone(whole, tmp_path):
    copy = whole.copy(tmp_path / "study")
    shutil.rmtree(copy.root / "results")
    seed = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    done = subprocess.run(
        [sys.executable, "-c", AGAIN, str(Path(__file__).parent), str(copy.root)],
        env=os.environ | {"PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    first, second = whole.files(), copy.files()
    assert second.keys() == first.keys()
    assert [name for name in first if first[name] != second[name]] == []
    for path in whole.root.rglob("run.json"):
        runs = [json.loads(file.read_text()) for file in (path, copy.root / path.relative_to(whole.root))]
        told = [{key: value for key, value in run.items() if key not in SPENT} for run in runs]
        assert told[0] == told[1]
