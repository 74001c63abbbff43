"""The command-line verbs: each reads files, calls its stage and writes files."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pwgan.devices import claimed_device
from pwgan.errors import Refused
from pwgan.lazy import torch
from pwgan.runtime import RESULT, atomic_write, exclusive

if TYPE_CHECKING:
    from pwgan.cells import Training
    from pwgan.data.store import StoredData


def blocks(options: Namespace) -> None:
    """Print the blocks of a study, one per line."""
    from pwgan.study import read_study

    study = read_study(options.study)
    for note in study.notes:
        logging.getLogger("pwgan").warning(note)
    _print("\n".join(study.blocks) + "\n")


def status(options: Namespace) -> None:
    """Print where a study stands."""
    from pwgan.status import status as study_status
    from pwgan.study import read_study

    study = read_study(options.study)
    found = study_status(study, options.results or Path("results") / study.study)
    _print(json.dumps(found.plain(), indent=1) + "\n" if options.json else found.text())


def schema(options: Namespace) -> None:
    """Print the JSON schema of a study."""
    from pwgan.schema import schema as study_schema

    _print(study_schema())


def data(options: Namespace) -> None:
    """Load a data set and store its split."""
    from pwgan.arguments import read_data_cell
    from pwgan.data.store import write_data

    cell = read_data_cell(options.spec)
    about = {"name": cell.name, "source": cell.source, "options": json.dumps(cell.options)}
    write_data(options.output, cell.load(), about)


def images(options: Namespace) -> None:
    """Verify the published files of image benchmarks in a folder, and fetch those that are missing."""
    from pwgan.data.torchvision import cache_folder
    from pwgan.originals import originals

    missing = []
    for name, complete, told in originals(options.root or cache_folder()):
        _print(f"{name}: {told}\n")
        missing += [] if complete else [name]
    if missing:
        raise Refused(f"{', '.join(missing)} cannot be used; see above")


def classifier(options: Namespace) -> None:
    """Train a data set's classifier."""
    from pwgan.data.store import read_data
    from pwgan.measures.classifier import write_classifier

    with claimed_device(options.device) as device, _timed("classifier"):
        write_classifier(options.output, read_data(options.data), device, options.heldout)


def train(options: Namespace) -> None:
    """Train one block of seeds."""
    from pwgan.arguments import read_training
    from pwgan.training.run import train as train_block

    training = read_training(options.block)
    _announce(options.place)
    stored = _stored(options.data, training.dataset)
    with claimed_device(options.device) as device:
        _require_memory(training, stored, device)
        with exclusive(options.output):
            train_block(training, stored, options.output, device, options.force)


def block(options: Namespace) -> None:
    """Train and measure one block of seeds, unless that was done ahead of it; then perhaps other jobs."""
    _announce(options.place)
    _share(options, "block", options.block)


def measure(options: Namespace) -> None:
    """Measure one trained block."""
    from pwgan.arguments import read_block
    from pwgan.measures.measuring import measure_block

    block = read_block(options.block)
    _announce(options.place)
    stored = _stored(options.data, block.training.dataset)
    with claimed_device(options.device) as device, exclusive(options.output):
        files = options.classifier, device, options.classifier_heldout, options.kept
        measure_block(block, stored, options.output, *files)


def signal(options: Namespace) -> None:
    """Train critics against a block's fixed generators and measure the gradients they provide."""
    from pwgan.arguments import read_training
    from pwgan.measures.signal import measure_signal

    block, critics = read_training(options.block), [read_training(text) for text in options.critics]
    _announce(options.place)
    if options.steps < 1:
        raise Refused(f"--steps: a critic is trained for at least one step, got {options.steps}")
    stored = _stored(options.data, block.dataset)
    with claimed_device(options.device) as device:
        measure_signal(options.output, block, critics, stored, device, options.steps)


def reference(options: Namespace) -> None:
    """Measure real training samples, unless that was done ahead of it; then perhaps other jobs."""
    _share(options, "reference", options.reference)


def _share(options: Namespace, verb: str, parameters: str) -> None:
    """Do a job, unless that was done ahead of it; then others that the workflow lists, if there is time."""
    from pwgan.ahead import Files, Job, Queue, listed

    def prepared(job: Job) -> Callable[[str], None]:
        from pwgan.arguments import read_block, read_reference
        from pwgan.measures.measuring import measure_block, measure_reference, require_networks
        from pwgan.training.run import train as train_block

        if device.type == "cuda":
            torch.cuda.empty_cache()  # what one job has held must not be missing in the next
        files = job.files.classifier, device, job.files.classifier_heldout, options.kept
        if job.verb == "reference":
            real = read_reference(job.parameters)
            stored = _stored(job.files.data, real.dataset)
            return lambda result: measure_reference(real, stored, job.folder, *files, result)
        block = read_block(job.parameters)
        stored = _stored(job.files.data, block.training.dataset)
        _require_memory(block.training, stored, device)
        require_networks(block.measures, block.features)

        def work(result: str) -> None:
            train_block(block.training, stored, job.folder, device)
            measure_block(block, stored, job.folder, *files, result)

        return work

    files = Files(options.data, options.classifier, options.classifier_heldout)
    own, queue = Job(verb, options.output, parameters, options.code, files), None
    if options.job_seconds:
        settings = options.device, os.environ.get("OMP_NUM_THREADS")
        queue = Queue(own, lambda: listed(options.ahead) if options.ahead else [], settings, options.job_seconds)
        if queue.taken():
            return
    with claimed_device(options.device) as device:
        if queue:
            queue.run(prepared)
        else:
            work = prepared(own)
            with exclusive(own.folder):
                work(RESULT)


