"""The cost between random features: its values by scipy, its gradient by differences, pools, and what is refused."""

import copy
import re

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from torch import nn

from pwgan.data import Split
from pwgan.data.store import read_data, write_data
from pwgan.errors import Refused
from pwgan.methods import Batch, Nets, methods
from pwgan.methods.pwgan import PWGAN
from pwgan.methods.pwgan_debiased import DebiasedPWGAN
from pwgan.methods.pwgan_pool import PooledPWGAN
from pwgan.networks.layers import classifier
from pwgan.networks.layers.classifier import untrained
from pwgan.study import parse_study
from pwgan.training.loop import Trainer

S, M = 2, 8
NETS = Nets(nn.Identity(), nn.Identity())
COSTS = ["euclidean", "sqeuclidean", "cityblock", "cosine"]


@pytest.fixture(autouse=True)
def precise(monkeypatch):
    """Let the extractor have the same weights in float64, for differences."""
    networks = {channels: copy.deepcopy(untrained(channels, 8)).double() for channels in (1, 3)}
    monkeypatch.setattr(classifier, "untrained", lambda channels, size: networks[channels])


def images(seed: int, n: int = M, channels: int = 1) -> torch.Tensor:
    draws = torch.Generator().manual_seed(seed)
    return torch.rand(S, n, channels, 8, 8, dtype=torch.float64, generator=draws) * 2 - 1


def forbidden(*shape: int) -> torch.Tensor:
    raise AssertionError("this method needs no uniform draws")


def batch(channels: int = 1) -> Batch:
    real, fake, second = (images(seed, channels=channels) for seed in range(3))
    fake, second = fake / 2, second / 2
    return Batch(real, torch.arange(M).expand(S, -1), torch.zeros(S, M, 4), fake, forbidden, second)


def by_layers(x: torch.Tensor) -> np.ndarray:
    """Maps (n, 512) of images (n, c, 8, 8), one layer of the network after the other."""
    network, x = copy.deepcopy(untrained(*x.shape[1:3])).double(), x.detach()
    for k in (0, 3, 6):
        stride = 1 if k == 0 else 2
        x = torch.nn.functional.conv2d(x, network.body[k].weight, stride=stride, padding=1)
        x = (x / (1 + network.body[k + 1].eps) ** 0.5).clamp(min=0)
    return x.flatten(1).numpy()


def optimum(x: torch.Tensor, y: torch.Tensor, cost: str) -> tuple[float, np.ndarray]:
    costs = cdist(by_layers(x), by_layers(y), cost)
    columns = linear_sum_assignment(costs)[1]
    return costs[range(len(costs)), columns].mean(), columns


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("cost", COSTS)
def test_the_cost_is_that_of_the_features_of_the_measures(cost, channels):
    made = batch(channels)
    plain = PWGAN(cost=cost, features="random").generator_loss(NETS, made)
    debiased = DebiasedPWGAN(cost=cost, features="random").generator_loss(NETS, made)
    for s in range(S):
        across, _ = optimum(made.real[s], made.fake[s], cost)
        within, _ = optimum(made.fake[s], made.second[s], cost)
        assert plain[s].item() == pytest.approx(across, rel=1e-9)
        assert debiased[s].item() == pytest.approx(2 * across - within, rel=1e-9)


@pytest.mark.parametrize("method", [PWGAN(features="random"), DebiasedPWGAN(features="random", cost="sqeuclidean")])
def test_the_gradient_passes_through_the_extractor_which_stays_as_it_is(method):
    made = batch()
    made.fake.requires_grad_()
    (pull,) = torch.autograd.grad(method.generator_loss(NETS, made).sum(), made.fake)
    for s in range(S):
        way = torch.randn(made.fake.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(s))
        ends = []
        for step in (1e-6, -1e-6):
            moved = Batch(made.real, made.index, made.latent, made.fake.detach() + step * way, forbidden, made.second)
            ends.append(method.generator_loss(NETS, moved)[s])
        assert (pull * way)[s].sum().item() == pytest.approx((ends[0] - ends[1]).item() / 2e-6, rel=1e-5)
    assert not any(parameter.requires_grad for parameter in untrained(1, 8).parameters())


