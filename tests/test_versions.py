"""What results say that they were made with."""

import hashlib
import json
import subprocess
import sys
from importlib.metadata import version

import numpy as np
import pytest
import torch

from pwgan import versions
from pwgan.versions import made_with

CPU = torch.device("cpu")


@pytest.fixture
def anew():
    """Forget what was found before, and what a test finds."""
    for found in (versions._commit, versions._lock):
        found.cache_clear()
    yield
    for found in (versions._commit, versions._lock):
        found.cache_clear()


@pytest.fixture
def checkout(tmp_path, monkeypatch, anew):
    """A repository with a package, in the place of this one; returns a function that runs git in it."""

    def git(*arguments):
        who = ("-c", "user.name=n", "-c", "user.email=e@x")
        done = subprocess.run(["git", "-C", tmp_path, *who, *arguments], check=True, capture_output=True, text=True)
        return done.stdout.strip()

    git("init", "--quiet")
    (tmp_path / "pwgan").mkdir()
    (tmp_path / "pwgan/code.py").write_text("one")
    git("add", "-A")
    git("commit", "--quiet", "-m", "first")
    monkeypatch.setattr(versions, "ROOT", tmp_path)
    return git


def test_versions_and_device_are_listed():
    told = json.loads(json.dumps(made_with(CPU)))
    assert told["packages"]["torch"] == version("torch") and told["packages"]["numpy"] == np.__version__
    assert (told["device"], told["threads"]) == ("cpu", torch.get_num_threads())
    assert told["python"] == ".".join(map(str, sys.version_info[:3]))


def test_the_commit_is_that_of_the_checkout(checkout):
    assert versions._commit() == checkout("rev-parse", "HEAD")[:12]


@pytest.mark.parametrize("name", ["pwgan/code.py", "pwgan/more.py"])
def test_a_changed_package_is_marked(checkout, tmp_path, name):
    (tmp_path / name).write_text("two")
    assert versions._commit() == checkout("rev-parse", "HEAD")[:12] + "+"


def test_other_changes_are_not(checkout, tmp_path):
    (tmp_path / "notes.txt").write_text("two")
    assert versions._commit() == checkout("rev-parse", "HEAD")[:12]


@pytest.mark.parametrize("folder", ["pwgan", "nowhere"])
def test_no_commit_is_known_of_a_package_inside_another_checkout_or_without_one(
    checkout, tmp_path, monkeypatch, folder
):
    monkeypatch.setattr(versions, "ROOT", tmp_path / folder)
    assert versions._commit() is None


def test_no_commit_is_known_without_git(checkout, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    assert versions._commit() is None


def test_the_lock_counts_only_if_its_packages_are_installed(tmp_path, monkeypatch, anew):
    monkeypatch.setattr(versions, "LOCK", tmp_path / "requirements.lock")
    assert versions._lock() is None
    monkeypatch.setattr(versions, "PACKAGES", ("pwgan", "numpy", "scipy"))
    for scipy, named in ((version("scipy"), True), ("0.0.1", False)):
        text = f"numpy=={np.__version__} \\\n    --hash=sha256:00\nscipy=={scipy} ; python_version > '3'\n"
        versions.LOCK.write_text(text)
        versions._lock.cache_clear()
        assert versions._lock() == (hashlib.sha256(text.encode()).hexdigest()[:12] if named else None)
