"""The Inception network: what reaches it, and what is said when there is no network to reach."""

from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from safetensors.torch import save_file

from pwgan import optional
from pwgan.data.store import to_float
from pwgan.errors import Refused
from pwgan.extractors.inception import Inception

pytest.importorskip("torch_fidelity")


class Channels(torch.nn.Module):
    """Stands for Inception: takes what it takes, and answers with the mean of each channel."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, images):
        assert images.dtype == torch.uint8 and images.shape[1] == 3
        self.seen.append(len(images))
        return (images.double().mean((2, 3)).float(),)


class Stand(Inception):
    """Inception with ``Channels`` for its network."""

    def load(self, weights, model):
        return Channels()


def test_grey_is_repeated_and_batches_are_joined_in_order(images):
    extract, grey = Stand(batch=3), images(7, 1, 4, 4)
    torch.testing.assert_close(extract(to_float(grey)), grey.float().mean((2, 3)).expand(7, 3))
    assert extract.network.seen == [3, 3, 1]
    colour = images(2, 3, 4, 4)
    torch.testing.assert_close(extract(colour), colour.float().mean((2, 3)))


def test_inception_from_a_file(inception_weights, images, tmp_path):
    state = torch.get_rng_state()
    extract = Inception(inception_weights, batch=2)
    assert torch.equal(torch.get_rng_state(), state)
    grey = images(3, 1, 8, 8)
    found = extract(to_float(grey))
    assert found.shape == (3, Inception.features) and found.dtype == torch.float32 and bool(torch.isfinite(found).all())

    from torch_fidelity import FeatureExtractorInceptionV3

    direct = FeatureExtractorInceptionV3("direct", ["2048"], feature_extractor_weights_path=inception_weights)
    with torch.no_grad():
        (expected,) = direct(grey.repeat(1, 3, 1, 1))
    torch.testing.assert_close(found, expected)
    assert float((found[0] - found[1]).abs().max()) > 0.1 * float(found.abs().max())

    save_file(torch.load(inception_weights, weights_only=True), tmp_path / "inception.safetensors")
    same = Inception(tmp_path / "inception.safetensors", batch=2)
    assert torch.equal(same(to_float(grey)), found) and same.weights_digest() == extract.weights_digest()


def test_a_missing_or_bad_file_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"measures\.weights\.inception"):
        Inception(tmp_path / "none.pth")
    (tmp_path / "page.pth").write_text("<html>404</html>")
    (tmp_path / "page.safetensors").write_text("<html>404</html>")
    (tmp_path / "empty.pth").touch()
    for name in ("page.pth", "page.safetensors", "empty.pth"):
        with pytest.raises(Refused, match=r"measures\.weights\.inception"):
            Inception(tmp_path / name)
    torch.save({"weight": torch.zeros(2)}, tmp_path / "other.pth")
    torch.save([torch.zeros(2)], tmp_path / "list.pth")
    for name in ("other.pth", "list.pth"):
        with pytest.raises(Refused, match="other weights"):
            Inception(tmp_path / name)


class Hostile:
    """Unpickling this writes a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return Path.touch, (self.target,)


def test_code_in_a_file_of_weights_is_not_run(tmp_path):
    torch.save(Hostile(tmp_path / "ran"), tmp_path / "hostile.pth")
    with pytest.raises(Refused, match=r"measures\.weights\.inception"):
        Inception(tmp_path / "hostile.pth")
    assert not (tmp_path / "ran").exists()


def test_a_failed_download_says_what_to_set(monkeypatch):
    def offline(url, **options):
        assert options["check_hash"] and options["weights_only"]
        raise URLError("no route")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", offline)
    with pytest.raises(Refused, match=r"(?s)no route.*measures\.weights\.inception"):
        Inception()


def test_a_download_is_loaded_from_the_address_of_torch_fidelity(monkeypatch, inception_weights):
    from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3

    state = torch.load(inception_weights, weights_only=True)
    asked = []
    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", lambda url, **_: asked.append(url) or state)
    assert torch.equal(Inception().network.state_dict()["fc.bias"], state["fc.bias"])
    assert asked == [URL_INCEPTION_V3]


def test_without_torch_fidelity_it_is_named(monkeypatch):
    def missing(module):
        raise ModuleNotFoundError(f"No module for {module}", name="torch_fidelity")

    monkeypatch.setattr(optional, "import_module", missing)
    with pytest.raises(Refused, match=r"pwgan\[fidelity\]"):
        Inception()


@pytest.mark.parametrize(
    "wrong",
    [
        torch.zeros(3, 8, 8),
        torch.zeros(0, 1, 8, 8),
        torch.full((2, 1, 8, 8), torch.nan),
        torch.full((2, 1, 8, 8), 255.0),
        torch.zeros(2, 1, 8, 8, dtype=torch.int64),
        torch.zeros(2, 2, 8, 8),
    ],
)
def test_refuses_invalid_images(wrong):
    with pytest.raises(ValueError, match="images"):
        Stand()(wrong)
