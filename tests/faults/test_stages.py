"""Stages that are killed, stopped, or run on full and read-only disks leave no partial file, and can be run again."""

import errno
import os
import random
import resource
import signal
import sys
from functools import partial

import pytest

from pwgan.__main__ import main

# How often each stage is killed. Training has tests of its own for kills between its files.
KILLS = {
    "data": 2,
    "classifier": 2,
    "measure": 3,
    "signal": 2,
    "reference": 2,
    "aggregate": 3,
    "tables": 2,
    "figures": 2,
    "claims": 2,
    "theory": 1,
    "theory_figures": 1,
}
EVERY = [*KILLS, "train"]
CAUSES = [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT]


def unfinished(study, stage):
    """Make training begin again; all other stages do so anyway."""
    if stage == "train":
        for name in ("history.parquet", "checkpoint.pt"):
            (study.root / "results" / next(iter(study.study.blocks)) / name).unlink(missing_ok=True)


@pytest.fixture(scope="module")
def operations(whole, forked, at_operation, tmp_path_factory):
    """Return a function that chooses file operations of a stage, seeded by its name."""
    copy = whole.copy(tmp_path_factory.mktemp("counted") / "study")
    counts = {}
    for stage in EVERY:
        unfinished(copy, stage)

        def count(stage=stage):
            so_far = at_operation(copy.root, 0, lambda path: None)
            status = copy.run(stage)
            print(f"counted {so_far()}")
            return status

        counts[stage] = int(forked(count).said.rpartition("counted ")[2])
    return lambda stage, many: random.Random(f"{stage} {many}").choices(range(1, counts[stage] + 1), k=many)


@pytest.fixture
def study(whole, tmp_path):
    """A copy of the finished study."""
    return whole.copy(tmp_path / "study")


@pytest.fixture
def intact(whole, study, leftovers):
    """Return a function that checks that each file of the study is whole or missing, and nothing else is there."""

    def check():
        expected = whole.files()
        assert [name for name, content in study.files().items() if content != expected.get(name)] == []
        assert leftovers(study.root) == []

    return check


@pytest.fixture
def ends_as_if_nothing_had_happened(whole, study, forked, intact):
    def check(stage):
        ended = forked(lambda: study.run(stage))
        assert ended.status == 0, ended.said
        intact()
        assert study.files().keys() == whole.files().keys()

    return check


def told(ended, stage, status):
    """Check that a stage ended with this status and one line, and return it."""
    assert (ended.status, ended.said.count("\n")) == (status, 1), ended.said
    assert ended.said.startswith(f"pwgan {stage}: ")
    return ended.said


def of_each(kind, counts):
    return [pytest.param(stage, marks=pytest.mark.fault(kind, count=count)) for stage, count in counts.items()]


@pytest.mark.parametrize("stage", of_each("SIGKILL of other stages", KILLS))
def test_a_killed_stage_ends_in_the_bytes_of_one_left_alone(
    study, forked, at_operation, operations, ends_as_if_nothing_had_happened, stage
):
    for number in operations(stage, KILLS[stage]):

        def killed(number=number):
            at_operation(study.root, number, lambda path: os.kill(os.getpid(), signal.SIGKILL))
            return study.run(stage)

        assert forked(killed).status == -signal.SIGKILL
    ends_as_if_nothing_had_happened(stage)


@pytest.mark.parametrize("stage", of_each("SIGTERM of other stages", dict.fromkeys(KILLS, 2)))
def test_a_stopped_stage_says_so_and_leaves_no_partial_file(
    study, forked, at_operation, operations, intact, ends_as_if_nothing_had_happened, stage
):
    for number, name in zip(operations(stage, 2), ("SIGTERM", "SIGINT"), strict=True):

        def stopped(number=number, name=name):
            at_operation(study.root, number, lambda path: signal.raise_signal(signal.Signals[name]))
            return study.run(stage)

        ended = forked(stopped)
        assert told(ended, stage, 128 + signal.Signals[name]) == f"pwgan {stage}: stopped by {name}\n"
        intact()
    ends_as_if_nothing_had_happened(stage)


@pytest.mark.fault("SIGTERM of other stages")
def test_measuring_ends_in_the_midst_of_its_measures(study, forked, intact, monkeypatch):
    def stopped():
        monkeypatch.setattr("pwgan.measures.measuring.ewd", lambda *points: signal.raise_signal(signal.SIGTERM))
        return study.run("measure")

    before = study.files()
    assert told(forked(stopped), "measure", 143) == "pwgan measure: stopped by SIGTERM\n"
    intact()
    assert study.files() == before


@pytest.mark.parametrize("stage", of_each("full or read-only disks", dict.fromkeys(EVERY, 3)))
def test_a_failed_file_operation_or_write_is_told_in_one_line_with_its_path(
    study, forked, at_operation, operations, intact, ends_as_if_nothing_had_happened, stage
):
    def refused(number, cause):
        def fail(path):
            raise OSError(cause, os.strerror(cause), path)

        at_operation(study.root, number, fail)
        return study.run(stage)

    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
        return study.run(stage)

    causes = random.Random(stage).sample(CAUSES, 2)
    faults = {
        os.strerror(cause): partial(refused, number, cause)
        for number, cause in zip(operations(stage, 2), causes, strict=True)
    }
    for reason, fault in (faults | {"File too large": limited}).items():
        unfinished(study, stage)
        line = told(forked(fault), stage, 2)
        assert f"{study.root}/results" in line and reason in line and ".pwgan-" not in line
        intact()
    ends_as_if_nothing_had_happened(stage)


@pytest.mark.fault("full or read-only disks")
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")
def test_a_full_standard_output_is_told_in_one_line(study, forked):
    def printed():
        with open("/dev/full", "w") as full:
            os.dup2(full.fileno(), sys.stdout.fileno())
        return main(["blocks", str(study.root / "study.yaml")])

    assert "No space left on device: 'standard output'" in told(forked(printed), "blocks", 2)
