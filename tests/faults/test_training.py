"""Training that is stopped or killed at any step goes on where it was, and ends in the bits of a run left alone."""

import os
import random
import signal

import pytest
import yaml

from pwgan.__main__ import main
from pwgan.study import parse_study
from pwgan.training import loop
from pwgan.training.run import FILES

STEPS = 24
# A method with a critic, one with tied latents, and one on images, whose networks have batch statistics.
CASES = {"wgan_gp": {}, "pwgan_full": {"rematch_every": 3}, "nsgan": {}}
DIGITS = {"digits": {"features": "none", "network": {"name": "dcgan", "width": 2, "latent_dim": 3}}}
RESULTS = [name for name in FILES.values() if name != "run.json"]


@pytest.fixture(scope="module", params=CASES)
def run(request, tiny, tmp_path_factory):
    """Return a function that trains one method in a folder, and the folder of a run left alone.

    There is no evaluation between the first and the last step, so no checkpoint but those of signals and wall time.
    """
    method, root = request.param, tmp_path_factory.mktemp("run")
    changes = {"datasets": DIGITS} if method == "nsgan" else {}
    study = tiny(methods={method: CASES[method]}, steps=STEPS, evaluate_every=STEPS, **changes)
    path, data = root / "study.yaml", root / "data.safetensors"
    path.write_text(yaml.safe_dump(study))
    planned = parse_study(study)
    (place,), (drawn,) = planned.blocks, planned.data_cells
    assert main(["data", f"{path}:{drawn}", "--output", str(data)]) == 0

    def train(folder):
        where = ["--data", str(data), "--device", "cpu", "--output", str(folder)]
        return main(["train", f"{path}:{place}", *where])

    assert train(root / "whole") == 0
    return train, root / "whole", random.Random(method)


def counting(log, chosen, fault):
    """Make each step write its number to a file, and a fault happen within one of them: early, or after its work."""
    iterate = loop.Trainer._iterate

    def step(self):
        late = self.state.step % 2
        if self.state.step == chosen and not late:
            fault()
        losses = iterate(self)
        with log.open("a") as file:
            file.write(f"{self.state.step}\n")
        if self.state.step == chosen and late:
            fault()
        return losses

    loop.Trainer._iterate = step


def steps(log):
    return [int(line) for line in log.read_text().splitlines()]


def same(folder, whole):
    return [name for name in RESULTS if (folder / name).read_bytes() != (whole / name).read_bytes()] == []


@pytest.mark.fault("SIGTERM of training", count=7)
def test_a_stopped_run_takes_no_step_twice(run, tmp_path, forked):
    train, whole, chance = run
    folder, log = tmp_path / "run", tmp_path / "steps"
    for chosen in sorted(chance.sample(range(STEPS - 1), 7)):
        name = chance.choice(["SIGTERM", "SIGTERM", "SIGINT"])

        def stopped(chosen=chosen, name=name):
            counting(log, chosen, lambda: signal.raise_signal(signal.Signals[name]))
            return train(folder)

        ended = forked(stopped)
        assert ended.status == 128 + signal.Signals[name]
        line = f"pwgan train: stopped by {name} at step {chosen + 1} of {STEPS}; the same command resumes from there\n"
        assert ended.said == line
        assert sorted(os.listdir(folder)) == [".lock", "checkpoint.pt"]

    def last():
        counting(log, -1, None)
        return train(folder)

    assert forked(last).status == 0
    assert steps(log) == list(range(STEPS))
    assert same(folder, whole)


@pytest.mark.fault("SIGKILL of training", count=4)
def test_a_killed_run_repeats_only_the_steps_since_its_checkpoint(run, tmp_path, forked):
    train, whole, chance = run
    folder, log = tmp_path / "run", tmp_path / "steps"
    kills = sorted(chance.sample(range(1, STEPS - 1), 4))
    for chosen in [*kills, -1]:

        def killed(chosen=chosen):
            loop.SAVE_SECONDS = 0  # a checkpoint before every step
            counting(log, chosen, lambda: os.kill(os.getpid(), signal.SIGKILL))
            return train(folder)

        assert forked(killed).status == (0 if chosen < 0 else -signal.SIGKILL)
    # Of all steps, those that were killed after their work, before the next checkpoint, are taken again.
    assert steps(log) == sorted([*range(STEPS), *(step for step in kills if step % 2)])
    assert same(folder, whole)


@pytest.mark.fault("SIGKILL of training", count=2)
def test_a_run_killed_between_its_last_files_is_finished_by_the_next(run, tmp_path, forked, at_operation, leftovers):
    train, whole, chance = run

    def counted():
        count = at_operation(tmp_path, 0, lambda path: None)
        status = train(tmp_path / "counted")
        print(f"counted {count()}")
        return status

    operations = int(forked(counted).said.rpartition("counted ")[2])
    for place in chance.sample(range(operations // 2, operations + 1), 2):
        folder = tmp_path / f"run{place}"

        def killed(folder=folder, place=place):
            at_operation(tmp_path, place, lambda path: os.kill(os.getpid(), signal.SIGKILL))
            return train(folder)

        assert forked(killed).status == -signal.SIGKILL
        assert forked(lambda folder=folder: train(folder)).status == 0
        assert same(folder, whole) and leftovers(folder) == [] and not (folder / "checkpoint.pt").exists()
