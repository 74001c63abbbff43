"""The documented example of a new method: found, and its losses; tests/workflow/test_examples.py trains it."""

import importlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import pwgan.methods
from pwgan.methods import Batch, Method, Nets, methods
from pwgan.study import parse_study

EXAMPLE = Path(__file__).parents[2] / "docs" / "example_method.py"


@pytest.fixture
def with_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Method]]:
    """Put the documented example where pwgan looks for methods."""
    folder = tmp_path / "methods"
    folder.mkdir()
    shutil.copy(EXAMPLE, folder / "lsgan_example.py")
    monkeypatch.setattr(pwgan.methods, "__path__", [*pwgan.methods.__path__, str(folder)])
    importlib.invalidate_caches()
    yield methods()["lsgan"]
    sys.modules.pop("pwgan.methods.lsgan_example", None)
    vars(pwgan.methods).pop("lsgan_example", None)


def test_without_the_file_there_is_no_such_method(tiny):
    assert "lsgan" not in methods()
    with pytest.raises(ValueError, match=r"unknown method.*: 'lsgan'"):
        parse_study(tiny(methods={"lsgan": {}}))


def test_its_losses(with_example):
    critic = nn.Flatten(1)  # scores are the samples themselves
    real, fake = torch.tensor([[[1.0], [3.0]], [[0.0], [2.0]]]), torch.tensor([[[0.0], [1.0]], [[4.0], [0.0]]])
    batch = Batch(real, torch.zeros(2, 2, dtype=torch.int64), torch.zeros(2, 2, 1), fake, torch.rand)
    nets = Nets(nn.Identity(), critic)
    np.testing.assert_allclose(with_example().critic_loss(nets, batch), [(2 + 0.5) / 2, (1 + 8) / 2])
    np.testing.assert_allclose(with_example().generator_loss(nets, batch), [0.25, (4.5 + 0.5) / 2])
    other = with_example(a=-1, b=1, c=0)
    np.testing.assert_allclose(other.critic_loss(nets, batch), [(2 + 2.5) / 2, (1 + 13) / 2])
    np.testing.assert_allclose(other.generator_loss(nets, batch), [0.25, 4])


@pytest.mark.usefixtures("with_example")
def test_its_options_are_checked(tiny):
    with pytest.raises(ValueError, match="Did you mean 'critic_steps'"):
        parse_study(tiny(methods={"lsgan": {"critic_step": 2}}))
    (block,) = parse_study(tiny(methods={"lsgan": {"critic_steps": 2}})).blocks.values()
    assert block.path == "ring8/lsgan/m8/seeds0-1" and block.training.options["critic_steps"] == 2
