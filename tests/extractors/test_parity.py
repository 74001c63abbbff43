"""Our distances are those of torch-fidelity's command line on the same images and weights, and of float64 formulas."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.linalg import sqrtm

from pwgan.data.store import to_float
from pwgan.extractors.inception import Inception
from pwgan.measures.frechet import feature_measures

pytest.importorskip("torch_fidelity", reason="needs pwgan[fidelity]")
COUNT = 12


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Two folders of small PNG images: smooth ones, and the same kind with more contrast."""
    draws, folders = np.random.default_rng(0), []
    for name, contrast in (("generated", 40), ("real", 60)):
        folder = tmp_path_factory.mktemp(name)
        for i in range(COUNT):
            coarse = draws.normal(128, contrast, (4, 4, 3)).clip(0, 255).astype(np.uint8)
            Image.fromarray(coarse).resize((32, 32), Image.BICUBIC).save(folder / f"{i:03}.png")
        folders.append(folder)
    return folders


def read(folder):
    images = [np.asarray(Image.open(path)) for path in sorted(folder.iterdir())]
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)


@pytest.mark.slow
def test_fid_and_kid_are_those_of_the_command_line_of_torch_fidelity(folders, inception_weights, tmp_path):
    generated, real = folders
    options = ["--fid", "--kid", "--cpu", "--json", "--silent", "--no-cache", "--save-cpu-ram", "--batch-size", "8"]
    options += ["--kid-subsets", "1", "--kid-subset-size", str(COUNT), "--feature-extractor", "inception-v3-compat"]
    options += ["--feature-extractor-weights-path", str(inception_weights), "--input1", generated, "--input2", real]
    command = [sys.executable, "-c", "from torch_fidelity.fidelity import main; main()", *map(str, options)]
    environment = os.environ | {"TORCH_HOME": str(tmp_path), "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    theirs = json.loads(done.stdout[done.stdout.index("{") :])

    extract = Inception(inception_weights, batch=8)
    x, y = (extract(to_float(read(folder))) for folder in folders)
    ours = feature_measures(x, y, "inception")
    # torch-fidelity computes the KID of float32 features in float32, the FID in double precision.
    assert ours[f"fid-inception@{COUNT}"] == pytest.approx(theirs["frechet_inception_distance"], rel=1e-6)
    assert ours[f"kid-inception@{COUNT}"] == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-4)
    assert theirs["frechet_inception_distance"] > 1e-3

    # The formula, with more features than images: tr (S_x S_y)^(1/2) is the sum of the singular values of the product
    # of the centred features.
    x, y = (side.double().numpy() for side in (x, y))
    a, b = x - x.mean(0), y - y.mean(0)
    cross = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    formula = np.sum((x.mean(0) - y.mean(0)) ** 2) + (np.sum(a**2) + np.sum(b**2) - 2 * cross) / (COUNT - 1)
    assert ours[f"fid-inception@{COUNT}"] == pytest.approx(formula, rel=1e-5)


@pytest.mark.parametrize("spread", [1e-3, 1.0, 1e3])
def test_frechet_distance_equals_the_formula_in_float64_at_every_scale(spread):
    draws = np.random.default_rng(1)
    x = draws.normal(0, spread, (500, 40)) @ draws.normal(0, 1, (40, 40))
    y = draws.normal(spread / 5, spread, (300, 40)) @ draws.normal(0, 1, (40, 40))
    a, b = np.cov(x.T), np.cov(y.T)
    half = sqrtm(a).real
    expected = np.sum((x.mean(0) - y.mean(0)) ** 2) + np.trace(a + b - 2 * sqrtm(half @ b @ half).real)
    found = feature_measures(torch.tensor(x), torch.tensor(y), "random")["fd-random@500"]
    assert found == pytest.approx(expected, rel=1e-8)
