"""Time and memory to plan, follow and join a study of thousands of blocks, and to find that a finished one is finished.

    python benchmarks/scale.py --blocks 10000 --out docs/measurements/scale.md

Nothing is trained: the tables of all blocks are filled with numbers without meaning. What Snakemake itself takes is
measured beside: the plan of an empty workflow with as many jobs of two rules. Seconds are wall time, memory is the
largest peak of the processes.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pages
import pyarrow
import torch
import yaml

from pwgan.cells import Block, Reference, Training
from pwgan.data.store import write_data
from pwgan.measures.measuring import COLUMNS
from pwgan.report import FRAMES, plugins
from pwgan.seals import write_json, write_tables
from pwgan.study import Study, parse_study
from pwgan.versions import made_with

ROOT = Path(__file__).parents[1]
METHODS = ("gan", "nsgan", "wgan", "wgan_gp", "pwgan", "pwgan_pool", "pwgan_debiased", "energy", "sliced", "pwgan_full")
ROWS = {"measures": 25, "bias": 12, "interpolation": 144, "history": 200, "ranking": 210, "mode_steps": 160}
"""Rows of the tables of one seed, as the default study has them."""
EMPTY = """
rule all:
    input: expand("two/{{i}}", i=range({jobs}))
rule one:
    output: "one/{{i}}"
    shell: "touch {{output}}"
rule two:
    input: "one/{{i}}"
    output: "two/{{i}}"
    shell: "touch {{output}}"
"""


def study_of(blocks: int) -> dict[str, object]:
    """Return a study of so many blocks of one seed."""
    return {
        "study": "scale",
        "device": "cpu",
        "seeds": blocks // len(METHODS),
        "seed_block": 1,
        "batch_sizes": [16],
        "steps": 10,
        "evaluate_every": 10,
        "evaluation_points": 64,
        "datasets": {"ring8": {"samples": 100, "heldout": 100}},
        "methods": {name: {} for name in METHODS},
    }


def tables_of(place: dict[str, object], seed: int) -> Iterator[tuple[str, pyarrow.Table]]:
    """Yield the tables of a block or reference, of numbers without meaning."""
    rng = np.random.default_rng(seed)
    floats = (
        "critic_loss",
        "generator_loss",
        "ewd",
        "critic_dual",
        "critic_slope",
        "critic_mean_slope",
        "ewd_debiased",
    )
    along = {
        "history": {"seed": "int64", "step": "int64", **dict.fromkeys(floats, "double")},
        "ranking": {"seed": "int64", "step": "int64", "earlier_step": "int64", "auc": "double"},
        "mode_steps": COLUMNS["measures"]
        | {"step": "int64", "mode": "int64", "count": "int64", "samples": "int64", "covered": "bool"},
    }
    for name, types in (COLUMNS | (along if place["method"] != "data" else {})).items():
        n = ROWS[name]
        columns = {
            key: [place[key]] * n
            if key in place
            else [f"measure-{i}@100" for i in range(n)]
            if kind == "string"
            else [seed] * n
            if key == "seed"
            else rng.uniform(size=n)
            if kind == "double"
            else (np.arange(n) % 2 == 0 if kind == "bool" else np.arange(n))
            for key, kind in types.items()
        }
        yield name, pyarrow.table(columns, pyarrow.schema(list(types.items())))


def fill(study: Study, root: Path) -> None:
    """Write the results of a study, in the order in which a run writes them."""
    made = made_with(torch.device("cpu"))
    results = root / "results" / study.study
    (cell, *others) = study.data_cells.values()
    write_data(results / f"data/{cell.path}.safetensors", cell.load(), {"name": cell.name, "source": "ring8"})
    for other in others:
        shutil.copy(results / f"data/{cell.path}.safetensors", results / f"data/{other.path}.safetensors")
    costs = {"ewd": {"seconds": 1.0, "peak_memory_mb": 300.0}}
    for path, job in (study.blocks | study.references).items():
        folder = results / path
        place = _place(job)
        of = job.training.identity if isinstance(job, Block) else job.identity
        seed = job.training.first_seed if isinstance(job, Block) else job.first_seed
        for name, table in tables_of(place, seed):
            write_tables(folder / f"{name}.parquet", name, of, table.schema, [table])
        if isinstance(job, Block):
            write_json(folder / "run.json", "run", of, _run(job.training) | made)
        measured = {**place, "first_seed": seed, "seeds": 1, "costs": costs}
        write_json(folder / "measures.json", "costs", of, measured | made)


def _place(job: Block | Reference) -> dict[str, object]:
    if isinstance(job, Block):
        return job.training.labels()
    return {"dataset": job.dataset, "method": "data", "batch_size": None}


def _run(training: Training) -> dict[str, object]:
    fate = {"seed": training.first_seed, "status": "ok", "diverged_at": None, "reason": None}
    costs = {"seconds": 2.0, "evaluation_seconds": 0.1, "peak_memory_mb": 300.0}
    return {"training": training.model_dump(mode="json"), "dual": False, "seeds": [fate], "origin": "", **costs}


def finish(study: Study, root: Path) -> None:
    """Write what follows the blocks, empty, so that nothing is left to be done."""
    results = root / "results" / study.study
    names = [f"{name}.parquet" for name in FRAMES]
    names += [f"tables/{name}.{ending}" for name in plugins.names("tables") for ending in ("csv", "md", "html")]
    names += [f"figures/{name}.{ending}" for name in plugins.figure_names(study.datasets) for ending in ("csv", "png")]
    for name in names:
        (results / name).parent.mkdir(parents=True, exist_ok=True)
        (results / name).touch()


def timed(command: list[str], folder: Path) -> tuple[float, float, str]:
    """Run a command; return its wall seconds, its peak memory in GB, and what it said."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    started = time.perf_counter()
    # A process of its own, whose children are those of the command alone.
    code = (
        "import resource, subprocess, sys\n"
        "done = subprocess.run(sys.argv[1:])\n"
        "print('peak', resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
        "sys.exit(done.returncode)"
    )
    arguments = [sys.executable, "-c", code, *command]
    done = subprocess.run(
        arguments, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    seconds = time.perf_counter() - started
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stdout[-2000:]}")
    said, _, peak = done.stdout.rpartition("peak ")
    return seconds, int(peak) * (1024 if sys.platform == "linux" else 1) / 1e9, said


