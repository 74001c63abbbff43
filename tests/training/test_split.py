"""A block that the GPU does not hold is trained in parts, with the numbers of the whole block."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from pwgan.errors import Refused
from pwgan.seals import read_array, read_json, read_tensors
from pwgan.training.checkpoint import State, origin
from pwgan.training.loop import Trainer
from pwgan.training.run import FILES, finished, train
from pwgan.training.split import joined

CPU = torch.device("cpu")


@pytest.fixture
def small(monkeypatch):
    """Return a function that lets training run out of memory, at its third step, with more than so many seeds."""
    iterate = Trainer._iterate

    def limit(seeds):
        def stopped(self):
            if self.cell.seeds > seeds and self.state.step == 3:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB. GPU 0 has 1 GiB.")
            return iterate(self)

        monkeypatch.setattr(Trainer, "_iterate", stopped)

    return limit


@pytest.mark.parametrize("method", ["nsgan", "pwgan"])
@pytest.mark.parametrize("held", [1, 2])
def test_parts_have_the_numbers_of_the_whole(block, data, tmp_path, small, caplog, method, held):
    cell = block(method, seeds=3, steps=6, evaluate_every=3).training
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(cell, data, whole, CPU)
    small(held)
    train(cell, data, parts, CPU)
    assert "the GPU does not hold 3 seeds at once (CUDA out of memory); training 2, then 1" in caplog.text
    assert ("training 1, then 1" in caplog.text) == (held == 1)
    for name in ("history", "ranking"):
        one, other = (pd.read_parquet(folder / FILES[name]) for folder in (whole, parts))
        pd.testing.assert_frame_equal(one, other, rtol=1e-4, atol=1e-6)
    for name in ("generator", "snapshots"):
        one, other = (read_tensors(folder / FILES[name], name, cell.identity) for folder in (whole, parts))
        assert one[1] == other[1] and one[0].keys() == other[0].keys()
        for key in one[0]:
            torch.testing.assert_close(one[0][key], other[0][key], rtol=1e-4, atol=1e-5)
    one, other = (read_array(folder / FILES["samples"], "samples", cell.identity) for folder in (whole, parts))
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    one, other = (read_json(folder / FILES["run"], "run", cell.identity) for folder in (whole, parts))
    assert [one[key] for key in ("seeds", "steps", "origin")] == [other[key] for key in ("seeds", "steps", "origin")]
    assert finished(parts, cell, data, CPU) and not list(parts.glob("checkpoint*"))


def test_one_seed_that_does_not_fit_is_refused(block, data, tmp_path, small):
    small(0)
    cell = block(seeds=2, steps=6).training
    with pytest.raises(Refused, match=r"does not hold one seed \(CUDA out of memory\); use a smaller mini-batch"):
        train(cell, data, tmp_path, CPU)


def test_another_error_is_not_caught(block, data, tmp_path, monkeypatch):
    def broken(self):
        raise RuntimeError("a bug")

    monkeypatch.setattr(Trainer, "_iterate", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        train(block(seeds=2, steps=6).training, data, tmp_path, CPU)


def test_a_part_whose_seeds_all_diverged_is_filled_up(block, data, tmp_path):
    cell = block("nsgan", seeds=3, steps=4, evaluate_every=2).training
    states = []
    for first, seeds in ((cell.first_seed, 1), (cell.first_seed + 1, 2)):
        part = cell.model_copy(update={"first_seed": first, "seeds": seeds})
        states.append(Trainer(part, data, CPU).run(tmp_path / f"{first}.pt"))
    early: State = replace(states[0], step=2, history=states[0].history[:2], snapshots=states[0].snapshots[:1])
    both = joined(cell, data, [early, states[1]])
    assert both.step == 4 and both.origin == origin(cell, data)
    assert [step for step, _ in both.history] == [step for step, _ in states[1].history]
    assert [snapshot.step for snapshot in both.snapshots] == [0, 2, 4]
    for mine, theirs in zip(both.history, states[1].history, strict=True):
        assert torch.equal(mine[1][:, 1:].nan_to_num(9), theirs[1].nan_to_num(9))
    last = both.snapshots[-1]
    assert last.samples[0].isnan().all() and torch.equal(last.samples[1:], states[1].snapshots[-1].samples)
    assert last.auc.shape == (3, 3) and last.auc[:, 0].isnan().all()
