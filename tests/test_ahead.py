"""Blocks that a job finishes ahead of their own jobs, with a stage that only writes its result."""

import json
import logging
import os
import threading
import time

import pytest

from pwgan import ahead
from pwgan.ahead import LOG, Files, Job, Queue, listed
from pwgan.arguments import read_block
from pwgan.errors import Refused
from pwgan.interrupts import Interrupted
from pwgan.runtime import AHEAD, LOCK, RESULT, exclusive, held
from pwgan.study import parse_study

STUDY = {
    "study": "small",
    "seeds": 2,
    "seed_block": 2,
    "batch_sizes": [16],
    "steps": 10,
    "evaluate_every": 5,
    "datasets": {"ring8": {}},
    "methods": {"gan": {}, "nsgan": {}, "pwgan": {}, "wgan": {}},
}


class Stage:
    """Stands for training and measuring: notes its calls, and writes the result of a block, whose lock is held."""

    def __init__(self):
        self.done = []
        self.fails = {}

    def __call__(self, job):
        method = read_block(job.parameters).training.method
        return lambda result: self.work(job, method, result)

    def work(self, job, method, result):
        assert held(job.folder)
        if method in self.fails:
            raise self.fails[method]
        logging.getLogger("pwgan").info("at %s", method)
        self.done.append(method)
        (job.folder / result).write_text(method)


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "data.safetensors"
    path.write_bytes(b"samples")
    return path


@pytest.fixture
def jobs(tmp_path, data):
    """The jobs of the four blocks, written to a list and read again, by method."""
    entries = [
        {
            "verb": "block",
            "folder": str(tmp_path / path),
            "parameters": block.model_dump_json(),
            "code": "c0de",
            "files": [str(data), None, None],
        }
        for path, block in parse_study(STUDY).blocks.items()
    ]
    (tmp_path / "list.json").write_text(json.dumps(entries))
    return dict(zip(STUDY["methods"], listed(tmp_path / "list.json"), strict=True))


@pytest.fixture
def queue(jobs):
    """Return the queue of the job of a method."""

    def of(method, seconds=60, settings=("cpu", "1"), **changes):
        own = jobs[method]._replace(**changes)
        return Queue(own, lambda: list(jobs.values()), settings, seconds)

    return of


def left(job):
    return list(job.folder.glob(AHEAD))


def test_a_job_finishes_the_others_and_their_jobs_only_take_the_result(queue, jobs, caplog, capsys):
    caplog.set_level(logging.INFO)
    stage = Stage()
    first = queue("nsgan")
    assert not first.taken()
    first.run(stage)
    assert stage.done == ["nsgan", "wgan", "pwgan", "gan"]  # its own, and the last first
    assert (jobs["nsgan"].folder / RESULT).read_text() == "nsgan"
    for method in ("gan", "pwgan", "wgan"):
        assert not (jobs[method].folder / RESULT).exists() and len(left(jobs[method])) == 1
        assert queue(method).taken()
        assert (jobs[method].folder / RESULT).read_text() == method and not left(jobs[method])
        assert f"at {method}\n" in capsys.readouterr().err and not (jobs[method].folder / LOG).exists()
    assert len(stage.done) == 4


CHANGES = {
    "parameters": lambda job: {"parameters": job.parameters.replace('"steps":10', '"steps":20')},
    "code": lambda job: {"code": "new"},
    "verb": lambda job: {"verb": "reference"},
    "threads": lambda job: {"settings": ("cpu", "2")},
    "device": lambda job: {"settings": ("cuda", "1")},
}


@pytest.mark.parametrize("change", [*CHANGES, "data"])
def test_a_result_of_something_else_is_not_taken(queue, jobs, data, change):
    queue("gan").run(Stage())
    assert left(jobs["wgan"])
    if change == "data":
        os.utime(data, (1, 1))
    changes = CHANGES[change](jobs["wgan"]) if change in CHANGES else {}
    assert not queue("wgan", **changes).taken()
    assert not (jobs["wgan"].folder / RESULT).exists()


