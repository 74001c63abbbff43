"""A table as Markdown and as HTML."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

STYLE = (
    "body{font:14px sans-serif;margin:1.5em;color:#222}table{border-collapse:collapse}caption{text-align:left}"
    "td,th{padding:.25em .8em;border-bottom:1px solid #ddd;text-align:right;white-space:nowrap}"
    "td:first-child,th:first-child{text-align:left}thead th{border-bottom:2px solid #555}p{max-width:60em}"
)


class Table(NamedTuple):
    """A table for reading: a title, a caption, and one block of text cells per data set.

    ``best`` maps the title of a block to a boolean frame of the same shape, true for cells that are set in bold.
    """

    title: str
    caption: str
    blocks: Mapping[str, pd.DataFrame]
    best: Mapping[str, pd.DataFrame] = {}

    def cells(self, title: str, mark: str) -> list[list[str]]:
        """Return the rows of a block, with the format string ``mark`` applied to cells in bold."""
        rows = self.blocks[title].astype(str).to_numpy(dtype=object, copy=True)
        if title in self.best:
            bold = self.best[title].to_numpy(dtype=bool)
            rows[bold] = [mark.format(cell) for cell in rows[bold]]
        return rows.tolist()


def markdown(table: Table) -> str:
    """Render a table as Markdown, with one heading and one grid per data set."""
    parts = [f"# {table.title}", table.caption]
    for title, block in table.blocks.items():
        rows = [list(block.columns), ["---"] * block.shape[1], *table.cells(title, "**{}**")]
        grid = "\n".join("| " + " | ".join(value.replace("|", "\\|") for value in row) + " |" for row in rows)
        parts += [f"## {title}", grid]
    return "\n\n".join(parts) + "\n"


def page(table: Table) -> str:
    """Render a table as a self-contained HTML page."""
    title = html.escape(table.title)
    caption = re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(table.caption))
    escaped = table._replace(
        blocks={key: block.astype(str).map(html.escape) for key, block in table.blocks.items()},
    )
    grids = "".join(_grid(escaped, key) for key in table.blocks)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
        f"</head>\n<body><h1>{title}</h1>\n<p>{caption}</p>\n{grids}</body></html>\n"
    )


def _grid(escaped: Table, title: str) -> str:
    """Render one block whose cells are already escaped."""
    head = "".join(f"<th>{html.escape(column)}</th>" for column in escaped.blocks[title].columns)
    rows = ("".join(f"<td>{cell}</td>" for cell in row) for row in escaped.cells(title, "<b>{}</b>"))
    body = "\n".join(f"<tr>{row}</tr>" for row in rows)
    heading = html.escape(title)
    return f"<h2>{heading}</h2>\n<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table>\n"
