from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from pwgan.report.frames import read
from pwgan.report.names import TABLE_FORMATS, TABLES
from pwgan.report.tables import Table, bias_table, cell, cost_table, main_table, markdown, page, readable, write_tables

pytestmark = pytest.mark.filterwarnings("error")


def measured(values, dataset="ring8", method="gan", m=16, measure="ewd@10"):
    key = {"dataset": dataset, "method": method, "batch_size": m, "measure": measure}
    return [{**key, "seed": seed, "value": value} for seed, value in enumerate(values)]


def ran(statuses, dataset="ring8", method="gan", m=16):
    key = {"dataset": dataset, "method": method, "batch_size": m, "history_points": 10}
    return [{**key, "seed": seed, "status": status} for seed, status in enumerate(statuses)]


def frame(rows):
    return pd.DataFrame(rows).astype({"batch_size": "Int64"})


def rows_of(text, dataset):
    block = text.split(f"## {dataset}\n")[1].split("## ")[0].strip().splitlines()
    return [[value.strip() for value in line.strip("|").split("|")] for line in block]


def test_main_table_by_hand():
    measures = frame(
        measured([1.0, 2.0, 3.0, 4.0])
        + measured([np.nan] * 4, m=64)
        + measured([8.0] * 4, measure="modes@50")
        + measured([0.5] * 4, method="data", m=None)
        + measured([0.1] * 4, method="data", m=None, measure="ewd-history@10")
        + measured([70.0, 90.0], dataset="digits", measure="fd@9")
    )
    runs = frame(ran(["ok"] * 4) + ran(["diverged"] * 4, m=64) + ran(["ok"] * 2, dataset="digits"))
    long = main_table(measures, runs)
    first = long[(long["method"] == "gan") & (long["batch_size"] == 16) & (long["measure"] == "ewd@10")].iloc[0]
    # t_{0.975, 3} = 3.18245; s = sqrt(5/3); n = 4.
    assert (first["mean"], first["seeds"], first["diverged"]) == (2.5, 4, 0)
    assert first["half_width"] == pytest.approx(3.1824463 * (5 / 3) ** 0.5 / 2)
    text = markdown(readable("main", long))
    assert rows_of(text, "ring8") == [
        ["method", "m", "ewd@10", "modes@50", "seeds", "diverged"],
        ["---"] * 6,
        ["data", "-", "0.5 ± 0", "-", "4", "0"],
        ["gan", "16", "2.5 ± 2.1", "8 ± 0", "4", "0"],
        ["gan", "64", "-", "-", "0", "4"],
    ]
    assert rows_of(text, "digits")[0] == ["method", "m", "fd@9", "seeds", "diverged"]


@pytest.mark.parametrize(
    ("mean", "half_width", "text"),
    [
        (0.123456, 0.0123, "0.123 ± 0.012"),
        (123.456, 45.6, "123 ± 46"),
        (1234.5, 456.7, "1234 ± 457"),
        (0.000399, 0.0000098, "(3.990 ± 0.098)e-04"),
        (3.21e-9, 1.2e-10, "(3.21 ± 0.12)e-09"),
        (0.0, 3e-8, "(0.0 ± 3.0)e-08"),
        (0.3, 1e-7, "0.3 ± 0"),
        (0.0, 0.0, "0 ± 0"),
        (8.0, 0.0, "8 ± 0"),
        (0.25, np.nan, "0.25"),
        (np.inf, np.nan, "inf"),
        (np.nan, np.nan, "-"),
    ],
)
def test_cell(mean, half_width, text):
    assert cell(mean, half_width) == text


def test_bias_table_by_hand(study):
    results, _ = study(datasets=("ring8",), methods=("pwgan",), sizes=(16,), seeds=3)
    bias = read(results, "bias")
    table = bias_table(bias, read(results, "runs"))
    assert len(table) == 2 * 4 * 8
    row = table[(table["method"] == "pwgan") & (table["eval_batch"] == 64) & (table["measure"] == "bound")].iloc[0]
    values = bias.loc[(bias["method"] == "pwgan") & (bias["eval_batch"] == 64), "bound"]
    # t_{0.975, 2} = 4.302653.
    assert row["mean"] == pytest.approx(values.mean())
    assert row["half_width"] == pytest.approx(4.3026527 * values.std() / 3**0.5)
    text = markdown(readable("bias", table))
    assert [line[3] for line in rows_of(text, "ring8")[2:]] == ["16", "64", "256", "1024"] * 2
    assert rows_of(text, "ring8")[2][-3:] == ["-", "3", "0"]


def test_cost_table_by_hand():
    rows = [
        {"first_seed": 0, "seeds": 8, "seconds": 10.0, "peak_memory_mb": 100.0, "device": "cpu"},
        {"first_seed": 8, "seeds": 2, "seconds": 6.0, "peak_memory_mb": 300.0, "device": "cpu"},
    ]
    key = {"dataset": "ring8", "method": "gan", "batch_size": 16, "stage": "train"}
    (found,) = cost_table(frame([{**key, **row} for row in rows])).to_dict("records")
    assert (found["blocks"], found["seeds"], found["peak_memory_mb"], found["device"]) == (2, 10, 300.0, "cpu")
    assert found["seconds_per_block"] == 8.0 and found["seconds_per_seed"] == pytest.approx(1.6)


@pytest.mark.parametrize("lost", [0, 2, 1])
def test_write_tables_writes_every_name_in_every_format(study, tmp_path, lost):
    results, _ = study(sizes=(16,), seeds=2, diverged={("ring8", "gan", 16): lost})
    write_tables(results, tmp_path / "tables")
    assert {path.name for path in (tmp_path / "tables").iterdir()} == {
        f"{n}.{s}" for n in TABLES for s in TABLE_FORMATS
    }
    main = pd.read_csv(tmp_path / "tables" / "main.csv")
    expected = main_table(read(results, "measures"), read(results, "runs")).astype({"batch_size": float})
    pd.testing.assert_frame_equal(main, expected, check_dtype=False)
    gan = rows_of((tmp_path / "tables" / "main.md").read_text(), "ring8")[3]
    assert gan[0] == "gan" and gan[-2:] == [str(2 - lost), str(lost)]


def test_pages_escape_names_and_close_their_tags():
    table = Table("a < b", "x & y", {"<i>": pd.DataFrame({"m|n": ["<b>"]})})
    assert "m\\|n" in markdown(table)
    opened = []

    class Tags(HTMLParser):
        def handle_starttag(self, tag, attrs):
            opened.extend([tag] if tag != "meta" else [])

        def handle_endtag(self, tag):
            assert opened.pop() == tag

    Tags().feed(page(table))
    assert not opened and "&lt;b&gt;" in page(table) and "<i>" not in page(table)


def test_a_missing_column_is_named(study):
    results, _ = study(datasets=("ring8",), methods=("gan",), sizes=(16,), seeds=1)
    path = results / "costs.parquet"
    pd.read_parquet(path).drop(columns="seconds").to_parquet(path)
    with pytest.raises(ValueError, match=r"costs\.parquet lacks \['seconds'\]"):
        write_tables(results, results / "tables")
    assert not (results / "tables").exists()
