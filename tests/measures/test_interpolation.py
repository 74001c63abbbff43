"""Paths between latents: their law, their distances, and what is said of them."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from pwgan.measures.interpolation import path_distances, path_measures, places, spherical_paths, straight_paths


def test_both_kinds_of_path_end_where_they_should():
    a, b = torch.randn(2, 5, 7, 3)
    for paths in (spherical_paths(a, b), straight_paths(a, b)):
        assert paths.shape == (5, 7, 9, 3)
        torch.testing.assert_close(paths[..., 0, :], a)
        torch.testing.assert_close(paths[..., -1, :], b)
    torch.testing.assert_close(spherical_paths(a, b)[..., 4, :], (a + b) / 2**0.5)
    torch.testing.assert_close(straight_paths(a, b)[..., 2, :], 0.75 * a + 0.25 * b)


def test_every_point_of_a_spherical_path_is_standard_normal():
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 20000, 4, generator=generator)
    for point in spherical_paths(a, b).unbind(1):
        torch.testing.assert_close(point.T.cov(), torch.eye(4), atol=0.05, rtol=0)
    assert straight_paths(a, b)[:, 4].var() == pytest.approx(0.5, abs=0.02)


def test_distances_along_a_path_are_relative_to_held_out_samples():
    rng = np.random.default_rng(0)
    paths, train, heldout = rng.normal(size=(2, 3, 9, 5)), rng.normal(size=(40, 5)), rng.normal(size=(20, 5))
    distances, relative = path_distances(*(torch.from_numpy(array) for array in (paths, train[None], heldout[None])))
    expected = cdist(paths.reshape(-1, 5), train).min(1).reshape(2, 3, 9)
    np.testing.assert_allclose(distances, expected)
    np.testing.assert_allclose(relative, expected / np.median(cdist(heldout, train).min(1)))


def test_measures_of_paths_by_hand():
    # |t - 1/2| grows from the middle: ends 4, middle third 1, 0, 1.
    relative = torch.tensor([4.0, 3, 2, 1, 0, 1, 2, 3, 4]).double().expand(6, -1)
    assert path_measures(relative) == {"interpolation_ratio": 2, "interpolation_middle": 0.25}
    assert places().tolist() == [i / 8 for i in range(9)]
