"""The classifier of stacked channels says of each channel what the classifier of single channels says of it."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pwgan.data.base import Split
from pwgan.data.store import read_data, write_data
from pwgan.measures import classifier
from pwgan.measures.classifier import load_classifier, save_classifier, train_classifier, write_classifier
from pwgan.networks.layers.classifier import FEATURES, Classifier
from pwgan.networks.layers.stacked import StackedClassifier, distinct_channels

PICTURES = torch.randint(0, 256, (40, 3, 12, 12), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def models():
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        single = Classifier(1, 10, 12).eval()
        # As many pictures of each class as of any other, more or less: random weights prefer one class.
        single.head.bias -= single(PICTURES.flatten(0, 1)[:, None] / 127.5 - 1).mean(0)
    stacked = StackedClassifier(3, 10, 12)
    stacked.load_state_dict(single.state_dict())
    return single, stacked.eval()


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_labels_and_features_are_those_of_the_channels(models, dtype):
    single, stacked = models
    images = PICTURES if dtype == torch.uint8 else PICTURES / 127.5 - 1
    channels = [images[:, i : i + 1] for i in range(3)]
    a, b, c = (single.predict(channel) for channel in channels)
    assert torch.equal(stacked.predict(images, batch=7), 100 * a + 10 * b + c)
    expected = torch.cat([single.features(channel) for channel in channels], 1)
    assert expected.shape == (40, 3 * FEATURES)
    torch.testing.assert_close(stacked.features(images, batch=7), expected)
    assert stacked.classes == 1000 and stacked.predict(images).unique().numel() > 20


def test_other_images_are_refused(models):
    for shape in ((4, 1, 12, 12), (4, 2, 12, 12), (4, 3, 12), (4, 3, 8, 8)):
        for call in (models[1].predict, models[1].features):
            with pytest.raises(ValueError, match="images must be"):
                call(torch.zeros(shape))


def test_a_file_keeps_it(tmp_path, models):
    save_classifier(tmp_path / "file", models[1], {"accuracy": 0.5}, "stacks")
    loaded, report = load_classifier(tmp_path / "file", "stacks")
    images = torch.rand(5, 3, 12, 12, generator=torch.Generator().manual_seed(1)) * 2 - 1
    assert isinstance(loaded, StackedClassifier) and report == {"accuracy": 0.5} and not loaded.training
    assert torch.equal(loaded.predict(images), models[1].predict(images)) and loaded.classes == 1000


@given(
    rows=st.lists(st.lists(st.integers(0, 6), min_size=2, max_size=2), min_size=1, max_size=12),
    dtype=st.sampled_from([np.uint8, np.float32]),
)
def test_distinct_channels_are_each_once_with_their_class(rows, dtype):
    classes = [3, 0, 2, 2, 1, 4, 0]  # of each picture; 5 classes
    images = np.zeros((len(rows), 2, 4, 4), dtype)
    images[:, :, 1, 2] = rows
    labels = np.array([5 * classes[a] + classes[b] for a, b in rows])
    pictures, of = distinct_channels(images, labels, 5)
    seen = list(dict.fromkeys(value for row in rows for value in row))
    assert pictures.shape == (len(seen), 1, 4, 4) and pictures.dtype == dtype
    assert pictures[:, 0, 1, 2].tolist() == seen and of.tolist() == [classes[value] for value in seen]


def test_it_is_trained_on_the_distinct_digits(tmp_path, monkeypatch):
    from sklearn.datasets import load_digits

    monkeypatch.setattr(classifier, "MAX_EPOCHS", 4)
    source, rng = load_digits(), np.random.default_rng(0)
    digits, of = (source.images[:, None] / 8 - 1).astype(np.float32), source.target.astype(np.int64)
    sides = []
    for low, high, count in ((0, 1300, 900), (1300, 1797, 400)):
        chosen = rng.integers(low, high, (count, 3))
        sides.append((digits[chosen, 0], of[chosen] @ [100, 10, 1], np.unique(chosen)))
    (train, train_labels, used), (heldout, heldout_labels, _) = sides
    split = Split(train, heldout, train_labels, heldout_labels, channel_classes=10)
    write_data(tmp_path / "data", split, {"name": "stacks"})
    stored = read_data(tmp_path / "data")
    assert stored.channel_classes == 10 and stored.class_weights.tolist() == 1000 * [0.001]

    singles = distinct_channels(train, train_labels, 10)
    assert len(singles[0]) == len(used)
    first = torch.from_numpy(singles[0]), torch.from_numpy(singles[1])
    second = [torch.from_numpy(array) for array in distinct_channels(heldout, heldout_labels, 10)]
    model, expected = train_classifier(*first, *second)
    write_classifier(tmp_path / "file", stored, torch.device("cpu"))
    loaded, report = load_classifier(tmp_path / "file", "stacks")
    assert report == expected and torch.equal(loaded.head.weight, model.head.weight)
    right = (loaded.predict(stored.heldout_tensor()[0]).numpy() == heldout_labels).mean()
    assert report["accuracy"] > 0.9 and right == pytest.approx(report["accuracy"] ** 3, abs=0.08)