def test_the_job_of_a_process_is_that_of_its_command_line(queue, jobs):
    # The list may be of a plan that was made since.
    stage, changed = Stage(), CHANGES["parameters"](jobs["gan"])
    seen = []
    queue("gan", seconds=0, **changed).run(lambda job: seen.append(job.parameters) or stage(job))
    assert seen == [changed["parameters"]] != [jobs["gan"].parameters]


def test_a_finished_job_is_not_lost_when_its_process_is_killed_ahead(queue, jobs):
    stage = Stage()
    stage.fails = {"wgan": Interrupted()}
    with pytest.raises(Interrupted):
        queue("gan").run(stage)
    assert stage.done == ["gan"] and not (jobs["gan"].folder / RESULT).exists()
    assert queue("gan").taken()
    assert (jobs["gan"].folder / RESULT).read_text() == "gan"


def test_nothing_is_begun_that_would_take_too_long(queue, monkeypatch):
    clock = iter(range(0, 1000, 10))  # each look takes ten seconds: a job, from look to look
    monkeypatch.setattr(ahead.time, "monotonic", lambda: next(clock))
    stage = Stage()
    queue("gan", seconds=45).run(stage)
    assert stage.done == ["gan", "wgan"]


def test_nothing_is_begun_after_a_file_of_the_package_has_changed(queue, monkeypatch):
    versions = iter(({"pwgan/a.py": 1}, {"pwgan/a.py": 1}, {"pwgan/a.py": 2}))
    monkeypatch.setattr(ahead, "_sources", lambda: next(versions))
    stage = Stage()
    queue("gan").run(stage)
    assert stage.done == ["gan", "wgan"]


@pytest.mark.parametrize("name", [RESULT, AHEAD.replace("*", "0123")])
def test_finished_folders_without_a_lock_are_left_alone(queue, jobs, name):
    jobs["pwgan"].folder.mkdir(parents=True)
    (jobs["pwgan"].folder / name).touch()
    stage = Stage()
    queue("gan").run(stage)
    assert stage.done == ["gan", "wgan", "nsgan"]


def test_a_job_whose_data_are_not_there_yet_is_not_begun(queue, jobs, tmp_path):
    jobs["wgan"] = jobs["wgan"]._replace(files=Files(tmp_path / "later", None, None))
    stage = Stage()
    queue("gan").run(stage)
    assert stage.done == ["gan", "pwgan", "nsgan"]


def test_a_job_is_begun_once_its_data_are_there(queue, jobs, tmp_path, data):
    later = tmp_path / "later"
    jobs["wgan"] = jobs["wgan"]._replace(files=Files(later, None, None))
    stage = Stage()

    def prepared(job):
        if len(stage.done) == 1:
            later.write_bytes(data.read_bytes())
        return stage(job)

    queue("gan").run(prepared)
    assert stage.done == ["gan", "pwgan", "wgan", "nsgan"]


def test_no_block_is_begun_when_the_time_is_over(queue):
    stage = Stage()
    queue("gan", seconds=0).run(stage)
    assert stage.done == ["gan"]


def test_begun_blocks_are_left_alone(queue, jobs):
    jobs["pwgan"].folder.mkdir(parents=True)
    (jobs["pwgan"].folder / LOCK).touch()
    stage = Stage()
    queue("gan").run(stage)
    assert stage.done == ["gan", "wgan", "nsgan"]


def test_what_fails_ahead_fails_only_in_its_own_job(queue, jobs, caplog):
    stage = Stage()
    stage.fails = {"wgan": ZeroDivisionError("a bug"), "pwgan": Refused("no memory")}
    with caplog.at_level(logging.WARNING):
        queue("gan").run(stage)
    assert stage.done == ["gan", "nsgan"]
    assert "ZeroDivisionError: a bug" in caplog.text and "Refused: no memory" in caplog.text
    assert not left(jobs["wgan"]) and not (jobs["wgan"].folder / LOG).exists() and not queue("wgan").taken()
    with pytest.raises(ZeroDivisionError):
        queue("wgan").run(stage)
    assert stage.done == ["gan", "nsgan"], "a failed job does not go on"


