"""The benchmark of training: its table, and that the plain loop trains the same networks."""

import sys

import pytest
import torch
import training


@pytest.mark.parametrize("case", training.CASES)
def test_plain_networks_have_our_number_of_parameters(case):
    network, size, m, seeds = case
    cell = training.cell(network, size, m, seeds, "nsgan")
    pair = cell.network.build(range(1), (1, size, size), "batch")
    for ours, plain in zip(pair, training.plain_networks(network, size), strict=True):
        assert sum(p.numel() for p in plain.parameters()) == sum(p.numel() for p in ours.parameters())


def test_the_plain_primal_learns_constant_images():
    torch.manual_seed(0)
    real = torch.full((20, 1, 8, 8), 0.5)
    step = training.plain_step({"name": "mlp", "width": 16, "depth": 1}, 8, 8, "pwgan", real)
    losses = [float(step()) for _ in range(300)]
    assert losses[0] > 3 and losses[-1] < 1


def test_the_table_has_a_row_for_each_case_and_method(monkeypatch, tmp_path, capsys):
    table = tmp_path / "table.md"
    monkeypatch.setattr(training, "CASES", [({"name": "mlp", "width": 8, "depth": 1}, 8, 8, 2)])
    arguments = ["training.py", "--cases", "0", "--rounds", "1", "--steps", "1", "--out", str(table)]
    monkeypatch.setattr(sys, "argv", arguments)
    threads = torch.get_num_threads()
    training.main()
    torch.set_num_threads(threads)
    lines = table.read_text().splitlines()
    assert capsys.readouterr().out.splitlines() == lines
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[-2:]]
    assert [row[:5] for row in rows] == [["mlp 8", "8", method, "8", "2"] for method in training.METHODS]
    assert all(float(value) > 0 for row in rows for value in row[5:])
