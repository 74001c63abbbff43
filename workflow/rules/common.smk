# Helper functions for the rules: the study, the paths of its files, and the dependencies of each stage.

import json
import os
from functools import cache
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

from pwgan.batches import samplers
from pwgan.environment import prepare
from pwgan.errors import Refused
from pwgan.provenance import closure, code_version
from pwgan.literature import FILES as LITERATURE_FILES, TABLES as LITERATURE_TABLES
from pwgan.report import FRAMES, plugins
from pwgan.report.captions import question
from pwgan.report.claims import FILES as CLAIM_FILES
from pwgan.runtime import atomic_write
from pwgan.seals import identity
from pwgan.devices import resolve_device
from pwgan.sources import version
from pwgan.study import parse_study
from pwgan.theory import TABLES as THEORY

try:
    STUDY = parse_study(config)
    # Jobs that are deployed in environments of their own do not use the packages of this one.
    if not workflow.deployment_settings.deployment_method:
        STUDY.require_packages()
except (Refused, OSError) as error:
    raise WorkflowError(
        f"The study is refused: {', '.join(map(str, STUDY_FILES))}: {error}"
    )

for note in STUDY.notes:
    logger.warning(note)

RESULTS = f"results/{STUDY.study}"
DEVICE = resolve_device(STUDY.device)
# A job of `auto` runs on the CPU where torch cannot use the GPU that planning saw.
JOB_DEVICE = "auto" if (STUDY.device, DEVICE) == ("auto", "cuda") else DEVICE
# Paths are relative, so that a study stays up to date when its folder is moved or renamed.
BASE = Path(os.path.relpath(workflow.basedir))
prepare(STUDY.jobs_per_gpu)
# What is remembered of the user's files between two plans, and the lists that jobs read.
RECORDS = Path(".snakemake/pwgan-sources")


pathvars:
    results=RESULTS,
    logs="<results>/logs",
    benchmarks="<results>/benchmarks",
    block="<results>/{dataset}/{method}/m{batch_size}/seeds{seeds}",
    reference="<results>/{dataset}/data/seeds{seeds}",


wildcard_constraints:
    data="|".join(STUDY.data_cells),
    dataset="|".join(STUDY.datasets),
    method="|".join(STUDY.methods),
    batch_size=r"\d+",
    seeds=r"\d+-\d+",


def code(*modules):
    """Files of the package that a stage uses; only changes to these files make the stage run again."""
    return [str(BASE / file) for file in closure(*modules)]


def keep(path, text):
    """Write a file that jobs read, unless it says the same already."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        with atomic_write(path) as aside:
            aside.write_text(text, encoding="utf-8")


def block(wildcards):
    return STUDY.blocks[
        "{w.dataset}/{w.method}/m{w.batch_size}/seeds{w.seeds}".format(w=wildcards)
    ]


PLACES = {path: number for number, path in enumerate(STUDY.blocks, 1)}


def place(wildcards):
    """Number of the block among all, for the log: a resource, since a parameter that changes runs a job again."""
    return f"{PLACES[block(wildcards).path]}/{len(PLACES)}"


VERSIONS = {}


# Jobs of which there may be thousands have the code that they depend on as a parameter, a hash: lists of files would
# make up most of a plan.
def block_code(wildcards):
    return block_version(block(wildcards))


def block_version(found):
    t = found.training
    # What decides the modules: looking them up for each block would take a quarter of the time of a plan.
    key = t.algorithm, t.options["sampler"], t.network.name, t.dataset
    if key not in VERSIONS:
        stages = "pwgan.training.run", "pwgan.measures.measuring"
        code = code_version(*stages, *t.modules(), *found.modules())
        VERSIONS[key] = f"{code} {extractor_weights(t.dataset)}"
    return VERSIONS[key]


def reference_code(wildcards):
    return reference_version(reference_of(wildcards))


def reference_version(found):
    code = code_version("pwgan.measures.measuring", *found.modules())
    return f"{code} {extractor_weights(found.dataset)}"


def signal_code(wildcards):
    trained = [block(wildcards).training, *critics_of(wildcards)]
    modules = sorted({name for training in trained for name in training.modules()})
    return code_version("pwgan.measures.signal", "pwgan.training.run", *modules)


@cache
def weights_version(extractor):
    return version(
        [STUDY.measures.weights[extractor]], RECORDS / f"weights-{extractor}.json"
    )


def extractor_weights(dataset):
    """The versions of the user's files of weights, of the feature extractors of a data set."""
    used = [
        name for name in STUDY.extractors(dataset) if name in STUDY.measures.weights
    ]
    return " ".join(weights_version(name) for name in used)


def data_code(wildcards):
    return data_version(STUDY.data_cells[wildcards.data].source)


