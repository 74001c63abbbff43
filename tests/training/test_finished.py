"""A finished block is trained again only if data, options, code or threads changed, a file is damaged, or if asked."""

import logging
from dataclasses import replace

import pytest
import torch

from pwgan.training.run import FILES, train

CPU = torch.device("cpu")


@pytest.fixture
def done(block, data, tmp_path, caplog):
    """Train a block; return a function that trains it again, with changes, and returns whether it did."""
    cell = block(steps=4, evaluate_every=2).training
    train(cell, data, tmp_path, CPU)

    def again(changed=None, other=None, force=False):
        caplog.clear()
        with caplog.at_level(logging.INFO, logger="pwgan"):
            train(cell.model_copy(update=changed or {}), other or data, tmp_path, CPU, force)
        took = "step 0 of 4" in caplog.text
        assert took != ("finished, and nothing to do" in caplog.text)
        return took

    return again


def test_a_finished_block_is_left_alone_unless_forced(done, tmp_path):
    files = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in tmp_path.iterdir() if path.name != ".lock"}
    assert not done()
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files} == files
    assert done(force=True)
    assert all(path.read_bytes() == files[path][1] for path in files if path.name != "run.json")
    assert not done()


def test_other_options_data_or_code_train_again(done, data, monkeypatch):
    assert done({"options": {"generator_lr": 0.5}})
    assert done()
    assert done(other=replace(data, train=data.train[:-1]))
    monkeypatch.setattr("pwgan.training.checkpoint.closure", lambda *modules: ["pwgan/__init__.py"])
    assert done() and not done()


def test_another_number_of_threads_trains_again(done, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    assert done() and not done()


@pytest.mark.parametrize("name", FILES.values())
def test_a_missing_or_damaged_file_trains_again(done, tmp_path, name):
    (tmp_path / name).unlink()
    assert done()
    content = bytearray((tmp_path / name).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / name).write_bytes(content)
    assert done() and not done()


def test_the_checkpoint_of_a_run_that_was_killed_after_its_last_file_is_removed(done, tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes(b"left over")
    assert not done() and not (tmp_path / "checkpoint.pt").exists()
