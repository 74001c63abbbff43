"""Fresh latents assigned to all training samples: by potentials that the tie renews, and the same after any stop."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from pwgan.data.store import StoredData
from pwgan.training.checkpoint import RUNNING
from pwgan.training.loop import Trainer
from pwgan.training.run import train
from pwgan.training.samples import generate, latent_samples

CPU = torch.device("cpu")


class Stopped(Exception):
    """Stands for whatever ends a job."""


@pytest.fixture
def data(data):
    """Return the tiny ring with 64 training samples: their transport is solved again and again."""
    return replace(data, train=data.train[:64])


@pytest.fixture
def cell(block):
    """Return the maker of a block of semidual on the 64 samples of the ring, in batches of 8."""

    def make(rematch_every=4, steps=20, options=None, **changes):
        return block("semidual", {"rematch_every": rematch_every, **(options or {})}, steps=steps, **changes).training

    return make


def test_batches_are_fresh_samples_with_their_targets_among_all_training_samples(cell, data):
    trainer = Trainer(cell(), data, CPU)
    trainer._tie(False)
    real, psi = torch.from_numpy(data.train), trainer.state.tie["row_potential"]
    assert psi.shape == (2, 64) and (psi.std(1) > 0).all()
    for number in range(20):
        batch = trainer.batches.batch(number)
        assert torch.equal(batch.latent, trainer.draws.draw("latent", number, (8, 3)))
        torch.testing.assert_close(batch.fake, trainer.state.nets.generator(batch.latent))
        assert batch.fake.requires_grad
        fake = generate(trainer.state.nets.generator, batch.latent)
        trainer.state.nets.generator.train()
        for seed in range(2):
            prices = cdist(fake[seed].double().numpy(), real.double().numpy()) - psi[seed].numpy()
            # Targets whose prices differ by less than float32 resolves are equally good.
            assert (prices[range(8), batch.index[seed]] <= prices.min(1) + 1e-6).all()
            assert torch.equal(batch.real[seed], real[batch.index[seed]])


def test_tied_latents_serve_the_potentials_alone(cell, data, tmp_path):
    trainer = Trainer(cell(), data, CPU)
    seen, batch = [], trainer.batches.batch
    trainer.batches.batch = lambda number: seen.append(batch(number)) or seen[-1]
    state = trainer.run(tmp_path / "checkpoint.pt")
    used, tied = torch.cat([one.latent for one in seen], 1), latent_samples(range(2), "tied", 64, 3)
    assert used.shape == (2, 160, 3) and len(torch.unique(used.flatten(0, 1), dim=0)) == 320
    assert not (used[:, :, None] == tied[:, None]).all(-1).any()
    assert [step for step, row in state.history if row[3].isfinite().all()] == [0, 4, 8, 12, 16, 20]


@pytest.mark.parametrize("steps", [1, 2])
def test_targets_are_those_of_the_generator_at_the_tie(cell, data, steps):
    trainer = Trainer(cell(rematch_every=3, options={"generator_steps": steps}), data, CPU)
    before = trainer.batches.batch(0)
    targets = trainer.state.pool["targets"].clone()
    assert torch.equal(targets[:, :8], before.index) and targets.shape == (2, 3 * steps * 8)
    with torch.no_grad():
        trainer.state.nets.generator.layers[-1].bias += 10
    for number in range(1, 3 * steps):
        batch = trainer.batches.batch(number)
        assert torch.equal(batch.index, targets[:, number * 8 : (number + 1) * 8])
        torch.testing.assert_close(batch.fake, trainer.state.nets.generator(batch.latent))
    trainer.batches.batch(3 * steps)
    assert not torch.equal(trainer.state.pool["targets"], targets)


def test_potentials_are_held_fixed_between_two_solutions(cell, data, monkeypatch, tmp_path):
    held, iterate = [], Trainer._iterate

    def noting(self):
        held.append(self.state.tie["row_potential"].clone())
        return iterate(self)

    monkeypatch.setattr(Trainer, "_iterate", noting)
    Trainer(cell(rematch_every=5), data, CPU).run(tmp_path / "checkpoint.pt")
    assert [step for step in range(1, 20) if not torch.equal(held[step - 1], held[step])] == [5, 10, 15]


def test_pixels_are_assigned_as_floats_and_images_by_all_of_their_pixels(block):
    pixels = np.random.default_rng(0).integers(0, 256, (64, 1, 8, 8), dtype=np.uint8)
    trainer = Trainer(
        block("semidual", {}).training, StoredData(train=pixels, heldout=pixels, name="pixels", about={}), CPU
    )
    trainer._tie(False)
    batch = trainer.batches.batch(0)
    real, psi = pixels.reshape(64, 64) / 127.5 - 1, trainer.state.tie["row_potential"]
    fake = generate(trainer.state.nets.generator, batch.latent).flatten(2)
    for seed in range(2):
        prices = cdist(fake[seed].double().numpy(), real) - psi[seed].numpy()
        assert (prices[range(8), batch.index[seed]] <= prices.min(1) + 1e-5).all()
        np.testing.assert_allclose(batch.real[seed].flatten(1), real[batch.index[seed]], atol=1e-6)


@pytest.mark.parametrize("options", [{}, {"sampler": "stratified"}])
@pytest.mark.parametrize(("rematch_every", "evaluate_every", "stop"), [(4, 6, 7), (100, 6, 13), (5, 5, 10)])
def test_a_stopped_run_ends_in_the_bits_of_one_that_never_stopped(
    cell, data, monkeypatch, tmp_path, rematch_every, evaluate_every, stop, options
):
    made, descend = cell(rematch_every, evaluate_every=evaluate_every, options=options), Trainer._descend
    train(made, data, tmp_path / "whole", CPU)

    def stopping(self, network, losses):
        if self.state.step == stop:
            raise Stopped
        descend(self, network, losses)

    monkeypatch.setattr(Trainer, "_descend", stopping)
    with pytest.raises(Stopped):
        train(made, data, tmp_path / "stopped", CPU)
    monkeypatch.undo()
    kept = torch.load(tmp_path / "stopped" / "checkpoint.pt", weights_only=True)
    assert 0 < kept["step"] <= stop and (kept["tie"]["row_potential"] != 0).any()
    train(made, data, tmp_path / "stopped", CPU)
    for name in ("generator.safetensors", "history.parquet", "samples.npy"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "stopped" / name).read_bytes(), name


def test_a_seed_does_not_depend_on_the_others_of_its_block(cell, data):
    whole = Trainer(cell(seeds=4), data, CPU)
    second = Trainer(whole.cell.model_copy(update={"first_seed": 2, "seeds": 2}), data, CPU)
    for trainer in (whole, second):
        trainer._tie(False)
    for number in range(9):
        a, b = whole.batches.batch(number), second.batches.batch(number)
        assert torch.equal(a.latent[2:], b.latent) and torch.equal(a.index[2:], b.index)
        torch.testing.assert_close(a.fake[2:], b.fake)


def test_a_diverged_seed_harms_no_neighbour(cell, data, tmp_path):
    made = cell(seeds=3)
    sound = Trainer(made, data, CPU).run(tmp_path / "sound.pt")
    trainer = Trainer(made, data, CPU)
    with torch.no_grad():
        trainer.state.nets.generator.layers[-1].bias[1] = torch.nan
    lost = trainer.run(tmp_path / "lost.pt")
    assert lost.step == 20 and [fate == RUNNING for fate in lost.fate.tolist()] == [True, False, True]
    for own, other in zip(sound.nets.generator.parameters(), lost.nets.generator.parameters(), strict=True):
        assert torch.equal(own[[0, 2]], other[[0, 2]])


def test_training_lowers_the_distance_of_fresh_latents(cell, data, tmp_path):
    options = {"generator_lr": 1e-2, "lr_decay": "linear"}
    made = cell(rematch_every=10, seeds=4, steps=200, evaluate_every=200, options=options)
    history = torch.stack([row[2] for _, row in Trainer(made, data, CPU).run(tmp_path / "c.pt").history])
    measured = history[history.isfinite().all(1)]
    assert measured[-1].mean() < 0.7 * measured[0].mean()
