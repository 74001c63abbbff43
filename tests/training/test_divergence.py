"""A seed that diverges is recorded and masked; its neighbours end in the bits they would have had without it."""

import math

import numpy as np
import pandas as pd
import pytest
import torch

from pwgan.__main__ import main
from pwgan.methods import AdversarialMethod, methods
from pwgan.networks.dcgan import DCGAN
from pwgan.training.checkpoint import CRITIC_LOSS, GENERATOR_LOSS, RUNNING
from pwgan.training.loop import Trainer

CPU = torch.device("cpu")
CRITIC, GENERATOR, SAMPLES = (
    "critic loss is not finite",
    "generator loss is not finite",
    "generated samples are not finite",
)


@pytest.fixture
def ruin(monkeypatch):
    """Return a function that spoils a loss of some seeds at one of its calls, and at no other.

    With NaN the gradient is spoilt with it, and so the seed's weights; with infinity they stay as they were.
    """

    def arrange(method, loss, call, seeds, value=math.nan):
        cls = methods()[method]
        original, calls = getattr(cls, loss), 0

        def ruined(self, nets, batch):
            nonlocal calls
            losses = original(self, nets, batch).clone()
            if calls == call:
                losses[seeds] = losses[seeds] * value if math.isnan(value) else value
            calls += 1
            return losses

        monkeypatch.setattr(cls, loss, ruined)

    return arrange


@pytest.mark.parametrize(
    ("method", "loss", "call", "reason"),
    [
        ("wgan_gp", "critic_loss", 5 * 2, CRITIC),
        ("wgan_gp", "critic_loss", 5 * 2 + 1, CRITIC),
        ("nsgan", "critic_loss", 5, CRITIC),
        ("nsgan", "generator_loss", 5, GENERATOR),
        ("pwgan", "generator_loss", 5, GENERATOR),
        ("pwgan_full", "generator_loss", 5, GENERATOR),
    ],
)
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_the_neighbours_of_a_diverged_seed_never_notice(trained, ruin, method, loss, call, reason, value):
    options = {"critic_steps": 2} if method == "wgan_gp" else {}
    sound = trained("sound", method, options, seeds=4)
    ruin(method, loss, call, [1], value)
    lost = trained("lost", method, options, seeds=4)
    ok = {"status": "ok", "diverged_at": None, "reason": None}
    diverged = {"status": "diverged", "diverged_at": 5, "reason": reason}
    assert lost.seeds == [{"seed": seed, **(diverged if seed == 1 else ok)} for seed in range(4)]
    assert lost.steps == 20

    others = [0, 2, 3]
    pd.testing.assert_frame_equal(lost.history.query("seed != 1"), sound.history.query("seed != 1"), check_exact=True)
    for name, tensor in lost.generator.items():
        assert torch.equal(tensor[others], sound.generator[name][others])
    np.testing.assert_array_equal(lost.samples[others], sound.samples[others])

    own, before = lost.history.query("seed == 1"), sound.history.query("seed == 1")
    pd.testing.assert_frame_equal(own[own["step"] < 5], before[before["step"] < 5], check_exact=True)
    # No later value is left for a curve to average, not even where the weights have stayed finite.
    assert own.loc[own["step"] >= 6, ["critic_loss", "generator_loss", "ewd", "tied_ewd"]].isna().all(axis=None)
    assert own.loc[own["step"] == 5, ["critic_loss", "generator_loss"]].isna().all(axis=None)


@pytest.mark.parametrize("method", ["nsgan", "wgan_gp"])
def test_convolutions_and_batch_statistics_keep_seeds_apart(block, images, ruin, tmp_path, method):
    # Maps of 8 pixels are convolved in one grouped call, smaller ones too; a picture's one channel is a matrix product.
    network = {"network": DCGAN(width=4, latent_dim=3)}
    cell = block(method, seeds=3, steps=8).training.model_copy(update=network)
    sound = Trainer(cell, images, CPU).run(tmp_path / "sound.pt")
    ruin(method, "critic_loss", 3, [1])
    lost = Trainer(cell, images, CPU).run(tmp_path / "lost.pt")
    assert lost.fate.tolist() == [RUNNING, CRITIC_LOSS, RUNNING]
    for kept, found in zip(
        [*sound.nets.generator.state_dict().values(), *sound.nets.critic.state_dict().values()],
        [*lost.nets.generator.state_dict().values(), *lost.nets.critic.state_dict().values()],
        strict=True,
    ):
        assert torch.equal(kept[[0, 2]], found[[0, 2]])
    assert not lost.nets.critic.state_dict()["score.weight"][1].isfinite().any()


