"""EWD, and bias and gradient cosines over the ladder, against scipy and a plain loop over seeds and mini-batches."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from pwgan.batches.base import random_order
from pwgan.batches.drawing import batches
from pwgan.measures.bias import MatchedGradients, no_cosines, pool_bias
from pwgan.networks.layers.initial import initialise
from pwgan.networks.mlp import MLP
from pwgan.transport.bias import full_matching, ladder, pool_size, sampler_bias

N, SEEDS, PARTITIONS = 16, range(3), 2
PARTS = ["matching_bias", "sampling_bias"]
FIELDS = ["ewd", "mbwd", "bias", "deviation", "bound", "differing", *PARTS, "cosine_batch", "cosine_mean"]
ALL = torch.ones(len(SEEDS), dtype=torch.bool)


@pytest.fixture
def real():
    return torch.randn(N, 2, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def latent():
    return torch.randn(len(SEEDS), N, 3, generator=torch.Generator().manual_seed(2))


@pytest.fixture
def generator():
    network, _ = MLP(width=5, depth=1, latent_dim=3).build(SEEDS, (2,), "none")
    initialise(network, SEEDS, "generator")
    return network


def generated_bias(real, latent, generator, seeds, sound, partitions, samplers=("random",)):
    """Measure the bias of a generator's pool."""
    with torch.no_grad():
        pool = generator(latent).flatten(2)
    return pool_bias(
        real,
        pool,
        sound,
        seeds,
        samplers,
        partitions,
        lambda x, full: MatchedGradients(generator, latent, x, full).cosines,
    )


def optimal(x, y):
    """Return which y each x is matched with."""
    return linear_sum_assignment(cdist(x, y))[1]


def own_parameters(generator, s):
    """Return one seed's parameters in double precision, as leaves of a graph."""
    return [p[s].detach().double().requires_grad_() for p in generator.parameters()]


def own_generator(parameters, latent):
    """Compute one seed's samples without the seed axis."""
    w0, b0, w1, b1 = parameters
    return torch.relu(latent.double() @ w0 + b0) @ w1 + b1


def gradient(parameters, latent, targets):
    """Gradient of the mean distance between generated points and their targets, flat."""
    distance = (own_generator(parameters, latent) - targets).norm(dim=-1).mean()
    return torch.cat([g.flatten() for g in torch.autograd.grad(distance, parameters)])


def expected(real, latent, generator, s, m):
    """Compute the report of one seed and rung with numpy, scipy and one graph for each mini-batch."""
    parameters = own_parameters(generator, s)
    x = real.double()
    y = own_generator(parameters, latent[s]).detach()
    full = optimal(x, y)
    inverse = np.argsort(full)
    full_gradient = gradient(parameters, latent[s], x[inverse])
    rows = []
    for partition in range(PARTITIONS):
        orders = [random_order(N, "pool", side, SEEDS[s], m, partition).numpy() for side in ("real", "generated")]
        matching, gradients = np.empty(N, int), []
        for at in range(0, N, m):
            i, j = (order[at : at + m] for order in orders)
            partners = optimal(x[i], y[j])
            matching[i] = j[partners]
            gradients.append(gradient(parameters, latent[s][j], x[i[np.argsort(partners)]]))
        gap = (x - y[matching]).norm(dim=-1) - (x - y[full]).norm(dim=-1)
        cosines = [float(torch.cosine_similarity(g, full_gradient, dim=0)) for g in gradients]
        mean = torch.cosine_similarity(torch.stack(gradients).mean(0), full_gradient, dim=0)
        rows.append(
            {
                "ewd": float((x - y[full]).norm(dim=-1).mean()),
                "mbwd": float((x - y[matching]).norm(dim=-1).mean()),
                "bias": float(gap.mean()),
                "deviation": float(gap.abs().mean()),
                "bound": float((y[matching] - y[full]).norm(dim=-1).mean()),
                "differing": float((matching != full).mean()),
                "matching_bias": float(gap.mean()),
                "sampling_bias": 0.0,
                "cosine_batch": float(np.mean(cosines)),
                "cosine_mean": float(mean),
            }
        )
    return {name: np.mean([row[name] for row in rows]) for name in FIELDS}


@given(st.integers(4, 5000))
def test_every_rung_parts_the_pool(limit):
    n = pool_size(limit, 10000)
    assert n <= limit < 2 * n
    rungs = ladder(n)
    assert rungs[0] == 4 and rungs[-1] == n
    assert all(n % m == 0 for m in rungs) and all(b == 2 * a for a, b in itertools.pairwise(rungs))


def test_each_rung_is_what_a_plain_loop_finds(real, latent, generator):
    rungs = generated_bias(real, latent, generator, SEEDS, ALL, PARTITIONS)
    assert [m for _, m, _ in rungs] == [4, 8, 16]
    for _, m, report in rungs:
        assert list(report) == FIELDS
        for s in range(len(SEEDS)):
            for name, value in expected(real, latent, generator, s, m).items():
                # Samples and gradients are float32.
                assert float(report[name][s]) == pytest.approx(value, rel=1e-4, abs=1e-5), (m, s, name)


