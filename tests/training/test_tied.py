"""Tied latents: matched with the whole training set as it is time, kept between, and the same after any stop."""

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from pwgan.data.store import StoredData
from pwgan.methods.pwgan import PWGAN
from pwgan.methods.pwgan_full import FullPWGAN
from pwgan.networks.dcgan import DCGAN
from pwgan.networks.mlp import MLP
from pwgan.training.checkpoint import RUNNING, SAMPLES
from pwgan.training.loop import Trainer
from pwgan.training.run import generate, latent_samples, train

CPU = torch.device("cpu")
POTENTIALS = ("row_potential", "column_potential")


class Stopped(Exception):
    """Stands for whatever ends a job."""


@pytest.fixture
def data(data):
    """Return the tiny ring with 64 training samples: they are matched again and again."""
    return replace(data, train=data.train[:64])


@pytest.fixture
def full(block):
    """Return the maker of a block of pwgan_full on the 64 samples of the ring, in batches of 8."""

    def make(rematch_every=4, steps=20, **changes):
        return block("pwgan_full", {"rematch_every": rematch_every}, steps=steps, **changes).training

    return make


@pytest.fixture
def noted(monkeypatch):
    """Let pwgan_full note what it is asked to tie, and what it answered."""
    notes, tie = [], FullPWGAN.tie

    def note(self, real, fake, potentials):
        found = tie(self, real, fake, potentials)
        copied = None if potentials is None else tuple(side.clone() for side in potentials)
        notes.append((real.clone(), fake.clone(), copied, found))
        return found

    monkeypatch.setattr(FullPWGAN, "tie", note)
    return notes


@pytest.fixture
def stop(monkeypatch):
    """Return a function that makes training stop at a step: in its tie, or in its descent, after the tie."""
    originals = {"_tie": Trainer._tie, "_descend": Trainer._descend}

    def at(step, where="_descend"):
        for name, original in originals.items():

            def stopping(self, *given, name=name, original=original):
                found = original(self, *given) if name == "_tie" else None
                if (name, self.state.step) == (where, step):
                    raise Stopped
                return found if name == "_tie" else original(self, *given)

            monkeypatch.setattr(Trainer, name, stopping)

    return at


def optimum(real, fake):
    costs = cdist(real.double().numpy(), fake.double().numpy())
    rows, columns = linear_sum_assignment(costs)
    return costs[rows, columns].mean(), columns


def test_the_tie_is_optimal_and_batches_are_its_pairs(full, data):
    trainer = Trainer(full(), data, CPU)
    (values,) = trainer._tie(False)
    real, tied = torch.from_numpy(data.train), latent_samples(range(2), "tied", 64, 3)
    fake = generate(trainer.state.nets.generator, tied)
    for seed in range(2):
        value, columns = optimum(real, fake[seed])
        assert values[seed].item() == pytest.approx(value, rel=1e-6)
        assert trainer.state.tie["matching"][seed].tolist() == columns.tolist()
        u, v = (trainer.state.tie[name][seed] for name in POTENTIALS)
        assert (u.mean() + v.mean()).item() == pytest.approx(value, rel=1e-9)
    for number in (0, 7, 20):
        batch = trainer.batches.batch(number)
        for seed in range(2):
            assert torch.equal(batch.real[seed], real[batch.index[seed]])
            assert torch.equal(batch.latent[seed], tied[seed, trainer.state.tie["matching"][seed, batch.index[seed]]])
        torch.testing.assert_close(batch.fake, trainer.state.nets.generator(batch.latent))


def test_the_losses_of_an_epoch_are_the_distance(full, data):
    # While the generator stands still: mini-batches of the full matching have no bias.
    trainer = Trainer(full(), data, CPU)
    (values,) = trainer._tie(False)
    losses = [trainer.method.generator_loss(trainer.state.nets, trainer.batches.batch(number)) for number in range(8)]
    torch.testing.assert_close(torch.stack(losses).mean(0).detach(), values)
    # Part of an optimal matching is optimal: no batch could be matched better.
    again = [PWGAN().generator_loss(trainer.state.nets, trainer.batches.batch(number)) for number in range(8)]
    torch.testing.assert_close(torch.stack(again), torch.stack(losses))


def test_it_is_solved_when_it_is_time_and_from_the_last_potentials(full, data, noted, tmp_path):
    state = Trainer(full(rematch_every=6, evaluate_every=5), data, CPU).run(tmp_path / "checkpoint.pt")
    solved = [step for step, row in state.history if row[3].isfinite().all()]
    assert solved == [0, 6, 12, 18, 20]  # the last shows where training ended
    assert len(noted) == 2 * len(solved)
    for seed in range(2):
        own = noted[seed::2]
        assert own[0][2] is None
        for (_, _, _, before), (real, fake, potentials, _) in itertools.pairwise(own):
            assert real.shape == fake.shape == (64, 2) and fake.dtype == torch.float32
            for name, given in zip(POTENTIALS, potentials, strict=True):
                assert torch.equal(given, getattr(before, name))
        assert not torch.equal(own[0][1], own[1][1])
        last = state.history[-1][1][3, seed].item()
        assert last == pytest.approx(optimum(own[-1][0], own[-1][1])[0], rel=1e-6)


