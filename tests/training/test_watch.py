"""What is watched along training: snapshots, the critic's dual and slope, and how well it ranks what is past."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from scipy.stats import mannwhitneyu
from torch import nn

from pwgan.networks.dcgan import DCGAN
from pwgan.training.draws import Draws
from pwgan.training.loop import Trainer
from pwgan.training.run import generate, latent_samples, load_generator
from pwgan.training.watch import duality, ranking

CPU = torch.device("cpu")


class Quadratic(nn.Module):
    """f(x) = a_s |x|^2 / 2, whose slope at x is a_s |x|."""

    scale = torch.tensor([[0.5], [3.0]])

    def forward(self, x):
        return self.scale * x.flatten(2).square().sum(-1) / 2


@pytest.mark.parametrize("shape", [(2,), (1, 4, 4)])
def test_dual_and_slopes_of_a_critic_that_is_known(shape):
    rng = torch.Generator().manual_seed(0)
    real, fake = (torch.randn(2, 5, *shape, generator=rng) for _ in range(2))
    share = torch.rand(2, 5, generator=rng)
    found = duality(Quadratic(), real, fake, share).numpy()
    for s, scale in enumerate((0.5, 3.0)):
        x, y, t = real[s].flatten(1).numpy(), fake[s].flatten(1).numpy(), share[s].numpy()[:, None]
        slopes = scale * np.linalg.norm(x + t * (y - x), axis=1)
        dual = scale * ((x**2).sum(1).mean() - (y**2).sum(1).mean()) / 2
        np.testing.assert_allclose(found[:, s], [dual, slopes.max(), slopes.mean()], rtol=1e-5)


scores = st.lists(st.integers(-3, 3), min_size=1, max_size=8)


@given(real=scores, fake=scores)
def test_ranking_is_the_statistic_of_mann_and_whitney(real, fake):
    found = ranking(torch.tensor([real], dtype=torch.float32), torch.tensor([fake], dtype=torch.float32))
    assert found.item() == pytest.approx(mannwhitneyu(real, fake).statistic / (len(real) * len(fake)))


def test_scores_that_are_no_numbers_rank_nothing():
    real, fake = torch.tensor([[0.0, 1.0]] * 3), torch.tensor([[-1.0, torch.nan], [-1.0, -torch.inf], [2.0, 3.0]])
    assert ranking(real, fake).isnan().tolist() == [True, False, False]
    assert ranking(fake, real).isnan().tolist() == [True, False, False]
    assert ranking(real, fake)[1:].tolist() == [1.0, 0.0]


def test_snapshots_are_of_the_same_latents_and_the_last_of_the_final_generator(trained):
    run = trained(steps=12, evaluate_every=5)
    kept = load_file(run.folder / "snapshots.safetensors")
    assert kept["steps"].tolist() == [0, 5, 10, 12]
    assert kept["samples"].shape == (4, 2, 256, 2) and kept["samples"].dtype == torch.float32
    cell = run.cell.training
    final = load_generator(run.folder / "generator.safetensors", cell, CPU)
    latents = latent_samples(cell.seed_range, "snapshot", 256, 3)
    assert torch.equal(kept["samples"][-1], generate(final, latents))
    assert not torch.equal(kept["samples"][-1], kept["samples"][-2])


def test_a_method_without_critic_has_no_ranking_and_no_dual(trained):
    run = trained(steps=6)
    empty = pd.read_parquet(run.folder / "ranking.parquet")
    assert list(empty.columns) == ["seed", "step", "earlier_step", "auc"] and empty.empty
    assert run.history[["critic_dual", "critic_slope", "critic_slope_mean"]].isna().all(axis=None)


def test_every_evaluation_ranks_itself_and_all_before(block, trained, data, tmp_path):
    options = {"critic_steps": 2, "generator_lr": 1e-2, "critic_lr": 1e-2}
    run = trained(method="nsgan", options=options, steps=12, evaluate_every=5)
    frame, kept = pd.read_parquet(run.folder / "ranking.parquet"), load_file(run.folder / "snapshots.safetensors")
    steps = [0, 5, 10, 12]
    assert list(zip(frame["step"], frame["earlier_step"], frame["seed"], strict=True)) == [
        (t, s, seed) for t in steps for s in steps if s <= t for seed in range(2)
    ]
    trainer = Trainer(block("nsgan", options, steps=12, evaluate_every=5).training, data, CPU)
    critic = trainer.run(tmp_path / "again.pt").nets.critic
    real = torch.from_numpy(data.train)
    for s, step in enumerate(steps):
        index = trainer.batches.sampler.batch(3 * step)  # three batches each iteration
        with torch.no_grad():
            x, y = critic(real[index]), critic(kept["samples"][s])
        for seed in range(2):
            expected = (x[seed][:, None] > y[seed]).double().mean() + (x[seed][:, None] == y[seed]).double().mean() / 2
            row = frame.query(f"step == 12 and earlier_step == {step} and seed == {seed}")
            assert row["auc"].item() == pytest.approx(expected.item())
    assert frame["auc"].nunique() > 4


def test_dual_and_slope_in_the_history_are_those_between_heldout_and_generated(block, data, tmp_path):
    trainer = Trainer(block("wgan", {"clip": 0.5, "critic_lr": 1e-2}, steps=6, evaluate_every=4).training, data, CPU)
    state = trainer.run(tmp_path / "run.pt")
    latent = Draws(range(2), CPU).draw("evaluation", 0, (32, 3))
    fake, real = generate(state.nets.generator, latent), trainer.heldout
    step, row = state.history[-1]
    assert step == 6
    critic = state.nets.critic
    torch.testing.assert_close(row[4], (critic(real).mean(1) - critic(fake).mean(1)).detach())
    assert (row[5] >= row[6]).all() and (row[6] > 0).all()
    # No difference of the critic between two of the points it was measured on is steeper than weights allow.
    bound = torch.ones(2)
    for layer in (*critic.layers, critic.score):
        bound = bound * torch.linalg.matrix_norm(layer.weight, 2).detach()
    assert (row[5] <= bound * 1.0001).all()
    recorded = {at: values[4].isfinite().all().item() for at, values in state.history}
    assert [at for at, known in recorded.items() if known] == [0, 4, 6]


def test_pictures_are_kept_in_half_precision_and_batch_statistics_stay(block, images, tmp_path):
    cell = block("nsgan", steps=3, evaluate_every=1).training.model_copy(
        update={"network": DCGAN(width=2, latent_dim=3)}
    )
    often = Trainer(cell, images, CPU).run(tmp_path / "often.pt")
    seldom = Trainer(cell.model_copy(update={"evaluate_every": 3}), images, CPU).run(tmp_path / "seldom.pt")
    assert [kept.samples.dtype for kept in often.snapshots] == [torch.float16] * 4
    assert often.snapshots[0].samples.shape == (2, 64, 1, 8, 8)
    assert all(map(torch.equal, often.nets.critic.buffers(), seldom.nets.critic.buffers()))
    torch.testing.assert_close(often.snapshots[-1].auc[[0, -1]], seldom.snapshots[-1].auc)


def test_a_diverged_seed_leaves_nan_and_its_neighbour_never_notices(block, data, monkeypatch, tmp_path):
    cell = block("gan", steps=10, evaluate_every=5).training
    sound = Trainer(cell, data, CPU).run(tmp_path / "sound.pt")
    original = Trainer._iterate

    def ruined(self):
        if self.state.step == 7:
            with torch.no_grad():
                self.state.nets.critic.score.bias[1] = torch.nan
        return original(self)

    monkeypatch.setattr(Trainer, "_iterate", ruined)
    lost = Trainer(cell, data, CPU).run(tmp_path / "lost.pt")
    assert lost.diverged_at.tolist() == [-1, 7]
    for before, after in zip(sound.snapshots, lost.snapshots, strict=True):
        assert torch.equal(before.samples[0], after.samples[0])
        assert torch.equal(before.auc[:, 0], after.auc[:, 0])
    assert lost.snapshots[-1].samples[1].isnan().all() and lost.snapshots[-1].auc[:, 1].isnan().all()
    assert lost.snapshots[1].auc[:, 1].isfinite().all()
    assert lost.history[-1][1][4:, 1].isnan().all() and lost.history[-1][1][4:, 0].isfinite().all()
