"""The figures of a study, one module each: ``data`` returns the plotted values, ``draw`` plots them from the CSV.

Modules in this folder are drawn once per study, those in ``each`` once per data set (see ``plugins``).
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

from pwgan.data.store import StoredData, read_data
from pwgan.errors import Refused
from pwgan.options import one_of
from pwgan.report import plugins
from pwgan.report.frames import CELL, COLUMNS, REFERENCE, read, typed
from pwgan.report.style import MOST, themed
from pwgan.runtime import atomic_write

# Without dates, the same figure is always the same file, byte by byte.
METADATA: dict[str, dict[str, Any]] = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}


def write_figures(
    results: str | Path, output: str | Path, highlight: Iterable[str] = (), formats: Iterable[str] = ("png",)
) -> None:
    """Write every figure as NAME.csv and NAME.png, and in the other formats, into ``output``.

    ``highlight`` names the methods that figures show in colour; by default, the first six methods of the study.
    Raises ``Refused`` for a method that is not in the study. If a figure cannot be drawn, none of its files is written,
    all other figures are, and the error is raised at the end.
    """
    results, output = Path(results), Path(output)
    frame = cache(partial(read, results))
    frames: dict[str, Any] = {name: partial(frame, name) for name in COLUMNS}
    runs = frame("runs")
    known = list(runs["method"].unique())
    named = [one_of(name, known, "method of this study in highlight") for name in highlight] or known[:MOST]
    suffixes = dict.fromkeys(["png", *formats])
    jobs: list[tuple[plugins.Kind, str, str, dict[str, Any]]] = [
        ("figures", name, name, frames) for name in plugins.names("figures")
    ]
    files = frame("datasets").set_index("dataset")["file"]
    for dataset in runs["dataset"].unique():
        law = cache(partial(first_draw, results / files[dataset]))
        values = frames | {"dataset": dataset, "law": law, "folders": folders(results, runs, dataset)}
        jobs += [("figures/each", name, f"{name}-{dataset}", values) for name in plugins.names("figures/each")]
    errors = []
    for kind, name, stem, values in jobs:
        try:
            _write(plugins.load(kind, name), output / stem, values, named, suffixes)
        except Exception as error:
            error.add_note(f"while drawing {stem}")
            errors.append(error)
    if len(errors) == 1:
        raise errors[0]
    if errors and all(isinstance(error, Refused | OSError) for error in errors):
        raise Refused(f"{len(errors)} figures cannot be drawn: {'; '.join(dict.fromkeys(map(str, errors)))}")
    if errors:
        raise ExceptionGroup(f"{len(errors)} figures cannot be drawn", errors)


def first_draw(path: Path) -> StoredData:
    """Return a stored data set, of a law the draw of its first seed."""
    return read_data(path).first_draw()


def folders(results: Path, runs: pd.DataFrame, dataset: str) -> dict[tuple[str, int | None], Path]:
    """Return the folder with the samples of each (method, m) of a data set: its first block, or the reference."""
    rows = runs[runs["dataset"] == dataset].drop_duplicates(CELL)
    cells = zip(rows["method"], rows["batch_size"], rows["folder"], strict=True)
    first = Path(rows["folder"].iloc[0]).name
    reference: dict[tuple[str, int | None], Path] = {(REFERENCE, None): results / dataset / REFERENCE / first}
    return reference | {(method, int(size)): results / folder for method, size, folder in cells}


def _write(
    module: ModuleType, path: Path, values: Mapping[str, Any], named: list[str], suffixes: Iterable[str]
) -> None:
    """Write all files of one figure, or none of them."""
    frame = plugins.call(module.data, values)
    with ExitStack() as stack:
        table, *pages = (stack.enter_context(atomic_write(f"{path}.{suffix}")) for suffix in ("csv", *suffixes))
        frame.to_csv(table, index=False)
        drawn = plugins.call(module.draw, {**values, "frame": load(table), "highlight": named})
        plt.close(drawn)  # seaborn registers its grids with pyplot, which would keep them all in memory
        for page in pages:
            _render(drawn, page)


def load(path: str | Path) -> pd.DataFrame:
    """Read the CSV of a figure, with names and pixels as text, even for a method named ``nan``, ``inf`` or ``True``."""
    text = dict.fromkeys(("pixels", "dataset", "method", "critic", "generator", "sampler", "measure"), str)
    frame = pd.read_csv(path, dtype=text, keep_default_na=False, na_values=[""])
    return typed(frame) if "batch_size" in frame else frame


@themed
def _render(figure: Figure, path: Path) -> None:
    kind = path.suffix.removeprefix(".")
    figure.savefig(path, format=kind, metadata=METADATA.get(kind))


def save(figure: Figure, path: Path) -> None:
    """Write a figure atomically, in the format given by the suffix of the path."""
    with atomic_write(path) as temporary:
        _render(figure, temporary)