def _require_memory(training: Training, stored: StoredData, device: torch.device) -> None:
    """Raise ``Refused`` if this machine has too little memory to train a block on its CPU."""
    from pwgan.requirements import require_memory_to_train

    if device.type == "cpu":
        shape = stored.sample_shape
        require_memory_to_train(training.network, training.seeds, shape, training.dataset, elsewhere=False)


def _announce(place: str | None) -> None:
    """Log which block of how many a job is."""
    if place:
        logging.getLogger("pwgan").info("block %s", place.replace("/", " of "))


def _stored(path: Path, dataset: str) -> StoredData:
    """Read a stored data set; raises ``Refused`` if it is not the one that the job is about."""
    from pwgan.data.store import read_data

    stored = read_data(path)
    if stored.name != dataset:
        raise Refused(f"{path} holds the data set {stored.name!r}; this job needs {dataset!r}")
    return stored


def aggregate(options: Namespace) -> None:
    """Join all results."""
    from pwgan.report.aggregate import write_aggregates

    write_aggregates(options.cells, options.data, options.signals, options.output)


def tables(options: Namespace) -> None:
    """Write the tables."""
    from pwgan.report.tables import write_tables

    with _timed("tables"):
        write_tables(options.results, options.output)


def figures(options: Namespace) -> None:
    """Draw the figures; samples are those of the first block of seeds of each cell."""
    import matplotlib

    matplotlib.use("agg")  # files, and no windows even where there is a display
    logging.getLogger("fontTools").setLevel(logging.WARNING)  # it reports every font table of every PDF
    from pwgan.report.figures import write_figures

    with _timed("figures"):
        write_figures(options.results, options.output, options.highlight, options.formats)


def theory(options: Namespace) -> None:
    """Write the tables that need no training."""
    from pwgan.theory.tables import write_theory

    with _timed("theory"):
        write_theory(options.output)


def critics(options: Namespace) -> None:
    """Train critics on pairs of known distance and tabulate them."""
    from pwgan.theory.critics import critics as table
    from pwgan.theory.tables import write_csv

    with claimed_device(options.device) as device, _timed("critics"):
        write_csv(table(device=device), options.output / "critics.csv")


def theory_figures(options: Namespace) -> None:
    """Draw the tables of theory and critics."""
    from pwgan.theory.figures import write_theory_figures

    with _timed("theory figures"):
        write_theory_figures(options.theory, options.output)


def claims(options: Namespace) -> None:
    """Test every claim and write the page of claims."""
    from pwgan.report.claims.page import write_claims

    with _timed("claims"):
        write_claims(options.results, options.output)


def literature_tables(options: Namespace) -> None:
    """Compute the published protocols that train no generator."""
    from pwgan.literature.tables import write_tables

    with claimed_device(options.device) as device, _timed("tables of the literature"):
        write_tables(options.output, device)


def literature(options: Namespace) -> None:
    """Compare the published rows with a study's results."""
    from pwgan.literature.page import write_literature

    with _timed("literature"):
        write_literature(options.results, options.output)


def distance(options: Namespace) -> None:
    """Print the exact distance between two sets of samples."""
    import numpy as np

    from pwgan.distance import distance as between
    from pwgan.distance import matching_file, read_pair, working

    progress = sys.stderr.isatty()
    matching = None if options.matching is None else matching_file(options.matching, (options.a, options.b))
    with working("reading", progress):
        a, b = read_pair(options.a, options.b, options.first, progress=progress)
    with claimed_device(options.device) as device:
        result = between(a, b, options.cost, device=device, certify=options.certify, progress=progress)
    if matching is not None:
        with atomic_write(matching) as aside:
            np.save(aside, result.matching)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # the same bytes in every locale
    _print(json.dumps(result.plain()) + "\n" if options.json else result.text())


def _print(text: str) -> None:
    """Write to standard output; raises an OSError that names it if that fails, as on a full disk."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        # Python would try again at its end, and print a second message.
        with open(os.devnull, "w") as nothing:
            os.dup2(nothing.fileno(), sys.stdout.fileno())
        raise OSError(error.errno, error.strerror, "standard output") from error


@contextmanager
def _timed(stage: str) -> Iterator[None]:
    """Log the duration of a stage without its imports."""
    started = time.perf_counter()
    yield
    logging.getLogger("pwgan").info("%s: %.2f s", stage, time.perf_counter() - started)