@pytest.mark.parametrize("name", [name for name, method in methods().items() if issubclass(method, PWGAN)])
def test_every_method_that_inherits_the_option_compares_features(name):
    made, method = batch(), methods()[name](features="random", **{"pool": 1} if name == "pwgan_pool" else {})
    points = [torch.from_numpy(np.stack([by_layers(x) for x in side])) for side in (made.real, made.fake, made.second)]
    given = Batch(points[0], made.index, made.latent, points[1], forbidden, points[2])
    pixels = method.model_copy(update={"features": "none"})
    torch.testing.assert_close(method.generator_loss(NETS, made), pixels.generator_loss(NETS, given), rtol=1e-7, atol=0)


def test_a_pool_is_matched_by_its_features_and_so_are_its_pairs():
    real, fake, second = images(0, 3 * M), images(1, 3 * M) / 2, images(2, 3 * M) / 2
    method = DebiasedPWGAN(pool=3, features="random")
    first, other = method.match_latents(real, fake, second)
    for s in range(S):
        np.testing.assert_array_equal(first[s], optimum(real[s], fake[s], "euclidean")[1])
        np.testing.assert_array_equal(other[s], optimum(fake[s][first[s]], second[s], "euclidean")[1])
    made = batch()
    loss = PooledPWGAN(features="random").generator_loss(NETS, made)
    for s in range(S):
        apart = by_layers(made.real[s]) - by_layers(made.fake[s])
        assert loss[s].item() == pytest.approx(np.linalg.norm(apart, axis=1).mean(), rel=1e-9)


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_a_diverged_seed_shows_and_leaves_the_others_as_they_were(bad):
    method, found = PWGAN(features="random"), []
    for spoil in (False, True):
        made = batch()
        if spoil:
            made.fake[1, 2, 0, 3] = bad
        made.fake.requires_grad_()
        loss = method.generator_loss(NETS, made)
        loss[0].backward()
        found.append((loss, made.fake.grad[0]))
    (whole, slope), (hurt, other) = found
    assert not hurt[1].isfinite() and hurt[0] == whole[0] and torch.equal(slope, other)


def test_points_are_refused_at_planning_and_images_are_not(tiny):
    told = "methods.pwgan: features: random are of images, got samples of shape (2,); allowed: none; or restrict"
    with pytest.raises(ValueError, match=re.escape(told)):
        parse_study(tiny(methods={"pwgan": {"features": "random"}}))
    with pytest.raises(ValueError, match="'none' or 'random', got 'classifier'"):
        parse_study(tiny(methods={"pwgan": {"features": "classifier"}}))
    both = {"ring8": tiny()["datasets"]["ring8"], "digits": {"network": {"name": "dcgan", "width": 2}}}
    restricted = {"pwgan": {}, "pwgan_debiased": {"features": "random", "datasets": ["digits"]}}
    assert len(parse_study(tiny(datasets=both, methods=restricted)).blocks) == 3


def test_an_image_without_features_has_no_cosine():
    made = batch()
    made.real[1, 4] = 0  # no biases: the features of a grey image are 0
    with pytest.raises(Refused, match="features of sample 4 is the zero vector"):
        PWGAN(cost="cosine", features="random").generator_loss(NETS, made)


def test_a_study_trains_with_pools_in_features(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(classifier, "untrained", untrained)
    pixels = np.random.default_rng(0).uniform(-1, 1, (320, 1, 8, 8)).astype(np.float32)
    write_data(tmp_path / "images", Split(pixels[:256], pixels[256:]), {"name": "digits"})
    study = tiny(
        datasets={"digits": {"network": {"name": "dcgan", "width": 2, "latent_dim": 3}}},
        methods={"pwgan_debiased": {"features": "random", "pool": 2}},
        steps=4,
        evaluate_every=2,
    )
    (block,) = parse_study(study).blocks.values()
    trainer = Trainer(block.training, read_data(tmp_path / "images"), torch.device("cpu"))
    before = [parameter.clone() for parameter in trainer.state.nets.generator.parameters()]
    state = trainer.run(tmp_path / "run.pt")
    assert state.history[-2][1][1].isfinite().all()
    assert all((a != b).any() for a, b in zip(before, state.nets.generator.parameters(), strict=True))
    assert not any("body" in name for name in state.nets.generator.state_dict())
