"""Whole files, locks, seeds and costs."""

import errno
import fcntl
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pwgan.errors import Busy
from pwgan.runtime import (
    atomic_write,
    exclusive,
    held,
    measured_cost,
    seed_of,
    write_json,
)

CPU = torch.device("cpu")
HOLD = """
import sys, time
from pathlib import Path
from pwgan.runtime import exclusive
with exclusive(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_file_is_there_when_the_block_ends_and_not_before(tmp_path):
    path = tmp_path / "new" / "result.json"
    with atomic_write(path) as aside:
        aside.write_text("done")
        assert not path.exists() and aside.parent == path.parent and aside.suffix == ".json"
    assert path.read_text() == "done"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "result.json"
    path.write_text("old")
    with pytest.raises(error), atomic_write(path) as aside:
        aside.write_text("half of the n")
        raise error
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_writer_left_is_swept_and_what_a_living_one_writes_is_not(tmp_path):
    killed = tmp_path / ".pwgan-k1ll3d-result.json"
    killed.write_text("half of the n")
    (tmp_path / ".hidden").write_text("not ours")
    with atomic_write(tmp_path / "other.csv") as living:
        living.write_text("1,2")
        assert not killed.exists()
        write_json(tmp_path / "result.json", {})
        assert living.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".hidden", "other.csv", "result.json"]


@pytest.mark.parametrize("named", [None, "aside", "elsewhere"])
def test_an_error_of_writing_names_the_file_and_not_its_temporary_one(tmp_path, named):
    with pytest.raises(OSError) as failure, atomic_write(tmp_path / "result.json") as aside:
        raise OSError(errno.ENOSPC, "No space left on device", {"aside": str(aside)}.get(named, named))
    expected = "elsewhere" if named == "elsewhere" else str(tmp_path / "result.json")
    assert (failure.value.errno, failure.value.filename) == (errno.ENOSPC, expected)


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_file_has_the_permissions_that_the_user_gives_to_files(tmp_path, mask, mode):
    before = os.umask(mask)
    try:
        write_json(tmp_path / "result.json", {"b": [1], "a": None})
        assert os.umask(mask) == mask
    finally:
        os.umask(before)
    assert (tmp_path / "result.json").stat().st_mode & 0o777 == mode
    assert json.loads((tmp_path / "result.json").read_text()) == {"a": None, "b": [1]}


def test_unserialisable_content_leaves_no_file(tmp_path):
    with pytest.raises(TypeError):
        write_json(tmp_path / "result.json", {"a": object()})
    assert list(tmp_path.iterdir()) == []


def test_a_second_writer_is_refused_until_the_first_is_done(tmp_path):
    folder = tmp_path / "block"
    assert not held(folder)
    with exclusive(folder):
        assert held(folder)
        with pytest.raises(Busy, match="another process"), exclusive(folder):
            pytest.fail("two writers")
        with exclusive(tmp_path / "other"):
            pass
    assert not held(folder)
    with exclusive(folder):
        pass


def test_a_look_at_a_lock_refuses_nobody(tmp_path):
    with exclusive(tmp_path):
        pass
    with (tmp_path / ".lock").open() as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        threading.Timer(0.02, fcntl.flock, (file, fcntl.LOCK_UN)).start()
        with exclusive(tmp_path):
            pass


def test_the_lock_of_another_process_ends_with_it_even_when_killed(tmp_path):
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout and holder.stdout.readline() == "held\n"
            with pytest.raises(Busy, match=str(tmp_path)), exclusive(tmp_path):
                pytest.fail("two writers")
        finally:
            holder.send_signal(signal.SIGKILL)
    with exclusive(tmp_path):
        pass


def test_a_seed_is_the_same_on_every_machine():
    # Another value here means that every study in the world trains from other initial weights.
    assert seed_of("order", 3, 0) == 2227609472651254297
    digest = hashlib.blake2b(b'["order", "3", "0"]', digest_size=8).digest()
    assert seed_of("order", 3, 0) == int.from_bytes(digest, "little") // 2


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.text(max_size=4) | st.integers(0, 99).map(str), max_size=3), max_size=8))
def test_different_streams_have_different_seeds(streams):
    different = {tuple(stream) for stream in streams}
    seeds = {seed_of(*stream) for stream in different}
    assert len(seeds) == len(different)
    assert all(0 <= seed < 1 << 63 for seed in seeds)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the peak is that of the whole process")
def test_the_peak_is_that_of_the_block():
    with measured_cost(CPU) as before:
        pass
    with measured_cost(CPU) as large:
        np.ones(25_000_000)
    assert large.peak_memory_mb > before.peak_memory_mb + 190
    with measured_cost(CPU) as after:
        pass
    assert after.seconds >= 0
    if os.access("/proc/self/clear_refs", os.W_OK):
        assert after.peak_memory_mb < large.peak_memory_mb - 150