def test_the_matching_is_solved_once_per_epoch_by_default(full, data, tmp_path):
    # 64 samples, 8 in a batch.
    state = Trainer(full(rematch_every=None), data, CPU).run(tmp_path / "checkpoint.pt")
    assert [step for step, row in state.history if row[3].isfinite().all()] == [0, 8, 16, 20]


def test_the_matching_is_held_fixed_between_two_solutions(full, data, monkeypatch, tmp_path):
    matchings, original = [], Trainer._iterate

    def noting(self):
        matchings.append(self.state.tie["matching"].clone())
        return original(self)

    monkeypatch.setattr(Trainer, "_iterate", noting)
    Trainer(full(rematch_every=5), data, CPU).run(tmp_path / "checkpoint.pt")
    changed = [step for step in range(1, 20) if not torch.equal(matchings[step - 1], matchings[step])]
    assert changed == [5, 10, 15]
    for matching in matchings:
        assert torch.equal(matching.sort(1).values, torch.arange(64).expand(2, -1))


@pytest.mark.parametrize(
    ("rematch_every", "evaluate_every", "stops"),
    [
        (5, 5, [(10, "_descend"), (10, "_tie"), (13, "_descend")]),  # checkpoints at re-solves alone
        (8, 3, [(7, "_descend"), (14, "_descend"), (16, "_tie")]),  # checkpoints between them
        (3, 20, [(18, "_tie"), (0, "_tie")]),  # from the very beginning
        (100, 6, [(13, "_descend")]),  # solved once: all rests on the matching in the checkpoint
        (7, 5, [(20, "_tie")]),  # trained to the end, and stopped in the last solution
    ],
)
def test_a_stopped_run_ends_in_the_bits_of_one_that_never_stopped(
    full, data, noted, stop, tmp_path, rematch_every, evaluate_every, stops
):
    cell = full(rematch_every, evaluate_every=evaluate_every)
    train(cell, data, tmp_path / "whole", CPU)
    whole = list(noted)
    for step, where in stops:
        stop(step, where)
        with pytest.raises(Stopped):
            train(cell, data, tmp_path / "stopped", CPU)
        assert (tmp_path / "stopped" / "checkpoint.pt").exists()
    noted.clear()
    stop(None)
    train(cell, data, tmp_path / "stopped", CPU)
    for name in ("generator.safetensors", "history.parquet", "samples.npy"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "stopped" / name).read_bytes(), name
    # What went on solved the same problems from the same potentials.
    for before, after in zip(whole[-len(noted) :], noted, strict=True):
        assert torch.equal(before[1], after[1])
        assert (before[2] is None) == (after[2] is None)
        assert before[2] is None or all(map(torch.equal, before[2], after[2]))


def test_matching_and_potentials_are_data_in_the_checkpoint(full, data, stop, tmp_path):
    stop(7)
    trainer = Trainer(full(rematch_every=4, evaluate_every=6), data, CPU)
    with pytest.raises(Stopped):
        trainer.run(tmp_path / "checkpoint.pt")
    kept = torch.load(tmp_path / "checkpoint.pt", weights_only=True)["tie"]
    assert kept.keys() == trainer.state.tie.keys() == {"matching", *POTENTIALS}
    assert all(torch.equal(kept[name], trainer.state.tie[name]) for name in kept)
    assert {name: (tensor.shape, tensor.dtype) for name, tensor in kept.items()} == {
        "matching": ((2, 64), torch.int64),
        "row_potential": ((2, 64), torch.float64),
        "column_potential": ((2, 64), torch.float64),
    }


def test_tied_latents_do_not_depend_on_other_seeds(full, data):
    whole = Trainer(full(seeds=4), data, CPU)
    second = Trainer(whole.cell.model_copy(update={"first_seed": 2, "seeds": 2}), data, CPU)
    assert torch.equal(whole.batches.tied[2:], second.batches.tied)
    assert len(torch.unique(whole.batches.tied.flatten(0, 1), dim=0)) == 4 * 64
    torch.testing.assert_close(whole._tie(False)[:, 2:], second._tie(False))
    assert torch.equal(whole.state.tie["matching"][2:], second.state.tie["matching"])
    for name in POTENTIALS:
        torch.testing.assert_close(whole.state.tie[name][2:], second.state.tie[name], atol=1e-5, rtol=0)


