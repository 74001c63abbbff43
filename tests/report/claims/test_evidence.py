"""The statistics behind the claims, on frames whose answers are known by hand."""

import numpy as np
import pytest

from pwgan.data.mixtures import Grid25, Ring8
from pwgan.report.claims import evidence_critics as critics
from pwgan.report.claims import evidence_images as images
from pwgan.report.claims import evidence_theory as theory
from pwgan.report.claims import evidence_training as training
from pwgan.report.claims.results import MODE_SPACING, Cell, NotMeasured

RING = 2 * 2 * np.sin(np.pi / 8) / 8  # one lost mode of ring8


def values(parts):
    return {name: np.asarray(sample.values, float) for name, sample in parts.items()}


@pytest.mark.parametrize("law", [Ring8, Grid25])
def test_the_unit_is_twice_the_mass_of_a_mode_times_the_way_to_its_neighbour(law):
    modes, weights = law.mixture()
    apart = np.linalg.norm(modes[:, None] - modes, axis=-1)
    np.fill_diagonal(apart, np.inf)
    count, spacing = MODE_SPACING[law.name]
    assert count == len(modes) and (weights == 1 / count).all()
    assert apart.min() == pytest.approx(spacing)


def test_the_unit_of_images_is_twice_the_floor_over_the_number_of_classes(study, rows):
    floor = rows.measures({("data", "ewd@9"): [2.0, 3.0, 4.0]}, dataset="digits")
    results = study(measures=floor, datasets=[{"dataset": "digits", "modes": 10}], runs=rows.runs(["gan"]))
    assert results.lost_mode("digits") == pytest.approx(2 * 3.0 / 10)
    with pytest.raises(NotMeasured, match="number of classes of faces"):
        results.lost_mode("faces")


def test_values_are_those_of_one_cell_and_feature_space_and_missing_for_diverged_seeds(study, rows):
    table = rows.measures({("gan", "fd-classifier@9"): [1, 2, np.nan], ("gan", "fd-classifier@5"): [7, 7, 7]})
    table += rows.measures({("gan", "fd-inception@9"): [4, 4, 4]}) + rows.measures(
        {("gan", "fd-classifier@9"): [9, 9, 9]}, m=16
    )
    results = study(measures=table, runs=rows.runs(["gan"], diverged=[("gan", 2)]) + rows.runs(["gan"], m=16))
    np.testing.assert_equal(results.values(Cell("ring8", "gan", 64), "fd", "classifier").to_numpy(), [1, 2, np.nan])
    with pytest.raises(NotMeasured, match="no fd of gan m=64, ring8"):
        results.values(Cell("ring8", "gan", 64), "fd")
    with pytest.raises(NotMeasured, match="gan m=256, ring8 was not trained"):
        results.values(Cell("ring8", "gan", 256), "fd", "classifier")


def test_differences_are_of_named_cells_paired_by_seed_and_in_lost_modes(study, rows):
    table = rows.measures({("pwgan", "ewd-debiased@9"): [2.0, 1.0, np.nan]}, m=16)
    table += rows.measures({("pwgan", "ewd-debiased@9"): [1.0, 2.0, 3.0]}, m=256)
    results = study(runs=rows.runs(["pwgan"], m=16) + rows.runs(["pwgan"], m=256), measures=table)
    parts = training.gain("pwgan", 16, 256)(results)
    (found,) = parts.values()
    np.testing.assert_allclose(found.values, np.array([1, -1, np.nan]) / RING)
    assert found.cells == (Cell("ring8", "pwgan", 16), Cell("ring8", "pwgan", 256))
    with pytest.raises(NotMeasured, match="pwgan and wgan"):
        training.difference((("pwgan", 16), ("wgan", 16)))(results)


def test_the_distance_above_the_floor_is_that_of_real_samples_away(study, rows):
    table = rows.measures({("pool", "ewd-debiased@9"): [0.3, 0.2, 0.1], ("data", "ewd-debiased@9"): [0.0, 0.02, 0.04]})
    parts = training.above_floor(("pool", 64))(study(runs=rows.runs(["pool"]), measures=table))
    np.testing.assert_allclose(values(parts)["pool m=64, ring8"], np.array([0.28, 0.18, 0.08]) / RING)


