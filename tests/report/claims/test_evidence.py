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


def test_the_unit_of_digits_is_what_a_lost_class_costs(study, rows):
    floor = rows.measures({("data", "lost-class@9"): [0.1, 0.2, 0.3]}, dataset="digits")
    results = study(measures=floor, runs=rows.runs(["gan"]))
    assert results.lost_mode("digits") == pytest.approx(0.2)
    with pytest.raises(NotMeasured, match="lost-class of real samples of faces"):
        results.lost_mode("faces")


def test_a_diverged_seed_has_the_worst_value_of_any_run(study, rows):
    table = rows.measures({("gan", "ewd-debiased@9"): [1.0, 2.0, np.nan], ("wgan", "ewd-debiased@9"): [5.0, 0.1, 0.2]})
    table += rows.measures({("gan", "recall@9"): [0.5, 0.6, np.nan], ("wgan", "recall@9"): [0.3, 0.9, 0.9]})
    table += rows.measures({("data", "ewd-debiased@9"): [9.0] * 3, ("gan", "ewd-debiased@5"): [99.0] * 3})
    results = study(runs=rows.runs(["gan", "wgan"], diverged=[("gan", 2)]), measures=table)
    found = Cell("ring8", "gan", 64)
    assert results.filled(found, "ewd-debiased").tolist() == [1.0, 2.0, 5.0]
    assert results.filled(found, "recall").tolist() == [0.5, 0.6, 0.3]
    (part,) = training.difference((("gan", 64), ("wgan", 64)))(results).values()
    np.testing.assert_allclose(part.values, np.array([-4.0, 1.9, 4.8]) / RING)


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


def test_the_distance_above_the_floor_is_that_of_real_samples_away_by_seed(study, rows):
    table = rows.measures({("pool", "ewd-debiased@9"): [0.3, 0.2, 0.1], ("data", "ewd-debiased@9"): [0.0, 0.02, 0.04]})
    parts = training.above_floor(("pool", 64))(study(runs=rows.runs(["pool"]), measures=table))
    np.testing.assert_allclose(values(parts)["pool m=64, ring8"], np.array([0.3, 0.18, 0.06]) / RING)


def test_runs_cover_or_lack_modes_only_where_half_of_the_samples_are_near_them(study, rows):
    both = rows.runs(["gan"]) + rows.runs(["gan"], dataset="grid25", diverged=[("gan", 0)])
    table = rows.measures({("gan", "coverage@9"): [8, 7, 8], ("gan", "near-modes@9"): [0.9, 0.4, 0.4]})
    of_grid = {("gan", "coverage@9"): [np.nan, 25, 24], ("gan", "near-modes@9"): [np.nan, 0.5, 0.9]}
    results = study(runs=both, measures=table + rows.measures(of_grid, dataset="grid25"))
    together = values(training.keeps_modes(("gan", 64), together=True)(results))
    np.testing.assert_equal(together["gan m=64"], [1, np.nan, np.nan, np.nan, 1, 0])
    each = values(training.keeps_modes(("gan", 64), together=False)(results))
    np.testing.assert_equal(each["gan m=64, grid25"], [np.nan, 1, 0])
    lost = values(training.loses_modes(("gan", 64), ("gan", 256))(results))
    # Undecided runs do not lack modes; what diverged is left out.
    np.testing.assert_equal(lost["gan m=64, ring8"], [0, 0, 0])
    np.testing.assert_equal(lost["gan m=64, grid25"], [0, 1])
    assert set(lost) == {"gan m=64, ring8", "gan m=64, grid25"}


def test_training_removes_what_is_left_at_the_last_evaluation_of_the_first(study, rows):
    history = [
        {**rows.cell("pwgan", m), "seed": seed, "step": step, "ewd_debiased": value * (1 + (m == 16))}
        for m in (16, 64)
        for seed in rows.seeds
        for step, value in ((20, 1.0 + seed), (0, 5.0), (10, 2.0), (25, np.nan))
    ]
    results = study(runs=rows.runs(["pwgan"], diverged=[("pwgan", 2)]), history=history)
    np.testing.assert_allclose(values(training.removed("pwgan", 64)(results))["pwgan m=64, ring8"], [0.8, 0.6, 0.0])


