"""What every extractor states, and the two that are small networks on the data set's own images."""

import json
import subprocess
import sys

import pytest
import torch

from pwgan.data.embedded import Digits
from pwgan.data.store import to_float
from pwgan.errors import Refused
from pwgan.extractors import extractors, with_files
from pwgan.extractors.base import as_bytes
from pwgan.extractors.classifier import OfTraining
from pwgan.extractors.random import Random
from pwgan.extractors.weights import cached
from pwgan.measures.frechet import feature_measures
from pwgan.networks.layers.classifier import Classifier, untrained
from pwgan.schema import schema


@pytest.mark.parametrize("name", extractors())
def test_every_extractor_says_what_it_is(name):
    cls = extractors()[name]
    assert cls.name == name and name.isidentifier() and cls.features > 1
    assert all((cls.source, cls.licence, cls.preprocessing))
    assert bool(cls.packages) == bool(cls.extra)
    assert cls.reads_file or cls.url is None
    assert cls.references(100) in (50, 100)
    cls.check(Digits())


@pytest.mark.parametrize("name", ["effnet", "inception", "dinov2"])
def test_networks_of_photographs_read_one_or_three_channels(name):
    class Two(Digits):
        def sample_shape(self):
            return (2, 8, 8)

    with pytest.raises(ValueError, match=f"{name} reads images of 1 or 3 channels, and these have 2"):
        extractors()[name].check(Two())


def test_the_schema_lists_them():
    text = json.loads(schema())
    one, many, _ = text["$defs"]["DataSetEntry"]["properties"]["features"]["anyOf"]
    assert set(one["enum"]) == {*extractors(), "none"} and set(many["items"]["enum"]) == set(extractors())
    assert text["$defs"]["Measures"]["properties"]["weights"]["propertyNames"]["enum"] == with_files()


def test_planning_imports_no_torch():
    code = (
        "import sys, pwgan.study; sys.exit(bool({'torch', 'torch_fidelity', 'timm', 'safetensors'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_importing_the_measures_imports_no_torchvision():
    code = "import sys, pwgan.measures.measuring; sys.exit(bool({'torchvision', 'torch_fidelity'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("variables", [{}, {"XDG_CACHE_HOME": "/x"}, {"TORCH_HOME": "/t"}, {"XDG_CACHE_HOME": ""}])
def test_the_cache_is_that_of_torch(monkeypatch, variables):
    for name in ("XDG_CACHE_HOME", "TORCH_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert str(cached("https://host/a/file.pth")) == f"{torch.hub.get_dir()}/checkpoints/file.pth"


def test_floats_become_the_bytes_they_came_from():
    every = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(as_bytes(to_float(every)), every)
    assert torch.equal(as_bytes(every), every)
    assert as_bytes(torch.tensor([-1.00001, -0.9999, 0.004, 1.00001])).tolist() == [0, 0, 128, 255]


def test_classifier_features_are_its_penultimate_layer(images):
    model = Classifier(1, 10, 8).eval()
    some = images(5, 1, 8, 8)
    expected = model.body(to_float(some)).detach()
    for batch in (2, 64):
        extract = OfTraining(model=model, batch=batch)
        torch.testing.assert_close(extract(to_float(some)), expected)
        torch.testing.assert_close(extract(some), expected)
    with pytest.raises(Refused, match="--classifier FILE"):
        OfTraining()


def test_weights_have_a_digest_of_their_own():
    first, second = (OfTraining(model=Classifier(1, 10, 8)).weights_digest() for _ in range(2))
    model = Classifier(1, 10, 8)
    assert first != second and OfTraining(model=model).weights_digest() == OfTraining(model=model).weights_digest()


def test_random_features_depend_on_the_images_alone_and_tell_blur_from_digits():
    from sklearn.datasets import load_digits

    digits = torch.from_numpy(load_digits().images[:1200, None] / 8 - 1).float()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        found = Random()(digits)
    untrained.cache_clear()
    assert torch.equal(Random(batch=500)(digits), found) and found.shape == (1200, 64)
    near = torch.cdist(digits.flatten(1), digits.flatten(1)).topk(10, largest=False).indices
    blurred = Random()(digits[near].mean(1))
    real, floor = found[::2], feature_measures(found[1::2], found[::2], "random")
    blur = feature_measures(blurred[1::2], real, "random")
    assert blur["fd-random@600"] > 2 * floor["fd-random@600"]
    assert blur["recall-random@600"] < 0.5 < 0.8 < floor["recall-random@600"]
    assert Random()(torch.zeros(2, 3, 16, 16)).tolist() == torch.zeros(2, 64).tolist()
