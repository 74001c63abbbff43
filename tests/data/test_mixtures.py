"""Mixtures and the swiss roll against their closed forms."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import integrate, stats

from pwgan.data import datasets
from pwgan.data.mixtures import Grid25, Ring8, Ring8Legacy, SwissRoll, cell_density

PLANAR = [Ring8, Ring8Legacy, Grid25, SwissRoll]
MIXTURES = PLANAR[:3]


def nearest_mode(points: np.ndarray, modes: np.ndarray) -> np.ndarray:
    return np.linalg.norm(points[:, None].astype(np.float64) - modes, axis=2).argmin(axis=1)


def test_modes_are_those_of_the_papers():
    ring, _ = Ring8.mixture()
    np.testing.assert_allclose(ring[1], [np.sqrt(0.5), np.sqrt(0.5)])
    np.testing.assert_allclose(ring[2], [0, 1], atol=1e-15)
    assert len(ring) == 8 and np.allclose(np.linalg.norm(ring, axis=1), 1)
    grid, _ = Grid25.mixture()
    assert {tuple(mode) for mode in grid} == {(x, y) for x in (-4, -2, 0, 2, 4) for y in (-4, -2, 0, 2, 4)}
    legacy, weights = Ring8Legacy.mixture()
    angles = np.linspace(0, 2 * np.pi, 8)
    published = np.stack([np.sin(angles), np.cos(angles)], axis=1)
    assert legacy.shape == (7, 2)
    share = np.bincount(nearest_mode(published, legacy), minlength=7) / 8
    np.testing.assert_array_equal(share, weights)
    np.testing.assert_allclose(legacy[weights.argmax()], [0, 1], atol=1e-15)


@pytest.mark.parametrize("dataset", MIXTURES)
def test_samples_follow_weights_and_sigma(dataset):
    split = dataset().load()
    assert split.train.shape == (100_000, 2) and split.train.dtype == np.float32
    nearest = nearest_mode(split.train, split.modes)
    counts = np.bincount(nearest, minlength=len(split.modes))
    assert stats.chisquare(counts, 100_000 * split.weights).pvalue > 1e-3
    noise = split.train - split.modes[nearest]
    assert noise.std() == pytest.approx(split.sigma, rel=0.01)
    assert abs(noise.mean(axis=0)).max() < 4 * split.sigma / np.sqrt(100_000)
    assert stats.kstest(noise.ravel() / split.sigma, "norm").pvalue > 1e-3


def test_the_swiss_roll_is_scikit_learns():
    from sklearn.datasets import make_swiss_roll

    ours = SwissRoll(samples=5000).load().train
    theirs = make_swiss_roll(5000, noise=0.25, random_state=3)[0][:, [0, 2]] / 7.5
    for direction in ([1, 0], [0, 1], [0.6, 0.8]):
        assert stats.ks_2samp(ours @ direction, theirs @ direction).pvalue > 1e-3
    _, t = make_swiss_roll(100, noise=0, random_state=0)
    np.testing.assert_allclose(
        SwissRoll.curve((t / np.pi - 1.5) / 3), make_swiss_roll(100, noise=0, random_state=0)[0][:, [0, 2]] / 7.5
    )


@pytest.mark.parametrize("dataset", PLANAR)
def test_the_density_is_that_of_the_samples(dataset):
    split = dataset().load()
    left, right, bottom, top = split.extent
    area = (right - left) * (top - bottom) / 128**2
    assert split.density.shape == (128, 128)
    assert split.density.sum() * area == pytest.approx(1, abs=1e-9)
    assert (split.density >= 0).all()
    # Rows are y from the bottom, columns are x: a density that is turned or mirrored fails for the lopsided laws.
    edges = np.linspace(left, right, 129), np.linspace(bottom, top, 129)
    counts, _, _ = np.histogram2d(split.train[:, 0], split.train[:, 1], bins=edges)
    expected = split.density.T * area * 100_000
    busy = expected > 5
    rest = 100_000 - counts[busy].sum(), 100_000 - expected[busy].sum()
    assert stats.chisquare([*counts[busy], rest[0]], [*expected[busy], rest[1]]).pvalue > 1e-3
    if dataset in (Ring8Legacy, SwissRoll):
        assert np.abs(counts.T - expected).sum() > 0.1 * 100_000 < np.abs(counts[:, ::-1] - expected).sum()


def test_cell_density_is_the_mean_of_the_density_over_a_cell():
    centres, weights = np.array([[0.1, -0.4], [0.5, 0.3]]), np.array([0.3, 0.7])
    density = cell_density(centres, weights, 0.2, (-1, 1, -2, 2), cells=8)

    def formula(y: float, x: float) -> float:
        squares = ((np.array([x, y]) - centres) ** 2).sum(axis=1)
        return float(weights @ np.exp(-squares / 0.08) / (0.08 * np.pi))

    for row, column in ((3, 4), (4, 5), (4, 6)):
        mass, _ = integrate.dblquad(
            formula, -1 + column / 4, -0.75 + column / 4, -2 + row / 2, -1.5 + row / 2, epsabs=1e-10
        )
        assert density[row, column] == pytest.approx(mass / 0.125, rel=1e-6)


def test_the_density_of_the_swiss_roll_is_the_integral_along_its_curve():
    split = SwissRoll(samples=1, heldout=1).load()
    t = np.linspace(1.5, 4.5, 20_001) * np.pi

    def mass(centre: np.ndarray, index: int) -> np.ndarray:
        left = -2.5 + index * 5 / 128
        return stats.norm.cdf(left + 5 / 128, centre, 0.25 / 7.5) - stats.norm.cdf(left, centre, 0.25 / 7.5)

    for row, column in np.argwhere(split.density > 0.1 * split.density.max())[::100]:
        masses = mass(t * np.cos(t) / 7.5, column) * mass(t * np.sin(t) / 7.5, row)
        value = integrate.simpson(masses, x=t) / (3 * np.pi) / (5 / 128) ** 2
        assert split.density[row, column] == pytest.approx(value, abs=2e-5 * split.density.max())


@pytest.mark.parametrize("dataset", PLANAR)
def test_parts_are_fixed_and_do_not_depend_on_each_other(dataset):
    split = dataset(samples=500, heldout=100).load()
    again = dataset(samples=500, heldout=300).load()
    more = dataset(samples=700, heldout=100).load()
    np.testing.assert_array_equal(split.train, again.train)
    np.testing.assert_array_equal(split.heldout, more.heldout)
    assert not set(map(tuple, split.train)) & set(map(tuple, split.heldout))
    draws = dataset(samples=500, heldout=100).draws(range(3))
    assert draws.first_seed == 0
    np.testing.assert_array_equal(draws.train[0], split.train)
    np.testing.assert_array_equal(draws.heldout[2], dataset(samples=300, heldout=100).draw(2).heldout)
    assert not set(map(tuple, split.train)) & set(map(tuple, draws.train[1]))
    one = dataset(samples=500, heldout=100)
    assert (one.train_size(), one.heldout_size(), one.sample_shape()) == (500, 100, (2,))
    assert (one.kind, one.labelled) == ("points", False)


def test_the_draws_are_the_same_in_every_version():
    split = Ring8(samples=1000, heldout=10).load()
    rounded = np.round(split.train.astype(np.float64), 4) + 0.0
    digest = hashlib.sha256(rounded.tobytes()).hexdigest()
    assert digest[:16] == "980a3eb7cb422919"


def test_a_misspelt_option_is_answered_with_the_nearest():
    with pytest.raises(ValidationError, match="Did you mean 'samples'"):
        Ring8(sample=3)
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        Ring8(samples=0)
    with pytest.raises(ValidationError, match="sigma"):
        Ring8(sigma=0.1)


def test_every_data_set_is_found_without_heavy_imports():
    names = {
        "array",
        "celeba",
        "cifar10",
        "digits",
        "fashion_mnist",
        "folder",
        "grid25",
        "mnist",
        "ring8",
        "ring8_legacy",
    }
    assert names | {"swiss_roll"} <= set(datasets())
    script = (
        "import sys; from pwgan.data import datasets; import pwgan.data.store\n"
        "known = [d() for name, d in datasets().items() if name not in ('array', 'folder')]\n"
        "sizes = [data.train_size() for data in known if data.sample_shape()]\n"
        "print(sorted({'torch', 'torchvision', 'sklearn', 'PIL', 'scipy', 'safetensors'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
