"""What each verb of the command line does: read files, call the stage, write files."""

from __future__ import annotations

import json
import logging
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager

from pwgan.runtime import claimed_device, exclusive, write_table
from pwgan.study import DATA, read_cell, read_data_cell, read_reference, read_study, read_training


def cells(options: Namespace) -> None:
    """Print the cells of a study, a line each."""
    sys.stdout.write("\n".join(read_study(options.study).cells) + "\n")


def schema(options: Namespace) -> None:
    """Print the JSON schema of a study."""
    from pwgan.schema import schema as study_schema

    sys.stdout.write(study_schema())


def data(options: Namespace) -> None:
    """Load a data set and store its split."""
    from pwgan.data.store import write_data

    cell = read_data_cell(options.spec)
    about = {"name": cell.name, "dataset": cell.dataset, "options": json.dumps(cell.options)}
    write_data(options.output, cell.build().load(), about)


def classifier(options: Namespace) -> None:
    """Train a data set's classifier."""
    import torch

    from pwgan.data.store import read_data
    from pwgan.measures.classifier import save_classifier, train_classifier

    stored = read_data(options.data)
    if stored.train_labels is None or stored.heldout_labels is None:
        raise ValueError(f"{options.data} has no labels to train a classifier on")
    with claimed_device(options.device) as device:
        model, report = train_classifier(
            torch.from_numpy(stored.train),
            torch.from_numpy(stored.train_labels),
            torch.from_numpy(stored.heldout),
            torch.from_numpy(stored.heldout_labels),
            device=device,
        )
        save_classifier(options.output, model, report)


def train(options: Namespace) -> None:
    """Train one block of seeds."""
    from pwgan.data.store import read_data
    from pwgan.training.run import train as train_block

    with claimed_device(options.device) as device:
        train_block(read_training(options.cell), read_data(options.data), options.output, device)


def measure(options: Namespace) -> None:
    """Measure one trained block."""
    import torch

    from pwgan.data.store import read_data
    from pwgan.measures.block import Block, generated
    from pwgan.measures.forgetting import MODE_STEPS
    from pwgan.training.run import load_generator

    cell = read_cell(options.cell)
    training = cell.training
    run = json.loads((options.input / "run.json").read_text())
    sound = torch.tensor([seed["status"] == "ok" for seed in run["seeds"]])
    with exclusive(options.input / ".lock"), claimed_device(options.device) as device:
        generator = load_generator(options.input / "generator.safetensors", training, device)
        subject = generated(generator, training.seed_range, training.network.latent_dim, sound)
        block = Block(subject, read_data(options.data), cell.measures, cell.features, options.classifier, device)
        block.run()
        counts = block.along_training(options.input, training.evaluation_points)
        labels = {"dataset": training.dataset, "method": training.method, "batch_size": training.batch_size}
        write_table(options.input / "mode_steps.parquet", [{**labels, **row} for row in counts], MODE_STEPS)
        block.write(options.input, labels)


def signal(options: Namespace) -> None:
    """Measure what critics tell a block's generators that stand still."""
    from pwgan.data.store import read_data
    from pwgan.measures.signal import block_signal

    block, critics = read_training(options.cell), [read_training(text) for text in options.critics]
    labels = {"dataset": block.dataset, "method": block.method, "batch_size": block.batch_size}
    with claimed_device(options.device) as device:
        rows = block_signal(options.input, block, critics, read_data(options.data), device)
    write_table(options.input / "signal.parquet", [{**labels, **row} for row in rows])


def reference(options: Namespace) -> None:
    """Measure real training samples."""
    from pwgan.data.store import read_data
    from pwgan.measures.block import Block, real

    what = read_reference(options.cell)
    stored = read_data(options.data)
    with claimed_device(options.device) as device:
        block = Block(real(stored, what.seeds), stored, what.measures, what.features, options.classifier, device)
        block.run()
        block.ewd_at(what.evaluation_points, "ewd-history")
        block.write(options.output, {"dataset": what.dataset, "method": DATA, "batch_size": None})


def aggregate(options: Namespace) -> None:
    """Join all results."""
    from pwgan.report.aggregate import write_aggregates

    write_aggregates(options.cells, options.data, options.output)


def tables(options: Namespace) -> None:
    """Write the tables."""
    from pwgan.report.tables import write_tables

    with _timed("tables"):
        write_tables(options.results, options.output)


def figures(options: Namespace) -> None:
    """Draw the figures; samples are those of the first block of seeds of each cell."""
    from pathlib import Path

    from pwgan.report.figures import write_figures
    from pwgan.report.frames import CELL, read

    runs = read(options.results, "runs").drop_duplicates(CELL)
    shown = [(*cell, Path(folder) / "samples.npy") for *cell, folder in runs[[*CELL, "folder"]].itertuples(index=False)]
    with _timed("figures"):
        write_figures(options.results, options.output, shown)


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
    from pwgan.report.theory_figures import write_theory_figures

    with _timed("theory figures"):
        write_theory_figures(options.theory)


def claims(options: Namespace) -> None:
    """Judge every claim and write the page of them."""
    from pwgan.report.paper import write_claims

    with _timed("claims"):
        write_claims(options.results, options.output)


def distance(options: Namespace) -> None:
    """Print the exact distance between two sets of samples."""
    from pwgan.distance import distance as between
    from pwgan.distance import read_pair

    progress = sys.stderr.isatty()
    a, b = read_pair(options.a, options.b, options.first, progress=progress)
    with claimed_device(options.device) as device:
        found = between(a, b, options.cost, device=device, certify=options.certify, progress=progress)
    sys.stdout.write(json.dumps(found.plain()) + "\n" if options.json else found.text())


@contextmanager
def _timed(what: str) -> Iterator[None]:
    """Log how long the work took, its imports left out."""
    started = time.perf_counter()
    yield
    logging.getLogger("pwgan").info("%s: %.2f s", what, time.perf_counter() - started)