def test_the_gain_of_one_method_over_that_of_another_is_in_lost_modes_or_frechet_distances(study, rows):
    of = {("a", 16): 4.0, ("a", 256): 1.0, ("b", 16): 2.0, ("b", 256): 1.5}
    table = [
        row
        for (method, m), value in of.items()
        for row in rows.measures({(method, "ewd-debiased@9"): [value] * 3}, m=m)
        + rows.measures({(method, f"fd-{space}@9"): [value] * 3 for space in training.SPACES}, m=m, dataset="digits")
    ]
    trained = [
        row for dataset in ("ring8", "digits") for m in (16, 256) for row in rows.runs(["a", "b"], m=m, dataset=dataset)
    ]
    found = values(training.gain_over("a", "b", 16, 256)(study(runs=trained, measures=table)))
    np.testing.assert_allclose(found["a - b, ring8"], 2.5 / RING)
    np.testing.assert_allclose(found["a - b, digits, random"], 2.5)
    both = values(training.gain_over("a", "b", 16, 256, sign=1)(study(runs=trained, measures=table)))
    np.testing.assert_allclose(both["a + b, digits, classifier"], 3.5)


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
    parts = images.compared("kid", pairs, images.beyond(1.25), ("classifier", "inception"))(results)
    np.testing.assert_allclose(values(parts)["a m=64 against b m=64, kid-classifier"], [-1.5, -0.5, -3.25])
    np.testing.assert_allclose(values(parts)["a m=64 against b m=64, kid-inception"], [-4, -3, -9.5])


def test_frechet_distances_are_taken_above_those_of_real_samples_and_a_rival_that_fails_proves_nothing(study, rows):
    named = {"a": [3.0, np.nan, 4.0], "b": [2.0, 2.0, np.nan], "data": [1.0, 1.0, 2.0]}
    table = rows.measures({(method, "fd-random@9"): value for method, value in named.items()}, dataset="digits")
    results = study(runs=rows.runs(["a", "b"], dataset="digits", diverged=[("a", 1), ("b", 2)]), measures=table)
    parts = images.compared("fd", [(("a", 64), ("b", 64))], images.beyond(1.25), ("random",))(results)
    np.testing.assert_allclose(next(iter(values(parts).values())), [2 - 1.25, 3 - 1.25, np.nan])


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
    table = rows.measures({("a", "ewd-within@9"): [1, 2, 4], ("data", "ewd-within@9"): [1, 2, 2]}, dataset="digits")
    found = values(images.within(("a", 64))(study(runs=rows.runs(["a"], dataset="digits"), measures=table)))
    np.testing.assert_allclose(np.exp(found["a m=64, digits"]), [1, 1, 2])


def test_only_precise_generators_are_asked_whether_they_copy(study, rows):
    precision = {"a": [0.7, 0.8, np.nan], "b": [0.7] * 3, "data": [0.8] * 3}
    table = rows.measures(
        {(method, "precision-classifier@9"): value for method, value in precision.items()}
        | {(method, "copies@9"): [0.01, 0.2, np.nan] for method in "ab"},
        dataset="digits",
    )
    results = study(runs=rows.runs(["a", "b"], dataset="digits", diverged=[("a", 2)]), measures=table)
    found = images.copies(("a", 64), ("b", 64), ("c", 64))(results)
    assert set(found) == {"a m=64, digits", "b m=64, digits"}
    assert list(found["a m=64, digits"].values) == [0.01, 0.2]
    assert np.isnan(found["b m=64, digits"].values.value)
    with pytest.raises(NotMeasured, match="primal"):
        images.copies(("c", 64))(results)


