"""Jobs that a process does ahead of their own processes, so that short ones share the time that a start takes.

A process takes seconds to start. One that has worked for less than ``job_seconds`` of its study therefore goes on with
other jobs of the study that no process has begun, and leaves the measures.json of each under another name, which tells
the parameters, code, files and settings it was made from. The process of such a job renames that file and ends, if all
these are still the same. What fails ahead is left to its own process, which reports it.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from pwgan.errors import Busy, Refused
from pwgan.runtime import AHEAD, LOCK, RESULT, exclusive, held
from pwgan.seals import identity

log = logging.getLogger("pwgan")
LOG = "ahead.log"
"""What was logged ahead; the process of the job repeats it, so that it is in the job's own log too."""
_WAIT = 0.2  # seconds between two looks at a folder that another process is at


class Files(NamedTuple):
    """The files that a job reads: the stored data set, and its classifiers if it has any."""

    data: Path
    classifier: Path | None
    classifier_heldout: Path | None


class Job(NamedTuple):
    """A job as the workflow names it: its verb, folder, parameters as JSON, version of its code, and files."""

    verb: str
    folder: Path
    parameters: str
    code: str
    files: Files


Prepared = Callable[[Job], Callable[[str], None]]
"""Reads and checks what a job needs, and returns its work, which writes the file of the given name last."""


def listed(path: Path) -> list[Job]:
    """Read the list of jobs that the workflow writes; raises ``Refused`` if the file is none."""
    try:
        return [_job(**entry) for entry in json.loads(path.read_text("utf-8"))]
    except (ValueError, TypeError) as error:
        raise Refused(f"{path} is not a list of jobs as the workflow writes it") from error


def _job(verb: str, folder: str, parameters: str, code: str, files: list[str | None]) -> Job:
    data, *classifiers = (Path(name) if name else None for name in files)
    if data is None:
        raise ValueError("a job reads a data set")
    return Job(verb, Path(folder), parameters, code, Files(data, *classifiers))


class Queue:
    """The job of this process, and others, the jobs that ``others`` returns, which is called once the first is done.

    ``settings`` are what results are made from besides what a job names. Another job is begun if it should end, should
    it take as long as the longest so far, before ``seconds`` have passed.
    """

    def __init__(
        self, own: Job, others: Callable[[], Sequence[Job]], settings: Sequence[str | None], seconds: float
    ) -> None:
        self._own, self._others, self._settings = own, others, settings
        self._started, self._seconds, self._longest = time.monotonic(), seconds, 0.0
        self._sources = _sources()

    def run(self, prepared: Prepared) -> None:
        """Do the job of this process, then others while there is time.

        The work is done while this process holds the job's folder; what ``prepared`` refuses makes no folder. The
        result of this process too takes its final name at the end, so that it is not lost if the process is ended
        while it is ahead.
        """
        while True:
            try:
                self._do_own(prepared)
                break
            except Busy as busy:
                log.info("%s", busy)
                self._go_on(prepared)
                while held(self._own.folder):
                    time.sleep(_WAIT)
        self._go_on(prepared)
        while not self.taken():
            if not (self._own.folder / self._left(self._own)).exists():
                raise Refused(f"{self._own.folder}: its files were changed before its job had ended; run it again")
            time.sleep(_WAIT)

    def _do_own(self, prepared: Prepared) -> None:
        """Do the job of this process, unless it is done; raises ``Busy`` if another process is at it."""
        folder, work = self._own.folder, prepared(self._own)
        with exclusive(folder):
            if not (folder / self._left(self._own)).exists():
                (folder / LOG).unlink(missing_ok=True)
                self._do(work, self._own)

    def taken(self) -> bool:
        """Take the result that was left in the folder of this process's job, if it is of what this job is made from."""
        folder = self._own.folder
        left = folder / self._left(self._own)
        if not left.exists():
            return False
        with suppress(Busy), exclusive(folder):
            if left.exists():
                with suppress(FileNotFoundError):
                    sys.stderr.write((folder / LOG).read_text(encoding="utf-8"))
                    log.info("finished ahead of this job")
                (folder / LOG).unlink(missing_ok=True)
                os.replace(left, folder / RESULT)
                return True
        return False

    def _go_on(self, prepared: Prepared) -> None:
        """Do jobs that no process has begun, the last one that can be done first, until the time is over."""
        try:
            # Workflows give the measuring of real samples little time.
            jobs = [job for job in self._others() if self._own.verb in ("block", job.verb)]
            while self._time_left() and (job := _taken_last(jobs)):
                self._do_ahead(prepared, job)
        except (OSError, Refused) as error:
            log.warning("goes on with no other job: %s", error)

    def _do_ahead(self, prepared: Prepared, job: Job) -> None:
        """Do another job, unless another process is at it; what fails is left to the job's own process."""
        try:
            with suppress(Busy), exclusive(job.folder), _logged(job.folder / LOG):
                if not _done(job.folder):
                    log.info("%s, ahead of its job", job.folder)
                    self._do(prepared(job), job)
        except Exception as error:
            log.warning("%s is left to its own job: %s: %s", job.folder, type(error).__name__, error)
            with suppress(OSError):
                (job.folder / LOG).unlink(missing_ok=True)

    def _time_left(self) -> bool:
        """Return whether another job may be begun."""
        spent = time.monotonic() - self._started
        # Files that were edited meanwhile are not the code that this process has imported.
        return spent + self._longest < self._seconds and _sources() == self._sources

    def _do(self, work: Callable[[str], None], job: Job) -> None:
        """Do the work of a job, and note how long it took."""
        started = time.monotonic()
        work(self._left(job))
        self._longest = max(self._longest, time.monotonic() - started)

    def _left(self, job: Job) -> str:
        """Return the name of the result of a job until its own process takes it."""
        states = [(path.stat().st_size, path.stat().st_mtime_ns) for path in job.files if path]
        return AHEAD.replace("*", identity(job.verb, job.parameters, job.code, states, self._settings))


def _taken_last(jobs: list[Job]) -> Job | None:
    """Take out and return the last job that no process has begun and whose files are there; take out begun ones."""
    for place in reversed(range(len(jobs))):
        job = jobs[place]
        begun = (job.folder / LOCK).exists() or _done(job.folder)
        if begun or all(path.exists() for path in job.files if path):
            del jobs[place]
            if not begun:
                return job
    return None


def _done(folder: Path) -> bool:
    """Return whether a folder has a result."""
    return (folder / RESULT).exists() or any(folder.glob(AHEAD))


def _sources() -> dict[str, int | None]:
    """Return when each file of the package was changed; None for one that is just being replaced."""
    found: dict[str, int | None] = {}
    for path in Path(__file__).parent.rglob("[!.]*.py"):  # editors lock files by links .#name
        found[str(path)] = None
        with suppress(FileNotFoundError):
            found[str(path)] = path.stat().st_mtime_ns
    return found


@contextmanager
def _logged(path: Path) -> Iterator[None]:
    """Also write to a file what is logged while the context is active."""
    file = logging.FileHandler(path, mode="w", encoding="utf-8")
    file.setFormatter(next((handler.formatter for handler in logging.root.handlers), None))
    log.addHandler(file)
    try:
        yield
    finally:
        log.removeHandler(file)
        file.close()