def test_a_seed_that_diverged_takes_no_more_part(block, data):
    state = Trainer(block(seeds=3).training, data, CPU).state
    assert state.record(torch.tensor([1.0, math.nan, 3.0]), CRITIC_LOSS).tolist() == [1, 0, 3]
    state.step = 4
    assert state.record(torch.tensor([1.0, 2.0, -math.inf]), GENERATOR_LOSS).tolist() == [1, 0, 0]
    state.step = 5
    assert state.record(torch.tensor([1.0, math.nan, math.nan]), CRITIC_LOSS).tolist() == [1, 0, 0]
    assert state.fate.tolist() == [RUNNING, CRITIC_LOSS, GENERATOR_LOSS]
    assert state.diverged_at.tolist() == [-1, 0, 4]


def test_a_run_stops_when_every_seed_has_diverged(trained, ruin):
    ruin("pwgan", "generator_loss", 7, [0, 1])
    run = trained(steps=1000)
    assert [seed["diverged_at"] for seed in run.seeds] == [7, 7]
    assert run.steps == 10 and run.history["step"].max() == 10
    assert not (run.folder / "checkpoint.pt").exists()


def test_seeds_may_diverge_one_after_the_other(trained, ruin):
    ruin("nsgan", "generator_loss", 3, [0])
    ruin("nsgan", "critic_loss", 8, [0, 1])
    run = trained(method="nsgan")
    assert [(seed["diverged_at"], seed["reason"]) for seed in run.seeds] == [(3, GENERATOR), (8, CRITIC)]


def test_a_seed_that_only_its_samples_give_away_has_diverged_too(trained):
    run = trained(options={"generator_lr": 1e30}, steps=1)
    fate = {"status": "diverged", "diverged_at": 1, "reason": SAMPLES}
    assert run.seeds == [{"seed": 0, **fate}, {"seed": 1, **fate}]


@pytest.mark.parametrize("method", sorted(methods()))
def test_a_learning_rate_too_large_is_survived(trained, method):
    rates = {"generator_lr": 1e30} | ({"critic_lr": 1e30} if issubclass(methods()[method], AdversarialMethod) else {})
    run = trained(method=method, options=rates)
    assert {seed["status"] for seed in run.seeds} == {"diverged"}


def measured(run, ring8):
    arguments = ["--data", str(ring8), "--output", str(run.folder), "--device", "cpu"]
    assert main(["measure", run.cell.model_dump_json(), *arguments]) == 0
    return (pd.read_parquet(run.folder / f"{name}.parquet") for name in ("measures", "bias"))


def test_a_diverged_seed_has_every_measure_and_each_is_nan(trained, ruin, ring8):
    ruin("pwgan", "generator_loss", 5, [1])
    measures, bias = measured(trained(seeds=3), ring8)
    ruin("pwgan", "generator_loss", 5, [0, 1, 2])
    none_left, no_bias = measured(trained("none left", seeds=3), ring8)
    for frame in (measures, none_left):
        names = frame.groupby("seed")["measure"].agg(list)
        assert names[0] == names[1] == names[2]
        along = {
            "coverage-lost@256",
            *(f"ewd-{name}@32" for name in ("above-floor", "trend", "variance", "debiased-trend", "debiased-variance")),
        }
        final = {
            f"{name}@50"
            for name in (
                "coverage",
                "coverage-kl",
                "near-modes",
                "high-quality",
                "std-ratio",
                "captured",
                "captured-kl",
                "captured-any",
            )
        }
        near = (
            "nn_train",
            "nn_heldout",
            "nn_ratio",
            "copies",
            "data_copying",
            "one_nn_accuracy",
            "precision",
            "recall",
            "density",
            "nn-coverage",
        )
        paths = ("interpolation_ratio", "interpolation_middle", "interpolation_between")
        other = {f"{name}@32" for name in ("ewd", "ewd-within", "ewd-debiased", *near, *paths)}
        assert set(names[0]) == final | along | other
        assert frame.loc[frame["seed"] == 1, "value"].isna().all()
    assert measures.loc[measures["measure"] == "ewd@32", "value"].notna().tolist() == [True, False, True]
    assert none_left["value"].isna().all()
    quantities = list(bias.columns[bias.columns.get_loc("n") + 1 :])
    assert len(quantities) == 10 and len(bias) == len(no_bias) == 3 * 3
    assert bias.loc[bias["seed"] == 1, quantities].isna().all(axis=None)
    assert bias.loc[bias["seed"] != 1, quantities].notna().all(axis=None)
    assert no_bias[quantities].isna().all(axis=None)
    assert list(no_bias.columns) == list(bias.columns)