def test_tied_latents_are_held_against_real_samples_on_mixtures(study, rows):
    table = rows.measures({("full", "tied-ewd@9"): [1, 2, 4], ("data", "ewd@9"): [1, 2, 3]})
    results = study(runs=rows.runs(["full"]) + rows.runs(["full"], dataset="digits"), measures=table)
    found = values(images.tied(("full", 64))(results))
    np.testing.assert_allclose(np.exp(found["full m=64, ring8"]), [0.5, 1, 2])
    assert list(found) == ["full m=64, ring8"]


def paths_of(rows, method, seed, points):
    of = {**rows.cell(method, dataset="digits"), "seed": seed, "path": 0}
    return [{**of, "t": t, "nn_train": distance, "on_manifold": inside} for t, distance, inside in points]


def test_points_on_paths_are_unseen_on_the_manifold_and_farther_than_near_copies(study, rows):
    # The distances of the ends are 1, 1.01, ..., 2: their 5 % quantile is 1.05.
    ends = [
        row
        for path in range(101)
        for row in paths_of(
            rows, "data", 0, [(0.0, 1 + path / 100, 1.0), (0.5, 9.0, float(path < 50)), (1.0, 1.5, 1.0)]
        )
        if row["t"] < 1
    ]
    near, far, blurred = (0.25, 1.04, 1.0), (0.5, 1.06, 1.0), (0.75, 9.0, 0.0)
    paths = paths_of(rows, "pwgan", 0, [(0.0, 9.0, 1.0), near, far, blurred, (1.0, 9.0, 1.0)])
    paths += paths_of(rows, "pwgan", 1, [far, (0.75, 9.0, 1.0)]) + paths_of(rows, "pwgan", 2, [(0.5, np.nan, np.nan)])
    trained = rows.runs(["pwgan"], dataset="digits", diverged=[("pwgan", 2)])
    found = images.unseen_on_paths(("pwgan", 64))(study(runs=trained, interpolation=ends + paths))
    np.testing.assert_allclose(values(found)["pwgan m=64, digits"], [1 / 3, 1, np.nan])
    for row in ends:
        row["on_manifold"] = 1.0
    with pytest.raises(NotMeasured, match=r"1.00 of the averages"):
        images.unseen_on_paths(("pwgan", 64))(study(runs=trained, interpolation=ends + paths))


def test_the_gradient_decays_from_the_untrained_critic_to_the_stationary_one(study, rows):
    signal = rows.signal("gan", [8, 4, 2]) + rows.signal("gan", [8, 4, 4], apart=0.5, dataset="grid25")
    signal += rows.signal("gan", [1, 1, 1], m=16) + rows.signal("gan", [1, 1, 1], method="wgan")
    results = study(runs=rows.runs(["gan"]), signal=signal + rows.signal("wgan", [5, 5, 5]))
    found = critics.gradient_decay("gan", 64, "ring8", "grid25", disjoint=True)(results)
    np.testing.assert_allclose(np.exp(found["gan, ring8"].values), 0.25)
    assert np.isnan(found["gan, grid25"].values.value)  # overlapping supports are not measured
    beside = values(critics.gradient_decay("gan", 64, "grid25", disjoint=False)(results))
    assert list(beside) == ["gan, grid25"]
    np.testing.assert_allclose(np.exp(beside["gan, grid25"]), 0.5)


def test_a_gradient_that_has_vanished_altogether_is_not_a_missing_one(study, rows):
    results = study(runs=rows.runs(["gan"]), signal=rows.signal("gan", [8, 4, 0]))
    found = values(critics.gradient_decay("gan", 64, "ring8", disjoint=True)(results))
    np.testing.assert_allclose(np.exp(found["gan, ring8"]), critics.VANISHED)


