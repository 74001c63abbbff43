"""The generator's gradient as a critic is trained: against autograd on the same critic, and what theory says of it."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from torch.nn.functional import softplus

from pwgan.__main__ import main
from pwgan.data.store import read_data
from pwgan.measures.retention import RETENTION
from pwgan.measures.signal import MATCHED, POOL, SIGNAL, critic_signal, distance_apart, rungs, stands_still
from pwgan.seals import check, read_json, write_json
from pwgan.study import parse_study
from pwgan.training.loop import Trainer
from pwgan.training.samples import latent_samples

CPU = torch.device("cpu")


@pytest.fixture
def cells(tiny):
    study = parse_study(tiny(methods={"gan": {}, "wgan": {}, "wgan_gp": {}, "pwgan": {}}, steps=4, evaluate_every=4))
    return {cell.training.method: cell for cell in study.blocks.values()}


def test_rungs_are_powers_of_two_and_the_ends():
    assert rungs(1) == [0, 1] and rungs(5) == [0, 1, 2, 4, 5] and rungs(1024)[-2:] == [512, 1024]


def losses_of(*columns):
    return torch.stack([torch.as_tensor(column, dtype=torch.float32) for column in columns], 1)


def test_losses_stand_still_up_to_a_hundredth_of_their_scale_or_what_noise_hides():
    t, noise = torch.linspace(0, 1, 1000), torch.randn(1000, generator=torch.Generator().manual_seed(0))
    # The means of the last two quarters of a straight line are a quarter of its rise apart.
    straight = losses_of(1 + 0.035 * t, 1 + 0.05 * t, 100 + 3.5 * t, 100 + 5 * t)
    assert stands_still(straight, dual=True).tolist() == [True, False, True, False]
    # The loss of a discriminator may change by a thousandth of log 4 = 1.386 too.
    assert stands_still(losses_of(0.005 * (1 - t), 0.007 * (1 - t)), dual=False).tolist() == [True, False]
    assert stands_still(losses_of(0.005 * (1 - t), 0.05 + 0 * t), dual=True).tolist() == [False, True]
    # Two standard errors of 250 samples: 0.18 standard deviations between the means.
    hidden = losses_of(noise, noise + 0.4 * t, noise + 2 * t)
    assert stands_still(hidden, dual=True).tolist() == [True, True, False]
    lost = losses_of(torch.full((8,), torch.nan), torch.ones(8))
    assert stands_still(lost, dual=True).tolist() == [False, True]


@pytest.mark.parametrize("method", ["gan", "wgan", "wgan_gp"])
def test_gradients_are_those_of_a_critic_trained_as_long(cells, ring8, method):
    cell, data = cells[method].training, read_data(ring8)
    frame = pd.DataFrame(critic_signal(cell, data, None, CPU, 5))
    assert list(frame.columns) == ["seed", "step", *SIGNAL, "apart", "ceiling", "stationary", *RETENTION]
    assert frame["step"].unique().tolist() == [0, 1, 2, 4, 5] and not frame["stationary"].any()
    assert frame.loc[frame["step"] == 0, "critic_loss"].isna().all()
    trainer = Trainer(cell, data, CPU)
    for number in range(4):
        loss = trainer.critic_step(trainer.method, number)
    whole_latent = latent_samples(range(2), "signal", MATCHED, 3)
    latent = whole_latent[:, :POOL]
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
        # All 256 training samples are matched with as many generated ones.
        real, made = data.train.astype(float), generator(whole_latent)[seed, :256].detach().double().numpy()
        rows, columns = linear_sum_assignment(cdist(made, real))
        towards = real[columns] - made[rows]
        moves = -slopes[seed].double().numpy()
        cosines = (towards * moves).sum(1) / np.linalg.norm(towards, axis=1) / np.linalg.norm(moves, axis=1)
        assert last["cosine"].iloc[seed] == pytest.approx(cosines.mean(), abs=1e-4)
        assert last["apart"].iloc[seed] == pytest.approx(
            cdist(generator(whole_latent)[seed].detach(), real).min() / 0.01
        )
        assert last["parameter_gradient"].iloc[seed] == pytest.approx(norm, rel=1e-4)
        assert last["ceiling"].iloc[seed] == pytest.approx(ceiling_by_hand(generator, data, towards, seed), abs=1e-4)


def ceiling_by_hand(generator, data, towards, seed):
    pool = latent_samples(range(2), "signal", MATCHED, 3)[:, :POOL]
    latent = torch.cat([pool, latent_samples(range(2), "signal again", MATCHED - POOL, 3)], 1)
    held = data.heldout.astype(float)
    made = generator(latent)[seed, : len(held)].detach().double().numpy()
    rows, columns = linear_sum_assignment(cdist(made, held))
    again, first = held[columns] - made[rows], towards[: min(POOL, len(held))]
    again = again[: len(first)]
    return np.mean((again * first).sum(1) / np.linalg.norm(again, axis=1) / np.linalg.norm(first, axis=1))


def test_the_generator_is_held_fixed_and_its_weights_matter(cells, ring8):
    cell, data = cells["wgan"].training, read_data(ring8)
    weights = Trainer(cell, data, CPU).state.nets.generator.state_dict()
    before = {name: value.clone() for name, value in weights.items()}
    initial = pd.DataFrame(critic_signal(cell, data, None, CPU, 4))
    pd.testing.assert_frame_equal(pd.DataFrame(critic_signal(cell, data, weights, CPU, 4)), initial)
    assert all(torch.equal(weights[name], before[name]) for name in before)
    moved = {name: value * 1.5 for name, value in weights.items()}
    assert not pd.DataFrame(critic_signal(cell, data, moved, CPU, 4)).equals(initial)


def test_the_minimax_signal_vanishes_and_that_of_the_dual_stays(tiny, ring8):
    # The critic is given rates at which it tells an untrained generator from the ring in a few hundred steps.
    rates = {"gan": {"critic_lr": 1e-2}, "wgan_gp": {"critic_lr": 1e-2, "penalty": 0.1}}
    # A single discriminator may lose its certainty for a while: the mean of few seeds may end at half of its maximum.
    study = parse_study(tiny(methods=rates, batch_sizes=[32], seeds=16, seed_block=16))
    last, cosine = {}, {}
    for cell in study.blocks.values():
        frame = pd.DataFrame(critic_signal(cell.training, read_data(ring8), None, CPU, 256))
        last[cell.training.method] = frame.groupby("step")["sample_gradient"].mean()
        cosine[cell.training.method] = frame.groupby("step")["cosine"].mean()
        assert (frame["apart"] > 6).all()  # untrained, and apart from the ring
    assert last["gan"][256] < 0.4 * last["gan"].max()
    assert last["wgan_gp"][256] > 0.5 * last["wgan_gp"].max()
    assert cosine["wgan_gp"][256] > 0.5 > abs(cosine["wgan_gp"][0])


def test_critics_end_at_a_standstill_and_generators_that_diverged_have_no_signal(cells, ring8, monkeypatch):
    monkeypatch.setattr("pwgan.measures.signal.FEWEST_STEPS", 8)
    cell, data = cells["wgan"].training, read_data(ring8)
    monkeypatch.setattr(
        "pwgan.measures.signal.stands_still", lambda losses, dual: torch.tensor([True, len(losses) > 20])
    )
    frame = pd.DataFrame(critic_signal(cell, data, None, CPU, 100))
    still = frame.pivot(index="step", columns="seed", values="stationary")
    assert still.index.tolist() == [0, 1, 2, 4, 8, 16, 32]
    assert still[0].tolist() == [False] * 4 + [True] * 3 and still[1].tolist() == [False] * 6 + [True]
    weights = Trainer(cell, data, CPU).state.nets.generator.state_dict()
    ruined = {name: value.clone().index_fill_(0, torch.tensor([1]), torch.nan) for name, value in weights.items()}
    rows = pd.DataFrame(critic_signal(cell, data, ruined, CPU, 2)).query("step == 2").set_index("seed")
    assert rows.loc[1, [*SIGNAL, *RETENTION, "apart", "ceiling"]].isna().all() and rows.loc[0].notna().all()


def test_apart_is_told_in_sigmas_or_in_spacings_of_the_data(ring8):
    data = read_data(ring8)
    far = torch.tensor([[[0.0, 0.0]], [[0.0, 0.5]]])
    nearest = [cdist(y, data.train).min() for y in far]
    assert distance_apart(far, data) == pytest.approx([distance / 0.01 for distance in nearest])
    spacing = np.median(cdist(data.heldout, data.train).min(1))
    expected = [distance / spacing for distance in nearest]
    assert distance_apart(far, replace(data, sigma=None, modes=None)) == pytest.approx(expected)


def test_a_method_without_critic_is_refused(cells, ring8):
    with pytest.raises(ValueError, match="no critic"):
        critic_signal(cells["pwgan"].training, read_data(ring8), None, CPU, 2)


@pytest.fixture
def trained(cells, ring8, tmp_path):
    cell = cells["pwgan"].training.model_dump_json()
    common = ["--data", str(ring8), "--device", "cpu"]
    assert main(["train", cell, *common, "--output", str(tmp_path)]) == 0
    return ["signal", cell, *common, "--output", str(tmp_path), "--critics"]


def test_the_verb_measures_initial_and_trained_generators(cells, trained, tmp_path):
    run = read_json(tmp_path / "run.json", "run")
    run["seeds"][1]["status"] = "diverged"
    write_json(tmp_path / "run.json", "run", check(tmp_path / "run.json", "run").of, run)
    critics = [cells[name].training.model_dump_json() for name in ("gan", "wgan")]
    assert main([*trained, *critics, "--steps", "4"]) == 0
    frame = pd.read_parquet(tmp_path / "signal.parquet")
    keys = ["dataset", "method", "batch_size", "generator", "critic", "seed", "step"]
    assert list(frame.columns) == [*keys, *SIGNAL, "apart", "ceiling", "stationary", *RETENTION]
    assert len(frame) == 2 * 2 * 4 * 2 and not frame.duplicated(keys).any()
    lost = (frame["generator"] == "trained") & (frame["seed"] == 1)
    for name in SIGNAL[1:]:
        assert (frame[name].isna() == lost).all()
    assert (frame["critic_loss"].isna() == (lost | (frame["step"] == 0))).all() and frame["apart"].notna().all()


def test_a_critic_of_other_seeds_is_refused(cells, trained, capsys):
    other = cells["gan"].training.model_copy(update={"first_seed": 2})
    assert main([*trained, other.model_dump_json()]) == 2
    assert "first_seed 2" in capsys.readouterr().err
