"""The statistics behind the claims, on frames whose answers are known by hand."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from pwgan.report import evidence
from pwgan.report.evidence import NotMeasured, Results
from pwgan.report.frames import COLUMNS

SEEDS = (0, 1, 2)


def study(tmp_path, **frames):
    for name, rows in frames.items():
        frame = pd.DataFrame(rows)
        if "batch_size" in frame:
            frame["batch_size"] = frame["batch_size"].astype("Int64")
        frame.to_parquet(tmp_path / f"{name}.parquet")
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
    results = study(
        tmp_path, runs=runs(["gan"], m=16) + runs(["pwgan"], m=64), measures=measures({("gan", "ewd@9"): [1.0] * 3})
    )
    with pytest.raises(NotMeasured, match="share on ring8"):
        results.frame("measures")


def test_captured_is_the_share_of_the_modes_that_real_samples_hold(tmp_path):
    values = {("data", "modes@9"): [8, 8, 8], ("gan", "modes@9"): [8, 4, np.nan]}
    parts = evidence.captured("gan")(study(tmp_path, runs=runs(["gan"]), measures=measures(values)))
    np.testing.assert_allclose(parts["gan, ring8"], [1, 0.5, np.nan])
    with pytest.raises(NotMeasured, match="'wgan'"):
        evidence.captured("wgan")(study(tmp_path))


def test_schedules_are_paired_by_seed(tmp_path):
    values = {("gan_k25", "ewd@9"): [2.0, 1.0, 6.0], ("gan", "ewd@9"): [1.0, 2.0, 3.0]}
    results = study(tmp_path, runs=runs(["gan", "gan_k25"]), measures=measures(values))
    np.testing.assert_allclose(np.exp(evidence.schedule("gan_k25", "gan")(results)["ring8"]), [2, 0.5, 2])


def test_excess_is_above_the_floor_and_never_less_than_a_hundredth_of_it(tmp_path):
    values = {
        ("data", "ewd@9"): [0.9, 1.0, 1.1],
        ("pwgan", "ewd@9"): [3.0, 2.0, 0.5],
        ("pwgan_stratified", "ewd@9"): [2.0, 3.0, 1.02],
    }
    results = study(tmp_path, runs=runs(["pwgan", "pwgan_stratified"]), measures=measures(values))
    ratio = np.exp(evidence.excess_ratio("pwgan", "pwgan_stratified")(results)["pwgan, ring8"])
    np.testing.assert_allclose(ratio, [2.0, 0.5, 0.01 / 0.02])


def test_descent_is_from_the_first_evaluation_to_the_last_and_a_diverged_seed_has_none(tmp_path):
    history = [
        {"dataset": "ring8", "method": "pwgan", "batch_size": 64, "seed": seed, "step": step, "ewd": value}
        | dict.fromkeys(set(COLUMNS["history"]) - {"dataset", "method", "batch_size", "seed", "step", "ewd"}, np.nan)
        for seed in SEEDS
        for step, value in ((20, 1.0 + seed), (0, 4.0), (10, 2.0), (25, np.nan))
    ]
    results = study(tmp_path, runs=runs(["pwgan"], diverged=[("pwgan", 2)]), history=history)
    np.testing.assert_allclose(np.exp(evidence.descent("pwgan")(results)["ring8"]), [1 / 4, 2 / 4, np.nan])


def test_the_gradient_decays_from_the_tenth_step_of_the_critic_to_the_last(tmp_path):
    folder = tmp_path / "ring8" / "gan" / "m64" / "seeds0-2"
    folder.mkdir(parents=True)
    norms = {0: 9.0, 3: 8.0, 12: 4.0, 100: 1.0}
    rows = [
        {
            "dataset": "ring8",
            "method": "gan",
            "batch_size": 64,
            "generator": generator,
            "critic": critic,
            "seed": seed,
            "step": step,
        }
        | {"parameter_gradient": norm * factor * (seed + 1), "sample_gradient": 1.0}
        for generator, factor in (("initial", 1.0), ("trained", 5.0))
        for critic in ("gan", "wgan")
        for seed in SEEDS
        for step, norm in norms.items()
    ]
    pd.DataFrame(rows).to_parquet(folder / "signal.parquet")
    parts = evidence.gan_gradient_decay(study(tmp_path, runs=runs(["gan"])))
    assert list(parts) == ["gan, ring8"]
    np.testing.assert_allclose(np.exp(parts["gan, ring8"]), 1 / 4)
    with pytest.raises(NotMeasured, match="signal"):
        evidence.gan_gradient_decay(Results(tmp_path / "elsewhere"))


def test_ranking_is_kept_as_the_last_critic_ranks_earlier_batches_against_the_critic_of_their_time(tmp_path):
    auc = {(5, 5): 0.8, (10, 5): 0.7, (10, 10): 0.6, (15, 5): 0.5, (15, 10): 0.3, (15, 15): 0.9}
    auc |= {(step, 0): 0.99 for step in (0, 5, 10, 15)}
    ranking = [
        {"dataset": "ring8", "method": "wgan", "batch_size": 64, "seed": seed}
        | {"step": step, "earlier_step": earlier, "auc": value}
        for seed in SEEDS
        for (step, earlier), value in auc.items()
    ]
    parts = evidence.ranking_kept(study(tmp_path, runs=runs(["wgan"]), ranking=ranking))
    np.testing.assert_allclose(np.exp(parts["wgan, ring8"]), 0.4 / 0.7)


def test_the_full_matching_is_compared_with_the_best_of_all_others(tmp_path):
    values = {
        ("data", "fd-classifier@9"): [0.1, 0.1, 0.1],
        ("pwgan_full", "fd-classifier@9"): [4.0, 6.0, 8.0],
        ("gan", "fd-classifier@9"): [2.0, 2.0, 2.0],
        ("wgan", "fd-classifier@9"): [1.0, 9.0, 9.0],
        ("gan", "fd"): [0.0, 0.0, 0.0],
    }
    results = study(tmp_path, runs=runs(["pwgan_full", "gan", "wgan"]), measures=measures(values))
    parts = evidence.exact_frechet(results)
    assert list(parts) == ["ring8, fd-classifier@9, gan"]
    np.testing.assert_allclose(np.exp(parts["ring8, fd-classifier@9, gan"]), [2, 3, 4])


def test_only_cells_that_were_trained_on_gpus_say_what_matching_costs_there(tmp_path):
    costs = [
        {"dataset": dataset, "method": method, "batch_size": 64, "seeds": 3, "stage": stage, "seconds": seconds}
        | {"peak_memory_mb": 1.0, "device": device}
        for dataset, device in (("ring8", "cpu"), ("digits", "a GPU"))
        for method, seconds in (("gan", 10.0), ("pwgan", 5.0))
        for stage in ("train", "measure")
    ]
    trained = runs(["gan", "pwgan"]) + runs(["gan", "pwgan"], "digits")
    parts = evidence.gpu_matching(study(tmp_path, runs=trained, costs=costs))
    assert list(parts) == ["digits"]
    np.testing.assert_allclose(np.exp(parts["digits"]), [0.5])


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
