"""Cells of tables, the pages that they stand on, and what both are made of."""

import re
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pwgan.errors import Refused
from pwgan.report import plugins
from pwgan.report.frames import KIND
from pwgan.report.tables import ABSENT, Table, cell, markdown, page, write_tables
from pwgan.seals import check, write_frame

pytestmark = pytest.mark.filterwarnings("error")


@pytest.mark.parametrize(
    ("mean", "half_width", "text"),
    [
        (0.123456, 0.0123, "0.123 ± 0.012"),
        (123.456, 45.6, "123 ± 46"),
        (1234.5, 456.7, "1234 ± 457"),
        (0.000399, 0.0000098, "(3.990 ± 0.098)e-04"),
        (3.21e-9, 1.2e-10, "(3.21 ± 0.12)e-09"),
        (0.0, 3e-8, "(0.0 ± 3.0)e-08"),
        (-1e-17, 0.24, "0.00 ± 0.24"),
        (0.3, 1e-7, "0.3 ± 0"),
        (0.0, 0.0, "0 ± 0"),
        (8.0, 0.0, "8 ± 0"),
        (0.25, np.nan, "0.25"),
        (np.inf, np.nan, "inf"),
        (np.nan, np.nan, ABSENT),
    ],
)
def test_cell(mean, half_width, text):
    assert cell(mean, half_width) == text


@given(st.floats(-1e6, 1e6), st.floats(-12, 7))
def test_a_cell_reads_back_to_within_its_last_digit(mean, exponent):
    half_width = 10.0**exponent
    number = r"(-?\d+(?:\.(\d+))?(?:e[-+]\d+)?)"
    read_back = re.fullmatch(rf"\(?{number} ± {number}(?:\)e([-+]?\d+))?", cell(mean, half_width))
    first, decimals, second, others, power = read_back.groups()
    scale = 10.0 ** int(power or 0)
    if second == "0":
        assert half_width <= 1e-5 * abs(mean) and float(first) == pytest.approx(mean, rel=1e-3)
    else:
        assert len(decimals or "") == len(others or "")
        last = scale * 10.0 ** -len(decimals or "") * (0.5 + 1e-6)
        assert abs(float(first) * scale - mean) <= last and abs(float(second) * scale - half_width) <= last
        assert float(second) * scale == pytest.approx(half_width, rel=0.05 + 1e-9)


def test_pages_escape_names_and_close_their_tags():
    blocks = {"<i>": pd.DataFrame({"m|n": ["<b>", "2"]})}
    table = Table("a < b", "x & `y`", blocks, {"<i>": pd.DataFrame({"m|n": [True, False]})})
    assert "m\\|n" in markdown(table) and "| **<b>** |" in markdown(table)
    opened = []

    class Tags(HTMLParser):
        def handle_starttag(self, tag, attrs):
            opened.extend([tag] if tag != "meta" else [])

        def handle_endtag(self, tag):
            assert opened.pop() == tag

    Tags().feed(page(table))
    assert "<p>x &amp; <code>y</code></p>" in page(table)
    assert not opened and "<td><b>&lt;b&gt;</b></td>" in page(table) and "<i>" not in page(table)


def test_every_measure_of_the_documentation_is_in_a_table():
    names = {name for table in plugins.names("tables") for name in getattr(plugins.load("tables", table), "NAMES", ())}
    text = (plugins.PACKAGE.parent / "docs" / "measures.md").read_text(encoding="utf-8")
    told = {name.partition("-inception")[0] for row in text.splitlines() if row.startswith("| `") for name in
            re.findall(r"`([\w-]+)`", row.split(" | ")[0])}  # fmt: skip
    assert told == names


def test_tables_do_without_torch():
    every = ", ".join(["pwgan.report.tables", *plugins.modules("tables")])
    code = f"import sys, {every}; assert not {{'torch', 'matplotlib'}} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_missing_column_is_named(study):
    results, _ = study(datasets=("ring8",), methods=("gan",), sizes=(16,), seeds=1)
    path = results / "costs.parquet"
    frame = pd.read_parquet(path).drop(columns="seconds")
    write_frame(path, f"{KIND}costs", check(path, f"{KIND}costs").of, frame)
    with pytest.raises(Refused, match=r"costs\.parquet lacks \['seconds'\]"):
        write_tables(results, results / "tables")
    assert not (results / "tables").exists()
