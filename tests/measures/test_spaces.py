"""Features of real images are computed once, and found again only by the same images, weights, code and packages."""

import pytest
import torch

from pwgan.extractors.classifier import OfTraining
from pwgan.measures import spaces
from pwgan.measures.spaces import Space
from pwgan.networks.layers.classifier import Classifier


class Counting(OfTraining):
    """The extractor of a classifier, which counts the images it is given."""

    __module__ = OfTraining.__module__  # whose code the key holds
    seen = 0

    def __call__(self, images):
        self.seen += len(images)
        return super().__call__(images)


@pytest.fixture
def model():
    return Classifier(1, 3, 8)


@pytest.fixture
def images():
    return torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_the_second_job_reads_what_the_first_computed(tmp_path, model, images):
    first, second = (Space(Counting(model=model), tmp_path) for _ in range(2))
    expected = first.extractor(images)
    for space, seen in ((first, 12), (second, 0)):
        assert torch.equal(space.real(images), expected)
        assert space.extractor.seen == seen
    (file,) = tmp_path.iterdir()
    assert file.name.startswith("features-classifier-") and file.suffix == ".safetensors"
    assert torch.equal(second(images), expected) and second.extractor.seen == 6  # generated images are not kept
    assert len(list(tmp_path.iterdir())) == 1


def test_nothing_is_kept_without_a_folder(tmp_path, model, images, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Space(Counting(model=model)).real(images)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("changed", ["images", "order", "fewer", "weights", "code", "torch"])
def test_whatever_changes_the_features_is_part_of_the_key(tmp_path, model, images, changed, monkeypatch):
    Space(Counting(model=model), tmp_path).real(images)
    if changed == "images":
        images[3, 0, 1, 1] += 0.01
    if changed == "order":
        images = images.flip(0)
    if changed == "fewer":
        images = images[:5]
    if changed == "weights":
        model = Classifier(1, 3, 8)
    if changed == "code":
        monkeypatch.setattr(spaces, "code_version", lambda module: "another")
    if changed == "torch":
        monkeypatch.setattr(torch, "__version__", "0.0")
    again = Space(Counting(model=model), tmp_path)
    assert torch.equal(again.real(images), again.extractor(images))
    assert again.extractor.seen == 2 * len(images) and len(list(tmp_path.iterdir())) == 2


@pytest.mark.fault("tampering", count=3)
@pytest.mark.parametrize("damage", [lambda b: b[:-9], lambda b: b[:-9] + b"123456789", lambda b: b""])
def test_a_damaged_file_is_replaced(tmp_path, model, images, damage, caplog):
    space = Space(Counting(model=model), tmp_path)
    expected = space.real(images)
    (file,) = tmp_path.iterdir()
    file.write_bytes(damage(file.read_bytes()))
    assert torch.equal(space.real(images), expected) and space.extractor.seen == 12
    assert "damaged" in caplog.text and "again" in caplog.text
    assert torch.equal(space.real(images), expected) and space.extractor.seen == 12
