"""Which GPUs a process may use, which one it takes, and what is left where there is none."""

import contextlib
import os
import tempfile
from pathlib import Path

import pytest
import torch

from pwgan.devices import claimed_device, resolve_device, visible_gpus
from pwgan.errors import Refused

CPU = torch.device("cpu")


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Return a function that gives the machine so many GPUs and its environment a CUDA_VISIBLE_DEVICES or none."""

    def equip(gpus, visible=None, cuda=True):
        files = [Path(f"/dev/nvidia{i}") for i in reversed(range(gpus))]
        glob = Path.glob
        monkeypatch.setattr(Path, "glob", lambda self, p: iter(files) if self == Path("/dev") else glob(self, p))
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda and gpus > 0)
        monkeypatch.setattr(torch, "zeros", lambda *size, device: torch.empty(*size))
        monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
        # Set first, so that the test's own value is restored afterwards whatever the code did to it.
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible or "")
        if visible is None:
            monkeypatch.delenv("CUDA_VISIBLE_DEVICES")

    return equip


@pytest.mark.parametrize(
    ("gpus", "visible", "found"),
    [
        (0, None, []),
        (2, None, ["0", "1"]),
        (12, None, [str(i) for i in range(12)]),
        (2, "", []),
        (2, "-1", []),
        (2, "1", ["1"]),
        (4, "3,0", ["3", "0"]),
        (0, "GPU-1a2b", ["GPU-1a2b"]),
        (0, "MIG-1a2b-3c", ["MIG-1a2b-3c"]),
        (0, "MIG-GPU-1a2b/1/0, MIG-GPU-1a2b/2/0", ["MIG-GPU-1a2b/1/0", "MIG-GPU-1a2b/2/0"]),
        (4, "0,-1,2", ["0"]),
    ],
)
def test_gpus_are_those_of_the_scheduler_or_else_of_the_machine(machine, gpus, visible, found):
    machine(gpus, visible)
    assert visible_gpus() == found
    assert resolve_device("auto") == ("cuda" if found else "cpu")
    assert (resolve_device("cpu"), resolve_device("cuda")) == ("cpu", "cuda")


def test_a_cpu_claims_no_gpu(machine, tmp_path):
    machine(2)
    with claimed_device("cpu") as device:
        assert device == CPU
    assert list(tmp_path.iterdir()) == [] and "CUDA_VISIBLE_DEVICES" not in os.environ
    machine(0)
    with claimed_device("auto") as device:
        assert device == CPU


def test_cuda_without_a_gpu_is_refused_with_what_to_do(machine):
    machine(0)
    with pytest.raises(Refused, match=r"no GPU.*device: cpu"), claimed_device("cuda"):
        pytest.fail("no GPU")
    machine(1, cuda=False)
    with pytest.raises(Refused, match="no GPU"), claimed_device("cuda"):
        pytest.fail("torch without CUDA")


@pytest.mark.fault("unusual environments")
def test_auto_means_the_cpu_where_torch_cannot_use_the_gpu(machine, caplog):
    machine(1, cuda=False)
    with claimed_device("auto") as device:
        assert device == CPU
    assert "auto means the CPU, since torch cannot use the GPU" in caplog.text


@pytest.mark.fault("unusual environments")
def test_a_gpu_that_fails_at_its_first_use_is_none(machine, monkeypatch, caplog):
    def fail(*size, device):
        raise RuntimeError("CUDA error: no kernel image is available for execution on the device\nmore")

    machine(1)
    monkeypatch.setattr(torch, "zeros", fail)
    with claimed_device("auto") as device:
        assert device == CPU
    assert "no kernel image is available for execution on the device" in caplog.text and "more" not in caplog.text
    with pytest.raises(Refused, match=r"no kernel image.*device: cpu or auto"), claimed_device("cuda"):
        pytest.fail("no GPU")


@pytest.mark.fault("unusual environments")
@pytest.mark.parametrize("visible", ["", " ", "-1", "NoDevFiles", "none", "void", "NoDevFiles,0"])
def test_words_of_a_scheduler_hide_every_gpu(machine, caplog, visible):
    machine(2, visible)
    assert visible_gpus() == [] and resolve_device("auto") == "cpu"
    assert f"CUDA_VISIBLE_DEVICES={visible!r} names no GPU" in caplog.text
    with claimed_device("auto") as device:
        assert device == CPU


@pytest.mark.fault("unusual environments", count=2)
def test_a_folder_of_locks_that_others_may_write_to_is_refused(machine, tmp_path):
    machine(2)
    folder = tmp_path / f"pwgan-gpus-{os.getuid()}"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    with pytest.raises(PermissionError, match=str(folder)), claimed_device("cuda"):
        pytest.fail("locks of anyone")
    folder.rmdir()
    (tmp_path / "other").mkdir()
    folder.symlink_to(tmp_path / "other")
    with pytest.raises(PermissionError, match=str(folder)), claimed_device("cuda"):
        pytest.fail("a link of anyone")


def test_two_jobs_hold_two_gpus_and_a_freed_one_is_taken_again(machine):
    machine(2)
    with claimed_device("cuda") as device:
        assert (device.type, os.environ["CUDA_VISIBLE_DEVICES"]) == ("cuda", "0")
        del os.environ["CUDA_VISIBLE_DEVICES"]  # as in another process, which inherits nothing of this one's choice
        with claimed_device("auto"):
            assert os.environ["CUDA_VISIBLE_DEVICES"] == "1"
        del os.environ["CUDA_VISIBLE_DEVICES"]
        with claimed_device("cuda"):
            assert os.environ["CUDA_VISIBLE_DEVICES"] == "1"
    del os.environ["CUDA_VISIBLE_DEVICES"]
    with claimed_device("cuda"):
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "0"


def test_jobs_share_a_gpu_after_every_gpu_has_one(machine, monkeypatch):
    machine(2)
    monkeypatch.setenv("PWGAN_JOBS_PER_GPU", "2")
    with contextlib.ExitStack() as held:
        taken = []
        for _ in range(4):
            os.environ.pop("CUDA_VISIBLE_DEVICES", None)
            held.enter_context(claimed_device("cuda"))
            taken.append(os.environ["CUDA_VISIBLE_DEVICES"])
    assert taken == ["0", "1", "0", "1"]


@pytest.mark.parametrize(("gpus", "visible"), [(2, "1"), (1, None)])
def test_the_scheduler_s_choice_and_the_only_gpu_are_taken_as_they_are(machine, tmp_path, gpus, visible):
    machine(gpus, visible)
    with claimed_device("cuda"), claimed_device("cuda"):
        assert os.environ.get("CUDA_VISIBLE_DEVICES") == visible
    assert list(tmp_path.iterdir()) == []


def test_each_job_uses_its_own_gpu_of_several_visible_ones(machine):
    machine(4, "3,0")
    with claimed_device("cuda"):
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "3"
        os.environ["CUDA_VISIBLE_DEVICES"] = "3,0"  # what the second job of the same allocation inherits
        with claimed_device("cuda"):
            assert os.environ["CUDA_VISIBLE_DEVICES"] == "0"
