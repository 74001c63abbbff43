"""k-DPP subsets: the law on tiny ground sets against all determinants, marginals, and what numbers may do to it."""

import itertools

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from pwgan.batches.kdpp import NUGGET, _eigenvectors, _log_polynomials, k_dpp, kernel, spectrum

DRAWS = 20_000


def points(count, seed=0, d=2):
    return torch.randn(count, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def uniforms(*shape, seed=1):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def exact_law(likelihood, k):
    """P(Y) = det(L_Y) / sum over all Y of size k, by the determinant of each."""
    subsets = list(itertools.combinations(range(len(likelihood)), k))
    weights = np.array([np.linalg.det(likelihood[np.ix_(y, y)]) for y in subsets])
    return subsets, weights / weights.sum()


def test_kernel_by_hand():
    # Distances 3, 4 and 5: the median is 4.
    found = kernel(torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]]))
    expected = np.exp(-(np.array([[0, 9, 16], [9, 0, 25], [16, 25, 0]]) / 32)) + NUGGET * np.eye(3)
    np.testing.assert_allclose(found, expected, rtol=1e-14)


@pytest.mark.parametrize("place", [0.0, 3.0])
def test_equal_points_have_a_distribution_too(place):
    same = torch.full((2, 6, 2), place)
    same[1, 0] = 1.0
    drawn = k_dpp(*spectrum(kernel(same)), 3, uniforms(2, 50, 9))
    assert all(len(set(row)) == 3 for row in drawn.flatten(0, 1).tolist())


@pytest.mark.parametrize(("count", "k"), [(5, 2), (5, 1), (6, 3), (4, 4)])
def test_subsets_follow_their_distribution(count, k):
    likelihood = kernel(points(count))
    drawn = k_dpp(*spectrum(likelihood[None]), k, uniforms(1, DRAWS, count + k))[0].sort(-1).values
    subsets, law = exact_law(likelihood.numpy(), k)
    seen = {subset: 0 for subset in subsets}
    for row in map(tuple, drawn.tolist()):
        seen[row] += 1
    rare = law * DRAWS < 5
    counts = np.array(list(seen.values()))
    assert counts[rare].sum() <= 10 + 5 * rare.sum()
    kept = ~rare
    expected = law[kept] / law[kept].sum() * counts[kept].sum()
    if kept.sum() > 1:
        assert chisquare(counts[kept], expected).pvalue > 0.01


def test_subsets_come_in_exchangeable_order():
    drawn = k_dpp(*spectrum(kernel(points(5))[None]), 2, uniforms(1, DRAWS, 7))[0]
    # A pair and its reverse are one binomial each.
    for i, j in itertools.combinations(range(5), 2):
        forth = int(((drawn[:, 0] == i) & (drawn[:, 1] == j)).sum())
        back = int(((drawn[:, 0] == j) & (drawn[:, 1] == i)).sum())
        assert abs(forth - back) <= 4 * (forth + back) ** 0.5


def test_marginals_of_a_larger_set_are_those_of_its_spectrum():
    likelihood, k = kernel(points(12, d=3)), 4
    values, vectors = spectrum(likelihood)
    drawn = k_dpp(values[None], vectors[None], k, uniforms(1, DRAWS, 12 + k))[0]
    share = torch.bincount(drawn.flatten(), minlength=12).double() / DRAWS
    subsets, law = exact_law(likelihood.numpy(), k)
    expected = np.array([sum(p for y, p in zip(subsets, law, strict=True) if i in y) for i in range(12)])
    assert expected.max() - expected.min() > 0.1  # they are not uniform: that is what is tested
    assert (np.abs(share.numpy() - expected) < 4.5 * np.sqrt(expected * (1 - expected) / DRAWS)).all()


def test_eigenvectors_are_chosen_by_the_products_of_their_values():
    values = np.array([[0.5, 1.0, 2.0, 4.0]])
    chosen = _eigenvectors(values, 2, uniforms(1, DRAWS, 4).numpy())[0]
    pairs = list(itertools.combinations(range(4), 2))
    expected = np.array([values[0, i] * values[0, j] for i, j in pairs])
    counts = np.array([(chosen == pair).all(1).sum() for pair in pairs])
    assert chisquare(counts, expected / expected.sum() * DRAWS).pvalue > 0.01


def test_elementary_symmetric_polynomials():
    values = np.array([[0.1, 3.0, 2.0, 0.7, 5.0]])
    found = np.exp(_log_polynomials(np.log(values), 4)[-1, 0])
    for degree in range(5):
        by_hand = sum(np.prod(part) for part in itertools.combinations(values[0], degree))
        assert found[degree] == pytest.approx(by_hand, rel=1e-12)
    # The coefficients of a product of 600 factors, far outside the range of float64.
    huge = np.full((1, 600), 1e5)
    assert _log_polynomials(np.log(huge), 600)[-1, 0, 600] == pytest.approx(600 * np.log(1e5))


def test_more_points_than_the_kernel_tells_apart():
    """64 of 256 points in eight tight clusters, whose kernel has eigenvalues below the rounding of the largest."""
    angle = torch.arange(256) * torch.pi / 4
    tight = torch.stack([angle.cos(), angle.sin()], -1) + 0.01 * points(256)
    both = spectrum(kernel(tight[None]))
    assert all(len(set(row)) == 64 for row in k_dpp(*both, 64, uniforms(1, 20, 320))[0].tolist())
    # Eight eigenvectors tell the clusters apart, sixteen more what is linear in each: three points for every cluster.
    counts = torch.stack([torch.bincount(row % 8, minlength=8) for row in k_dpp(*both, 24, uniforms(1, 40, 280))[0]])
    # A uniform subset has 3 ± 1.6 of each.
    assert counts.double().std(0).mean() < 0.9


def test_subsets_of_a_kernel_do_not_depend_on_other_kernels():
    many = torch.stack([points(9, seed) for seed in range(3)])
    draws = uniforms(3, 4, 12)
    together = k_dpp(*spectrum(kernel(many)), 3, draws)
    for s in range(3):
        assert torch.equal(k_dpp(*spectrum(kernel(many[s : s + 1])), 3, draws[s : s + 1]), together[s : s + 1])


@pytest.mark.parametrize("k", [0, 6])
def test_a_subset_has_no_more_points_than_there_are(k):
    with pytest.raises(ValueError, match=f"1 to 5 of the 5 points, got {k}"):
        k_dpp(*spectrum(kernel(points(5))[None]), k, uniforms(1, 1, 5 + k))