def test_runs_on_both_mixtures_are_pooled(study, rows):
    both = rows.runs(["gan"]) + rows.runs(["gan"], dataset="grid25", diverged=[("gan", 0)])
    table = rows.measures({("gan", "coverage@9"): [8, 7, 8]})
    table += rows.measures({("gan", "coverage@9"): [np.nan, 25, 24]}, dataset="grid25")
    results = study(runs=both, measures=table)
    np.testing.assert_equal(values(training.keeps_modes(("gan", 64))(results))["gan m=64"], [1, 0, 1, np.nan, 1, 0])
    lost = values(training.loses_modes(("gan", 64), ("gan", 256))(results))
    np.testing.assert_equal(lost["gan m=64, grid25"], [np.nan, 0, 1])
    assert set(lost) == {"gan m=64, ring8", "gan m=64, grid25"}


def test_training_removes_what_is_left_at_the_last_evaluation_of_the_first(study, rows):
    history = [
        {**rows.cell("pwgan", m), "seed": seed, "step": step, "ewd_debiased": value * (1 + (m == 16))}
        for m in (16, 64)
        for seed in rows.seeds
        for step, value in ((20, 1.0 + seed), (0, 5.0), (10, 2.0), (25, np.nan))
    ]
    results = study(runs=rows.runs(["pwgan"], diverged=[("pwgan", 2)]), history=history)
    np.testing.assert_allclose(values(training.removed("pwgan", 64)(results))["pwgan m=64, ring8"], [0.8, 0.6, np.nan])


def test_the_gain_of_one_method_over_that_of_another_is_in_lost_modes_or_logarithms(study, rows):
    of = {("a", 16): 4.0, ("a", 256): 1.0, ("b", 16): 2.0, ("b", 256): 1.5}
    table = [
        row
        for (method, m), value in of.items()
        for row in rows.measures({(method, "ewd-debiased@9"): [value] * 3}, m=m)
        + rows.measures({(method, "fd-classifier@9"): [value] * 3}, m=m, dataset="digits")
    ]
    trained = [
        row for dataset in ("ring8", "digits") for m in (16, 256) for row in rows.runs(["a", "b"], m=m, dataset=dataset)
    ]
    found = values(training.gain_over("a", "b", 16, 256)(study(runs=trained, measures=table)))
    np.testing.assert_allclose(found["a - b, ring8"], 2.5 / RING)
    np.testing.assert_allclose(found["a - b, digits"], np.log(4) - np.log(2 / 1.5))


def test_comparisons_of_images_are_by_seed_in_each_feature_space(study, rows):
    table = [
        row
        for space, factor in (("classifier", 1.0), ("inception", 2.0))
        for row in rows.measures(
            {("a", f"kid-{space}@9"): [1, 2, 3], ("b", f"kid-{space}@9"): [2 * factor, 2 * factor, 5 * factor]},
            dataset="digits",
        )
    ]
    results = study(runs=rows.runs(["a", "b"], dataset="digits"), measures=table)
    pairs = [(("a", 64), ("b", 64))]
    parts = images.compared("kid", pairs, images.share_of, ("classifier", "inception"))(results)
    np.testing.assert_allclose(values(parts)["a m=64 against b m=64, kid-classifier"], np.array([-1, 0, -2]) / 3)
    np.testing.assert_allclose(values(parts)["a m=64 against b m=64, kid-inception"], np.array([-3, -2, -7]) / 6)
    ratio = images.compared("kid", pairs, images.log_ratio, ("classifier",))(results)
    np.testing.assert_allclose(np.exp(next(iter(values(ratio).values()))), [0.5, 1, 0.6])


def test_1nn_accuracy_counts_by_its_distance_from_chance(study, rows):
    table = rows.measures(
        {
            ("a", "one_nn_accuracy-classifier@9"): [0.4, 0.7, 0.5],
            ("b", "one_nn_accuracy-classifier@9"): [0.6, 0.6, 0.6],
        },
        dataset="digits",
    )
    results = study(runs=rows.runs(["a", "b"], dataset="digits"), measures=table)
    parts = images.compared("one_nn_accuracy", [(("a", 64), ("b", 64))], images.two_sample, ("classifier",))(results)
    np.testing.assert_allclose(next(iter(values(parts).values())), [0, 0.1, -0.1], atol=1e-12)