def test_evaluation_is_on_latents_that_were_never_tied(full, data):
    trainer = Trainer(full(), data, CPU)
    fresh = trainer.draws.draw("evaluation", 0, (32, 3))
    assert not (fresh[:, :, None] == trainer.batches.tied[:, None]).all(-1).any()


@pytest.mark.parametrize(("step", "bad"), [(0, torch.nan), (8, torch.inf), (20, torch.nan)])
def test_a_seed_whose_samples_diverge_is_left_out_and_its_neighbours_never_notice(
    full, data, monkeypatch, tmp_path, step, bad
):
    cell = full(seeds=3, evaluate_every=5)
    sound = Trainer(cell, data, CPU).run(tmp_path / "sound.pt")
    original = Trainer._tie

    def ruined(self, done):
        if self.state.step == step:
            with torch.no_grad():
                self.state.nets.generator.layers[-1].bias[1] = bad
        return original(self, done)

    monkeypatch.setattr(Trainer, "_tie", ruined)
    lost = Trainer(cell, data, CPU).run(tmp_path / "lost.pt")
    assert lost.fate.tolist() == [RUNNING, SAMPLES, RUNNING] and lost.diverged_at.tolist() == [-1, step, -1]
    assert lost.step == 20
    for (at, before), (also_at, after) in zip(sound.history, lost.history, strict=True):
        assert at == also_at
        torch.testing.assert_close(before[:, [0, 2]], after[:, [0, 2]], rtol=0, atol=0, equal_nan=True)
        assert after[[1, 3], 1].isnan().all() or at < step
    for name in ("matching", *POTENTIALS):
        assert torch.equal(sound.tie[name][[0, 2]], lost.tie[name][[0, 2]])
    assert lost.tie["matching"][1].sort().values.tolist() == list(range(64))
    for own, other in zip(sound.nets.generator.parameters(), lost.nets.generator.parameters(), strict=True):
        assert torch.equal(own[[0, 2]], other[[0, 2]])


def test_with_no_seed_left_nothing_is_tied(full, data, noted, monkeypatch, tmp_path):
    trainer = Trainer(full(), data, CPU)
    with torch.no_grad():
        trainer.state.nets.generator.layers[-1].bias[:] = torch.nan
    state = trainer.run(tmp_path / "checkpoint.pt")
    assert noted == [] and state.step == 0 and state.fate.tolist() == [SAMPLES, SAMPLES]


def test_batch_normalised_samples_are_tied_in_eval_mode_and_trained_in_train_mode(block, images, noted, tmp_path):
    cell = block("pwgan_full", {"rematch_every": 2}, steps=3).training
    trainer = Trainer(cell.model_copy(update={"network": DCGAN(width=2, latent_dim=3)}), images, CPU)
    trainer.run(tmp_path / "checkpoint.pt")
    generator = trainer.state.nets.generator
    assert generator.training
    fake = generate(generator, trainer.batches.tied, batch=7).flatten(2)  # none depends on its mates
    for seed, (real, tied, *_) in enumerate(noted[-2:]):
        assert real.shape == tied.shape == (256, 64)
        torch.testing.assert_close(tied, fake[seed])
    np.testing.assert_array_equal(noted[0][0], images.train.reshape(256, 64))


def test_pixels_are_tied_as_floats(block, noted):
    pixels = np.random.default_rng(0).integers(0, 64, (64, 1, 8, 8), dtype=np.uint8)
    data = StoredData(train=pixels, heldout=pixels, name="pixels", about={})
    Trainer(block("pwgan_full").training, data, CPU)._tie(False)
    expected = pixels.reshape(64, 64) / np.float32(127.5) - 1
    np.testing.assert_allclose(noted[0][0], expected, atol=1e-6)


def test_training_lowers_loss_and_both_distances(full, data, tmp_path):
    cell = full(rematch_every=10, seeds=8, steps=150, evaluate_every=150).model_copy(
        update={
            "network": MLP(width=16, depth=2, latent_dim=3),
            "batch_size": 32,
            "options": FullPWGAN(rematch_every=10, generator_lr=1e-2).model_dump(mode="json"),
        }
    )
    train(cell, data, tmp_path, CPU)
    history = pd.read_parquet(tmp_path / "history.parquet").groupby("seed")
    tied = history["tied_ewd"].agg(["first", "last"])
    assert (tied["last"] < 0.5 * tied["first"]).all()
    losses = history["generator_loss"].agg(["first", "last"])
    assert (losses["last"] < 0.5 * losses["first"]).all()
    # What 64 samples say of fresh latents is not the same for each seed: their mean distance falls to a half.
    distances = history["ewd"].agg(["first", "last"]).mean()
    assert distances["last"] < 0.7 * distances["first"]


@pytest.mark.parametrize("method", ["nsgan", "pwgan"])
def test_other_methods_tie_nothing(trained, method):
    run = trained(method=method)
    assert run.history["tied_ewd"].isna().all()
