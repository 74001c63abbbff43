"""Time of a study by activity: training, measuring, drawing, and overhead (start-up, imports, scheduling, waiting).

    python benchmarks/overhead.py results/demo --cores 2 --wall 700

``--wall`` is the "Elapsed time" that Snakemake prints, in seconds. The stages time their own
work, without imports: the training loop, the measures, the classifier's epochs, and writing figures and tables.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

import pandas as pd


def _logged(path: Path, stage: str) -> float:
    return float(re.search(rf"{stage}: ([\d.]+) s", path.read_text())[1])


def main() -> None:
    """Print seconds of core time and their share of cores × wall."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("--cores", type=int, required=True)
    parser.add_argument("--wall", type=float, required=True)
    options = parser.parse_args()
    costs = pd.read_parquet(options.results / "costs.parquet").groupby("stage")["seconds"].sum()
    references = [json.loads(path.read_text()) for path in options.results.glob("*/data/*/measures.json")]
    jobs = pd.concat([pd.read_csv(path, sep="\t") for path in (options.results / "benchmarks").rglob("*.tsv")])
    logs = options.results / "logs"
    classifiers = sum(_logged(path, "classifier") for path in (logs / "classifier").glob("*.log"))
    drawing = sum(_logged(logs / f"{stage}.log", stage) for stage in ("figures", "tables"))
    measured = sum(cost["seconds"] for reference in references for cost in reference["costs"].values())
    available = options.cores * options.wall
    rows = {
        "training": costs["train"],
        "measuring": costs["measure"] + costs["evaluate"] + measured + classifiers,
        "drawing": drawing,
    }
    rows["start-up and imports of jobs"] = jobs["s"].sum() - sum(rows.values())
    rows["scheduling and idle cores"] = available - jobs["s"].sum()
    sys.stdout.write(f"{len(jobs)} jobs, {options.wall:.0f} s on {options.cores} cores\n")
    for name, seconds in rows.items():
        sys.stdout.write(f"{name:32} {seconds:8.1f} core s  {seconds / available:6.1%}\n")


if __name__ == "__main__":
    main()
