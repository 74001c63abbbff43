"""A run resumes from its own checkpoint with bit-identical results; other files are rejected and never executed."""

import errno
import logging
import pickle
import re
from dataclasses import replace

import pytest
import torch

from pwgan.methods import methods
from pwgan.networks.dcgan import DCGAN
from pwgan.training.checkpoint import load_checkpoint, origin, save_checkpoint, stamp
from pwgan.training.loop import Trainer
from pwgan.training.run import train

CPU = torch.device("cpu")


class Stopped(Exception):
    """Stands for whatever ends a job at a step."""


@pytest.fixture
def stop(monkeypatch):
    """Return a function that makes training stop in the middle of a step, after the critic's part of it."""
    descend = Trainer._descend

    def at(step):
        def stopping(self, network, losses):
            if network == "generator" and self.state.step == step:
                raise Stopped
            descend(self, network, losses)

        monkeypatch.setattr(Trainer, "_descend", stopping)

    return at


@pytest.fixture
def caught(caplog):
    """Return the log of the package."""
    caplog.set_level(logging.INFO, logger="pwgan")
    return caplog


@pytest.mark.parametrize("method", sorted(methods()))
def test_a_stopped_run_ends_in_the_bits_of_one_that_never_stopped(trained, stop, caught, method):
    # 256 samples in batches of 8 and 2 to 6 batches a step: epochs end and chunks of draws do, between the stops.
    whole = trained("whole", method)
    for step in (7, 8, 19):
        stop(step)
        with pytest.raises(Stopped):
            trained("stopped", method)
    stop(None)
    continued = trained("stopped", method)
    assert continued.bytes == whole.bytes and continued.seeds == whole.seeds
    assert re.findall("resuming from step (\\d+)", caught.text) == ["5", "5", "15"]
    assert not (continued.folder / "checkpoint.pt").exists()


def test_batch_statistics_are_part_of_the_state(block, images, stop, tmp_path):
    network = {"network": DCGAN(width=2, latent_dim=3)}
    cell = block("nsgan", steps=8, evaluate_every=3).training.model_copy(update=network)
    train(cell, images, tmp_path / "whole", CPU)
    stop(5)
    with pytest.raises(Stopped):
        train(cell, images, tmp_path / "stopped", CPU)
    stop(None)
    train(cell, images, tmp_path / "stopped", CPU)
    for name in ("generator.safetensors", "history.parquet", "samples.npy"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "stopped" / name).read_bytes()


def same(a, b):
    """Compare nested states to the bit; NaN equals NaN."""
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and a.numpy().tobytes() == b.numpy().tobytes()
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def content(state):
    return {
        "generator": state.nets.generator.state_dict(),
        "critic": state.nets.critic.state_dict(),
        "optimisers": {name: optimiser.state_dict() for name, optimiser in state.optimisers.items()},
        "tie": state.tie,
        "rest": [state.fate, state.diverged_at, state.step, state.seconds, state.history],
        "snapshots": [tuple(snapshot) for snapshot in state.snapshots],
    }


@pytest.mark.parametrize("method", ["wgan_gp", "pwgan", "pwgan_full"])
def test_the_whole_state_survives_the_file(block, data, tmp_path, method):
    cell = block(method, steps=7).training
    state = Trainer(cell, data, CPU).run(tmp_path / "run.pt")
    state.fate[1], state.diverged_at[1] = 2, 6
    save_checkpoint(tmp_path / "state.pt", cell, state)
    fresh = Trainer(cell, data, CPU).state
    assert not same(content(fresh), content(state))
    assert load_checkpoint(tmp_path / "state.pt", cell, fresh, CPU)
    assert same(content(fresh), content(state))


def test_a_checkpoint_is_replaced_whole_or_not_at_all(block, data, tmp_path, monkeypatch):
    cell = block(steps=7).training
    state = Trainer(cell, data, CPU).run(tmp_path / "state.pt")
    before = (tmp_path / "state.pt").read_bytes()

    def full_disk(content, place):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pwgan.seals._digest", full_disk)
    with pytest.raises(OSError, match=r"No space left on device: .*state\.pt"):
        save_checkpoint(tmp_path / "state.pt", cell, state)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"state.pt": before}


def test_without_a_checkpoint_nothing_is_loaded(block, data, tmp_path):
    cell = block().training
    assert not load_checkpoint(tmp_path / "none.pt", cell, Trainer(cell, data, CPU).state, CPU)


def test_a_checkpoint_of_another_configuration_is_never_continued(trained, stop, caught):
    stop(12)
    with pytest.raises(Stopped):
        trained("both", options={"generator_lr": 0.1})
    stop(None)
    after = trained("both", options={"generator_lr": 0.2})
    assert "going on" not in caught.text
    assert after.bytes == trained("alone", options={"generator_lr": 0.2}).bytes


def test_every_field_and_the_version_are_in_the_stamp(block, monkeypatch):
    cell = block().training
    others = [
        {"dataset": "other"},
        {"method": "other"},
        {"batch_size": 9},
        {"first_seed": 2},
        {"seeds": 4},
        {"steps": 21},
        {"evaluate_every": 6},
        {"evaluation_points": 31},
        {"network": cell.network.model_copy(update={"width": 9})},
        {"algorithm": "gan"},
        {"options": cell.options | {"generator_lr": 0.5}},
    ]
    assert {key for other in others for key in other} == set(type(cell).model_fields)
    stamps = {stamp(cell.model_copy(update=other)) for other in [{}, *others]}
    monkeypatch.setattr("pwgan.training.checkpoint.__version__", "0")
    assert len(stamps | {stamp(cell)}) == len(others) + 2


class Trap:
    """Unpickled by a careless reader, it leaves a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.fault("tampered checkpoints")
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("form", ["torch", "pickle"])
def test_a_checkpoint_is_read_as_data_and_never_run_as_code(trained, tmp_path, caught, form):
    folder, sprung = tmp_path / "run", tmp_path / "sprung"
    folder.mkdir()
    if form == "torch":
        torch.save({"stamp": Trap(sprung)}, folder / "checkpoint.pt")
    else:
        (folder / "checkpoint.pt").write_bytes(pickle.dumps(Trap(sprung)))
    run = trained("run")
    assert not sprung.exists()
    assert "starting from scratch" in caught.text and run.bytes == trained("other").bytes
    assert (folder / "checkpoint.damaged").exists()


@pytest.mark.fault("tampered checkpoints")
@pytest.mark.parametrize("kept", [0.0, 0.001, 0.01, 0.5, 0.9, 0.999])
def test_a_damaged_checkpoint_is_reported_and_training_starts_from_scratch(trained, stop, caught, kept):
    stop(12)
    with pytest.raises(Stopped):
        trained("run")
    stop(None)
    checkpoint = trained("whole").folder.parent / "run" / "checkpoint.pt"
    content = checkpoint.read_bytes()
    checkpoint.write_bytes(content[: int(kept * len(content))])
    run = trained("run")
    assert run.bytes == trained("other").bytes
    assert "starting from scratch" in caught.text and str(checkpoint) in caught.text


def test_other_data_code_threads_or_device_begin_anew(block, data, monkeypatch):
    grown = replace(data, train=data.train[:-1])
    cell, other = block().training, block("gan").training
    made = [origin(cell, data), origin(cell, grown), origin(other, data)]
    assert len(set(made)) == 3 and origin(cell, data) == made[0]
    here, gpu = stamp(cell, made[0]), stamp(cell, made[0], "cuda")
    assert here == stamp(cell, made[0], "cpu") != gpu
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    assert stamp(cell, made[0]) != here and stamp(cell, made[0], "cuda") == gpu
