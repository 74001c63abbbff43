"""Strata: sizes, what makes them, and the bias that they leave."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pwgan.batches.drawing import batches
from pwgan.batches.stratify import bounds, stratify
from pwgan.data.mixtures import Grid25, Ring8
from pwgan.transport.minibatch import minibatch_wasserstein


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@settings(deadline=None)
@given(st.integers(1, 40), st.data())
def test_strata_part_the_points_evenly(n, data):
    m, d = data.draw(st.integers(1, n)), data.draw(st.sampled_from([1, 2, 3]))
    order = stratify(normal(2, n, d), m)
    assert order.dtype == torch.int64 and order.sort(-1).values.tolist() == [list(range(n))] * 2
    sizes = np.diff(bounds(n, m))
    assert len(sizes) == m and set(sizes) <= {n // m, -(-n // m)} and sizes.sum() == n


def by_numpy(x, m):
    """Strata by sorting along axes that are found from the points, not from their scatter."""

    def cut(members, first, last):
        if last - first == 1:
            return [frozenset(members.tolist())]
        centred = x[members] - x[members].mean(0)
        axis = np.eye(x.shape[1])[(centred**2).sum(0).argmax()]
        for _ in range(6):
            axis = centred.T @ (centred @ axis)
            axis /= np.linalg.norm(axis)
        middle, start = (first + last) // 2, bounds(len(x), m)
        low, high = np.split(members[(centred @ axis).argsort()], [start[middle] - start[first]])
        return cut(low, first, middle) + cut(high, middle, last)

    return cut(np.arange(len(x)), 0, m)


@pytest.mark.parametrize(("n", "m", "d"), [(64, 8, 1), (500, 64, 2), (512, 64, 2), (300, 13, 5), (40, 40, 3)])
def test_strata_are_those_of_numpy(n, m, d):
    sets = normal(3, n, d)
    for x, order in zip(sets, stratify(sets, m).numpy(), strict=True):
        assert [frozenset(part.tolist()) for part in np.split(order, bounds(n, m)[1:-1])] == by_numpy(x.numpy(), m)


@settings(deadline=None)
@given(st.lists(st.integers(-3, 3), min_size=1, max_size=60), st.data())
def test_which_of_equal_points_go_to_a_stratum_is_open_but_not_how_many(values, data):
    line = np.array(values, dtype=float)
    m = data.draw(st.integers(1, len(line)))
    order = stratify(torch.from_numpy(line)[:, None], m).numpy()
    strata = np.split(line[order], bounds(len(line), m)[1:-1])
    assert np.concatenate([np.sort(part) for part in strata]).tolist() == sorted(values)


@pytest.mark.parametrize("m", [2, 3, 8, 12])
def test_strata_of_a_line_are_its_quantiles(m):
    line = normal(1, 24, 1)
    found = line[0, stratify(line, m)[0], 0].reshape(m, -1)
    # The sign of an axis is free, so that halves may lie either way round; strata are what they are.
    expected = line[0, :, 0].sort().values.reshape(m, -1)
    found = found.sort(-1).values
    assert torch.equal(found[found[:, 0].argsort()], expected)


def test_the_cut_is_across_the_principal_axis():
    """Along the diagonal, no coordinate tells the halves apart."""
    x = normal(200, 2) * torch.tensor([5.0, 0.5])
    turned = x @ torch.tensor([[1.0, 1.0], [-1.0, 1.0]], dtype=torch.float64) / 2**0.5
    low, high = stratify(turned, 2).view(2, 100)
    along = x[:, 0]
    separated = (along[low].max() < along[high].min() + 0.5) or (along[high].max() < along[low].min() + 0.5)
    assert separated


def test_strata_of_a_set_do_not_depend_on_other_sets():
    many = normal(4, 50, 3)
    together = stratify(many, 8)
    for s in range(4):
        assert torch.equal(stratify(many[s], 8), together[s])


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_scale_does_not_matter(scale):
    x = normal(64, 3).float()
    assert torch.equal(stratify(x * scale, 8), stratify(x, 8))


def test_equal_points_are_parted_too():
    assert stratify(torch.ones(10, 2), 4).sort().values.tolist() == list(range(10))


def test_images_as_bytes_and_as_floats_have_the_same_strata():
    images = torch.randint(0, 256, (300, 192), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    assert torch.equal(stratify(images, 16), stratify(images.float(), 16))


def test_strata_in_many_dimensions_keep_clusters_apart():
    """Sixteen clusters in 500 dimensions: a random projection has to leave them where they are."""
    centres = 3 * normal(16, 500, seed=1)
    label = torch.arange(16).repeat(20)
    order = stratify(centres[label] + 0.1 * normal(320, 500), 16)
    assert all(len(set(row)) == 1 for row in label[order].view(16, 20).tolist())


@pytest.mark.parametrize("m", [0, 11])
def test_no_more_strata_than_points(m):
    with pytest.raises(ValueError, match=f"1 to 10 strata, got {m}"):
        stratify(normal(10, 2), m)


@pytest.mark.parametrize(("law", "times"), [(Ring8, 8), (Grid25, 3.5)])
def test_stratified_batches_have_a_fraction_of_the_bias(law, times):
    n, m, draws = 1024, 64, 6
    modes, weights = law.mixture()
    rng = np.random.default_rng(0)
    x, y = (
        torch.from_numpy(
            modes[rng.choice(len(modes), (draws, n), p=weights)] + law.sigma * rng.standard_normal((draws, n, 2))
        )
        for _ in range(2)
    )
    whole = torch.arange(n).expand(draws, 1, n)
    exact = minibatch_wasserstein(x, y, whole, whole).value
    bias = {}
    for name in ("random", "stratified"):
        sides = (batches(name, z, m, [(side, seed) for seed in range(draws)]) for side, z in (("x", x), ("y", y)))
        bias[name] = float((minibatch_wasserstein(x, y, *sides).value - exact).mean())
    assert bias["random"] / bias["stratified"] > times
