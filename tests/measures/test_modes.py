"""Mode coverage against loops written out, closed forms and hand-made cases."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pwgan.measures.modes import label_coverage, mode_coverage

RING = np.stack([np.cos(np.arange(8) * np.pi / 4), np.sin(np.arange(8) * np.pi / 4)], axis=1)


def divergence(shares, weights):
    return sum(h * math.log(h / w) for h, w in zip(shares, weights, strict=True) if h > 0)


def by_loops(samples, modes, sigma, weights):
    """The definitions of the docstring, one sample at a time."""
    kept, near = ({k: [] for k in range(len(modes))} for _ in range(2))
    reach = min((math.dist(a, b) for a, b in combinations(modes, 2)), default=math.inf) / 4
    for x in samples:
        distances = [math.dist(x, mode) for mode in modes]
        k = distances.index(min(distances))
        if distances[k] <= reach:
            near[k].append(x)
        if distances[k] <= 3 * sigma:
            kept[k].append(x)
    total = sum(map(len, kept.values()))
    shares = [len(kept[k]) / total if total else math.nan for k in kept]
    counted = sum(map(len, near.values()))
    each = [len(near[k]) / counted if counted else math.nan for k in near]
    enough = total >= 3 * len(modes)
    spreads = [math.sqrt(np.mean(np.var(v, axis=0, ddof=1))) / sigma for v in kept.values() if len(v) >= 2]
    return {
        "coverage": sum(1 for k, w in enumerate(weights) if len(near[k]) >= 0.2 * w * len(samples)),
        "coverage-kl": divergence(each, weights) if counted else math.nan,
        "near-modes": counted / len(samples),
        "high-quality": total / len(samples),
        "std-ratio": sum(spreads) / len(spreads) if spreads else math.nan,
        "captured": sum(1 for v in kept.values() if v) if enough else math.nan,
        "captured-kl": divergence(shares, weights) if enough else math.nan,
        "captured-any": sum(1 for v in kept.values() if v),
    }


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 60), k=st.integers(1, 6), sigma=st.sampled_from([0.05, 0.2, 1]))
def test_equals_the_definitions_written_as_loops(seed, n, k, sigma):
    rng = np.random.default_rng(seed)
    modes = rng.uniform(-1, 1, (k, 2))
    samples = modes[rng.integers(0, k, n)] + 2 * sigma * rng.normal(size=(n, 2))
    weights = rng.dirichlet(np.full(k, 5.0))
    expected = by_loops(samples, modes, sigma, weights)
    assert mode_coverage(samples, modes, sigma, weights) == pytest.approx(expected, nan_ok=True, rel=1e-8, abs=1e-12)


@pytest.mark.parametrize("weights", [None, np.array([2, 1, 1, 1, 1, 1, 1, 2]) / 10])
def test_the_true_mixture_scores_what_the_docstring_says(weights):
    rng = np.random.default_rng(0)
    samples = RING[rng.choice(8, 200_000, p=weights)] + 0.01 * rng.normal(size=(200_000, 2))
    found = mode_coverage(samples, RING, 0.01, weights)
    tail = math.exp(-4.5)
    assert found["coverage"] == found["captured"] == 8
    assert found["high-quality"] == pytest.approx(1 - tail, abs=1e-3)
    assert found["coverage-kl"] == pytest.approx(0, abs=2e-4)
    assert found["captured-kl"] == pytest.approx(0, abs=2e-4)
    assert found["std-ratio"] == pytest.approx(math.sqrt(1 - 4.5 * tail / (1 - tail)), abs=5e-3)


def test_kl_is_taken_against_the_true_weights():
    samples = np.repeat(RING[:2], [18, 6], axis=0)
    weights = np.array([0.3, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1])
    expected = 0.75 * math.log(0.75 / 0.3) + 0.25 * math.log(0.25 / 0.1)
    for name in ("coverage-kl", "captured-kl"):
        assert mode_coverage(samples, RING, 0.01, weights)[name] == pytest.approx(expected)
        assert mode_coverage(samples, RING, 0.01)[name] == pytest.approx(0.75 * math.log(6) + 0.25 * math.log(2))


def test_collapse_to_one_point_of_one_mode():
    found = mode_coverage(np.tile(RING[3], (50, 1)), RING, 0.01)
    counts = {"coverage": 1, "coverage-kl": math.log(8), "near-modes": 1, "captured": 1, "captured-kl": math.log(8)}
    assert found == pytest.approx(counts | {"captured-any": 1, "high-quality": 1, "std-ratio": 0})


def test_three_sigma_is_the_border_of_quality_and_a_quarter_of_the_spacing_that_of_coverage():
    reach = 2 * math.sin(math.pi / 8) / 4
    samples = RING[0] + np.array([[0.0299, 0], [0.0301, 0], [0, reach - 1e-6], [0, reach + 1e-6]])
    found = mode_coverage(samples, RING, 0.01)
    assert (found["coverage"], found["high-quality"], found["near-modes"]) == (1, 0.25, 0.75)
    assert math.isnan(found["std-ratio"])
    nothing = mode_coverage(samples[3:], RING, 0.01)
    assert nothing["high-quality"] == nothing["coverage"] == nothing["near-modes"] == 0
    assert all(math.isnan(nothing[name]) for name in ("coverage-kl", "std-ratio", "captured", "captured-kl"))


def test_what_lies_between_modes_covers_none():
    rng = np.random.default_rng(0)
    blob = mode_coverage(1e-6 * rng.normal(size=(2000, 2)), RING, 0.01)
    assert blob["coverage"] == blob["near-modes"] == 0
    grid = 2.0 * np.stack(np.meshgrid(np.arange(-2, 3), np.arange(-2, 3)), -1).reshape(-1, 2)
    broad = mode_coverage(3 * rng.normal(size=(2500, 2)), grid, 0.05)
    assert broad["near-modes"] < 0.25  # the area of the balls is pi / 16 of that of the cells


@pytest.mark.parametrize(("least", "expected"), [(2, 10), (1, 9)])
def test_a_fifth_of_the_fair_share_covers_a_mode_whatever_rounding_makes_of_it(least, expected):
    # Of 100 samples, the fair share of each of ten modes is 10 and a fifth of it 2, but in float64 it is larger.
    assert 0.2 * (1 / 10) * 100 > 2
    counts = np.array([least, 18 - least, *[10] * 8])
    line = np.stack([np.arange(10.0), np.zeros(10)], axis=1)
    assert mode_coverage(np.repeat(line, counts, axis=0), line, 0.05)["coverage"] == expected


def test_blur_covers_all_modes_and_the_published_count_abstains():
    rng = np.random.default_rng(0)
    grid = 2.0 * np.stack(np.meshgrid(np.arange(5), np.arange(5)), -1).reshape(-1, 2)
    found = mode_coverage(grid[np.arange(1000) % 25] + 0.45 * rng.normal(size=(1000, 2)), grid, 0.05)
    assert found["coverage"] == 25 and found["high-quality"] < 0.07 and math.isnan(found["captured"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"samples": np.array([[np.nan, 0.0]])}, "finite"),
        ({"samples": np.array([[np.inf, 0.0]])}, "finite"),
        ({"samples": np.zeros((0, 2))}, "empty"),
        ({"samples": np.zeros((4, 3))}, "samples must be"),
        ({"modes": np.vstack([RING, RING[:1]])}, "distinct"),
        ({"sigma": 0.0}, "sigma"),
        ({"sigma": math.nan}, "sigma"),
        ({"weights": np.ones(8)}, "weights"),
        ({"weights": np.full(7, 1 / 7)}, "weights"),
        ({"weights": np.array([0.0, 0.4, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1])}, "weights"),
    ],
)
def test_refuses_what_has_no_answer(change, message):
    with pytest.raises(ValueError, match=message):
        mode_coverage(**{"samples": RING, "modes": RING, "sigma": 0.01, **change})


def test_label_coverage():
    even, one = {"coverage": 10, "coverage-kl": 0, "captured-any": 10}, {"coverage": 1, "captured-any": 1}
    assert label_coverage(np.arange(10), 10) == pytest.approx(even)
    assert label_coverage(np.array([4, 4, 4]), 10) == pytest.approx(one | {"coverage-kl": math.log(10)})
    weights = np.array([0.5, 0.25, 0.25])
    true = {"coverage": 3, "coverage-kl": 0, "captured-any": 3}
    assert label_coverage(np.array([0, 0, 1, 2]), 3, weights) == pytest.approx(true)
    assert label_coverage(np.array([0, 1]), 3, weights)["coverage-kl"] == pytest.approx(0.5 * math.log(2))
    # Of 40 labels, the fair share of class 1 is 10 and a fifth of it 2.
    for count, expected in ((2, 3), (1, 2)):
        labels = np.repeat([0, 1, 2], [30 - count, count, 10])
        found = label_coverage(labels, 3, weights)
        assert (found["coverage"], found["captured-any"]) == (expected, 3)


def test_the_floor_of_uniform_labels():
    rng = np.random.default_rng(0)
    found = [label_coverage(rng.integers(0, 1000, 26_000), 1000)["coverage-kl"] for _ in range(20)]
    assert np.mean(found) == pytest.approx(999 / 52_000, rel=0.03)


@pytest.mark.parametrize("labels", [np.array([0, 10]), np.array([-1]), np.array([], int), np.array([0.0]), [[1]]])
def test_label_coverage_refuses(labels):
    with pytest.raises(ValueError, match="labels"):
        label_coverage(labels, 10)
