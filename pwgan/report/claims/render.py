"""The page of claims as Markdown and as self-contained HTML."""

from __future__ import annotations

import base64
import html
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Rows = list[tuple[str, ...]]


@dataclass(frozen=True)
class Text:
    """A title, heading, paragraph or item of a list; ``**bold**`` is the only mark."""

    kind: Literal["title", "heading", "subheading", "text", "item"]
    text: str


@dataclass(frozen=True)
class Figure:
    """A figure; its caption says what it answers, and its values lie beside it as CSV."""

    path: Path
    caption: str


@dataclass(frozen=True)
class Grid:
    """A table: a row of headings and rows of cells."""

    headings: tuple[str, ...]
    rows: Rows


Block = Text | Figure | Grid
FORMS = {"title": "# {}", "heading": "## {}", "subheading": "### {}", "text": "{}", "item": "- {}"}
TAGS = {"title": "h1", "heading": "h2", "subheading": "h3", "text": "p", "item": "li"}
STYLE = (
    "body{font:15px/1.5 sans-serif;margin:2em auto;max-width:70em;padding:0 "
    "1em;color:#222}img{max-width:100%}h2{border-bottom:1px solid #ccc}h3{margin:1.6em 0 .2em}p{margin:.4em "
    "0}.caption{font-size:.9em}table{border-collapse:collapse;font-size:.8em}td,th{padding:.2em .6em;border-bottom:1px "
    "solid #ddd;text-align:left;vertical-align:top}"
)


def markdown_table(grid: Grid) -> str:
    """Render a table as Markdown."""
    rows = [grid.headings, ("---",) * len(grid.headings), *grid.rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows)


def as_markdown(blocks: Iterable[Block], out: Path) -> str:
    """Render a page as Markdown, with links to figures and their values relative to the folder ``out``."""
    text, previous = "", None
    for block in blocks:
        if isinstance(block, Grid):
            part = markdown_table(block)
        elif isinstance(block, Figure):
            image, values = (
                Path(os.path.relpath(path, out)).as_posix() for path in (block.path, block.path.with_suffix(".csv"))
            )
            part = f"![{block.path.stem}]({image})\n\n{block.caption} Values: [{Path(values).name}]({values})."
        else:
            part = FORMS[block.kind].format(block.text)
        listed = isinstance(block, Text) and block.kind == "item"
        text += ("\n" if listed and previous else "\n\n" if text else "") + part
        previous = listed
    return text + "\n"


def as_html(blocks: Iterable[Block], title: str) -> str:
    """Render a page as self-contained HTML with embedded figures."""
    body = "\n".join(_html(block) for block in blocks)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def _html(block: Block) -> str:
    if isinstance(block, Grid):
        head = "".join(f"<th>{_marked(cell)}</th>" for cell in block.headings)
        rows = "\n".join("<tr>" + "".join(f"<td>{_marked(cell)}</td>" for cell in row) + "</tr>" for row in block.rows)
        return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody></table>"
    if isinstance(block, Figure):
        data = base64.b64encode(block.path.read_bytes()).decode()
        image = f'<img alt="{html.escape(block.path.stem)}" src="data:image/png;base64,{data}">'
        return f'{image}\n<p class="caption">{_marked(block.caption)} Values: {block.path.stem}.csv.</p>'
    tag = TAGS[block.kind]
    return f"<{tag}>{_marked(block.text)}</{tag}>"


def _marked(text: str) -> str:
    """Escape a text and set what is marked in bold."""
    return re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", html.escape(text, quote=False))
