"""Distances between features against closed forms, a kernel sum and a neighbour search written independently."""

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm

from pwgan.measures import frechet
from pwgan.measures.frechet import feature_measures
from pwgan.measures.names import MeasureName


def draw(seed, n, d, shift=0.0, scale=1.0):
    return np.random.default_rng(seed).normal(shift, scale, (n, d))


def values(generated, real, **options):
    """The values without the name of the extractor and the count."""
    found = feature_measures(torch.tensor(generated), torch.tensor(real), "classifier", **options)
    return {name.removesuffix(f"-classifier@{len(generated)}"): value for name, value in found.items()}


def frechet_by_sqrtm(x, y):
    a, b = np.cov(x.T), np.cov(y.T)
    return np.sum((x.mean(0) - y.mean(0)) ** 2) + np.trace(a + b - 2 * sqrtm(a @ b).real)


def mmd2_by_sums(x, y):
    """Unbiased estimator of the squared MMD with (x.y / d + 1)^3, term by term."""
    n, m, d = len(x), len(y), x.shape[1]
    kernel = lambda a, b: (float(np.dot(a, b)) / d + 1) ** 3  # noqa: E731
    within_x = sum(kernel(x[i], x[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    within_y = sum(kernel(y[i], y[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    return within_x + within_y - 2 * sum(kernel(a, b) for a in x for b in y) / (n * m)


def coverage_by_search(points, centres, k=3):
    """Share of points within the ball of some centre that reaches its k-th neighbour."""
    radii = [
        sorted(np.linalg.norm(c - o) for j, o in enumerate(centres) if j != i)[k - 1] for i, c in enumerate(centres)
    ]
    inside = [any(np.linalg.norm(p - c) <= r for c, r in zip(centres, radii, strict=True)) for p in points]
    return np.mean(inside)


def test_names_state_extractor_and_number_of_generated_samples():
    x, y = torch.tensor(draw(0, 30, 4)), torch.tensor(draw(1, 50, 4))
    assert list(feature_measures(x, y, "classifier")) == [
        "fd-classifier@30",
        "kid-classifier@30",
        "precision-classifier@30",
        "recall-classifier@30",
        "density-classifier@30",
        "nn-coverage-classifier@30",
    ]
    assert list(feature_measures(y, x, "inception"))[:2] == ["fid-inception@50", "kid-inception@50"]


def test_names_state_training_images():
    x, y = torch.tensor(draw(0, 30, 4)), torch.tensor(draw(1, 50, 4))
    found = feature_measures(x, y, "inception", reference="train", infinity=True)
    assert next(iter(found)) == "fid-train-inception@30" and list(found)[-1] == "fid-infinity-train-inception@30"
    for name in found:
        parsed = MeasureName.parse(name)
        assert str(parsed) == name and parsed.reference == "train" and parsed.extractor == "inception"
        assert "train" not in parsed.measure
    held = MeasureName.parse("fd-classifier_heldout@7")
    assert (held.measure, held.extractor, held.reference) == ("fd", "classifier_heldout", "heldout")
    assert values(draw(0, 15, 4), draw(1, 50, 4), infinity=True).keys() == values(draw(0, 15, 4), draw(1, 50, 4)).keys()


def gaussians(seed, n):
    """Two sets of n samples of Gaussians in 16 dimensions whose Fréchet distance is known."""
    spread = np.linspace(0.5, 2, 16)
    known = 16 * 0.2**2 + np.sum((1.1 * spread - spread) ** 2)
    return draw(2 * seed, n, 16) * 1.1 * spread + 0.2, draw(2 * seed + 1, n, 16) * spread, known


def test_the_extrapolated_distance_has_less_bias():
    plain, extrapolated = [], []
    for seed in range(12):
        x, y, known = gaussians(seed, 200)
        found = values(x, y, infinity=True)
        plain.append(found["fd"] - known)
        extrapolated.append(found["fd-infinity"] - known)
    error = np.std(extrapolated) / np.sqrt(len(extrapolated))
    assert np.mean(plain) > 1 and abs(np.mean(extrapolated)) < 3 * error < np.mean(plain) / 2


def test_extrapolation_is_a_line_in_the_inverse_of_the_count(monkeypatch):
    seen = []

    def distance(x, y):
        assert len(x) == len(y) and len(x.unique(dim=0)) == len(x)
        seen.append(len(x))
        return 3.0 + 70 / len(x)

    monkeypatch.setattr(frechet, "frechet_distance", distance)
    x, y = torch.tensor(draw(0, 400, 2)), torch.tensor(draw(1, 300, 2))
    assert frechet.frechet_infinity(x, y) == pytest.approx(3.0)
    assert (min(seen), max(seen), len(seen)) == (75, 300, frechet.POINTS)


@pytest.mark.parametrize(("n", "m", "d"), [(200, 300, 2), (400, 150, 12)])
def test_frechet_distance_equals_the_closed_form(n, m, d):
    x, y = draw(0, n, d) @ draw(1, d, d), draw(2, m, d, 0.3) @ draw(3, d, d)
    assert values(x, y)["fd"] == pytest.approx(frechet_by_sqrtm(x, y), rel=1e-8)


def test_frechet_distance_of_known_gaussians():
    # Commuting covariances: sum of squared differences of means and of standard deviations.
    x, y = draw(0, 200_000, 2) * [1, 2] + [0, 1], draw(1, 200_000, 2) * [3, 1]
    assert frechet.frechet_distance(torch.tensor(x), torch.tensor(y)) == pytest.approx(1 + 4 + 1, rel=0.01)


def test_moments_are_taken_in_double_precision():
    # Means near 1000 with unit spread: summed in float32, their difference and the distance are off by percents.
    x, y = (draw(seed, 5000, 3, 1000 + 0.01 * seed).astype(np.float32) for seed in (0, 1))
    assert values(x, y)["fd"] == pytest.approx(frechet_by_sqrtm(x.astype(float), y.astype(float)), rel=1e-6)


def test_kernel_distance_of_one_full_subset_equals_the_unbiased_estimator():
    x, y = draw(0, 40, 5), draw(1, 40, 5, 0.5)
    assert values(x, y)["kid"] == pytest.approx(mmd2_by_sums(x, y), rel=1e-10)
    assert values(x, y, seed=7)["kid"] == pytest.approx(values(x, y)["kid"], rel=1e-10)


def test_kernel_distance_of_unequal_sizes_averages_subsets_near_the_estimator():
    x, y = draw(0, 60, 3), draw(1, 90, 3, 0.5)
    found = values(x, y)["kid"]
    assert found == pytest.approx(mmd2_by_sums(x, y), rel=0.1)
    assert found == values(x, y)["kid"] != values(x, y, seed=1)["kid"]


@pytest.mark.parametrize(("n", "m", "d"), [(40, 60, 2), (70, 30, 6)])
def test_precision_and_recall_equal_a_neighbour_search(n, m, d):
    x, y = draw(0, n, d, 0.4, 1.3), draw(1, m, d)
    found = values(x, y)
    assert found["precision"] == pytest.approx(coverage_by_search(x, y), abs=1e-6)
    assert found["recall"] == pytest.approx(coverage_by_search(y, x), abs=1e-6)
    assert 0 < found["precision"] < 1 and found["precision"] != found["recall"]


def test_blocks_change_nothing():
    x, y = draw(0, 2300, 4), draw(1, 1200, 4, 0.5)
    whole = torch.tensor(x), torch.tensor(y)
    inside = torch.cdist(*whole) <= torch.cdist(whole[1], whole[1]).kthvalue(4, dim=1).values
    assert frechet.precision_recall(*whole)[0] == pytest.approx(float(inside.any(1).double().mean()), abs=1e-6)


def test_equal_sets():
    x = draw(0, 300, 8)
    found = values(x, x)
    assert found["fd"] == pytest.approx(0, abs=1e-8)
    assert found["kid"] < 0  # unbiased: the diagonal is left out within, not across
    assert found["precision"] == found["recall"] == 1


def test_junk_lowers_precision_and_a_dropped_mode_lowers_recall():
    real = np.concatenate([draw(0, 100, 2), draw(1, 100, 2, 50)])
    junk = np.concatenate([draw(2, 100, 2), draw(3, 100, 2, 50), draw(4, 100, 2, -500, 100)])
    one_mode = draw(5, 200, 2)
    assert values(junk, real)["precision"] < 0.7 < 0.9 < values(junk, real)["recall"]
    assert values(one_mode, real)["recall"] < 0.55 < 0.9 < values(one_mode, real)["precision"]


def test_more_features_than_samples_still_give_a_distance():
    x, y = draw(0, 10, 40), draw(1, 12, 40, 0.5)
    a, b = x - x.mean(0), y - y.mean(0)
    # tr (S_x S_y)^(1/2) is the sum of singular values of the product of the centred samples.
    cross = np.linalg.svd(a @ b.T, compute_uv=False).sum() / np.sqrt(9 * 11)
    expected = np.sum((x.mean(0) - y.mean(0)) ** 2) + np.sum(a**2) / 9 + np.sum(b**2) / 11 - 2 * cross
    assert values(x, y)["fd"] == pytest.approx(expected, rel=1e-5)


def test_gradients_and_inputs_are_left_alone():
    x = torch.tensor(draw(0, 20, 3), dtype=torch.float32, requires_grad=True)
    kept = x.detach().clone()
    feature_measures(x, x, "classifier")
    assert torch.equal(x.detach(), kept) and x.grad is None


@pytest.mark.parametrize(
    ("generated", "real", "message"),
    [
        (torch.zeros(1, 3), torch.zeros(9, 3), "generated features must be"),
        (torch.zeros(9, 3), torch.zeros(3, 3), "real features must be"),
        (torch.zeros(9), torch.zeros(9, 3), "generated features must be"),
        (torch.zeros(9, 1), torch.zeros(9, 1), "d >= 2"),
        (torch.zeros(9, 3), torch.zeros(9, 4), "same number of features"),
        (torch.full((9, 3), torch.nan), torch.zeros(9, 3), "generated features must be finite"),
        (torch.zeros(9, 3), torch.full((9, 3), torch.inf), "real features must be finite"),
    ],
)
def test_refuses_features_without_an_answer(generated, real, message):
    with pytest.raises(ValueError, match=message):
        feature_measures(generated, real, "classifier")
