"""The command line: each verb is one stage of a study and can be run on its own."""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import sys
from pathlib import Path

from pwgan import __version__


def main(arguments: list[str] | None = None) -> int:
    """Run one verb. Errors that the user can fix print one line and exit with status 2; bugs keep their traceback.

    SIGINT and SIGTERM print one line too; the status is 128 and the number of the signal.
    """
    options = _parser().parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # of a path that the locale cannot spell
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    from pwgan import stages
    from pwgan.errors import Refused
    from pwgan.interrupts import Interrupted, raising

    try:
        with raising():
            getattr(stages, options.verb)(options)
    # OSError: a full disk, missing permissions, missing files.
    except (Refused, OSError) as error:
        _tell(f"pwgan {options.verb}: {type(error).__name__}: {' '.join(str(error).split())}\n")
        return 2
    except Interrupted as stop:
        _tell(f"pwgan {options.verb}: {stop}\n")
        return stop.status
    return 0


def _tell(line: str) -> None:
    with contextlib.suppress(OSError):  # the log may be on the full disk that the line is about
        sys.stderr.write(line)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pwgan", description="Train generators on optimal transport, measure them, and draw the results."
    )
    parser.add_argument("--version", action="version", version=f"pwgan {__version__}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(name: str, help: str) -> argparse.ArgumentParser:
        return verbs.add_parser(name, help=help, description=help)

    def block(name: str, help: str) -> argparse.ArgumentParser:
        command = verb(name, help)
        command.add_argument("block", help="a block of seeds as JSON, or STUDY.yaml:DATASET/METHOD/mN/seedsA-B")
        command.add_argument("--data", type=Path, required=True, help="the stored data set (.safetensors)")
        command.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
        command.add_argument("--place", metavar="N/ALL", help="number of the block in its study, for the log")
        return command

    def measured_with(command: argparse.ArgumentParser) -> None:
        # Without a file as without the option: a workflow writes one command for all data sets.
        labelled = "the data set's classifier, if its images are labelled"
        command.add_argument("--classifier", type=Path, nargs="?", help=labelled)
        command.add_argument(
            "--classifier-heldout", type=Path, nargs="?", help="the one for features: classifier_heldout"
        )
        kept = "folder that keeps what was measured of real samples for other jobs (default: nothing is kept)"
        command.add_argument("--kept", type=Path, metavar="FOLDER", help=kept)

    blocks = verb("blocks", "List the blocks of seeds of a study, one for each training job.")
    blocks.add_argument("study", type=Path)
    verb("schema", "Print the JSON schema of a study.")

    status = verb("status", "Say which blocks of a study are done, running or failed, and how long the rest will take.")
    status.add_argument("study", type=Path)
    status.add_argument("--results", type=Path, metavar="FOLDER", help="default: results/{study}, here")
    status.add_argument("--json", action="store_true", help="print every block, as JSON")

    data = verb("data", "Generate or read a data set, split it, and store it as one file.")
    data.add_argument(
        "spec", help="the data set as JSON, or STUDY.yaml:DATASET, or STUDY.yaml:DATASET/seedsA-B of a law"
    )
    data.add_argument("--output", type=Path, required=True)

    images = verb("images", "Verify MNIST, Fashion-MNIST and CIFAR-10 in a folder, and fetch what is missing.")
    images.add_argument("--root", type=Path, help="a folder, `root` of a study (default: where studies look)")

    classifier = verb("classifier", "Train the classifier used for mode counts and features, by a fixed rule.")
    classifier.add_argument("--data", type=Path, required=True)
    classifier.add_argument("--heldout", action="store_true", help="train on the second half of the held-out images")
    classifier.add_argument("--output", type=Path, required=True)
    classifier.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")

    train = block("train", "Train one block of seeds, resuming from its checkpoint if there is one.")
    train.add_argument("--output", type=Path, required=True, help="the folder of the block")
    train.add_argument("--force", action="store_true", help="train a finished block again")

    def going_on(command: argparse.ArgumentParser) -> None:
        listed = "the jobs of the study, as the workflow lists them"
        command.add_argument("--ahead", type=Path, metavar="LIST", help=listed)
        seconds = "go on with jobs of LIST, and begin none that may end after N seconds (default: 0)"
        command.add_argument("--job-seconds", type=int, default=0, metavar="N", help=seconds)
        code = "version of the code, as in LIST: a result that was left for other code is not taken"
        command.add_argument("--code", default="", metavar="TEXT", help=code)

    both = block("block", "Train and measure one block of seeds; what is trained already is only measured.")
    both.add_argument("--output", type=Path, required=True, help="the folder of the block")
    going_on(both)
    measured_with(both)

    measure = block("measure", "Measure the trained generators of one block.")
    measure.add_argument("--output", type=Path, required=True, help="the folder of the trained block")
    measured_with(measure)

    signal = block("signal", "Train critics against one block's fixed generators and measure their gradients.")
    signal.add_argument("--output", type=Path, required=True, help="the folder of the trained block")
    signal.add_argument("--steps", type=int, default=512, metavar="N", help="most steps of a critic (default: 512)")
    signal.add_argument("--critics", nargs="+", required=True, help="blocks whose methods have critics, as BLOCK")

    reference = verb("reference", "Measure real training samples as if they were generated: the floor of each measure.")
    reference.add_argument("reference", help="the reference job as JSON, or STUDY.yaml:DATASET/data/seedsA-B")
    reference.add_argument("--data", type=Path, required=True)
    reference.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    reference.add_argument("--output", type=Path, required=True)
    going_on(reference)
    measured_with(reference)

    aggregate = verb("aggregate", "Join the results of all cells into tidy tables.")
    aggregate.fromfile_prefix_chars = "@"
    aggregate.add_argument("--output", type=Path, required=True, help="results/{study}")
    aggregate.add_argument("--data", nargs="+", type=Path, required=True, help="stored data sets and classifiers")
    aggregate.add_argument(
        "--cells",
        required=True,
        nargs="+",
        type=Path,
        help="folders of blocks and references; @FILE: one on each line",
    )

    aggregate.add_argument("--signals", nargs="*", type=Path, default=[], help="signal.parquet of blocks that have one")

    for name, help in (("tables", "Write the tables of a study."), ("figures", "Draw the figures of a study.")):
        command = verb(name, help)
        command.add_argument("--results", type=Path, required=True, help="results/{study}")
        command.add_argument("--output", type=Path, required=True)
        if name == "figures":
            named = "methods in colour (default: the first six)"
            command.add_argument("--highlight", nargs="*", default=[], metavar="METHOD", help=named)
            formats = ("png", "pdf", "svg")
            command.add_argument("--formats", nargs="*", choices=formats, default=["png"], help="PNG always is one")

    theory = verb("theory", "Tabulate the results of the article that need no trained generator.")
    theory.add_argument("--output", type=Path, required=True, help="results/{study}/theory")

    critics = verb("critics", "Train critics on pairs of known distance, and compare them with exact matching.")
    critics.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    critics.add_argument("--output", type=Path, required=True, help="results/{study}/theory")

    theory_figures = verb("theory_figures", "Draw the tables of theory and critics, each beside its CSV.")
    theory_figures.add_argument("--theory", type=Path, required=True, help="the folder of the tables")
    theory_figures.add_argument("--output", type=Path, required=True)

    claims = verb("claims", "Test the claims of the article on a study's results, each by its stated rule.")
    claims.add_argument("--results", type=Path, required=True, help="results/{study}")
    claims.add_argument("--output", type=Path, required=True)

    literature_tables = verb("literature_tables", "Compute the published protocols that train no generator.")
    literature_tables.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    literature_tables.add_argument("--output", type=Path, required=True, help="results/{study}/theory")

    literature = verb("literature", "Compare published numbers with those of a study.")
    literature.add_argument("--results", type=Path, required=True, help="results/{study}")
    literature.add_argument("--output", type=Path, required=True)

    distance = verb(
        "distance", "Compute the exact Wasserstein distance between two sets of samples, with a certificate."
    )
    distance.description = (
        "The exact Wasserstein distance between two sets of samples: the mean cost of their optimal one-to-one "
        "matching, or, of n and k samples, the least cost of moving masses 1/n to masses 1/k; with the duality gap "
        "that certifies it. Arrays are (n, *sample), integers or floats, and are flattened; (n,) are n numbers. Values "
        "are compared in their stored units; pixels of images and uint8 arrays are 0..255. "
        "Images of a folder and its subfolders must all have the same size; they are sorted by name, compared as RGB "
        "unless every image on both sides is grey, and flattened in the order channel, row, column."
    )
    for side in ("A", "B"):
        distance.add_argument(
            side.lower(),
            metavar=side,
            help="a folder of images, FILE.npy, FILE.npz or FILE.safetensors; FILE.npz:NAME for one of several arrays",
        )
    distance.add_argument(
        "--cost",
        choices=("euclidean", "sqeuclidean", "cityblock", "cosine"),
        default="euclidean",
        help="of a pair: the distance (default; the value is W1), its square (the value is the square of W2), the sum "
        "of absolute differences, or 1 - cos",
    )
    distance.add_argument("--first", type=int, metavar="N", help="compare the first N samples of both (default: all)")
    distance.add_argument(
        "--certify",
        action="store_true",
        help="recompute all costs in float64, apart from the solver, and print an interval that contains the optimum",
    )
    distance.add_argument(
        "--matching",
        type=Path,
        metavar="FILE.npy",
        help="write the matching, int64 (n,): the row of B for each row of A; for unequal numbers the plan, a "
        "structured array of row, column and mass",
    )
    distance.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    distance.add_argument("--json", action="store_true", help="print one JSON object instead")
    return parser


if __name__ == "__main__":
    sys.exit(main())
