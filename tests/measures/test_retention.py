"""What a critic keeps of a mini-batch, against critics whose memory is known."""

import numpy as np
import torch

from pwgan.data.store import read_data
from pwgan.measures.retention import LAGS, RETENTION, retention
from pwgan.measures.signal import critic_signal
from pwgan.study import parse_study
from pwgan.training.loop import Trainer

CPU = torch.device("cpu")


def trainer_of(tiny, ring8, m=8, **options):
    study = parse_study(tiny(methods={"wgan": {"critic_steps": 1, **options}}, batch_sizes=[m]))
    (block,) = study.blocks.values()
    return Trainer(block.training, read_data(ring8), CPU)


def scores(trainer, m):
    critic = trainer.state.nets.critic.eval()
    held = trainer.data.heldout_tensor().expand(2, -1, -1)
    with torch.no_grad():
        values = critic(held).double().numpy()
    return values[:, :m], values[:, m:]


def auc(seen, unseen):
    above = (seen[:, :, None] > unseen[:, None]) + 0.5 * (seen[:, :, None] == unseen[:, None])
    return above.mean((1, 2))


def test_the_probe_is_ranked_before_one_step_on_it_and_after_steps_on_other_batches(tiny, ring8):
    trainer, twin = trainer_of(tiny, ring8, clip=1.0), trainer_of(tiny, ring8, clip=1.0)
    trainer.critic_step(trainer.method, 0)
    twin.critic_step(twin.method, 0)
    before, *after = retention(trainer, trainer.method, 1)
    # One of 8 × 56 pairs is 0.002: rounding may order a few in another way.
    np.testing.assert_allclose(before, auc(*scores(twin, 8)), atol=0.005)
    # The same steps by hand.
    probe = twin.data.heldout_tensor(torch.arange(8)).expand(2, -1, -1)
    honest = twin.batches.real_samples
    twin.batches.real_samples = lambda number, index: probe if number == 1 else honest(number, index)
    expected = {}
    for lag in range(1, max(LAGS) + 1):
        twin.critic_step(twin.method, lag)
        expected[lag] = auc(*scores(twin, 8))
    for lag, value in zip(LAGS, after, strict=True):
        np.testing.assert_allclose(value, expected[lag], atol=0.005)


def test_a_critic_that_learns_fast_knows_the_probe_and_one_that_does_not_learn_does_not(tiny, ring8):
    slow, fast = trainer_of(tiny, ring8, critic_lr=1e-12, clip=100.0), trainer_of(tiny, ring8, critic_lr=0.05, clip=1.0)
    before, after, _ = retention(slow, slow.method, 0)
    np.testing.assert_allclose(after, before, atol=0.01)
    before, after, _ = retention(fast, fast.method, 0)
    assert (after != before).any()


def test_too_few_held_out_samples_have_no_probe(tiny, ring8):
    trainer = trainer_of(tiny, ring8, m=33)
    assert retention(trainer, trainer.method, 0).isnan().all()


def test_only_the_last_critic_is_asked(tiny, ring8):
    trainer = trainer_of(tiny, ring8)
    rows = critic_signal(trainer.cell, trainer.data, None, CPU, 4)
    known = [row["step"] for row in rows if not np.isnan(row["probe_128"])]
    assert known == [4, 4] and all(0 <= row[name] <= 1 for row in rows[-2:] for name in RETENTION)
