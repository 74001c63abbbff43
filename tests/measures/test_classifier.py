"""The classifier learns real digits, repeats itself to the bit, and survives its file."""

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from sklearn.datasets import load_digits

from pwgan.data.embedded import Digits
from pwgan.data.store import StoredData, to_float
from pwgan.errors import Refused
from pwgan.extractors import extractors
from pwgan.measures import classifier
from pwgan.measures.classifier import load_classifier, save_classifier, train_classifier, write_classifier
from pwgan.networks.layers.classifier import FEATURES, Classifier


@pytest.fixture(scope="module")
def digits():
    data = load_digits()
    images = torch.tensor(data.images / 8 - 1, dtype=torch.float32)[:, None]
    labels = torch.tensor(data.target)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    train, heldout = order[:1297], order[1297:]
    return images[train], labels[train], images[heldout], labels[heldout]


@pytest.fixture(scope="module")
def trained(digits):
    return train_classifier(*digits)


def test_learns_digits(digits, trained):
    model, report = trained
    assert report["accuracy"] >= 0.95
    right = sum(int(a) == int(b) for a, b in zip(model.predict(digits[2]), digits[3], strict=True))
    assert report["accuracy"] == pytest.approx(right / 500)
    assert report["epochs"] == classifier.MAX_EPOCHS


def test_same_seed_same_bits_whatever_the_global_state(digits, monkeypatch):
    monkeypatch.setattr(classifier, "MAX_EPOCHS", 2)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first, report = train_classifier(*digits, seed=3)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    second, again = train_classifier(*digits, seed=3)
    other, _ = train_classifier(*digits, seed=4)
    assert all(
        torch.equal(a, b) for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    )
    assert report == again
    assert not torch.equal(first.head.weight, other.head.weight)


def test_the_held_out_set_decides_nothing(digits, monkeypatch):
    monkeypatch.setattr(classifier, "MAX_EPOCHS", 3)
    train, labels, heldout, heldout_labels = digits
    first, report = train_classifier(train, labels, heldout, heldout_labels)
    second, worse = train_classifier(train, labels, heldout, (heldout_labels + 1) % 10)
    assert torch.equal(first.head.weight, second.head.weight)
    assert worse["accuracy"] < report["accuracy"]


def test_large_sets_are_seen_for_fewer_epochs(digits, monkeypatch):
    train, labels, heldout, heldout_labels = digits
    monkeypatch.setattr(classifier, "IMAGES", 3 * len(train) - 1)
    assert train_classifier(train, labels, heldout, heldout_labels)[1]["epochs"] == 3
    assert train_classifier(train[:640], labels[:640], heldout, heldout_labels)[1]["epochs"] == 7


def test_the_learning_rate_goes_up_and_down_once(digits, monkeypatch):
    rates = []
    step = torch.optim.Adam.step

    def stepped(self, *args, **kwargs):
        rates.append(self.param_groups[0]["lr"])
        return step(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.Adam, "step", stepped)
    monkeypatch.setattr(classifier, "MAX_EPOCHS", 4)
    train_classifier(*digits)
    top = rates.index(max(rates))
    assert len(rates) == 4 * 11 and max(rates) == pytest.approx(classifier.LEARNING_RATE, rel=0.05)
    assert rates == sorted(rates[: top + 1]) + sorted(rates[top + 1 :], reverse=True)
    assert rates[-1] < rates[0] < max(rates) / 10


