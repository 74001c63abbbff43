"""Where a study stands, told from files as the stages leave them."""

import fcntl
import json
import os
import shutil
import subprocess
import sys

import pytest
import yaml

from pwgan.__main__ import main
from pwgan.status import status
from pwgan.study import parse_study

STUDY = {
    "study": "small",
    "seeds": 4,
    "seed_block": 2,
    "batch_sizes": [16],
    "steps": 100,
    "evaluate_every": 50,
    "datasets": {"ring8": {}, "grid25": {"steps": 200}},
    "methods": {"gan": {}, "pwgan": {"steps": 400}},
}


@pytest.fixture
def study():
    return parse_study(STUDY)


@pytest.fixture
def at(tmp_path, study):
    """Write the files of stages: at(path, train=seconds, measure=seconds, log=text)."""

    def write(path, train=None, measure=None, diverged=0, log=None, of=None, result="measures.json"):
        seal = f"pwgan-seal:kind:{of or study.blocks[path].training.identity}:{'0' * 32}"
        folder = tmp_path / path
        folder.mkdir(parents=True, exist_ok=True)
        if train is not None:
            seeds = [{"status": "diverged" if k < diverged else "ok"} for k in range(2)]
            (folder / "run.json").write_text(json.dumps({"seal": seal, "seconds": train, "seeds": seeds}))
        if measure is not None:
            costs = {"ewd": {"seconds": measure - 1}, "coverage": {"seconds": 1}}
            (folder / result).write_text(json.dumps({"seal": seal, "costs": costs}))
        if log is not None:
            file = tmp_path / "logs/block" / f"{path}.log"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(log)
        return folder

    return write


def states(found):
    return {block.path: block.state for block in found.blocks}


def test_nothing_is_done_before_a_study_starts(study, tmp_path):
    found = status(study, tmp_path / "none")
    assert found.counts == {"done": 0, "running": 0, "failed": 0, "interrupted": 0, "waiting": 8}
    assert found.seconds is None and found.jobs == 1
    assert found.text().splitlines() == [
        "small: 8 blocks: 8 waiting",
        "the rest: no block like it has been timed yet",
    ]


def test_states_of_blocks(study, tmp_path, at):
    first, second = "ring8/gan/m16/seeds0-1", "ring8/gan/m16/seeds2-3"
    at(first, train=10, measure=3, diverged=1)
    at(second, train=14, diverged=2)
    at("ring8/pwgan/m16/seeds0-1", log="pwgan block: Refused: the disk is full\n")
    at("ring8/pwgan/m16/seeds2-3", log="10:00:00 step 50 of 400\npwgan block: stopped by SIGTERM\n")
    bug = "Traceback (most recent call last):\n  File x\nZeroDivisionError: division by zero\n"
    at("grid25/gan/m16/seeds0-1", log=bug)
    (at("grid25/gan/m16/seeds2-3") / "checkpoint.pt").write_bytes(b"")
    at("grid25/pwgan/m16/seeds0-1", log="10:00:00 step 50 of 400, EWD 1\n10:00:09 step 100 of 400, EWD 1\n")
    running = tmp_path / "grid25/pwgan/m16/seeds0-1/.lock"
    with running.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        found = status(study, tmp_path)
    assert states(found) == {
        first: "done",
        second: "waiting",
        "ring8/pwgan/m16/seeds0-1": "failed",
        "ring8/pwgan/m16/seeds2-3": "interrupted",
        "grid25/gan/m16/seeds0-1": "failed",
        "grid25/gan/m16/seeds2-3": "interrupted",
        "grid25/pwgan/m16/seeds0-1": "running",
        "grid25/pwgan/m16/seeds2-3": "waiting",
    }
    assert found.diverged == 3
    lines = found.text().splitlines()
    assert lines[0] == "small: 8 blocks: 1 done, 1 running, 2 failed, 2 interrupted, 2 waiting"
    assert "running: grid25/pwgan/m16/seeds0-1: train, 25%" in lines
    assert "failed: ring8/pwgan/m16/seeds0-1: train: pwgan block: Refused: the disk is full" in lines
    assert "failed: grid25/gan/m16/seeds0-1: train: ZeroDivisionError: division by zero" in lines
    assert "interrupted: ring8/pwgan/m16/seeds2-3: train" in lines
    # Afterwards no process holds the lock.
    assert states(status(study, tmp_path))["grid25/pwgan/m16/seeds0-1"] == "interrupted"


