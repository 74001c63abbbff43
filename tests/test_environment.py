"""What the jobs of a workflow find in their environment."""

import getpass
import os
from pathlib import Path

import pytest

from pwgan.environment import prepare

ROOT = str(Path(__file__).parents[1])


@pytest.mark.parametrize(("before", "after"), [(None, ROOT), ("/other", f"{ROOT}{os.pathsep}/other")])
def test_jobs_import_this_package_first(monkeypatch, before, after):
    monkeypatch.setenv("PYTHONPATH", before or "")
    if before is None:
        monkeypatch.delenv("PYTHONPATH")
    monkeypatch.setenv("PWGAN_JOBS_PER_GPU", "")
    prepare(3)
    assert os.environ["PYTHONPATH"] == after
    assert os.environ["PWGAN_JOBS_PER_GPU"] == "3"


@pytest.mark.fault("unusual environments")
@pytest.mark.parametrize("error", [KeyError, OSError])
def test_a_user_without_a_name_is_given_one(monkeypatch, error):
    """Snakemake asks for it, and ends in a traceback without."""

    def unknown(uid):
        raise error

    monkeypatch.setenv("PYTHONPATH", "")
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setattr("pwd.getpwuid", unknown)
    prepare()
    assert getpass.getuser() == str(os.getuid())
