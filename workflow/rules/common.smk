# Helpers of the rules, and no rules: the study, the paths of its files, and what each stage depends on.

import os
from pathlib import Path

from snakemake.exceptions import WorkflowError

from pwgan.data import datasets
from pwgan.methods import AdversarialMethod, methods
from pwgan.report.names import (
    CLAIM_FIGURES,
    CLAIM_FILES,
    TABLES,
    THEORY,
    THEORY_FIGURES,
    figure_names,
)
from pwgan.runtime import resolve_device
from pwgan.study import parse_study

try:
    STUDY = parse_study(config)
except (ValueError, OSError) as error:
    raise WorkflowError(f"The study is refused: {error}")

RESULTS = f"results/{STUDY.study}"
DEVICE = resolve_device(STUDY.device)
# Relative, as all paths are: a study whose folder is moved, or seen under another name, stays up to date.
PACKAGE = Path(os.path.relpath(workflow.basedir)) / "pwgan"


pathvars:
    results=RESULTS,
    logs="<results>/logs",
    benchmarks="<results>/benchmarks",
    block="<results>/{dataset}/{method}/m{batch_size}/seeds{seeds}",


wildcard_constraints:
    dataset="|".join(STUDY.datasets),
    method="|".join(STUDY.methods),
    batch_size=r"\d+",
    seeds=r"\d+-\d+",


def code(*patterns):
    """Files of the package that a stage runs: a change in them, and in no others, makes it run again."""
    return [str(path) for pattern in patterns for path in sorted(PACKAGE.glob(pattern))]


def code_of(cls):
    """Files that define a data set or a method, those it inherits from included."""
    modules = {base.__module__ for base in cls.__mro__} - {"pwgan.options"}
    files = [f"{m.replace('.', '/')}.py" for m in modules if m.startswith("pwgan.")]
    return sorted(str(PACKAGE.parent / file) for file in files)


TRAINING_CODE = code(
    "runtime.py",
    "training/*.py",
    "networks/*.py",
    "transport/cost.py",
    "transport/assignment.py",
    "transport/wasserstein.py",
    "transport/dense.py",
    "transport/exact.py",
    "transport/auction.py",
    "transport/encoding.py",
    "transport/paths.py",
    "transport/screen.py",
    "transport/vector.py",
    "transport/gpu_*.py",
    "transport/samplers.py",
    "transport/stratify.py",
    "transport/dpp.py",
    "data/store.py",
)
FIGURE_CODE = code(
    "runtime.py",
    "data/store.py",
    "methods/wgan*.py",
    *(
        f"report/{name}.py"
        for name in "figures panels curves critics forgetting samples generalisation interpolation style frames statistics tables names".split()
    ),
)
MEASURING_CODE = code(
    "stages.py",
    "runtime.py",
    "measures/*.py",
    "transport/*.py",
    "networks/*.py",
    "training/run.py",
    "training/samples.py",
    "data/store.py",
)


THEORY_CODE = code(
    "divergences.py",
    "runtime.py",
    "transport/*.py",
    "data/funnels.py",
    "data/mixtures.py",
    "measures/transport.py",
    "methods/base.py",
    "methods/gan.py",
    "networks/*.py",
    "training/draws.py",
    "training/optimisers.py",
    "report/statistics.py",
    "theory/*.py",
)
CRITIC_CODE = code(
    "runtime.py",
    "transport/*.py",
    "data/funnels.py",
    "methods/base.py",
    "methods/wgan*.py",
    "networks/__init__.py",
    "networks/mlp.py",
    "networks/seeds.py",
    "training/draws.py",
    "training/optimisers.py",
    "theory/critics.py",
    "theory/recovery.py",
)


def cell(wildcards):
    return STUDY.cells[
        "{w.dataset}/{w.method}/m{w.batch_size}/seeds{w.seeds}".format(w=wildcards)
    ]


def method_code(wildcards):
    return code_of(methods()[cell(wildcards).training.algorithm])


def data_code(wildcards):
    return code_of(datasets()[STUDY.data_cells[wildcards.dataset].dataset])


def data_sources(wildcards):
    """The user's own files that a data set is read from."""
    return [str(path) for path in STUDY.data_set(wildcards.dataset).sources()]


def data_spec(wildcards):
    return STUDY.data_cells[wildcards.dataset].model_dump_json()


def training(wildcards):
    return cell(wildcards).training.model_dump_json()


def measuring(wildcards):
    return cell(wildcards).model_dump_json()


def critics(wildcards):
    """Every method with a critic that goes by its own name, as the block is: same data, mini-batch size and seeds."""
    own = cell(wildcards).training
    return [
        other.training.model_dump_json()
        for other in STUDY.cells.values()
        if other.training.method == other.training.algorithm
        and issubclass(methods()[other.training.algorithm], AdversarialMethod)
        and all(
            getattr(other.training, name) == getattr(own, name)
            for name in ["dataset", "batch_size", "first_seed"]
        )
    ]


def reference(wildcards):
    return STUDY.reference(wildcards.dataset).model_dump_json()


def classifier(wildcards):
    """The trained classifier of a labelled data set; nothing for others."""
    if not STUDY.data_set(wildcards.dataset).labelled:
        return []
    return f"{RESULTS}/data/{wildcards.dataset}-classifier.safetensors"


def classifier_option(wildcards):
    return f"--classifier {classifier(wildcards)}" if classifier(wildcards) else ""


DATA_FILES = [
    f"{RESULTS}/data/{dataset}{suffix}.safetensors"
    for dataset in STUDY.datasets
    for suffix in ["", "-classifier"]
    if not suffix or STUDY.data_set(dataset).labelled
]
FOLDERS = [f"{RESULTS}/{path}" for path in STUDY.cells]
REFERENCES = [f"{RESULTS}/{dataset}/data" for dataset in STUDY.datasets]
AGGREGATES = expand(
    "<results>/{name}.parquet",
    name=[
        "measures",
        "bias",
        "history",
        "ranking",
        "mode_steps",
        "interpolation",
        "runs",
        "costs",
        "datasets",
    ],
)
FIGURES = figure_names(STUDY.datasets)
# The gradient under critics of each kind is measured on the generators of the plain GAN.
SIGNALS = [
    f"{RESULTS}/{path}/signal.parquet"
    for path, own in STUDY.cells.items()
    if own.training.method == "gan"
]
