"""Blocks that a job trains and measures ahead of their own jobs, so that short blocks share the start of a process.

A process takes seconds to start. A job that has run for less than ``job_seconds`` of its study therefore goes on with
blocks of the same data that no job has begun, and leaves the measures.json of each under another name, which tells the
parameters, code and files it was made from. The block's own job renames that file and ends, if all these are still the
same. What fails ahead is left to the block's own job, which reports it: no job fails for the sake of another.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from pwgan.arguments import read_block
from pwgan.cells import Block
from pwgan.errors import Busy, Refused
from pwgan.runtime import LOCK, held
from pwgan.seals import identity

log = logging.getLogger("pwgan")
RESULT = "measures.json"
AHEAD = "ahead-*.json"
"""The result of a block that was measured ahead of its own job."""
_WAIT = 0.2  # seconds between two looks at a block that another process is at
Work = Callable[[Block, Path, str], None]


class Job(NamedTuple):
    """A block as a list of the workflow names it: its folder, its parameters as JSON, its code, and its number."""

    folder: Path
    job: str
    code: str
    place: str


def listed(path: Path) -> list[Job]:
    """Read the list of jobs that the workflow writes."""
    return [Job(**{**entry, "folder": Path(entry["folder"])}) for entry in json.loads(path.read_text("utf-8"))]


class Queue:
    """The blocks of one stored data set, one of which, in ``folder``, is that of this job.

    ``files`` are those that measures are made from. A block is begun ahead if less than ``seconds`` have passed.
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
        """Train and measure the block of this job, then others while there is time.

        ``work`` trains and measures a block in a folder, and writes the file of this name last; it raises ``Busy`` if
        another process is at it.
        """
        own = read_block(self._own.job), self._own.folder, RESULT
        try:
            work(*own)
        except Busy as busy:
            log.info("%s", busy)
            self._go_on(work)
            while held(self._own.folder):
                time.sleep(_WAIT)
            if not self.taken():
                work(*own)
        self._go_on(work)

    def taken(self) -> bool:
        """Take the result that was left ahead of this job, if there is one of the same parameters, code and files."""
        folder = self._own.folder
        left = folder / self._left(self._own)
        taken = left.exists()
        if taken:
            os.replace(left, folder / RESULT)
            log.info("finished ahead of this job")
        for outdated in folder.glob(AHEAD):
            outdated.unlink()
        return taken

    def _go_on(self, work: Work) -> None:
        """Train and measure blocks that no job has begun, the last ones first, until the time is over."""
        for job in reversed(self._others):
            if time.monotonic() >= self._until:
                return
            if (job.folder / LOCK).exists():
                continue
            log.info("block %s, ahead of its job", job.place.replace("/", " of "))
            try:
                work(read_block(job.job), job.folder, self._left(job))
            except Exception as error:
                log.warning("left to its own job: %s: %s", type(error).__name__, error)

    def _left(self, job: Job) -> str:
        """Return the name of the result of a job that is left ahead of it."""
        states = [(path.stat().st_size, path.stat().st_mtime_ns) for path in self._files if path]
        return AHEAD.replace("*", identity(job.job, job.code, states))
