"""The sampler of a method, as the loop uses it: which samples meet, on both sides, and that it goes on after a stop."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from pwgan.batches import samplers
from pwgan.batches.drawing import batches, build_sampler
from pwgan.data.mixtures import Ring8
from pwgan.data.store import StoredData
from pwgan.methods import AdversarialMethod, methods
from pwgan.training.checkpoint import origin
from pwgan.training.draws import Draws
from pwgan.training.loop import Trainer
from pwgan.training.run import generate

CPU = torch.device("cpu")


class Stopped(Exception):
    """Stands for whatever ends a job."""


@pytest.mark.parametrize("name", ["stratified", "dpp"])
def test_real_and_generated_samples_are_those_of_the_sampler(block, data, name):
    trainer = Trainer(block("nsgan", {"sampler": name}).training, data, CPU)
    real = torch.from_numpy(data.train)
    sampler = build_sampler(name, real[None], 8, range(2), CPU)
    for number in (0, 5, 40):
        batch = trainer.batches.batch(number)
        assert batch.fake.requires_grad and trainer.state.nets.generator.training
        assert torch.equal(batch.index, sampler.batch(number))
        assert torch.equal(batch.real, real[batch.index])
        size = samplers()[name].oversample
        epoch, place = divmod(number, size)
        many = Draws(range(2), CPU).draw("latent", epoch, (size * 8, 3))
        fake = generate(trainer.state.nets.generator, many)
        trainer.state.nets.generator.train()
        chosen = batches(name, fake.flatten(2), 8, [("latent", seed, epoch) for seed in range(2)])[:, place]
        for seed in range(2):
            assert torch.equal(batch.latent[seed], many[seed, chosen[seed]])
            torch.testing.assert_close(batch.fake[seed], fake[seed, chosen[seed]])


@pytest.mark.parametrize("name", ["random", "stratified", "dpp"])
@pytest.mark.parametrize("method", ["nsgan", "pwgan_full"])
def test_each_seed_trains_on_the_draw_of_its_own(block, method, name):
    law = Ring8(samples=64, heldout=32)
    cell = block(method, {"sampler": name}, seeds=4).training
    stored = StoredData(**vars(law.draws(range(4))), name="ring8", about={})
    whole = Trainer(cell, stored, CPU)
    part = cell.model_copy(update={"first_seed": 2, "seeds": 2})
    second = Trainer(part, stored, CPU)
    for trainer in (whole, second):
        trainer._tie(False)
    for number in (0, 9):
        a, b = whole.batches.batch(number), second.batches.batch(number)
        assert torch.equal(a.index[2:], b.index) and torch.equal(a.real[2:], b.real)
        for seed in range(4):
            assert np.array_equal(a.real[seed], law.draw(seed).train[a.index[seed]])
    assert np.array_equal(second.heldout[1], law.draw(3).heldout[: cell.evaluation_points])
    # Only the draws of a block's own seeds make it stale.
    alone = StoredData(**vars(law.draws(range(2, 4))), name="ring8", about={})
    assert second.state.origin == origin(part, alone) != origin(part, replace(alone, heldout=alone.heldout + 1))


@pytest.mark.parametrize("seed", range(2))
def test_a_tied_method_matches_each_seed_with_its_own_training_set(block, seed):
    law = Ring8(samples=32, heldout=32)
    stored = StoredData(**vars(law.draws(range(2))), name="ring8", about={})
    trainer = Trainer(block("pwgan_full").training, stored, CPU)
    values = trainer._tie(False)
    made = generate(trainer.state.nets.generator, trainer.batches.tied)[seed].detach().numpy()
    costs = cdist(law.draw(seed).train.astype(float), made.astype(float))
    assert values[0, seed].item() == pytest.approx(costs[linear_sum_assignment(costs)].mean(), rel=1e-5)


def test_random_draws_no_more_than_it_takes(block, data):
    trainer = Trainer(block("nsgan").training, data, CPU)
    assert torch.equal(trainer.batches.batch(3).latent, Draws(range(2), CPU).draw("latent", 3, (8, 3)))


def test_tied_latents_follow_the_samples_that_are_chosen(block, data):
    trainer = Trainer(block("pwgan_full", {"sampler": "stratified"}).training, data, CPU)
    trainer._tie(False)
    batch = trainer.batches.batch(4)
    assert torch.equal(batch.index, build_sampler("stratified", trainer.real, 8, range(2), CPU).batch(4))
    for seed in range(2):
        partner = trainer.state.tie["matching"][seed, batch.index[seed]]
        assert torch.equal(batch.latent[seed], trainer.batches.tied[seed, partner])


@pytest.mark.parametrize("method", ["pwgan", "wgan", "pwgan_full"])
def test_a_stopped_run_ends_in_the_bits_of_one_that_never_stopped(trained, monkeypatch, method):
    options, descend = {"sampler": "stratified"}, Trainer._descend
    whole = trained("whole", method, options)
    assert whole.bytes != trained("random", method).bytes

    def stopping(self, network, losses):
        if network == "generator" and self.state.step == 13:
            raise Stopped
        descend(self, network, losses)

    monkeypatch.setattr(Trainer, "_descend", stopping)
    with pytest.raises(Stopped):
        trained("stopped", method, options)
    monkeypatch.undo()
    assert trained("stopped", method, options).bytes == whole.bytes


@pytest.mark.parametrize("method", sorted(set(methods()) - {"pwgan_full", "semidual"}))
def test_chosen_latents_do_not_depend_on_other_seeds(block, data, method):
    cell = block(method, {"sampler": "stratified"}, seeds=4).training
    whole = Trainer(cell, data, CPU)
    second = Trainer(cell.model_copy(update={"first_seed": 2, "seeds": 2}), data, CPU)
    a, b = whole.batches.batch(4), second.batches.batch(4)  # the first of a pool of four
    assert torch.equal(a.index[2:], b.index) and torch.equal(a.latent[2:], b.latent)


def test_a_diverged_seed_is_chosen_for_and_harms_no_neighbour(block, data, tmp_path):
    cell = block("pwgan", {"sampler": "stratified"}).training
    sound = Trainer(cell, data, CPU).run(tmp_path / "sound.pt")
    trainer = Trainer(cell, data, CPU)
    with torch.no_grad():
        trainer.state.nets.generator.layers[0].bias[1] = torch.nan
    lost = trainer.run(tmp_path / "lost.pt")
    assert (lost.fate != 0).tolist() == [False, True]
    for own, other in zip(sound.nets.generator.parameters(), lost.nets.generator.parameters(), strict=True):
        assert torch.equal(own[0], other[0])


def test_an_unknown_sampler_is_refused_with_the_nearest(block):
    with pytest.raises(ValueError, match="stratified"):
        block("gan", {"sampler": "stratifed"})


def test_every_method_takes_a_sampler(block):
    for name, cls in methods().items():
        options = block(name, {"sampler": "dpp"}).training.options
        assert options["sampler"] == "dpp" and cls().sampler == "random"
        assert issubclass(cls, AdversarialMethod) == ("critic_steps" in options)