def test_directions_are_held_against_what_independent_samples_agree_upon(study, rows):
    signal = rows.signal("wgan", [1, 1], cosine=0.7) + rows.signal("gan", [1, 1])
    results = study(runs=rows.runs(["gan"]), signal=signal)
    found = values(critics.direction("wgan", "wgan_gp", m=64)(results))
    assert list(found) == ["wgan, ring8"]
    np.testing.assert_allclose(found["wgan, ring8"], 0.7)
    np.testing.assert_allclose(values(critics.direction("wgan", m=64, share=0.5)(results))["wgan, ring8"], 0.7 - 0.4)


def test_critics_are_judged_by_the_seeds_that_stand_still_if_they_are_three_of_four(study, rows):
    signal = rows.signal("wgan", [1, 1], stationary=(True, False, True))
    few = critics.direction("wgan", m=64)(study(runs=rows.runs(["gan"]), signal=signal))["wgan, ring8"]
    assert np.isnan(few.values.value) and few.lost == 1
    fourth = [{**row, "seed": 3} for row in signal if row["seed"] == 2]
    most = critics.direction("wgan", m=64)(study(runs=rows.runs(["gan"]), signal=signal + fourth))["wgan, ring8"]
    assert list(most.values) == [0.5] * 3 and most.lost == 1


def test_what_a_critic_forgets_of_a_probe_is_asked_where_it_learnt_of_it(study, rows):
    signal = rows.signal("wgan", [1, 1]) + rows.signal("gdpp", [1, 1])
    results = study(runs=rows.runs(["gan"]), signal=signal)
    learnt = values(critics.learnt(64, "gan", "wgan")(results))
    assert list(learnt) == ["wgan, ring8"]
    np.testing.assert_allclose(learnt["wgan, ring8"], 0.3)
    np.testing.assert_allclose(values(critics.forgotten(64, "wgan")(results))["wgan, ring8"], 0.27)
    dull = [{**row, "probe_1": row["probe_before"] + 0.04} for row in signal]
    found = critics.forgotten(64, "wgan")(study(runs=rows.runs(["gan"]), signal=dull))
    assert np.isnan(found["wgan, ring8"].values.value)


def test_the_tables_of_the_theory_are_taken_as_they_are(study):
    rates = [
        {"dataset": "ring8", "sampler": sampler, "measure": measure, "C": 1.0, "s": s, "s_half_width": 0.1}
        | {"limit": 0.3, "limit_half_width": 0.03, "ewd": 1.5, "draws": 20}
        for sampler, measure, s in (("random", "bias", 0.5), ("stratified", "bias", 0.6), ("random", "bound", 0.2))
    ]
    rates += [row | {"dataset": "digits"} for row in rates]
    bias = [
        {"dataset": "ring8", "seed": seed, "sampler": sampler, "eval_batch": m, "n": 1024, "ewd": 2.0, "bias": seed}
        for seed in (0, 1, 2)
        for sampler in ("random", "stratified")
        for m in (32, 64)
    ]
    bias += [row | {"dataset": "digits"} for row in bias]
    for row in bias:
        row["bias"] *= 1.5 if row["sampler"] == "random" else 1
    results = study(theory={"bias-rates": rates, "bias": bias})
    found = {name: sample.values for name, sample in theory.exponents("bias", "random", "stratified")(results).items()}
    assert {name: one.value for name, one in found.items()} == {"random, ring8": 0.5, "stratified, ring8": 0.6}
    assert found["random, ring8"].high == pytest.approx(0.6) and found["random, ring8"].count == 20
    limit = theory.limits("bound", "random")(results)["random, ring8"].values
    assert (limit.value, limit.high) == (pytest.approx(0.2), pytest.approx(0.22))
    assert set(theory.limits("bound", "random", laws=False)(results)) == {"random, digits"}
    saved = values(theory.saved("bias", "stratified", 64)(results))
    assert {name: one.tolist() for name, one in saved.items()} == {"stratified - random m=64, ring8": [0, -0.25, -0.5]}
    relative = values(theory.relative_bias("bias", "stratified", 64)(results))
    assert relative["stratified m=64, ring8"].tolist() == [0, 0.5, 1]
