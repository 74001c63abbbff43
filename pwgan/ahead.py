"""Jobs that a process does ahead of their own processes, so that short ones share the time that a start takes.

A process takes seconds to start. A job that has run for less than ``job_seconds`` of its study therefore goes on with
others of the same data that no process has begun, and leaves the measures.json of each under another name, which tells
the parameters, code and files it was made from. The process of such a job renames that file and ends, if all these are
still the same. What fails ahead is left to its own process, which reports it: no job fails for the sake of another.
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
from pwgan.runtime import LOCK, held
from pwgan.seals import identity

log = logging.getLogger("pwgan")
RESULT = "measures.json"
AHEAD = "ahead-*.json"
"""The result of a job that was done ahead of its own process."""
LOG = "ahead.log"
"""What was logged ahead; the process of the job repeats it, so that it is in the job's own log too."""
_WAIT = 0.2  # seconds between two looks at a folder that another process is at


class Job(NamedTuple):
    """A job as a list of the workflow names it: its verb, its folder, its parameters as JSON, and its code."""

    verb: str
    folder: Path
    parameters: str
    code: str


Work = Callable[[Job, str], None]


def listed(path: Path) -> list[Job]:
    """Read the list of jobs that the workflow writes; raises ``Refused`` if the file is none."""
    try:
        return [Job(**{**entry, "folder": Path(entry["folder"])}) for entry in json.loads(path.read_text("utf-8"))]
    except (ValueError, TypeError, KeyError) as error:
        raise Refused(f"{path} is not a list of jobs as the workflow writes it") from error


class Queue:
    """The jobs of one stored data set, one of which, with its results in ``folder``, is that of this process.

    ``files`` are those that measures are made from. A job is begun ahead if less than ``seconds`` have passed.
    """

    def __init__(self, jobs: Sequence[Job], folder: Path, files: Sequence[Path | None], seconds: float) -> None:
        own = [job for job in jobs if job.folder == folder]
        if not own:
            raise Refused(f"{folder} is not the folder of a listed job: {', '.join(str(job.folder) for job in jobs)}")
        self._own = own[0]
        self._others = [job for job in jobs if job.folder != folder]
        self._files = files
        self._until = time.monotonic() + seconds

    def run(self, work: Work) -> None:
        """Do the job of this process, then others while there is time.

        ``work`` does a job and writes the file of the given name last; it raises ``Busy`` if another process is at it.
        """
        try:
            work(self._own, RESULT)
        except Busy as busy:
            log.info("%s", busy)
            self._go_on(work)
            while held(self._own.folder):
                time.sleep(_WAIT)
            if not self.taken():
                work(self._own, RESULT)
        self._go_on(work)

    def taken(self) -> bool:
        """Take the result that was left ahead of this process, if it is of the same parameters, code and files."""
        folder = self._own.folder
        left = folder / self._left(self._own)
        taken = left.exists()
        if taken:
            with suppress(FileNotFoundError):
                sys.stderr.write((folder / LOG).read_text(encoding="utf-8"))
            os.replace(left, folder / RESULT)
            log.info("finished ahead of this job")
        for outdated in (*folder.glob(AHEAD), folder / LOG):
            outdated.unlink(missing_ok=True)
        return taken

    def _go_on(self, work: Work) -> None:
        """Do jobs that no process has begun, the last ones first, until the time is over."""
        for job in reversed(self._others):
            if time.monotonic() >= self._until:
                return
            if (job.folder / LOCK).exists():
                continue
            log.info("%s, ahead of its job", job.folder)
            try:
                with _logged(job.folder / LOG):
                    work(job, self._left(job))
            except Exception as error:
                log.warning("left to its own job: %s: %s", type(error).__name__, error)

    def _left(self, job: Job) -> str:
        """Return the name of the result of a job that is left ahead of it."""
        states = [(path.stat().st_size, path.stat().st_mtime_ns) for path in self._files if path]
        return AHEAD.replace("*", identity(job.verb, job.parameters, job.code, states))


@contextmanager
def _logged(path: Path) -> Iterator[None]:
    """Also write to a file what is logged while the context is active."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = logging.FileHandler(path, mode="w", encoding="utf-8")
    file.setFormatter(next((handler.formatter for handler in logging.root.handlers), None))
    log.addHandler(file)
    try:
        yield
    finally:
        log.removeHandler(file)
        file.close()
