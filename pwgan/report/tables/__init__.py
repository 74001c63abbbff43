"""The tables of a study, one module each, written as CSV (long, numeric) and as Markdown and HTML (for reading)."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from pwgan.report import FRAMES, plugins
from pwgan.report.frames import read
from pwgan.report.tables._cells import ABSENT, cell
from pwgan.report.tables._pages import Table, markdown, page
from pwgan.report.tables.bias import data as bias_table
from pwgan.report.tables.cost import data as cost_table
from pwgan.report.tables.provenance import sentence
from pwgan.runtime import atomic_write

__all__ = ["ABSENT", "Table", "bias_table", "cell", "cost_table", "markdown", "page", "write_tables"]


def write_tables(results: str | Path, output: str | Path) -> None:
    """Write every table as .csv, .md and .html into ``output``, from the frames in ``results``.

    The caption of each ends with what the results were made with.
    """
    frames = {name: partial(read, results, name) for name in FRAMES}
    made = sentence(frames["provenance"]())
    texts = {}
    for name in plugins.names("tables"):
        module = plugins.load("tables", name)
        frame = plugins.call(module.data, frames)
        table = module.readable(frame)
        table = table._replace(caption=f"{table.caption} {made}")
        texts[f"{name}.csv"] = frame.to_csv(index=False)
        texts |= {f"{name}.md": markdown(table), f"{name}.html": page(table)}
    for file, text in texts.items():
        with atomic_write(Path(output) / file) as temporary:
            temporary.write_text(text, encoding="utf-8")
