"""The benchmark of pwgan's step: its table, and that both ways train the same."""

import sys

import costs as benchmark
import pytest
import torch

import pwgan.transport.cost as costs


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    monkeypatch.setattr(benchmark, "NETWORKS", {"mlp": {"width": 8, "depth": 1}})
    table = tmp_path / "table.md"
    monkeypatch.setattr(sys, "argv", ["costs.py", "--m", "8", "--rounds", "1", "--steps", "1", "--out", str(table)])
    threads = torch.get_num_threads()
    yield table
    torch.set_num_threads(threads)


def test_the_table_names_day_and_machine_and_has_a_row_for_each_cell(tiny, capsys):
    benchmark.main()
    lines = tiny.read_text().splitlines()
    assert capsys.readouterr().out.splitlines() == lines
    assert lines[2].startswith("20") and "torch" in lines[2] and "Two seeds, 28×28 pixels" in lines[2]
    network, m, before, after, ratio = (cell.strip() for cell in lines[-1].strip("|").split("|"))
    assert (network, m) == ("mlp", "8") and float(before) > 0 and float(after) > 0 and float(ratio) > 0
    assert costs.matching_cost is benchmark.WAYS["product"]


def test_two_ways_that_match_differently_are_no_comparison(tiny, monkeypatch):
    monkeypatch.setitem(benchmark.WAYS, "differences", lambda x, y, name: -costs.cost(x, y, name))
    with pytest.raises(ArithmeticError, match="the first matchings of mlp cost"):
        benchmark.main()
