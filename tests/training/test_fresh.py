"""Mini-batches drawn anew: their distribution, and that a run on them does not read the training set."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats

from pwgan.data.mixtures import Ring8Legacy
from pwgan.data.store import StoredData
from pwgan.study import parse_study
from pwgan.training.checkpoint import origin
from pwgan.training.draws import Draws
from pwgan.training.fresh import FreshBatches
from pwgan.training.loop import Trainer

CPU = torch.device("cpu")
SEEDS = range(2)


@pytest.fixture
def law() -> StoredData:
    """Return draws of a mixture of unequal weights, with ``fresh``."""
    split = Ring8Legacy(samples=256, heldout=64, fresh=True).draws(SEEDS)
    return StoredData(**vars(split), name="ring8", about={})


def test_fresh_points_have_the_weights_the_modes_and_the_spread_of_the_mixture(law):
    batches = FreshBatches(law, "random", 5000, Draws(SEEDS, CPU))
    points = torch.cat([batches.batch(number) for number in range(2)], 1).double().numpy()
    assert points.shape == (2, 10_000, 2)
    for own in points:
        apart = own[:, None] - law.modes
        nearest = np.linalg.norm(apart, axis=-1).argmin(1)
        counts = np.bincount(nearest, minlength=7)
        assert stats.chisquare(counts, law.weights * len(own)).pvalue > 1e-3
        noise = apart[np.arange(len(own)), nearest] / law.sigma
        assert stats.kstest(noise.ravel(), "norm").pvalue > 1e-3
    assert len(np.unique(points.reshape(-1, 2), axis=0)) == 20_000


@pytest.mark.parametrize("sampler", ["random", "stratified", "dpp"])
def test_a_fresh_batch_is_a_function_of_seed_and_number(law, sampler):
    whole, second = (FreshBatches(law, sampler, 16, Draws(seeds, CPU)) for seeds in (SEEDS, range(1, 2)))
    for number in (40, 0, 40):
        assert torch.equal(whole.batch(number)[1:], second.batch(number))
    assert not torch.equal(whole.batch(1), whole.batch(2))


def test_a_stratified_fresh_batch_has_every_mode_equally_often(law):
    uniform = replace(law, modes=law.modes[1:5], weights=np.full(4, 0.25))
    batches = FreshBatches(uniform, "stratified", 64, Draws(SEEDS, CPU))
    random = FreshBatches(uniform, "random", 64, Draws(SEEDS, CPU))

    def scatter(source):
        points = torch.cat([source.batch(number) for number in range(20)]).double().numpy()
        nearest = np.linalg.norm(points[:, :, None] - uniform.modes, axis=-1).argmin(2)
        return np.mean([(np.bincount(row, minlength=4) - 16) ** 2 for row in nearest])

    # Multinomial counts vary by 64 / 4 * 3 / 4 = 12; those of 512 points chosen by strata by an eighth of it at most.
    assert scatter(batches) < 3 < 6 < scatter(random)


@pytest.mark.parametrize("method", ["nsgan", "pwgan", "pwgan_pool"])
def test_a_run_on_fresh_batches_does_not_use_the_training_set(block, law, tmp_path, method):
    cell = block(method).training
    first = Trainer(cell, law, CPU)
    state = first.run(tmp_path / "a")
    assert first.batches.batch(0).index is None
    other = replace(law, train=law.train + 1)
    again = Trainer(cell, other, CPU).run(tmp_path / "b")
    for ours, theirs in zip(state.nets.generator.parameters(), again.nets.generator.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    if method == "nsgan":
        assert torch.equal(state.snapshots[-1].auc, again.snapshots[-1].auc)
        assert state.snapshots[-1].auc.isfinite().all()
    assert origin(cell, law) != origin(cell, replace(law, fresh=False))
    assert origin(cell, law) != origin(cell, replace(law, sigma=0.02))


def test_a_stopped_run_on_fresh_batches_ends_as_one_that_never_stopped(block, law, tmp_path, monkeypatch):
    cell = block("wgan").training
    whole = Trainer(cell, law, CPU).run(tmp_path / "whole")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Trainer, "_generator_step", _stopping(Trainer._generator_step))
        Trainer(cell, law, CPU).run(tmp_path / "stopped")
    resumed = Trainer(cell, law, CPU).run(tmp_path / "stopped")
    for ours, theirs in zip(whole.nets.generator.parameters(), resumed.nets.generator.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    assert torch.equal(whole.snapshots[-1].auc, resumed.snapshots[-1].auc)


def _stopping(step):
    def stop(self, number):
        if self.state.step == 13:
            raise KeyboardInterrupt
        return step(self, number)

    return stop


def test_fresh_is_an_option_of_mixtures_and_not_of_tied_methods(tiny):
    ring = {"ring8": {"fresh": True, "samples": 64, "heldout": 32}}
    with pytest.raises(ValueError, match=r"datasets\.ring8: fresh: pwgan_full trains on a matching of the whole"):
        parse_study(tiny(datasets=ring, methods={"pwgan_full": {}}))
    elsewhere = {"pwgan_full": {"datasets": ["grid25"]}, "pwgan": {"sampler": "stratified"}}
    parse_study(tiny(datasets=ring | {"grid25": {}}, methods=elsewhere))
    with pytest.raises(ValueError, match=r"unknown key of datasets\.swiss_roll: 'fresh'"):
        parse_study(tiny(datasets={"swiss_roll": {"fresh": True}}))
