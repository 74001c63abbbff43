"""Packs: which samples meet in one, their losses, what is refused, and what a study measures of such a critic."""

import math
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from torch import nn

from pwgan.data.store import read_data
from pwgan.measures.retention import retention
from pwgan.methods import Batch, Nets
from pwgan.methods.nsgan import NonSaturatingGAN
from pwgan.methods.pacgan import PacGAN
from pwgan.networks.dcgan import DCGAN
from pwgan.study import parse_study
from pwgan.training.loop import Trainer

S, M = 3, 6
CPU = torch.device("cpu")


class Product(nn.Module):
    """f of a pack is the product of all its numbers, which no sum over single samples is."""

    def forward(self, packs: torch.Tensor) -> torch.Tensor:
        return packs.flatten(2).prod(-1)


def noise(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def batch(shape: tuple[int, ...]) -> Batch:
    real, fake = noise(S, M, *shape, seed=0), noise(S, M, *shape, seed=1)
    return Batch(real, None, noise(S, M, 4, seed=2), fake.requires_grad_(), torch.rand)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 5), st.integers(1, 13), st.sampled_from([(2,), (3, 2, 2)]))
def test_packs_hold_successive_samples_once_each(packing, count, shape):
    samples = torch.arange(2.0 * count * math.prod(shape)).view(2, count, *shape)
    packs = PacGAN(packing=packing).critic_input(samples)
    whole = count // packing
    assert packs.shape == (2, whole, *PacGAN(packing=packing).critic_shape(shape))
    for s in range(2):
        for k in range(whole):
            expected = np.concatenate(samples[s, k * packing : (k + 1) * packing].numpy(), axis=0)
            np.testing.assert_array_equal(packs[s, k], expected)


@pytest.mark.parametrize("packing", [1, 2, 3])
@pytest.mark.parametrize("shape", [(2,), (1, 2, 2)])
def test_losses_are_those_of_packs(packing, shape):
    made, nets, method = batch(shape), Nets(nn.Identity(), Product()), PacGAN(packing=packing)
    real, fake = (side.detach().numpy().reshape(S, M // packing, -1).prod(2) for side in (made.real, made.fake))
    expected = -np.log(expit(real)).mean(1) - np.log(expit(-fake)).mean(1)
    np.testing.assert_allclose(method.critic_loss(nets, made).detach(), expected, rtol=1e-10)
    np.testing.assert_allclose(method.generator_loss(nets, made).detach(), -np.log(expit(fake)).mean(1), rtol=1e-10)


def test_every_sample_of_a_pack_gets_its_gradient():
    made, method = batch((2,)), PacGAN(packing=3)
    (pull,) = torch.autograd.grad(method.generator_loss(Nets(nn.Identity(), Product()), made).sum(), made.fake)
    fake = made.fake.detach().view(S, 2, 6)
    score = fake.prod(-1, keepdim=True)
    expected = -torch.sigmoid(-score) * score / fake / 2
    torch.testing.assert_close(pull, expected.view(S, M, 2))


def test_packs_of_one_are_the_plain_game():
    made, nets = batch((2,)), Nets(nn.Identity(), Product())
    for kind in ("critic_loss", "generator_loss"):
        assert torch.equal(getattr(PacGAN(packing=1), kind)(nets, made), getattr(NonSaturatingGAN(), kind)(nets, made))


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_a_diverged_seed_shows_and_leaves_the_others_right(bad):
    sound, spoilt, nets = batch((2,)), batch((2,)), Nets(nn.Identity(), Product())
    with torch.no_grad():
        spoilt.fake[1, 2, 0] = bad
        spoilt.fake[1, 3, 0] = 0.0  # infinity times 0 is not finite either
    for kind in ("critic_loss", "generator_loss"):
        whole, hurt = (getattr(PacGAN(), kind)(nets, made) for made in (sound, spoilt))
        assert not hurt[1].isfinite() and torch.equal(hurt[[0, 2]], whole[[0, 2]])


def test_a_packing_that_does_not_divide_the_mini_batch_is_refused(tiny):
    told = "methods.pacgan: packing: 3 does not divide the mini-batch size 8; allowed: 1, 2, 4, 8"
    with pytest.raises(ValueError, match=re.escape(told)):
        parse_study(tiny(methods={"pacgan": {"packing": 3}}))
    with pytest.raises(ValueError, match="packing: 4 samples are more than the 2 of an evaluation; allowed: 1 to 2"):
        parse_study(tiny(methods={"pacgan": {"packing": 4}}, evaluation_points=2))
    with pytest.raises(ValueError, match="packing"):
        PacGAN(packing=0)
    restricted = {"pacgan": {"packing": 3, "batch_sizes": [9]}, "gan": {}}
    assert len(parse_study(tiny(methods=restricted, batch_sizes=[8, 9])).blocks) == 3


@pytest.fixture
def trainer(tiny, ring8):
    study = parse_study(tiny(methods={"pacgan": {"packing": 4, "simultaneous": True}}, steps=4, evaluate_every=2))
    (block,) = study.blocks.values()
    return Trainer(block.training, read_data(ring8), CPU)


def test_a_study_trains_and_measures_a_critic_of_packs(trainer, tmp_path):
    state = trainer.run(tmp_path / "run.pt")
    assert state.nets.critic.layers[0].weight.shape == (2, 8, 8) and state.nets.generator.shape == (2,)
    # EWDs, the critic's dual and slopes, and rankings of packs.
    assert state.history[-1][1][[2, 4, 5, 6, 7]].isfinite().all()
    auc = state.snapshots[-1].auc
    assert ((auc >= 0) & (auc <= 1)).all()
    # Two packs of real samples and 64 of generated ones: 128 comparisons.
    assert torch.equal((auc * 256).round(), auc * 256)
    kept = retention(trainer, trainer.method, state.step)
    assert ((kept >= 0) & (kept <= 1)).all()


def test_the_dual_is_that_of_packs(trainer):
    values = trainer._evaluate()
    critic = trainer.state.nets.critic.eval()
    fake, _ = trainer._generate(trainer.draws.draw("evaluation", 0, (32, 3)))
    with torch.no_grad():
        scores = [critic(side.reshape(2, 8, 8)).mean(1) for side in (trainer.heldout, fake)]
    torch.testing.assert_close(values[1], scores[0] - scores[1])
    assert (values[2] >= values[3]).all() and (values[3] > 0).all()


def test_images_are_packed_along_their_channels():
    network = DCGAN(width=2, latent_dim=3)
    _, critic = network.build(range(2), PacGAN().critic_shape((1, 8, 8)), PacGAN.critic_norm)
    network.initialise(critic, range(2), "critic")
    assert critic.downs[0].weight.shape == (2, 2, 2, 4, 4)
    assert critic(PacGAN().critic_input(torch.zeros(2, 6, 1, 8, 8))).shape == (2, 3)