def measure(blocks: int, root: Path) -> Iterator[str]:
    """Yield the rows of the table for a study of so many blocks."""
    content = study_of(blocks)
    (root / "study.yaml").write_text(yaml.safe_dump(content))
    study = parse_study(content)
    snakemake = [sys.executable, "-m", "snakemake", "--cores", "2"]
    ours = [*snakemake, "-s", str(ROOT / "Snakefile"), "--configfile", "study.yaml"]
    pwgan = [sys.executable, "-m", "pwgan"]

    def row(what: str, command: list[str], expected: str = "") -> str:
        seconds, gigabytes, said = timed(command, root)
        if expected not in said:
            raise RuntimeError(f"{what}: {said[-2000:]}")
        return f"| {blocks} | {what} | {seconds:.1f} | {gigabytes:.2f} |"

    (root / "empty").mkdir()
    (root / "empty/Snakefile").write_text(EMPTY.format(jobs=blocks))
    yield row(
        f"an empty workflow of {2 * blocks} jobs, planned",
        [*snakemake, "-n", "--quiet", "--directory", "empty", "-s", "empty/Snakefile"],
    )
    yield row("the study, planned (`snakemake -n --quiet`)", [*ours, "-n", "--quiet"])
    yield row("`pwgan status`, nothing done", [*pwgan, "status", "study.yaml", "--json"])
    fill(study, root)
    yield row("`pwgan status`, all trained and measured", [*pwgan, "status", "study.yaml", "--json"])
    folders = [f"results/scale/{path}" for path in (*study.blocks, *study.references)]
    (root / "folders.txt").write_text("\n".join(folders))
    data = [f"results/scale/data/{next(iter(study.data_cells))}.safetensors"]
    aggregate = ["aggregate", "--output", "results/scale", "--data", *data, "--cells", "@folders.txt"]
    yield row("`pwgan aggregate`", [*pwgan, *aggregate])
    finish(study, root)
    yield row("the finished study, run again", ours, "Nothing to be done")


def main() -> None:
    """Print the table, and write it to a file on request."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--blocks", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--out", type=Path, help="a Markdown file for the table")
    options = parser.parse_args()
    lines = [
        "# Studies of thousands of blocks",
        "",
        f"{datetime.date.today()}; {platform.machine()}, {os.cpu_count()} cores: `python benchmarks/scale.py`. Blocks "
        "of one seed; a tenth as many files of data and references.",
        "",
        "| blocks | what | s | GB |",
        "|---|---|---|---|",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    for blocks in options.blocks:
        with tempfile.TemporaryDirectory() as folder:
            for line in measure(blocks, Path(folder)):
                lines.append(line)
                sys.stdout.write(line + "\n")
                sys.stdout.flush()
    pages.write(options.out, lines)


if __name__ == "__main__":
    main()
