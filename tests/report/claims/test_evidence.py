"""The statistics behind the claims, on frames whose answers are known by hand."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from pwgan.measures.signal import rungs
from pwgan.report.claims import evidence
from pwgan.report.claims.evidence import NotMeasured, Results
from pwgan.report.claims.rules import CLAIMS
from pwgan.report.claims.verdicts import SUPPORTED, judge
from pwgan.report.frames import COLUMNS, KIND
from pwgan.seals import identity, write_frame

SEEDS = (0, 1, 2)


def study(tmp_path, **frames):
    for name, rows in frames.items():
        frame = pd.DataFrame(rows)
        if "batch_size" in frame:
            frame["batch_size"] = frame["batch_size"].astype("Int64")
        write_frame(tmp_path / f"{name}.parquet", KIND + name, identity("study"), frame)
    return Results(tmp_path)


def runs(methods, dataset="ring8", m=64, diverged=()):
    return [
        {
            "dataset": dataset,
            "method": method,
            "batch_size": m,
            "seed": seed,
            "status": "diverged" if (method, seed) in diverged else "ok",
            "history_points": 10,
            "algorithm": method,
            "options": "{}",
            "dual": method.startswith("wgan"),
            "folder": f"{dataset}/{method}/m{m}/seeds0-2",
        }
        for method, seed in product(methods, SEEDS)
    ]


def measures(values, dataset="ring8", m=64):
    """Rows of {(method, measure): one value for each seed}."""
    return [
        {
            "dataset": dataset,
            "method": method,
            "batch_size": None if method == "data" else m,
            "seed": seed,
            "measure": measure,
            "value": value,
        }
        for (method, measure), own in values.items()
        for seed, value in zip(SEEDS, own, strict=True)
    ]


def test_cells_are_of_the_largest_mini_batch_size_that_all_methods_of_a_data_set_share(tmp_path):
    cells = [("gan", 16), ("gan", 64), ("gan", 256), ("pwgan", 16), ("pwgan", 64)]
    results = study(
        tmp_path,
        runs=[row for method, m in cells for row in runs([method], m=m)] + runs(["gan"], "digits", 256),
        measures=[row for method, m in cells for row in measures({(method, "ewd@9"): [m, m, m]}, m=m)],
    )
    assert list(results.frame("runs").groupby("dataset")["batch_size"].unique().explode()) == [256, 64]
    assert list(results.measure("ring8", "gan", "ewd")) == [64, 64, 64]
    assert results.shared("gan", "pwgan") == ["ring8"]


def test_methods_that_share_no_mini_batch_size_are_not_compared(tmp_path):
    apart = runs(["gan"], m=16) + runs(["pwgan"], m=64)
    results = study(tmp_path, runs=apart + runs(["gan", "wgan"], "digits"))
    assert results.datasets("gan") == ["digits"]
    with pytest.raises(NotMeasured, match="'pwgan' shares"):
        results.datasets("pwgan")


def test_captured_is_the_share_of_the_modes_that_real_samples_hold(tmp_path):
    values = {("data", "coverage@9"): [8, 8, 8], ("gan", "coverage@9"): [8, 4, np.nan]}
    parts = evidence.captured("gan")(study(tmp_path, runs=runs(["gan"]), measures=measures(values)))
    np.testing.assert_allclose(parts["gan, ring8"], [1, 0.5, np.nan])
    with pytest.raises(NotMeasured, match="'wgan'"):
        evidence.captured("wgan")(study(tmp_path))


def test_differences_are_paired_by_seed_and_in_floors(tmp_path):
    values = {
        ("data", "ewd@9"): [0.4, 0.5, 0.6],
        ("gan_k25", "ewd@9"): [2.0, 1.0, np.nan],
        ("gan", "ewd@9"): [1.0, 2.0, 3.0],
    }
    results = study(tmp_path, runs=runs(["gan", "gan_k25"]) + runs(["wgan"], "grid25"), measures=measures(values))
    np.testing.assert_allclose(evidence.difference("gan_k25", "gan")(results)["gan_k25, ring8"], [2, -2, np.nan])
    with pytest.raises(NotMeasured, match="no data set with gan and wgan"):
        evidence.difference("gan", "wgan")(results)


def test_descent_is_from_the_first_evaluation_to_the_last_above_the_floor_and_a_diverged_seed_has_none(tmp_path):
    history = [
        {"dataset": "ring8", "method": "pwgan", "batch_size": 64, "seed": seed, "step": step, "ewd": value}
        | dict.fromkeys(set(COLUMNS["history"]) - {"dataset", "method", "batch_size", "seed", "step", "ewd"}, np.nan)
        for seed in SEEDS
        for step, value in ((20, 1.0 + seed), (0, 5.0), (10, 2.0), (25, np.nan))
    ]
    floor = measures({("data", "ewd-history@10"): [0.5, 1.0, 1.5]})
    results = study(tmp_path, runs=runs(["pwgan"], diverged=[("pwgan", 2)]), history=history, measures=floor)
    # Seed 0 ends at the floor: a hundredth of it counts.
    np.testing.assert_allclose(np.exp(evidence.descent("pwgan")(results)["ring8"]), [0.01 / 4, 1 / 4, np.nan])


def signals(method, norms, m=64):
    return [
        {"dataset": "ring8", "method": method, "batch_size": m, "generator": generator, "critic": critic}
        | {"seed": seed, "step": step, "critic_loss": 1.0}
        | {"parameter_gradient": norm * factor * (seed + 1), "sample_gradient": 1.0}
        for generator, factor in (("initial", 1.0), ("trained", 5.0))
        for critic in ("gan", "wgan")
        for seed in SEEDS
        for step, norm in zip(rungs(64), norms, strict=True)
    ]


def test_the_gradient_decays_from_the_critics_sixteenth_step_to_its_last(tmp_path):
    # The rule is about the generators of gan, at the mini-batch size that methods are compared at.
    rows = signals("gan", [9, 8, 7, 6, 4, 2, 1]) + signals("wgan", [1] * 7) + signals("gan", [1] * 7, 16)
    both = runs(["gan", "wgan"]) + runs(["gan", "wgan"], m=16)
    results = study(tmp_path, runs=both, signal=rows)
    parts = evidence.gan_gradient_decay(results)
    assert list(parts) == ["gan, ring8"]
    np.testing.assert_allclose(np.exp(parts["gan, ring8"]), [1 / 4] * 3)
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(NotMeasured, match="signal"):
        evidence.gan_gradient_decay(study(tmp_path / "elsewhere", runs=runs(["gan"])))


def test_a_gradient_that_has_vanished_altogether_is_not_a_missing_one(tmp_path):
    rows = signals("gan", [9, 8, 7, 6, 4, 2, 0])
    parts = evidence.gan_gradient_decay(study(tmp_path, runs=runs(["gan"]), signal=rows))
    np.testing.assert_allclose(np.exp(parts["gan, ring8"]), [evidence.VANISHED] * 3)


def test_ranking_lost_is_what_the_critic_of_that_time_knew_better_than_the_last(tmp_path):
    auc = {(5, 5): 0.8, (10, 5): 0.7, (10, 10): 0.6, (15, 5): 0.5, (15, 10): 0.3, (15, 15): 0.9}
    auc |= {(step, 0): 0.99 for step in (0, 5, 10, 15)}
    ranking = [
        {"dataset": "ring8", "method": method, "batch_size": 64, "seed": seed}
        | {"step": step, "earlier_step": earlier, "auc": value}
        for method in ("wgan", "wgan_stratified")
        for seed in SEEDS
        for (step, earlier), value in auc.items()
    ]
    parts = evidence.ranking_lost(study(tmp_path, runs=runs(["wgan", "wgan_stratified"]), ranking=ranking))
    assert list(parts) == ["wgan, ring8"]
    np.testing.assert_allclose(parts["wgan, ring8"], 0.7 - 0.4)


def test_the_full_matching_is_compared_with_matchings_of_mini_batches(tmp_path):
    values = {
        ("data", "fd-classifier@9"): [0.1, 0.1, 0.1],
        ("pwgan_full", "fd-classifier@9"): [4.0, 6.0, 8.0],
        ("pwgan", "fd-classifier@9"): [2.0, 2.0, 4.0],
        ("wgan", "fd-classifier@9"): [1.0, 1.0, 1.0],
    }
    results = study(tmp_path, runs=runs(["pwgan_full", "pwgan", "wgan"]), measures=measures(values))
    parts = evidence.exact_frechet(results)
    assert list(parts) == ["ring8, fd-classifier@9"]
    np.testing.assert_allclose(np.exp(parts["ring8, fd-classifier@9"]), [2, 3, 2])


def test_only_cells_that_were_trained_on_gpus_say_what_matching_costs_there(tmp_path):
    costs = [
        {"dataset": dataset, "method": method, "batch_size": 64, "seeds": 3, "stage": stage, "seconds": seconds}
        | {"peak_memory_mb": 1.0, "device": device}
        for dataset, device in (("ring8", "cpu"), ("digits", "a GPU"))
        for method, seconds in (("gan", 10.0), ("gan", 30.0), ("pwgan", 20.0))
        for stage in ("train", "measure")
    ]
    trained = runs(["gan", "pwgan"]) + runs(["gan", "pwgan"], "digits")
    found = judge(next(claim for claim in CLAIMS if claim.key == "D2"), study(tmp_path, runs=trained, costs=costs))
    assert [(part.part, part.effect) for part in found.parts] == [("digits", pytest.approx(0.5))]
    assert found.verdict == SUPPORTED


def test_biases_of_the_theory_are_taken_by_draw_over_the_rungs_asked_for(tmp_path):
    (tmp_path / "theory").mkdir()
    rows = [
        {"dataset": "ring8", "seed": seed, "sampler": sampler, "eval_batch": m, "n": 1024, "ewd": 2.0}
        | {"bias": bias * (seed + 1), "deviation": 2 * bias, "bound": 8 * bias}
        for seed in SEEDS
        for sampler, m, bias in (("random", 32, 1.0), ("random", 128, 5.0), ("stratified", 64, 0.1))
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "theory" / "bias.csv", index=False)
    results = Results(tmp_path)
    np.testing.assert_allclose(evidence.bias_over_deviation(results)["ring8"], [0.5, 1.0, 1.5])
    np.testing.assert_allclose(evidence.stratified_bias(results)["ring8"], [0.05, 0.1, 0.15])
    np.testing.assert_allclose(evidence.stratified_bound(results)["ring8"], 0.4)
