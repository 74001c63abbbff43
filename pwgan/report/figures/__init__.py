"""The figures of a study, one module each: ``data`` says what is drawn, ``draw`` draws it from the CSV beside it.

A module here is drawn once, one in ``each`` for each data set (``plugins``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from pwgan.data.store import read_data
from pwgan.errors import Refused
from pwgan.options import one_of
from pwgan.report import plugins
from pwgan.report.frames import CELL, COLUMNS, REFERENCE, read, typed
from pwgan.report.style import MOST, themed
from pwgan.runtime import atomic_write

# Dates would make the same figure other bytes each time.
METADATA: dict[str, dict[str, Any]] = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}


def write_figures(
    results: str | Path, output: str | Path, highlight: Iterable[str] = (), formats: Iterable[str] = ("png",)
) -> None:
    """Write every figure as NAME.csv and NAME.png, and in the other formats, into ``output``.

    ``highlight`` names the methods that figures show in colour; without a name, all, or the first six of the study.
    Raises ``Refused`` for a method that the study lacks. A figure that cannot be drawn leaves no file and keeps none of
    the others from being written; its error is raised at the end.
    """
    results, output = Path(results), Path(output)
    frame = cache(partial(read, results))
    given: dict[str, Any] = {name: partial(frame, name) for name in COLUMNS}
    runs = frame("runs")
    known = list(runs["method"].unique())
    named = [one_of(name, known, "method of this study in highlight") for name in highlight] or known[:MOST]
    suffixes = dict.fromkeys(["png", *formats])
    jobs: list[tuple[plugins.Kind, str, str, dict[str, Any]]] = [
        ("figures", name, name, given) for name in plugins.names("figures")
    ]
    for dataset in runs["dataset"].unique():
        law = cache(partial(read_data, results / "data" / f"{dataset}.safetensors"))
        place = {"dataset": dataset, "law": law, "folders": folders(results, runs, dataset)}
        jobs += [("figures/each", name, f"{name}-{dataset}", given | place) for name in plugins.names("figures/each")]
    errors = []
    for kind, name, stem, frames in jobs:
        try:
            _write(plugins.load(kind, name), output / stem, frames, named, suffixes)
        except Exception as error:
            error.add_note(f"while drawing {stem}")
            errors.append(error)
    if len(errors) == 1:
        raise errors[0]
    if errors and all(isinstance(error, Refused | OSError) for error in errors):
        raise Refused(f"{len(errors)} figures cannot be drawn: {'; '.join(dict.fromkeys(map(str, errors)))}")
    if errors:
        raise ExceptionGroup(f"{len(errors)} figures cannot be drawn", errors)


def folders(results: Path, runs: pd.DataFrame, dataset: str) -> dict[tuple[str, int | None], Path]:
    """Return where the samples of each (method, m) of a data set lie: its first block of seeds, and the reference."""
    rows = runs[runs["dataset"] == dataset].drop_duplicates(CELL)
    cells = zip(rows["method"], rows["batch_size"], rows["folder"], strict=True)
    reference: dict[tuple[str, int | None], Path] = {(REFERENCE, None): results / dataset / REFERENCE}
    return reference | {(method, int(size)): results / folder for method, size, folder in cells}


def _write(module: ModuleType, path: Path, given: Mapping[str, Any], named: list[str], suffixes: Iterable[str]) -> None:
    """Write one figure, all of its files or none."""
    frame = plugins.call(module.data, given)
    with ExitStack() as stack:
        table, *pages = (stack.enter_context(atomic_write(f"{path}.{suffix}")) for suffix in ("csv", *suffixes))
        frame.to_csv(table, index=False)
        drawn = plugins.call(module.draw, {**given, "frame": load(table), "highlight": named})
        plt.close(drawn)  # seaborn's grids are in pyplot's hands, which would keep them all
        for page in pages:
            _render(drawn, page)


def load(path: str | Path) -> pd.DataFrame:
    """Read the CSV of a figure; names and pixels stay text, even a method called ``nan``, ``inf`` or ``True``."""
    text = dict.fromkeys(("pixels", "dataset", "method", "critic", "generator", "sampler", "measure"), str)
    frame = pd.read_csv(path, dtype=text, keep_default_na=False, na_values=[""])
    return typed(frame) if "batch_size" in frame else frame


@themed
def _render(figure: Figure, path: Path) -> None:
    kind = path.suffix.removeprefix(".")
    figure.savefig(path, format=kind, metadata=METADATA.get(kind))


def save(figure: Figure, path: Path) -> None:
    """Write a figure, whole or not at all, in the format that the name ends in."""
    with atomic_write(path) as aside:
        _render(figure, aside)