def test_the_spread_is_relative_to_that_of_the_data(study, rows):
    table = rows.measures({("a", "ewd-within@9"): [1, 2, 4], ("data", "ewd-within@9"): [1, 2, 3]}, dataset="digits")
    found = values(images.within(("a", 64))(study(runs=rows.runs(["a"], dataset="digits"), measures=table)))
    np.testing.assert_allclose(np.exp(found["a m=64, digits"]), [0.5, 1, 2])


def test_only_precise_generators_are_asked_whether_they_copy(study, rows):
    table = rows.measures(
        {
            ("a", "precision@9"): [0.7, 0.8, 0.75],
            ("b", "precision@9"): [0.7, 0.7, 0.7],
            ("data", "precision@9"): [0.8] * 3,
        }
        | {(method, "copies@9"): [0.01, 0.2, 0.3] for method in "ab"}
    )
    results = study(runs=rows.runs(["a", "b"]), measures=table)
    assert set(values(images.copies(("a", 64), ("b", 64))(results))) == {"a m=64, ring8"}
    with pytest.raises(NotMeasured, match="precision"):
        images.copies(("b", 64))(results)


def test_tied_latents_are_held_against_real_samples_on_mixtures(study, rows):
    table = rows.measures({("full", "tied-ewd@9"): [1, 2, 4], ("data", "ewd@9"): [1, 2, 3]})
    results = study(runs=rows.runs(["full"]) + rows.runs(["full"], dataset="digits"), measures=table)
    found = values(images.tied(("full", 64))(results))
    np.testing.assert_allclose(np.exp(found["full m=64, ring8"]), [0.5, 1, 2])
    assert list(found) == ["full m=64, ring8"]


def test_points_on_paths_are_unseen_between_the_distances_of_held_out_samples(study, rows):
    ends = [
        {**rows.cell("data", dataset="digits"), "seed": 0, "path": path, "t": t, "nn_train": 1 + path / 100}
        for path in range(101)
        for t in (0.0, 0.5, 1.0)
    ]
    for row in ends:
        row["nn_train"] *= 10 if row["t"] == 0.5 else 1  # straight paths between real digits leave the manifold
    paths = [
        {**rows.cell("pwgan", dataset="digits"), "seed": seed, "path": 0, "t": t, "nn_train": distance}
        for seed in (0, 1)
        for t, distance in ((0.0, 1.5), (0.25, 0.5), (0.5, 1.5), (0.75, 1.5 + seed), (1.0, 9.0))
    ]
    lost = [{**rows.cell("pwgan", dataset="digits"), "seed": 2, "path": 0, "t": 0.5, "nn_train": np.nan}]
    trained = rows.runs(["pwgan"], dataset="digits", diverged=[("pwgan", 2)])
    parts = images.unseen_on_paths(("pwgan", 64))(study(runs=trained, interpolation=ends + paths + lost))
    np.testing.assert_allclose(values(parts)["pwgan m=64, digits"], [2 / 3, 1 / 3, np.nan])


def test_the_gradient_decays_from_the_untrained_critic_to_the_stationary_one(study, rows):
    apart = rows.signal("gan", [8, 4, 2], stationary=(True, True, False))
    overlap = rows.signal("gan", [8, 4, 4], apart=0.5, dataset="grid25")
    others = rows.signal("gan", [1, 1, 1], m=16) + rows.signal("gan", [1, 1, 1], method="wgan")
    results = study(runs=rows.runs(["gan"]), signal=apart + overlap + others + rows.signal("wgan", [5, 5, 5]))
    found = values(critics.gradient_decay("gan", 64, disjoint=True)(results))
    assert list(found) == ["gan, ring8"]
    np.testing.assert_allclose(np.exp(found["gan, ring8"]), [0.25, 0.25, np.nan])
    images = rows.signal("gan", [1, 1, 1], apart=3.0, dataset="digits") + rows.signal("gan", [1, 1, 1], apart=3.0)
    further = study(runs=rows.runs(["gan"]), signal=images)
    assert list(critics.gradient_decay("gan", 64, disjoint=True)(further)) == ["gan, digits"]
    results = study(runs=rows.runs(["gan"]), signal=apart + overlap)
    beside = values(critics.gradient_decay("gan", 64, disjoint=False)(results))
    np.testing.assert_allclose(np.exp(beside["gan, grid25"]), 0.5)


