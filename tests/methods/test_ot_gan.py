"""The learned transport cost against scipy, its gradient against differences, and what is refused."""

import re

import numpy as np
import pytest
import torch
from scipy.optimize import approx_fprime, linear_sum_assignment
from scipy.spatial.distance import cdist
from torch import nn

from pwgan.data.store import read_data
from pwgan.methods import Batch, Nets
from pwgan.methods import pwgan as plain
from pwgan.methods.ot_gan import OTGAN
from pwgan.networks.dcgan import DCGAN
from pwgan.study import parse_study
from pwgan.training.loop import Trainer

S, M, D, K = 3, 8, 2, 5


class Waves(nn.Module):
    """Features sin(x W_s), whose lengths differ; scores are of no use to this method."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(noise(S, D, K, seed=7))

    def features(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sin(x.flatten(2) @ self.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        raise AssertionError("this method needs no scores")


def noise(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def forbidden(*shape: int) -> torch.Tensor:
    raise AssertionError("this method needs no uniform draws")


def batch(shape: tuple[int, ...] = (D,)) -> Batch:
    real, fake = noise(S, M, *shape, seed=0), noise(S, M, *shape, seed=1) + 0.3
    return Batch(real, torch.arange(M).expand(S, -1), torch.zeros(S, M, 4), fake.requires_grad_(), forbidden)


def transport(x: np.ndarray, y: np.ndarray) -> float:
    costs = cdist(x, y, "cosine")
    return costs[linear_sum_assignment(costs)].mean()


def distance(weight: np.ndarray, real: np.ndarray, fake: np.ndarray) -> float:
    """D of one seed, each term by scipy."""
    (x, x_other), (y, y_other) = (np.split(np.sin(side @ weight), 2) for side in (real, fake))
    across = [transport(one, other) for one in (x, x_other) for other in (y, y_other)]
    return sum(across) / 2 - transport(x, x_other) - transport(y, y_other)


@pytest.mark.parametrize("together", [1 << 26, 1])
@pytest.mark.parametrize("shape", [(D,), (1, 1, D)])
def test_it_is_the_energy_distance_of_halves(monkeypatch, together, shape):
    monkeypatch.setattr(plain, "MOST_COSTS", together)  # all matchings at once, or one after the other
    nets, made = Nets(nn.Identity(), Waves()), batch(shape)
    real, fake = (side.detach().numpy().reshape(S, M, D) for side in (made.real, made.fake))
    expected = [distance(nets.critic.weight[s].detach().numpy(), real[s], fake[s]) for s in range(S)]
    np.testing.assert_allclose(OTGAN().generator_loss(nets, made).detach(), expected, rtol=1e-9)
    np.testing.assert_allclose(OTGAN().critic_loss(nets, made).detach(), np.negative(expected), rtol=1e-9)


def test_gradients_are_those_of_differences_down_for_the_generator_and_up_for_the_critic():
    nets, made = Nets(nn.Identity(), Waves()), batch()
    (pull,) = torch.autograd.grad(OTGAN().generator_loss(nets, made).sum(), made.fake)
    (push,) = torch.autograd.grad(OTGAN().critic_loss(nets, made).sum(), nets.critic.weight)
    for s in range(S):
        w, x, y = (side[s].detach().numpy() for side in (nets.critic.weight, made.real, made.fake))
        by_fake = approx_fprime(y.ravel(), lambda flat, w=w, x=x: distance(w, x, flat.reshape(M, D)), 1e-7)
        by_weight = approx_fprime(w.ravel(), lambda flat, x=x, y=y: distance(flat.reshape(D, K), x, y), 1e-7)
        np.testing.assert_allclose(pull[s].flatten(), by_fake, atol=1e-5)
        np.testing.assert_allclose(push[s].flatten(), -by_weight, atol=1e-5)


def test_it_is_zero_in_the_mean_for_equal_laws_and_positive_for_others():
    real, fake = (torch.randn(3000, M, D, generator=torch.Generator().manual_seed(k)).double() for k in range(2))
    critic = Waves()
    critic.weight = nn.Parameter(critic.weight[:1].expand(3000, -1, -1))
    for moved, low, high in ((0.0, -4, 4), (1.0, 10, np.inf)):
        given = Batch(real, None, torch.zeros(3000, M, 1), fake + moved, forbidden)
        found = OTGAN().generator_loss(Nets(nn.Identity(), critic), given)
        error = found.std() / 3000**0.5
        assert low * error < found.mean() < high * error and error < 0.01


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_a_diverged_seed_shows_and_leaves_the_others_as_they_were(bad):
    found = []
    for spoil in (False, True):
        nets, made = Nets(nn.Identity(), Waves()), batch()
        if spoil:
            made.fake.detach()[1, 5] = bad
        loss = OTGAN().critic_loss(nets, made)
        loss[[0, 2]].sum().backward()
        found.append((loss, nets.critic.weight.grad, made.fake.grad))
    (whole, *slopes), (hurt, *others) = found
    assert not hurt[1].isfinite() and torch.equal(hurt[[0, 2]], whole[[0, 2]])
    for ours, theirs in zip(slopes, others, strict=True):
        assert torch.equal(ours[[0, 2]], theirs[[0, 2]])


def test_images_are_compared_by_the_features_of_their_critic():
    network = DCGAN(width=2, latent_dim=3)
    _, critic = network.build(range(S), (1, 8, 8), OTGAN.critic_norm)
    network.initialise(critic, range(S), "critic")
    real, fake = (noise(S, M, 1, 8, 8, seed=k).float() for k in range(2))
    loss = OTGAN().critic_loss(Nets(nn.Identity(), critic), Batch(real, None, real, fake, forbidden))
    loss.sum().backward()
    assert loss.isfinite().all() and critic.score.weight.grad is None
    assert all(p.grad.abs().sum() > 0 for down in critic.downs for p in down.parameters())


def test_an_odd_mini_batch_is_refused_at_planning(tiny):
    told = "methods.ot_gan: the mini-batch size 9 is odd, and two halves are compared; allowed: even sizes"
    with pytest.raises(ValueError, match=re.escape(told)):
        parse_study(tiny(methods={"ot_gan": {}}, batch_sizes=[9]))


def test_a_study_trains_it_with_three_generator_steps_for_one_of_the_critic(tiny, ring8, tmp_path):
    (block,) = parse_study(tiny(methods={"ot_gan": {}}, steps=4, evaluate_every=2)).blocks.values()
    trainer = Trainer(block.training, read_data(ring8), torch.device("cpu"))
    score = trainer.state.nets.critic.score.weight.clone()
    state = trainer.run(tmp_path / "run.pt")
    assert [float(state.optimisers[side].state["step"][0]) for side in ("critic", "generator")] == [4, 12]
    assert state.history[-2][1][:2].isfinite().all() and torch.equal(state.nets.critic.score.weight, score)
