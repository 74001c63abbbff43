"""Jobs killed without warning, again and again, end in the bits of a job that was left alone."""

import multiprocessing
import random
import signal
import time

import pytest
import yaml

from pwgan.__main__ import main
from pwgan.study import parse_study

RESULTS = ("generator.safetensors", "history.parquet", "ranking.parquet", "samples.npy", "snapshots.safetensors")
DIGITS = {"digits": {"features": "none", "network": {"name": "dcgan", "width": 4, "latent_dim": 4}}}


@pytest.fixture(scope="module")
def processes():
    """Processes that start with everything imported: forked from a server that does nothing else."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pwgan.training.run"])
    return context


def start(processes, cell, data, folder):
    arguments = ["train", cell, "--data", str(data), "--device", "cpu", "--output", str(folder)]
    process = processes.Process(target=main, args=(arguments,))
    process.start()
    return process


def finish(process):
    """Wait for a job to end by itself, however loaded the machine is; a job that hangs fails the test."""
    process.join(600)
    assert process.exitcode == 0


def wait_for(process, checkpoint, seen):
    """Wait until the checkpoint is another than the one seen, or the process is done; return the new one's time."""
    while process.is_alive():
        if checkpoint.exists() and (at := checkpoint.stat().st_mtime_ns) != seen:
            return at
        time.sleep(0.001)
    return seen


@pytest.mark.fault("SIGKILL of training", count=2)
@pytest.mark.parametrize(
    ("method", "dataset"), [("wgan_gp", "ring8"), ("nsgan", "digits")], ids=["mlp", "batch-normalised"]
)
def test_a_killed_run_ends_in_the_bits_of_one_left_alone(tiny, tmp_path, processes, method, dataset):
    study = tiny(methods={method: {}}, steps=120, evaluate_every=8)
    if dataset == "digits":
        study["datasets"] = DIGITS
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(study))
    parsed = parse_study(study)
    (place,), (stored,) = parsed.blocks, parsed.data_cells
    data, cell = tmp_path / "data.safetensors", f"{path}:{place}"
    assert main(["data", f"{path}:{stored}", "--output", str(data)]) == 0

    left_alone = start(processes, cell, data, tmp_path / "whole")
    finish(left_alone)
    chance, folder, killed, seen = random.Random(method), tmp_path / "killed", 0, 0
    for _ in range(3):
        job = start(processes, cell, data, folder)
        # The second checkpoint of this process: the one that it found has been continued by then.
        for _ in range(2):
            seen = wait_for(job, folder / "checkpoint.pt", seen)
        time.sleep(chance.uniform(0, 0.05))
        job.kill()
        job.join()
        killed += job.exitcode == -signal.SIGKILL and not (folder / "run.json").exists()
    assert killed >= 2, "too fast to be killed: give it more steps"
    last = start(processes, cell, data, folder)
    finish(last)
    for name in RESULTS:
        assert (folder / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    assert not (folder / "checkpoint.pt").exists()
