"""Feature extractors: what reaches the network, and what is said when there is no network to reach."""

import subprocess
import sys
from pathlib import Path
from urllib.error import URLError

import pytest
import torch

from pwgan.data.store import to_float
from pwgan.errors import Refused
from pwgan.measures import features
from pwgan.measures.features import as_bytes, classifier_features, extractor, inception_features, load_inception
from pwgan.measures.frechet import feature_measures
from pwgan.networks.layers.classifier import Classifier, untrained


class Channels(torch.nn.Module):
    """Stands for Inception: takes what it takes, and answers with the mean of each channel."""

    def __init__(self):
        super().__init__()
        self.unused = torch.nn.Parameter(torch.zeros(1))
        self.seen = []

    def forward(self, images):
        assert images.dtype == torch.uint8 and images.shape[1] == 3
        self.seen.append(len(images))
        return (images.double().mean((2, 3)).float(),)


def some_bytes(*shape):
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file of random weights of the very network, made without loading any."""
    from torch_fidelity import FeatureExtractorInceptionV3
    from torch_fidelity import feature_extractor_inceptionv3 as module

    class Unloaded(FeatureExtractorInceptionV3):
        def load_state_dict(self, state_dict):
            pass

    patch = pytest.MonkeyPatch()
    patch.setattr(module, "load_state_dict_from_url", lambda *_, **__: {})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Unloaded("inception", ["2048"])
        for layer in network.modules():  # the default initial weights shrink every image to nearly the same features
            if isinstance(layer, torch.nn.Conv2d):
                torch.nn.init.kaiming_normal_(layer.weight)
    patch.undo()
    path = tmp_path_factory.mktemp("weights") / "inception.pth"
    torch.save(network.state_dict(), path)
    return path


def test_floats_become_the_bytes_they_came_from():
    every = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(as_bytes(to_float(every)), every)
    assert torch.equal(as_bytes(every), every)
    assert as_bytes(torch.tensor([-1.00001, -0.9999, 0.004, 1.00001])).tolist() == [0, 0, 128, 255]


def test_grey_is_repeated_and_batches_are_joined_in_order():
    network = Channels()
    images = some_bytes(7, 1, 4, 4)
    found = inception_features(network, to_float(images), batch_size=3)
    torch.testing.assert_close(found, images.float().mean((2, 3)).expand(7, 3))
    assert network.seen == [3, 3, 1]
    colour = some_bytes(2, 3, 4, 4)
    torch.testing.assert_close(inception_features(network, colour), colour.float().mean((2, 3)))


def test_classifier_features_are_its_penultimate_layer():
    model = Classifier(1, 10, 8).eval()
    images = to_float(some_bytes(5, 1, 8, 8))
    expected = model.body(images).detach()
    torch.testing.assert_close(classifier_features(model, images, 2), expected)
    extract = extractor("classifier", model=model)
    assert extract is not None
    torch.testing.assert_close(extract(some_bytes(5, 1, 8, 8)), expected)


def test_inception_from_a_file(weights):
    state = torch.get_rng_state()
    extract = extractor("inception", weights=weights, batch_size=2)
    assert torch.equal(torch.get_rng_state(), state)
    assert extract is not None
    images = some_bytes(3, 1, 8, 8)
    found = extract(to_float(images))
    assert found.shape == (3, 2048) and found.dtype == torch.float32 and bool(torch.isfinite(found).all())

    from torch_fidelity import FeatureExtractorInceptionV3

    direct = FeatureExtractorInceptionV3("direct", ["2048"], feature_extractor_weights_path=weights)
    with torch.no_grad():
        (expected,) = direct(images.repeat(1, 3, 1, 1))
    torch.testing.assert_close(found, expected)
    assert float((found[0] - found[1]).abs().max()) > 0.1 * float(found.abs().max())


def test_a_missing_or_bad_file_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="inception_weights"):
        load_inception(tmp_path / "none.pth")
    (tmp_path / "page.pth").write_text("<html>404</html>")
    (tmp_path / "empty.pth").touch()
    for name in ("page.pth", "empty.pth"):
        with pytest.raises(Refused, match="inception_weights"):
            load_inception(tmp_path / name)
    torch.save({"weight": torch.zeros(2)}, tmp_path / "other.pth")
    torch.save([torch.zeros(2)], tmp_path / "list.pth")
    for name in ("other.pth", "list.pth"):
        with pytest.raises(Refused, match="other weights"):
            load_inception(tmp_path / name)


class Hostile:
    """Unpickling this writes a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return Path.touch, (self.target,)


def test_code_in_a_file_of_weights_is_not_run(tmp_path):
    torch.save(Hostile(tmp_path / "ran"), tmp_path / "hostile.pth")
    with pytest.raises(Refused, match="inception_weights"):
        load_inception(tmp_path / "hostile.pth")
    assert not (tmp_path / "ran").exists()


def test_a_failed_download_says_what_to_set(monkeypatch):
    def offline(url, **options):
        assert options["check_hash"] and options["weights_only"]
        raise URLError("no route")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", offline)
    with pytest.raises(Refused, match=r"(?s)no route.*inception_weights"):
        extractor("inception")


def test_a_download_is_loaded(monkeypatch, weights):
    state = torch.load(weights, weights_only=True)
    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", lambda url, **_: state)
    network = load_inception(None)
    assert torch.equal(network.state_dict()["fc.bias"], state["fc.bias"])


def test_without_torch_fidelity_it_is_named(monkeypatch):
    def missing(module):
        raise ModuleNotFoundError(f"No module for {module}", name="torch_fidelity")

    monkeypatch.setattr(features, "import_module", missing)
    with pytest.raises(Refused, match=r"pwgan\[fidelity\]"):
        load_inception()


def test_importing_the_measures_imports_no_torchvision():
    code = (
        "import sys, pwgan.measures.frechet; sys.exit('torchvision' in sys.modules or 'torch_fidelity' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_names():
    with pytest.raises(ValueError, match=r"Did you mean 'inception'\?"):
        extractor("incepton")
    with pytest.raises(ValueError, match="--classifier FILE"):
        extractor("classifier")


def test_random_features_depend_on_the_images_alone_and_tell_blur_from_digits():
    from sklearn.datasets import load_digits

    digits = torch.from_numpy(load_digits().images[:1200, None] / 8 - 1).float()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        found = extractor("random")(digits)
    untrained.cache_clear()
    assert torch.equal(extractor("random", batch_size=500)(digits), found) and found.shape == (1200, 64)
    near = torch.cdist(digits.flatten(1), digits.flatten(1)).topk(10, largest=False).indices
    blurred = extractor("random")(digits[near].mean(1))
    real, floor = found[::2], feature_measures(found[1::2], found[::2], "random")
    blur = feature_measures(blurred[1::2], real, "random")
    assert blur["fd-random@600"] > 2 * floor["fd-random@600"]
    assert blur["recall-random@600"] < 0.5 < 0.8 < floor["recall-random@600"]
    assert extractor("random")(torch.zeros(2, 3, 16, 16)).tolist() == torch.zeros(2, 64).tolist()


@pytest.mark.parametrize(
    "images",
    [
        torch.zeros(3, 8, 8),
        torch.zeros(0, 1, 8, 8),
        torch.full((2, 1, 8, 8), torch.nan),
        torch.full((2, 1, 8, 8), 255.0),
        torch.zeros(2, 1, 8, 8, dtype=torch.int64),
        torch.zeros(2, 2, 8, 8),
    ],
)
def test_refuses_invalid_images(images):
    with pytest.raises(ValueError, match="images"):
        inception_features(Channels(), images)