@pytest.mark.parametrize("trouble", ["folder", "list"])
def test_trouble_elsewhere_does_not_fail_a_finished_job(queue, jobs, trouble, caplog):
    others = ["wgan", "nsgan"]
    if trouble == "folder":
        jobs["pwgan"].folder.parent.mkdir(parents=True)
        jobs["pwgan"].folder.write_text("a file where a folder is to be")
    stage, first = Stage(), queue("gan")
    if trouble == "list":
        others = []
        first._others = lambda: listed(jobs["gan"].folder / "missing.json")
    with caplog.at_level(logging.WARNING):
        first.run(stage)
    assert stage.done == ["gan", *others] and (jobs["gan"].folder / RESULT).read_text() == "gan"
    assert caplog.messages


def test_a_job_whose_data_change_meanwhile_does_not_end_well_without_a_result(queue, jobs, data):
    class Touching(Stage):
        def work(self, job, method, result):
            super().work(job, method, result)
            os.utime(data, (1, len(self.done)))

    with pytest.raises(Refused, match="changed"):
        queue("gan", seconds=0).run(Touching())
    assert not (jobs["gan"].folder / RESULT).exists()


def test_a_result_waits_for_whoever_holds_its_folder(queue, jobs):
    own = jobs["gan"]

    class Held(Stage):
        def __call__(self, job):
            if not self.done:
                return super().__call__(job)
            lock = exclusive(own.folder)
            lock.__enter__()
            threading.Timer(0.4, lock.__exit__, (None, None, None)).start()
            raise Refused("enough")

    stage = Held()
    queue("gan").run(stage)
    assert (own.folder / RESULT).read_text() == "gan"


def test_files_that_editors_make_are_not_code(monkeypatch, tmp_path):
    monkeypatch.setattr(ahead, "__file__", str(tmp_path / "ahead.py"))
    (tmp_path / "ahead.py").touch()
    (tmp_path / ".#ahead.py").symlink_to(tmp_path / "nowhere")
    assert list(ahead._sources()) == [str(tmp_path / "ahead.py")]


def test_the_job_of_real_samples_takes_no_block(queue, jobs):
    stage = Stage()
    queue("gan", verb="reference").run(stage)
    assert stage.done == ["gan"]


@pytest.mark.parametrize("finishes", [True, False])
def test_a_job_whose_block_is_at_work_does_others_and_waits(queue, jobs, finishes):
    stage, begun = Stage(), threading.Event()
    own = jobs["gan"]
    name = queue("gan")._left(own)

    def other():
        with exclusive(own.folder):
            begun.set()
            time.sleep(0.5)
            if finishes:
                (own.folder / name).write_text("gan")

    worker = threading.Thread(target=other)
    worker.start()
    begun.wait()
    queue("gan").run(stage)
    worker.join()
    assert stage.done == ["wgan", "pwgan", "nsgan", *([] if finishes else ["gan"])]
    assert (own.folder / RESULT).read_text() == "gan" and not left(own)


def test_jobs_are_as_the_list_says(jobs, tmp_path, data):
    path, block = next(iter(parse_study(STUDY).blocks.items()))
    assert jobs["gan"] == Job("block", tmp_path / path, block.model_dump_json(), "c0de", Files(data, None, None))


@pytest.mark.parametrize("content", ["", "{}x", '[{"folder": "f"}]', '["folder"]', '[{"folder": "f", "job": "{}"}]'])
def test_another_file_is_refused(tmp_path, content):
    (tmp_path / "list.json").write_text(content)
    with pytest.raises(Refused, match="not a list of jobs"):
        listed(tmp_path / "list.json")
