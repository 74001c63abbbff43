"""The generator's gradient as a critic is trained: against autograd on the same critic, and what theory says of it."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn.functional import softplus

from pwgan.__main__ import main
from pwgan.data.store import read_data
from pwgan.measures.signal import POOL, SIGNAL, critic_signal, rungs
from pwgan.seals import check, read_json, write_json
from pwgan.study import parse_study
from pwgan.training.loop import Trainer
from pwgan.training.samples import latent_samples

CPU = torch.device("cpu")


@pytest.fixture
def cells(tiny):
    study = parse_study(tiny(methods={"gan": {}, "wgan": {}, "wgan_gp": {}, "pwgan": {}}, steps=4, evaluate_every=4))
    return {cell.training.method: cell for cell in study.blocks.values()}


def test_rungs_are_powers_of_two():
    assert rungs(1) == [1] and rungs(5) == [1, 2, 4] and rungs(1024)[-2:] == [512, 1024]


@pytest.mark.parametrize("method", ["gan", "wgan", "wgan_gp"])
def test_gradients_are_those_of_a_critic_trained_as_long(cells, ring8, method):
    cell, data = cells[method].training, read_data(ring8)
    frame = pd.DataFrame(critic_signal(cell, data, None, CPU, 5))
    assert list(frame.columns) == ["seed", "step", *SIGNAL] and frame["step"].unique().tolist() == [1, 2, 4]
    trainer = Trainer(cell, data, CPU)
    for number in range(4):
        loss = trainer.critic_step(trainer.method, number)
    latent = latent_samples(range(2), "signal", POOL, 3)
    generator, critic = trainer.state.nets.generator, trainer.state.nets.critic
    last = frame[frame["step"] == 4]
    np.testing.assert_allclose(last["critic_loss"], loss, rtol=1e-5)
    for seed in range(2):
        fake = generator(latent)
        scores = critic(fake)[seed]
        each = -softplus(scores) if method == "gan" else -scores
        (slopes,) = torch.autograd.grad(each.sum(), fake, retain_graph=True)
        assert last["sample_gradient"].iloc[seed] == pytest.approx(slopes[seed].norm(dim=1).mean().item(), rel=1e-4)
        whole = torch.autograd.grad(each.mean(), list(generator.parameters()))
        norm = torch.cat([part[seed].flatten() for part in whole]).norm().item()
        assert last["parameter_gradient"].iloc[seed] == pytest.approx(norm, rel=1e-4)


def test_the_generator_is_held_fixed_and_its_weights_matter(cells, ring8):
    cell, data = cells["wgan"].training, read_data(ring8)
    weights = Trainer(cell, data, CPU).state.nets.generator.state_dict()
    before = {name: value.clone() for name, value in weights.items()}
    initial = critic_signal(cell, data, None, CPU, 4)
    assert critic_signal(cell, data, weights, CPU, 4) == initial
    assert all(torch.equal(weights[name], before[name]) for name in before)
    moved = {name: value * 1.5 for name, value in weights.items()}
    assert critic_signal(cell, data, moved, CPU, 4) != initial


def test_the_minimax_signal_vanishes_and_that_of_the_dual_stays(tiny, ring8):
    # The critic is given rates at which it tells an untrained generator from the ring in a few hundred steps.
    rates = {"gan": {"critic_lr": 1e-2}, "wgan_gp": {"critic_lr": 1e-2, "penalty": 0.1}}
    # A single discriminator may lose its certainty for a while: the mean of few seeds may end at half of its maximum.
    study = parse_study(tiny(methods=rates, batch_sizes=[32], seeds=16, seed_block=16))
    last = {}
    for cell in study.blocks.values():
        frame = pd.DataFrame(critic_signal(cell.training, read_data(ring8), None, CPU, 256))
        last[cell.training.method] = frame.groupby("step")["sample_gradient"].mean()
    assert last["gan"][256] < 0.4 * last["gan"].max()
    assert last["wgan_gp"][256] > 0.5 * last["wgan_gp"].max()


def test_a_method_without_critic_is_refused(cells, ring8):
    with pytest.raises(ValueError, match="no critic"):
        critic_signal(cells["pwgan"].training, read_data(ring8), None, CPU, 2)


@pytest.fixture
def trained(cells, ring8, tmp_path):
    cell = cells["pwgan"].training.model_dump_json()
    common = ["--data", str(ring8), "--device", "cpu"]
    assert main(["train", cell, *common, "--output", str(tmp_path)]) == 0
    return ["signal", cell, *common, "--output", str(tmp_path), "--critics"]


def test_the_verb_measures_initial_and_trained_generators(cells, trained, tmp_path, monkeypatch):
    monkeypatch.setattr("pwgan.measures.signal.block_signal.__defaults__", (4,))
    run = read_json(tmp_path / "run.json", "run")
    run["seeds"][1]["status"] = "diverged"
    write_json(tmp_path / "run.json", "run", check(tmp_path / "run.json", "run").of, run)
    critics = [cells[name].training.model_dump_json() for name in ("gan", "wgan")]
    assert main([*trained, *critics]) == 0
    frame = pd.read_parquet(tmp_path / "signal.parquet")
    keys = ["dataset", "method", "batch_size", "generator", "critic", "seed", "step"]
    assert list(frame.columns) == [*keys, *SIGNAL]
    assert len(frame) == 2 * 2 * 3 * 2 and not frame.duplicated(keys).any()
    lost = (frame["generator"] == "trained") & (frame["seed"] == 1)
    for name in SIGNAL:
        assert (frame[name].isna() == lost).all()


def test_a_critic_of_other_seeds_is_refused(cells, trained, capsys):
    other = cells["gan"].training.model_copy(update={"first_seed": 2})
    assert main([*trained, other.model_dump_json()]) == 2
    assert "first_seed 2" in capsys.readouterr().err