def test_a_gradient_that_has_vanished_altogether_is_not_a_missing_one(study, rows):
    results = study(runs=rows.runs(["gan"]), signal=rows.signal("gan", [8, 4, 0]))
    found = values(critics.gradient_decay("gan", 64, disjoint=True)(results))
    np.testing.assert_allclose(np.exp(found["gan, ring8"]), critics.VANISHED)


def test_directions_are_those_of_stationary_critics(study, rows):
    signal = rows.signal("wgan", [1, 1], cosine=0.7, stationary=(True, False, True)) + rows.signal("gan", [1, 1])
    found = values(critics.direction("wgan", "wgan_gp", m=64)(study(runs=rows.runs(["gan"]), signal=signal)))
    assert list(found) == ["wgan, ring8"]
    np.testing.assert_equal(found["wgan, ring8"], [0.7, np.nan, 0.7])


def test_what_a_stationary_critic_keeps_of_a_probe_is_its_gain_in_auc_under_trained_generators(study, rows):
    signal = rows.signal("wgan", [1, 1], stationary=(True, False, True)) + rows.signal("gdpp", [1, 1])
    results = study(runs=rows.runs(["gan"]), signal=signal)
    for lag, gain in ((1, 0.3), (128, 0.03)):
        found = values(critics.retained(lag, 64, "gan", "wgan")(results))
        assert list(found) == ["wgan, ring8"]
        np.testing.assert_allclose(found["wgan, ring8"], [gain, np.nan, gain])


def test_the_tables_of_the_theory_are_taken_as_they_are(study):
    rates = [
        {"dataset": "ring8", "sampler": sampler, "measure": measure, "C": 1.0, "s": s, "s_half_width": 0.1}
        | {"limit": 0.3, "limit_half_width": 0.03, "ewd": 1.5, "draws": 20}
        for sampler, measure, s in (("random", "bias", 0.5), ("stratified", "bias", 0.6), ("random", "bound", 0.2))
    ]
    scales = [
        {"dimension": d, "m": m, "objective": kind, "mean": 0.8 / d, "half_width": 0.1 / d, "seeds": 8}
        for d in (1, 8)
        for m in (16, 64)
        for kind in ("plain", "debiased")
    ]
    bias = [
        {"dataset": "ring8", "seed": seed, "sampler": sampler, "eval_batch": m, "n": 1024, "ewd": 2.0, "bias": seed}
        for seed in (0, 1, 2)
        for sampler in ("random", "stratified")
        for m in (32, 64)
    ]
    results = study(theory={"shrinkage": scales, "bias-rates": rates, "bias": bias})
    theta = {name: sample.values for name, sample in theory.shrinkage("plain", 64)(results).items()}
    assert {name: (one.value, one.low, one.count) for name, one in theta.items()} == {
        "plain, d=1": (0.8, pytest.approx(0.7), 8),
        "plain, d=8": (0.1, pytest.approx(0.0875), 8),
    }
    found = {name: sample.values for name, sample in theory.exponents("bias", "random", "stratified")(results).items()}
    assert {name: one.value for name, one in found.items()} == {"random, ring8": 0.5, "stratified, ring8": 0.6}
    assert found["random, ring8"].high == pytest.approx(0.6) and found["random, ring8"].count == 20
    limit = theory.limits("bound", "random")(results)["random, ring8"].values
    assert (limit.value, limit.high) == (pytest.approx(0.2), pytest.approx(0.22))
    relative = values(theory.relative_bias("bias", "stratified", 64)(results))
    assert relative["stratified m=64, ring8"].tolist() == [0, 0.5, 1]