def test_a_block_finished_ahead_of_its_job_is_done(study, tmp_path, at):
    at("ring8/gan/m16/seeds0-1", train=10, measure=3, result="ahead-0123456789abcdef.json")
    assert states(status(study, tmp_path))["ring8/gan/m16/seeds0-1"] == "done"


def test_progress_of_a_block_ahead_of_its_job_is_told(study, tmp_path, at):
    folder = at("ring8/gan/m16/seeds0-1")
    (folder / "ahead.log").write_text("10:00:00 step 50 of 100, EWD 1\n")
    with (folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert "running: ring8/gan/m16/seeds0-1: train, 50%" in status(study, tmp_path).text()


def test_the_log_that_was_written_last_tells_the_state(study, tmp_path, at):
    folder = at("ring8/gan/m16/seeds0-1", log="pwgan block: Refused: the disk is full\n")
    (folder / "ahead.log").write_text("10:00:00 step 90 of 100, EWD 1\n")
    os.utime(folder / "ahead.log", (1, 1))
    assert (
        "failed: ring8/gan/m16/seeds0-1: train: pwgan block: Refused: the disk is full"
        in status(study, tmp_path).text()
    )


def test_blocks_trained_with_other_options_are_to_be_done(study, tmp_path, at):
    at("ring8/gan/m16/seeds0-1", train=10, measure=3, of="0123456789abcdef")
    found = status(study, tmp_path)
    assert states(found)["ring8/gan/m16/seeds0-1"] == "waiting" and found.seconds is None


def test_the_rest_takes_as_long_as_the_same_cell_or_by_iterations(study, tmp_path, at):
    at("ring8/gan/m16/seeds0-1", train=10, measure=3)
    found = {block.path: block.seconds for block in status(study, tmp_path).blocks}
    assert found["ring8/gan/m16/seeds0-1"] == 0
    # The same cell; four times the iterations, and the same time to measure; another data set: unknown.
    assert found["ring8/gan/m16/seeds2-3"] == pytest.approx(10 + 3)
    assert found["ring8/pwgan/m16/seeds0-1"] == pytest.approx(40 + 3)
    assert found["grid25/gan/m16/seeds0-1"] is None
    # 13 + 43 + 43 for three blocks, four more as long as these on average.
    assert status(study, tmp_path).seconds == pytest.approx((13 + 43 + 43) / 3 * 7)


def test_what_is_done_of_a_block_takes_no_more_time(study, tmp_path, at):
    at("ring8/gan/m16/seeds0-1", train=10, measure=3)
    at("ring8/gan/m16/seeds2-3", log="10:00:00 step 60 of 100, EWD 1\n")
    at("ring8/pwgan/m16/seeds0-1", train=35)
    found = {block.path: block.seconds for block in status(study, tmp_path).blocks}
    assert found["ring8/gan/m16/seeds2-3"] == pytest.approx(0.4 * 10 + 3)
    assert found["ring8/pwgan/m16/seeds0-1"] == pytest.approx(3)
    assert found["ring8/pwgan/m16/seeds2-3"] == pytest.approx(35 + 3)


def test_more_running_jobs_take_less_time(study, tmp_path, at):
    at("ring8/gan/m16/seeds0-1", train=10, measure=3)
    alone = status(study, tmp_path).seconds
    folders = [at(f"grid25/gan/m16/seeds{seeds}") for seeds in ("0-1", "2-3")]
    files = [(folder / ".lock").open("w") for folder in folders]
    for file in files:
        fcntl.flock(file, fcntl.LOCK_EX)
    found = status(study, tmp_path)
    for file in files:
        file.close()
    assert found.jobs == 2 and found.seconds == pytest.approx(alone / 2)


def test_the_command_prints_lines_or_json(study, tmp_path, at, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(STUDY))
    for block in study.blocks:
        shutil.copytree(at(block, train=4, measure=2), f"results/small/{block}")
    assert main(["status", "small.yaml"]) == 0
    assert capsys.readouterr().out == "small: 8 blocks: 8 done\n"
    assert main(["status", "small.yaml", "--results", "elsewhere", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["counts"]["waiting"] == 8 and found["seconds"] is None and len(found["blocks"]) == 8
    assert main(["status", "none.yaml"]) == 2


def test_it_imports_no_torch(tmp_path):
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(STUDY))
    code = "import sys; from pwgan.__main__ import main; main(sys.argv[1:]); sys.exit('torch' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code, "status", str(tmp_path / "small.yaml")], check=False).returncode
        == 0
    )
