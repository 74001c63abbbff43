"""Where a study stands: which blocks are done, running, waiting or failed, and how long the rest will take."""

from __future__ import annotations

import json
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Literal

from pwgan.ahead import LOG
from pwgan.cells import Block, Training
from pwgan.runtime import AHEAD, RESULT, held
from pwgan.seals import KEY
from pwgan.study import Study

State = Literal["done", "running", "failed", "interrupted", "waiting"]
STATES: tuple[State, ...] = ("done", "running", "failed", "interrupted", "waiting")
STAGES = {"train": ("run.json",), "measure": (RESULT, AHEAD)}
"""The stages of a block, in order, and the names of the file that each writes last."""
_STEP = re.compile(r"step (\d+) of (\d+)")


@dataclass(frozen=True)
class BlockStatus:
    """One block: its state, the stage that is running or comes next (None if done), and how much of it is done.

    ``share`` of the stage, from the last evaluation in its log; ``reason``: the last line of the log of a failed one.
    ``seconds`` that the stages which are not done will take, None without a record of a similar block.
    """

    path: str
    state: State
    stage: str | None
    share: float = 0.0
    seconds: float | None = None
    diverged: int = 0
    reason: str | None = None


@dataclass(frozen=True)
class StudyStatus:
    """A study: its blocks, and the seconds that the rest will take with as many jobs as run now (at least one).

    ``seconds`` is the sum over the blocks, divided by ``jobs``; None without any record.
    """

    study: str
    jobs: int
    seconds: float | None
    counts: dict[State, int]
    diverged: int
    blocks: list[BlockStatus] = field(repr=False)

    def plain(self) -> dict[str, object]:
        """Return everything as JSON types."""
        return asdict(self)

    def text(self) -> str:
        """Return a few lines for a terminal: numbers, then the running and the failed blocks."""
        numbers = ", ".join(f"{self.counts[state]} {state}" for state in STATES if self.counts[state])
        lines = [f"{self.study}: {len(self.blocks)} blocks: {numbers}"]
        if self.diverged:
            lines.append(f"{self.diverged} seeds diverged")
        if self.counts["done"] < len(self.blocks):
            jobs = "1 job" if self.jobs == 1 else f"{self.jobs} jobs"
            unknown = "the rest: no block like it has been timed yet"
            lines.append(unknown if self.seconds is None else f"the rest: about {_duration(self.seconds)} with {jobs}")
        for block in self.blocks:
            if block.state == "running":
                lines.append(f"running: {block.path}: {block.stage}, {block.share:.0%}")
            if block.state in ("failed", "interrupted"):
                reason = f": {block.reason}" if block.reason else ""
                lines.append(f"{block.state}: {block.path}: {block.stage}{reason}")
        return "\n".join(lines) + "\n"


def status(study: Study, results: Path) -> StudyStatus:
    """Return where a study stands, from the files below ``results``, its folder; nothing is written or locked.

    A block is done once both stages have written their files with its present options of training; whether code, data
    or options of measures have changed since is Snakemake's to say. It is running while a process holds its lock, which
    a network file system may not show; failed if its log ends in an error; interrupted if it has a
    checkpoint or a log, but neither an error nor a process.
    """
    records = _Records()
    found = []
    for block in study.blocks.values():
        folder = results / block.path
        runs = {stage: _record(folder, names, block.training.identity) for stage, names in STAGES.items()}
        records.add(block, runs)
        found.append((block, folder, runs))
    blocks = [_block(block, folder, runs, results / "logs/block", records) for block, folder, runs in found]
    jobs = max(1, sum(block.state == "running" for block in blocks))
    left = [block.seconds for block in blocks if block.state != "done"]
    known = [seconds for seconds in left if seconds is not None]
    # Blocks without a record of their own take as long as the others, on average.
    seconds = sum(known) / len(known) * len(left) / jobs if known else None
    counts = Counter(block.state for block in blocks)
    return StudyStatus(
        study=study.study,
        jobs=jobs,
        seconds=seconds if left else 0.0,
        counts={state: counts[state] for state in STATES},
        diverged=sum(block.diverged for block in blocks),
        blocks=blocks,
    )