def test_the_whole_pool_as_one_mini_batch_has_no_bias(real, latent, generator):
    (_, _, small), *_, (_, m, whole) = generated_bias(real, latent, generator, SEEDS, ALL, PARTITIONS)
    assert m == N
    for name in ("bias", "deviation", "bound"):
        np.testing.assert_allclose(whole[name], 0, atol=1e-12)
    assert (whole["differing"] == 0).all() and (whole["mbwd"] - whole["ewd"]).abs().max() < 1e-12
    for name in ("cosine_batch", "cosine_mean"):
        np.testing.assert_allclose(whole[name], 1, atol=1e-5)
    assert (small["bias"] > 0.01).all() and (small["cosine_batch"] < 0.999).all()


def test_points_measured_as_they_are_have_the_same_bias_and_no_gradient(real, latent, generator):
    with torch.no_grad():
        fake = generator(latent)
    for (_, m, made), (_, m_too, given_points) in zip(
        generated_bias(real, latent, generator, SEEDS, ALL, PARTITIONS),
        pool_bias(real, fake, ALL, SEEDS, ("random",), PARTITIONS, lambda x, full: no_cosines),
        strict=True,
    ):
        assert m == m_too
        for name in FIELDS[:-2]:
            assert torch.equal(made[name], given_points[name])
        assert all(given_points[name].isnan().all() for name in FIELDS[-2:])


@pytest.mark.parametrize("ruined", [torch.nan, torch.inf, 1e30])
def test_an_unsound_seed_is_nan_and_the_others_as_without_it(real, latent, generator, ruined):
    before = generated_bias(real, latent, generator, SEEDS, ALL, PARTITIONS)
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter[1] = ruined
    after = generated_bias(real, latent, generator, SEEDS, torch.tensor([True, False, True]), PARTITIONS)
    for (_, _, sound), (_, _, masked) in zip(before, after, strict=True):
        for name in FIELDS:
            assert torch.equal(masked[name][[0, 2]], sound[name][[0, 2]]), name
            assert masked[name][1].isnan()


def test_a_seed_s_report_does_not_depend_on_its_neighbours(real, latent, generator):
    alone, _ = MLP(width=5, depth=1, latent_dim=3).build(range(2, 3), (2,), "none")
    initialise(alone, range(2, 3), "generator")
    together = generated_bias(real, latent, generator, SEEDS, ALL, PARTITIONS)
    for (_, _, all_three), (_, _, own) in zip(
        together, generated_bias(real, latent[2:], alone, range(2, 3), ALL[:1], PARTITIONS), strict=True
    ):
        for name in FIELDS:
            torch.testing.assert_close(own[name][0], all_three[name][2], rtol=1e-5, atol=1e-6)


def test_measuring_leaves_no_gradient_and_changes_no_weight(real, latent, generator):
    before = [p.clone() for p in generator.parameters()]
    generated_bias(real, latent, generator, SEEDS, ALL, PARTITIONS)
    assert all(p.grad is None for p in generator.parameters())
    assert all(torch.equal(a, b) for a, b in zip(before, generator.parameters(), strict=True))


def test_each_sampler_has_a_ladder_and_random_is_as_without_the_others(real, latent, generator):
    names = ("random", "stratified", "dpp")
    all_three = generated_bias(real, latent, generator, SEEDS, ALL, PARTITIONS, names)
    assert [(name, m) for name, m, _ in all_three] == list(itertools.product(names, (4, 8, 16)))
    for (_, _, beside), (_, _, alone) in zip(
        all_three, generated_bias(real, latent, generator, SEEDS, ALL, PARTITIONS), strict=False
    ):
        assert all(torch.equal(beside[name], alone[name]) for name in FIELDS)
    for name, m, report in all_three:
        assert list(report) == FIELDS
        torch.testing.assert_close(report["matching_bias"] + report["sampling_bias"], report["bias"])
        assert (report["matching_bias"] > -1e-12).all()
        unknown = name == "dpp" and m < N
        for field in ("deviation", "bound", "differing", "cosine_batch", "cosine_mean"):
            assert report[field].isnan().all() == unknown, (name, m, field)
        assert ((report["sampling_bias"] != 0).any()) == unknown


def test_the_bias_of_subsets_is_taken_apart_through_their_union(real, latent):
    """Against scipy, over every subset and over all points drawn, each as often as it was."""
    x, y = real.double()[None], latent[:1, :, :2].double()
    drawn = [batches("dpp", side, 4, [("test", name)]) for name, side in (("x", x), ("y", y))]
    full = full_matching(x, y)
    report, mini = sampler_bias(x, y, full, "dpp", *drawn)
    assert mini is None
    a, b = x[0].numpy(), y[0].numpy()
    pairs = [(a[i], b[j]) for i, j in zip(*(d[0].numpy() for d in drawn), strict=True)]
    costs = [cdist(p, q)[np.arange(4), optimal(p, q)].mean() for p, q in pairs]
    p, q = (np.concatenate(side) for side in zip(*pairs, strict=True))
    union, exact = (cdist(p, q)[np.arange(N), optimal(p, q)].mean() for p, q in ((p, q), (a, b)))
    assert float(report["mbwd"]) == pytest.approx(np.mean(costs))
    assert float(report["matching_bias"]) == pytest.approx(np.mean(costs) - union)
    assert float(report["sampling_bias"]) == pytest.approx(union - exact)
    assert len(set(map(tuple, p))) < N  # a union of subsets, no partition
