"""Mode coverage against loops written out, closed forms and hand-made cases."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pwgan.measures.modes import label_coverage, mode_coverage

RING = np.stack([np.cos(np.arange(8) * np.pi / 4), np.sin(np.arange(8) * np.pi / 4)], axis=1)


def by_loops(samples, modes, sigma, weights):
    """The definitions of the docstring, one sample at a time."""
    kept = {k: [] for k in range(len(modes))}
    for x in samples:
        distances = [math.dist(x, mode) for mode in modes]
        k = distances.index(min(distances))
        if distances[k] <= 3 * sigma:
            kept[k].append(x)
    total = sum(map(len, kept.values()))
    shares = [len(kept[k]) / total if total else math.nan for k in kept]
    spreads = [math.sqrt(np.mean(np.var(v, axis=0, ddof=1))) / sigma for v in kept.values() if len(v) >= 2]
    return {
        "modes": sum(1 for v in kept.values() if v),
        "high-quality": total / len(samples),
        "kl": sum(h * math.log(h / w) for h, w in zip(shares, weights, strict=True) if h > 0) if total else math.inf,
        "std-ratio": sum(spreads) / len(spreads) if spreads else math.nan,
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
    assert found["modes"] == 8
    assert found["high-quality"] == pytest.approx(1 - tail, abs=1e-3)
    assert found["kl"] == pytest.approx(0, abs=2e-4)
    assert found["std-ratio"] == pytest.approx(math.sqrt(1 - 4.5 * tail / (1 - tail)), abs=5e-3)


def test_kl_is_taken_against_the_true_weights():
    samples = np.repeat(RING[:2], [3, 1], axis=0)
    weights = np.array([0.3, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1])
    expected = 0.75 * math.log(0.75 / 0.3) + 0.25 * math.log(0.25 / 0.1)
    assert mode_coverage(samples, RING, 0.01, weights)["kl"] == pytest.approx(expected)
    assert mode_coverage(samples, RING, 0.01)["kl"] == pytest.approx(0.75 * math.log(6) + 0.25 * math.log(2))


def test_collapse_to_one_point_of_one_mode():
    found = mode_coverage(np.tile(RING[3], (50, 1)), RING, 0.01)
    assert found == pytest.approx({"modes": 1, "high-quality": 1, "kl": math.log(8), "std-ratio": 0})


def test_three_sigma_is_the_border_and_far_samples_count_nowhere():
    samples = RING[0] + np.array([[0.0299, 0], [0.0301, 0], [5.0, 5.0]])
    found = mode_coverage(samples, RING, 0.01)
    assert found["modes"] == 1
    assert found["high-quality"] == pytest.approx(1 / 3)
    assert math.isnan(found["std-ratio"])
    nothing = mode_coverage(samples[1:], RING, 0.01)
    assert nothing["modes"] == nothing["high-quality"] == 0
    assert math.isinf(nothing["kl"]) and math.isnan(nothing["std-ratio"])


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
    assert label_coverage(np.arange(10), 10) == pytest.approx({"modes": 10, "kl": 0})
    assert label_coverage(np.array([4, 4, 4]), 10) == pytest.approx({"modes": 1, "kl": math.log(10)})
    weights = np.array([0.5, 0.25, 0.25])
    assert label_coverage(np.array([0, 0, 1, 2]), 3, weights) == pytest.approx({"modes": 3, "kl": 0})
    assert label_coverage(np.array([0, 1]), 3, weights)["kl"] == pytest.approx(0.5 * math.log(2))


def test_the_floor_of_uniform_labels():
    rng = np.random.default_rng(0)
    found = [label_coverage(rng.integers(0, 1000, 26_000), 1000)["kl"] for _ in range(20)]
    assert np.mean(found) == pytest.approx(999 / 52_000, rel=0.03)


@pytest.mark.parametrize("labels", [np.array([0, 10]), np.array([-1]), np.array([], int), np.array([0.0]), [[1]]])
def test_label_coverage_refuses(labels):
    with pytest.raises(ValueError, match="labels"):
        label_coverage(labels, 10)