@cache
def data_version(source):
    """The code of a kind of data set."""
    found = next(cell for cell in STUDY.data_cells.values() if cell.source == source)
    return code_version("pwgan.data.store", *found.modules())


def data_sources(wildcards):
    """The version of the user's files that a data set is read from; a parameter, since mtimes change without contents."""
    name = STUDY.data_cells[wildcards.data].name
    files = STUDY.data_set(name).sources()
    return version(files, RECORDS / f"{STUDY.study}-{name}.json") if files else ""


def data_spec(wildcards):
    return STUDY.data_cells[wildcards.data].model_dump_json()


@cache
def data_of(dataset, first, last):
    """The stored samples of a block of seeds."""
    cell = STUDY.data_cell(dataset, first, last - first + 1)
    return f"{RESULTS}/data/{cell.path}.safetensors"


def data_file(wildcards):
    return data_of(wildcards.dataset, *map(int, wildcards.seeds.split("-")))


def training(wildcards):
    return block(wildcards).training.model_dump_json()


def parameters(wildcards):
    return block(wildcards).model_dump_json()


@cache
def ahead_list():
    """A file that lists the jobs of the study, for those that go on with others; begun from the end.

    Its name tells its content: jobs that wait must not read what a later plan of a changed study wrote.
    """
    # Measuring real samples, the shortest, comes first of a data set.
    jobs = [
        (verb, job, name, version_of)
        for name in STUDY.datasets
        for verb, found, version_of in (
            ("block", STUDY.blocks, block_version),
            ("reference", STUDY.references, reference_version),
        )
        for path, job in found.items()
        if path.startswith(f"{name}/")
    ]
    listed = [
        {
            "verb": verb,
            "folder": f"{RESULTS}/{job.path}",
            "parameters": job.model_dump_json(),
            "code": version_of(job),
            "files": [
                data_of(name, job.seed_range.start, job.seed_range.stop - 1),
                *(path or None for path in classifiers(name).values()),
            ],
        }
        for verb, job, name, version_of in jobs
    ]
    path = RECORDS / "ahead" / f"{identity(listed)}.json"
    keep(path, json.dumps(listed, indent=1))
    return str(path)


def ahead(wildcards):
    """A resource, since which jobs a process does changes no result."""
    return ahead_list() if STUDY.job_seconds else "none"


def critics_of(wildcards):
    return STUDY.critics(block(wildcards).training)


def critics(wildcards):
    return [critic.model_dump_json() for critic in critics_of(wildcards)]


def reference_of(wildcards):
    return STUDY.references["{w.dataset}/data/seeds{w.seeds}".format(w=wildcards)]


def reference(wildcards):
    return reference_of(wildcards).model_dump_json()


@cache
def classifiers(dataset):
    """The files of a data set's classifiers, of those that it has: of labelled images, of held-out ones on request."""
    stem = f"{RESULTS}/data/{dataset}-classifier"
    return {
        "classifier": (
            f"{stem}.safetensors" if STUDY.data_set(dataset).labelled else []
        ),
        "classifier_heldout": (
            f"{stem}-heldout.safetensors"
            if "classifier_heldout" in STUDY.extractors(dataset)
            else []
        ),
    }


def measured_from(wildcards):
    return {"data": data_file(wildcards), **classifiers(wildcards.dataset)}


def reported(kind, stem, caption, **labels):
    """Mark a file for the report, under the question that its caption answers."""
    path = BASE / f"workflow/report/{caption}.rst"
    return report(
        f"{RESULTS}/{kind}/{stem}",
        caption=str(path.resolve()),
        category=question(path),
        labels=labels,
    )


# The figures show the first draws.
DATA_FILES = [
    data_of(dataset, first, first + count - 1)
    for dataset in STUDY.datasets
    for first, count in STUDY.seed_blocks(dataset)[:1]
]
CLASSIFIERS = [
    file for dataset in STUDY.datasets for file in classifiers(dataset).values() if file
]
FOLDERS = [f"{RESULTS}/{path}" for path in (*STUDY.blocks, *STUDY.references)]
# A command line has no room for the names of thousands of folders.
MANIFEST = RECORDS / f"{STUDY.study}-folders.txt"
keep(MANIFEST, "\n".join(FOLDERS))
AGGREGATES = [f"{RESULTS}/{name}.parquet" for name in FRAMES]
SIGNALS = [
    f"{RESULTS}/{path}/signal.parquet"
    for path, other in STUDY.blocks.items()
    if other.training.method in STUDY.signal
]
FIGURES = plugins.figure_names(STUDY.datasets)
TABLES = plugins.names("tables")
THEORY_FIGURES = plugins.names("theory")
# The bias is tabulated for every sampler; samplers are looked up by name.
SAMPLER_MODULES = [cls.__module__ for cls in samplers().values()]