def test_bytes_and_floats_are_the_same_images():
    model = Classifier(3, 10, 16).eval()
    images = torch.randint(0, 256, (6, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    floats = to_float(images)
    assert floats.dtype == torch.float32 and floats.min() >= -1 and floats.max() <= 1
    assert to_float(torch.tensor([0, 255], dtype=torch.uint8)).tolist() == [-1, 1]
    torch.testing.assert_close(model.features(images), model.features(floats))
    few = torch.arange(40) % 2
    images = images.repeat(7, 1, 1, 1)[:40]
    a, _ = train_classifier(images, few, images, few)
    b, _ = train_classifier(to_float(images), few, images, few)
    assert torch.equal(a.head.weight, b.head.weight)


@pytest.mark.parametrize("size", [8, 28, 32, 64])
@pytest.mark.parametrize("channels", [1, 3])
def test_features_of_every_size_do_not_depend_on_the_batch(size, channels):
    model = Classifier(channels, 7, size)
    images = torch.rand(9, channels, size, size, generator=torch.Generator().manual_seed(0)) * 2 - 1
    features = model.features(images, batch=4)
    assert features.shape == (9, FEATURES) and model.predict(images).shape == (9,)
    torch.testing.assert_close(features, model.features(images, batch=9))
    torch.testing.assert_close(model.head(features), model(images))
    for wrong in (images[:, :0], images[..., 1:], images[:0]):
        with pytest.raises(ValueError, match="images must be"):
            model.features(wrong)


def test_file_keeps_weights_architecture_and_report(tmp_path, digits, trained):
    model, report = trained
    save_classifier(tmp_path / "classifier.safetensors", model, report, "digits")
    loaded, read = load_classifier(tmp_path / "classifier.safetensors", "digits")
    assert read == report and not loaded.training
    assert torch.equal(loaded.features(digits[2]), model.features(digits[2]))
    assert [path.name for path in tmp_path.iterdir()] == ["classifier.safetensors"]
    with safe_open(tmp_path / "classifier.safetensors", framework="pt") as file:
        about = json.loads(file.metadata()["pwgan"])
    assert (about["channels"], about["classes"], about["size"]) == (1, 10, 8)


def test_bad_files_are_told(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_classifier(tmp_path / "none.safetensors", "digits")
    (tmp_path / "text").write_text("not a classifier at all")
    save_file({"a": torch.zeros(1)}, tmp_path / "other")
    save_classifier(tmp_path / "weights", Classifier(1, 2, 8), {}, "letters")
    for name, told in (("text", "no digest"), ("other", "no digest"), ("weights", "another cell or data set")):
        with pytest.raises(Refused, match=rf"{name} .*{told}.*; delete it"):
            load_classifier(tmp_path / name, "digits")


def test_the_classifier_of_held_out_images_sees_their_second_half_only(tmp_path, monkeypatch):
    data = StoredData(**vars(Digits().load()), name="digits", about={})
    given = []

    def train(*sides, device):
        given.append(sides)
        return Classifier(1, 10, 8), {"accuracy": 0.5}

    monkeypatch.setattr(classifier, "train_classifier", train)
    write_classifier(tmp_path / "heldout.safetensors", data, torch.device("cpu"), of_heldout=True)
    images, labels, others, other_labels = given[0]
    first = extractors()["classifier_heldout"].references(400)
    assert torch.equal(others, torch.from_numpy(data.heldout[:first]))
    assert torch.equal(images, torch.from_numpy(data.heldout[first:]))
    assert torch.cat([other_labels, labels]).tolist() == data.heldout_labels.tolist()
    load_classifier(tmp_path / "heldout.safetensors", "digits", of_heldout=True)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (torch.zeros(20, 64), torch.zeros(20, dtype=torch.int64), "need labels"),
        (torch.zeros(20, 1, 8, 8), torch.zeros(19, dtype=torch.int64), "need labels"),
        (torch.zeros(20, 1, 8, 8), torch.zeros(20), "integers"),
        (torch.zeros(20, 1, 8, 8), torch.full((20,), -1), "integers"),
        (torch.full((20, 1, 8, 8), torch.nan), torch.zeros(20, dtype=torch.int64), "finite"),
        (torch.full((20, 1, 8, 8), 255.0), torch.zeros(20, dtype=torch.int64), "out of range"),
        (torch.zeros(9, 1, 8, 8), torch.zeros(9, dtype=torch.int64), "at least 10"),
        (torch.zeros(20, 3, 8, 8), torch.zeros(20, dtype=torch.int64), "of their shape"),
    ],
)
def test_refuses_images_and_labels_that_do_not_fit(images, labels, message):
    heldout, heldout_labels = torch.zeros(5, 1, 8, 8), torch.zeros(5, dtype=torch.int64)
    with pytest.raises(ValueError, match=message):
        train_classifier(images, labels, heldout, heldout_labels)