def _block(block: Block, folder: Path, runs: dict[str, dict | None], logs: Path, records: _Records) -> BlockStatus:
    run = runs["train"]
    diverged = sum(seed["status"] == "diverged" for seed in run["seeds"]) if run else 0
    stage = next((name for name, record in runs.items() if record is None), None)
    if stage is None:
        return BlockStatus(block.path, "done", None, 1.0, 0.0, diverged)
    # While a block is at work ahead of its own job, its log is in its folder.
    lines = _last_lines(logs / f"{block.path}.log", folder / LOG)
    share = _share(lines) if stage == "train" else 0.0
    seconds = records.left(block, stage, share)
    reason = None
    state: State
    if held(folder):
        state = "running"
    elif (error := _error(lines)) is not None:
        state, reason = "failed", error
    elif lines or (folder / "checkpoint.pt").exists():
        state = "interrupted"
    else:
        state = "waiting"
    return BlockStatus(block.path, state, stage, share, seconds, diverged, reason)


class _Records:
    """Seconds of each stage of the blocks that are done: of the same cell, else per iteration of the same data set."""

    def __init__(self) -> None:
        self._cell: defaultdict[tuple[str, str, str, int], list[float]] = defaultdict(list)
        self._dataset: defaultdict[tuple[str, str], list[float]] = defaultdict(list)

    def add(self, block: Block, runs: dict[str, dict | None]) -> None:
        """Add the records of the stages of a block that are done."""
        for stage, record in runs.items():
            if record is not None:
                seconds = _seconds(record)
                self._cell[stage, *_cell(block.training)].append(seconds)
                self._dataset[stage, block.training.dataset].append(seconds / _size(stage, block.training))

    def left(self, block: Block, stage: str, share: float) -> float | None:
        """Return the seconds that a block will take from a stage on, of which a share is done; None if unknown."""
        names = list(STAGES)
        expected = [self._expected(block.training, name) for name in names[names.index(stage) :]]
        if any(seconds is None for seconds in expected):
            return None
        first, *rest = (seconds or 0.0 for seconds in expected)
        return first * (1 - share) + sum(rest)

    def _expected(self, training: Training, stage: str) -> float | None:
        if same := self._cell[stage, *_cell(training)]:
            return fmean(same)
        if similar := self._dataset[stage, training.dataset]:
            return fmean(similar) * _size(stage, training)
        # Training is timed before anything is measured; a measure takes a small part of it.
        return None if stage == "train" else 0.0


def _cell(training: Training) -> tuple[str, str, int]:
    return training.dataset, training.method, training.batch_size


def _size(stage: str, training: Training) -> int:
    """Return what the seconds of a stage are roughly proportional to within a data set."""
    return training.seeds * (training.steps if stage == "train" else 1)


def _seconds(record: dict) -> float:
    """Return the seconds of a stage, from the file that it wrote last."""
    return record["seconds"] if "seconds" in record else sum(cost["seconds"] for cost in record["costs"].values())


def _record(folder: Path, names: Iterable[str], of: str) -> dict | None:
    """Return the content of the first file of results in a folder that has one of the names, as ``_read``."""
    paths = (path for name in names for path in ([folder / name] if "*" not in name else folder.glob(name)))
    return next((content for path in paths if (content := _read(path, of)) is not None), None)


def _read(path: Path, of: str) -> dict | None:
    """Return the content of a JSON file of results, or None if it is not there yet or was made with other options.

    The digest of its seal is not checked: the stage that reads it next does that, and status must not take long.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return content if content[KEY].split(":")[2] == of else None


def _last_lines(*logs: Path) -> list[str]:
    """Return the last lines, at most 64 KiB, of the log that was written last."""
    written = {}
    for log in logs:
        with suppress(FileNotFoundError):
            written[log.stat().st_mtime_ns] = log
    if not written:
        return []
    with written[max(written)].open("rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - (1 << 16)))
        return file.read().decode(errors="replace").splitlines()


def _share(lines: Iterable[str]) -> float:
    """Return the share of the iterations of the last evaluation that a log tells of."""
    steps = [match for line in lines if (match := _STEP.search(line))]
    return int(steps[-1][1]) / int(steps[-1][2]) if steps else 0.0


def _error(lines: list[str]) -> str | None:
    """Return the error that a log ends in: the line of a refusal, or the last of a traceback; None for an interrupt."""
    if not lines:
        return None
    last = lines[-1].strip()
    if re.match(r"pwgan [a-z_]+: \w+: ", last) or any(line.startswith("Traceback") for line in lines[-200:]):
        return last
    return None


def _duration(seconds: float) -> str:
    """Return a duration in one or two units."""
    minutes, hours = round(seconds / 60), round(seconds / 3600)
    if seconds < 90:
        return f"{seconds:.0f} s"
    if minutes < 90:
        return f"{minutes} min"
    return f"{hours} h" if hours < 48 else f"{hours / 24:.1f} days"
