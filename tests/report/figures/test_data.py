"""What figures draw, by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata

from pwgan.report.figures import (
    bias,
    budget,
    convergence,
    coverage,
    dual,
    families,
    forgetting,
    frechet,
    image_quality,
    losses,
    neighbours,
    ranking,
    schedules,
    signal,
    training_m,
)


def test_coverage_takes_every_way_of_counting_and_names_the_fate_of_each_seed(rows):
    table = rows.measures(
        rows.measured("coverage@9", values=(4.0, np.nan)),
        rows.measured("coverage-classifier@5", dataset="digits"),
        rows.measured("coverage@9", "data", (8.0, 8.0)),
        rows.measured("high-quality@9", "data"),
        rows.measured("captured@9", "data"),
        rows.measured("ewd@9"),
    )
    frame = coverage.data(table, rows.typed(rows.runs(statuses=("ok", "diverged")) + rows.runs(dataset="digits")))
    ways = frame[["quantity", "extractor", "count"]].drop_duplicates().astype(object).fillna("-").to_numpy().tolist()
    assert sorted(ways) == [["coverage", "-", 9], ["coverage", "classifier", 5], ["high-quality", "-", 9]]
    ring = frame[(frame["dataset"] == "ring8") & (frame["method"] == "gan")]
    assert ring["status"].tolist() == ["ok", "diverged"] and ring["value"].iloc[0] == 4.0
    assert frame.loc[frame["method"] == "data", "status"].isna().all()


def test_neighbours_tells_the_space_of_samples_from_that_of_features(rows):
    table = rows.measures(
        rows.measured("nn_ratio@9"), rows.measured("copies-classifier@9"), rows.measured("nn_train@9")
    )
    frame = neighbours.data(table, rows.typed(rows.runs()))
    held = frame.drop_duplicates("quantity").set_index("quantity")["space"].to_dict()
    assert held == {"nn_ratio": "samples", "copies": "classifier"} and len(frame) == 4


def test_convergence_keeps_evaluations_seeds_that_left_none_and_the_floor_of_the_same_n(rows):
    history = rows.typed(
        [
            {**rows.cell(), "seed": 0, "step": step, "ewd": ewd}
            for step, ewd in ((5, np.nan), (10, 2.0), (15, np.nan), (20, 1.0))
        ]
    )
    table = rows.measures(rows.measured("ewd-history@10", "data"), rows.measured("ewd@99", "data", (5.0, 6.0)))
    fates = rows.typed(rows.runs(statuses=("ok", "diverged")))
    frame = convergence.data(history, table, fates)
    trained = frame[frame["method"] == "gan"]
    assert trained.loc[trained["seed"] == 0, "step"].tolist() == [10, 20]
    silent = trained[trained["seed"] == 1]
    assert len(silent) == 1 and silent["value"].isna().all() and silent["status"].tolist() == ["diverged"]
    assert set(trained["measure"]) == {"ewd@10"}
    assert frame.loc[frame["method"] == "data", "value"].tolist() == [1.0, 2.0]
    other = convergence.data(history, table[table["name"] == "ewd"], fates)
    assert other.loc[other["method"] == "data", "measure"].unique().tolist() == ["ewd@99"]


def test_losses_are_window_means_and_a_method_without_critic_has_no_critic_rows(rows):
    history = rows.typed(
        [
            {**rows.cell("pwgan"), "seed": s, "step": t, "critic_loss": np.nan, "generator_loss": t + 10.0 * s}
            for s in range(2)
            for t in range(1, 201)
        ]
    )
    fates = rows.typed(rows.runs("pwgan") + rows.runs("gan", ("diverged", "diverged")))
    frame = losses.data(history, fates)
    kept = frame[frame["method"] == "pwgan"]
    assert set(kept["loss"]) == {"generator"} and set(kept["diverged"]) == {0}
    # 200 steps in 100 windows of 2: {1, 2} -> 1.5, and the two seeds are 10 apart.
    assert list(kept["step"]) == list(range(2, 201, 2))
    np.testing.assert_allclose(kept["mean"], np.arange(1.5, 200, 2) + 5)
    np.testing.assert_allclose(kept["half_width"], 12.7062047 * 10 / 2, rtol=1e-6)
    (lost,) = frame[frame["method"] == "gan"].itertuples()
    assert (lost.trained, lost.diverged) == (2, 2) and np.isnan(lost.mean)


def test_a_cell_that_was_not_trained_did_not_diverge(rows):
    history = rows.typed(
        [{**rows.cell(), "seed": s, "step": 1, "critic_loss": 1.0, "generator_loss": 1.0} for s in range(2)]
    )
    frame = losses.data(history, rows.typed(rows.runs()))
    assert set(frame["method"]) == {"gan"} and (frame["diverged"] == 0).all()


def counts(rows, seed, table, method="gan", least=1):
    """One row of ``table`` for each step 0, 10, ...: samples at each mode, of 8; ``least`` of them cover it."""
    return [
        {**rows.cell(method), "seed": seed, "step": 10 * t, "mode": mode, "count": count, "samples": 8}
        | {"covered": count >= least}
        for t, row in enumerate(table)
        for mode, count in enumerate(row)
    ]


def test_forgetting_shows_the_seed_that_lost_most_and_its_shares(rows):
    # Modes met: seed 0 2, 2, 2; seed 1 1, 4, 2; seed 2 3, 4, 2, and seed 3 diverged after meeting all.
    steps = counts(rows, 0, [[4, 4, 0, 0]] * 3)
    steps += counts(rows, 1, [[8, 0, 0, 0], [2, 2, 2, 2], [4, 2, 0, 0]])
    steps += counts(rows, 2, [[4, 2, 2, 0], [1, 1, 1, 5], [4, 4, 0, 0]])
    steps += counts(rows, 3, [[2, 2, 2, 2], [0, 0, 0, 0]])
    # Modes of seed 4 have samples, but too few to cover them.
    steps += counts(rows, 4, [[2, 2, 2, 2], [2, 2, 2, 2], [8, 0, 0, 0]], least=3)
    fates = rows.runs(statuses=("ok", "ok", "ok", "diverged", "ok")) + rows.runs("wgan", ("diverged",))
    frame = forgetting.data(rows.typed(steps), rows.typed(fates))
    kept = frame[frame["method"] == "gan"]
    assert set(kept["seed"]) == {1} and len(kept) == 12
    assert set(zip(kept["best"], kept["last"], kept["trained"], kept["diverged"], strict=True)) == {(4, 2, 5, 1)}
    # 8 samples, 4 modes: an equal share is 2.
    assert list(kept[kept["step"] == 20].sort_values("mode")["share"]) == [2.0, 1.0, 0.0, 0.0]
    (lost,) = frame[frame["method"] == "wgan"].itertuples()
    assert (lost.trained, lost.diverged) == (1, 1) and pd.isna(lost.share)


def test_ranking_holds_the_final_critic_against_that_of_the_time(rows):
    auc = {(0, 0): 0.5, (10, 0): 0.8, (10, 10): 0.9, (20, 0): 0.6, (20, 10): 0.7, (20, 20): 1.0}
    pairs = [
        {**rows.cell(), "seed": 0, "step": step, "earlier_step": earlier, "auc": value}
        for (step, earlier), value in auc.items()
    ]
    frame = ranking.data(rows.typed(pairs), rows.typed(rows.runs(statuses=("ok",)) + rows.runs("pwgan", ("diverged",))))
    assert frame.set_index(["critic", "step"])["value"].to_dict() == {
        ("critic of that time", 10): 0.9,
        ("critic of that time", 20): 1.0,
        ("final critic", 10): 0.7,
        ("final critic", 20): 1.0,
    }
    assert set(frame["method"]) == {"gan"}


def test_dual_is_divided_by_the_slope_of_its_own_seed_and_of_methods_that_estimate_the_distance(rows):
    history = rows.typed(
        [
            {**rows.cell(method), "seed": seed, "step": step, "ewd": ewd, "critic_dual": 3.0, "critic_slope": slope}
            for method in ("gan", "mine")
            for seed, slope in enumerate((2.0, 6.0))
            for step, ewd in ((0, 1.0), (5, np.nan), (10, 2.0))
        ]
    )
    table = rows.measures(rows.measured("ewd-history@10", "data", (0.25,)))
    frame = dual.data(history, table, rows.typed(rows.runs() + rows.runs("mine", dual=True)))
    trained = frame[frame["method"] != "data"]
    assert set(trained["method"]) == {"mine"} and set(trained["step"]) == {0, 10}
    last = trained[trained["step"] == 10].set_index(["quantity", "seed"])["value"].to_dict()
    assert last == {
        ("exact EWD", 0): 2.0,
        ("exact EWD", 1): 2.0,
        ("dual", 0): 3.0,
        ("dual", 1): 3.0,
        ("dual / largest slope", 0): 1.5,
        ("dual / largest slope", 1): 0.5,
    }
    assert frame.loc[frame["method"] == "data", "value"].tolist() == [0.25]


def timed(rows, blocks=((4, "train", 30.0), (2, "train", 12.0), (4, "measure", 99.0)), **cell):
    return [
        {**rows.cell(**cell), "seeds": seeds, "stage": stage, "seconds": seconds, "device": "cpu"}
        for seeds, stage, seconds in blocks
    ]


def test_budget_shares_the_seconds_of_all_blocks_among_all_seeds_and_iterations(rows):
    history = rows.typed(
        [
            {**rows.cell(), "seed": seed, "step": step, "ewd": 9.0, "ewd_debiased": value}
            for seed in (0, 1)
            for step, value in ((0, 2.0), (50, 1.0), (75, np.nan), (100, 0.5))
        ]
    )
    table = rows.measures(
        rows.measured("high-quality@9"), rows.measured("high-quality@9", "data", (0.9,)), rows.measured("recall@9")
    )
    fates = rows.typed(rows.runs()).assign(steps=100)
    frame = budget.data(rows.typed(timed(rows)), history, table, fates)
    curve = frame[(frame["quantity"] == "distance") & (frame["seed"] == 0)]
    assert curve[["seconds", "value"]].to_numpy().tolist() == [[0, 2.0], [3.5, 1.0], [7.0, 0.5]]
    assert set(curve["measure"]) == {"ewd-debiased@10"}
    final = frame[(frame["quantity"] == "quality") & (frame["method"] == "gan")]
    assert final["seconds"].tolist() == [7.0, 7.0] and final["value"].tolist() == [1.0, 2.0]
    assert frame.loc[frame["method"] == "data", "value"].tolist() == [0.9]


def test_budget_marks_cells_that_no_other_beats_in_less_time(rows):
    quality = {"gan": (0.5, 0.5), "wgan": (0.4, 0.4), "pwgan": (0.9, 0.9), "nsgan": (0.8, np.nan), "gdpp": (0.8, 0.8)}
    table = rows.measures(*(rows.measured("high-quality@9", name, values) for name, values in quality.items()))
    times = {"gan": 2.0, "wgan": 4.0, "pwgan": 8.0, "nsgan": 3.0, "gdpp": 16.0}
    costs = rows.typed([row for name, t in times.items() for row in timed(rows, ((2, "train", t),), method=name)])
    fates = rows.typed([row for name in quality for row in rows.runs(name)]).assign(steps=100)
    history = rows.typed([{**rows.cell(), "seed": 0, "step": 0, "ewd_debiased": np.nan}])
    frame = budget.data(costs, history, table, fates)
    assert set(frame.loc[frame["front"] == 1, "method"]) == {"gan", "pwgan"}


def test_training_m_takes_one_measure_of_each_quantity_and_says_who_has_a_critic(rows):
    table = rows.measures(
        *(rows.measured(name, "pwgan", m=m) for name in ("ewd-debiased@9", "ewd@9", "recall@9") for m in (16, 64)),
        *(rows.measured(name) for name in ("ewd@9", "fd-classifier@9", "fd-inception@9", "kid-classifier@9")),
    )
    history = rows.typed(
        [
            {**rows.cell(*of), "critic_loss": loss}
            for *of, loss in (("gan", 16, 1.0), ("pwgan", 16, np.nan), ("pwgan", 64, np.nan))
        ]
    )
    fates = rows.typed(rows.runs() + rows.runs("pwgan") + rows.runs("pwgan", ("ok", "diverged"), m=64))
    frame = training_m.data(table, fates, history, rows.typed(timed(rows)))
    assert frame.groupby("method")["critic"].unique().map(list).to_dict() == {"gan": [True], "pwgan": [False]}
    chosen = frame.drop_duplicates("quantity").set_index("quantity")["measure"].to_dict()
    assert chosen == {
        "debiased EWD": "ewd-debiased@9",
        "EWD": "ewd@9",
        "quality": "fd-inception@9",
        "recall": "recall@9",
    }
    assert set(training_m._ladders(frame)["method"]) == {"pwgan"}


def test_image_quality_is_at_the_m_of_most_methods_without_controls_and_differences_are_by_seed(rows):
    spaces = ("classifier", "inception")
    table = rows.measures(
        *(
            rows.measured(f"{name}-{space}@9", method, values, m)
            for name in ("fd", "recall")
            for space in spaces
            for method, values, m in (
                ("nsgan", (1.0, 2.0), 64),
                ("pwgan", (3.0, 7.0), 64),
                ("pwgan", (9.0, 9.0), 16),
                ("gan_short", (9.0, 9.0), 64),
            )
        ),
        rows.measured("recall@9", "pwgan", m=64),
        rows.measured("fd-classifier@9", "data", (0.5, 0.5)),
    )
    fates = [row for name in ("nsgan", "pwgan", "gan_short") for row in rows.runs(name, m=64)]
    frame = image_quality.data(table, rows.typed(fates + rows.runs("pwgan")))
    trained = frame[frame["method"] != "data"]
    assert set(trained["method"]) == {"nsgan", "pwgan"} and set(trained["batch_size"]) == {64}
    assert set(frame["space"]) == set(spaces)
    part = frame[(frame["quantity"] == "fd") & (frame["space"] == "classifier")]
    apart = image_quality.differences(part, "nsgan")
    assert apart[["method", "seed", "value"]].to_numpy().tolist() == [["pwgan", 0, 2.0], ["pwgan", 1, 5.0]]
    assert image_quality.differences(part, "wgan_gp")["value"].isna().all()


def test_frechet_puts_both_distances_of_a_seed_side_by_side(rows):
    table = rows.measures(
        rows.measured("ewd@9", values=(1.0, 3.0)),
        rows.measured("fd-classifier@5", values=(10.0, 30.0)),
        rows.measured("kid-classifier@5", values=(7.0, 7.0)),
    )
    frame = frechet.data(table, rows.typed(rows.runs()))
    assert frame[["ewd", "frechet"]].to_numpy().tolist() == [[1.0, 10.0], [3.0, 30.0]]
    assert set(frame["measure"]) == {"fd-classifier@5"}


def test_rank_correlation_is_pearsons_of_ranks_with_the_interval_of_bonett_and_wright():
    rng = np.random.default_rng(0)
    x = rng.normal(size=12)
    y = np.exp(x + rng.normal(size=12))
    r, low, high = frechet.rank_correlation(x, y)
    assert r == pytest.approx(np.corrcoef(rankdata(x), rankdata(y))[0, 1])
    half = 1.959964 * np.sqrt((1 + r**2 / 2) / 9)
    assert (np.arctanh(low), np.arctanh(high)) == pytest.approx((np.arctanh(r) - half, np.arctanh(r) + half))
    assert frechet.rank_correlation(x, np.exp(x))[0] == pytest.approx(1)
    assert np.isnan(frechet.rank_correlation(x, np.exp(x))[1:]).all()
    assert np.isnan(frechet.rank_correlation(x[:3], y[:3])[1:]).all()
    assert np.isnan(frechet.rank_correlation(x, np.ones(12))).all()
    assert np.isnan(frechet.rank_correlation(x[:1], y[:1])).all()


def test_intervals_hold_the_true_correlation_of_independent_sides():
    rng = np.random.default_rng(1)
    ends = np.array([frechet.rank_correlation(*rng.normal(size=(2, 12)))[1:] for _ in range(400)])
    assert 0.92 <= ((ends[:, 0] < 0) & (ends[:, 1] > 0)).mean() <= 0.98


def test_bias_is_that_of_the_largest_m_of_each_method(rows):
    ladder = rows.typed(
        [
            {**rows.cell(method, m), "seed": 0, "sampler": "random", "partition": True, "eval_batch": e, "n": 64}
            | {"bias": 1.0 / e, "deviation": 2.0 / e, "bound": 3.0 / e}
            for method, m in (("gan", 16), ("gan", 64), ("wgan", 16), ("data", None))
            for e in (16, 64)
        ]
    )
    frame = bias.data(ladder, rows.typed([r for m in (16, 64) for r in rows.runs(m=m)] + rows.runs("wgan")))
    held = frame.drop_duplicates(["method", "batch_size"])[["method", "batch_size"]].astype(object)
    assert held.where(held.notna(), None).to_numpy().tolist() == [["data", None], ["gan", 64], ["wgan", 16]]
    assert frame.loc[frame["method"] == "gan", "bias"].tolist() == [1 / 16, 1 / 64]


def test_schedules_are_of_methods_that_differ_in_nothing_else(rows):
    step = {"critic_steps": 1, "generator_steps": 1, "lr": 0.1, "sampler": "random"}
    fates = rows.runs("gan", **step) + rows.runs("gan_k25", ("ok", "diverged"), **step | {"critic_steps": 25})
    fates += rows.runs("gan_g5", **step | {"generator_steps": 5})
    fates += rows.runs("gan_fast", **step | {"lr": 1.0, "critic_steps": 5})
    fates += rows.runs("gan_stratified", **step | {"sampler": "stratified"})
    fates += rows.runs("wgan", **step | {"critic_steps": 5}) + rows.runs("pwgan", lr=0.1)
    ewd = [rows.measured("ewd@9", method, (1.0, 3.0)) for method in {run["method"] for run in fates}]
    table = rows.measures(*ewd, rows.measured("ewd@9", "data", (0.5, 0.7)), rows.measured("ewd@9", m=4))
    # An m of which other methods know nothing, and one with fewer schedules, change nothing.
    others = (
        rows.runs("nsgan", m=2) + rows.runs(m=4, **step) + rows.runs("gan_k25", m=64, **step | {"critic_steps": 25})
    )
    others += rows.runs(m=64, **step)
    frame = schedules.data(table, rows.typed(fates + others))
    trained = frame[frame["method"] != "data"]
    ratios = trained.drop_duplicates("method").set_index("method")["ratio"].to_dict()
    assert ratios == {"gan": 1.0, "gan_k25": 25.0, "gan_g5": 0.2}
    assert set(trained["line"]) == {"gan"} and set(trained["batch_size"]) == {16}
    assert sorted(trained["value"]) == [1.0] * 3 + [3.0] * 3
    assert trained.loc[trained["method"] == "gan_k25", "status"].tolist() == ["ok", "diverged"]
    assert frame.loc[frame["method"] == "data", "value"].tolist() == [0.5, 0.7]


def test_signal_is_of_the_m_that_all_share(rows):
    held = {"generator": "initial", "critic": "gan", "seed": 0, "step": 1, "cosine": 0.5}
    held |= {"apart": 7.0, "ceiling": 0.9, "stationary": True}
    table = rows.typed([{**rows.cell(m=m), **held, "parameter_gradient": float(m)} for m in (8, 16)])
    frame = signal.data(table, rows.typed([r for m in (8, 16) for r in rows.runs(m=m)]))
    assert frame["parameter_gradient"].tolist() == [16.0]
    assert signal.data(pd.DataFrame(), rows.typed(rows.runs())).empty


def test_families_are_of_distance_against_seconds_on_points_and_against_recall_on_images(rows):
    table = rows.measures(
        rows.measured("ewd-debiased@9", values=(3.0, 5.0)),
        rows.measured("ewd-debiased@9", "pwgan_pool", (1.0, 1.0)),
        rows.measured("ewd-debiased@9", "cfm", (2.0, 2.0)),
        rows.measured("ewd-debiased@9", "sliced", (0.1, np.nan)),
        rows.measured("recall@9", "cfm"),
        rows.measured("ewd-debiased@9", "data", (0.0, 0.0)),
        rows.measured("fd-classifier@9", dataset="digits", values=(3.0, 4.0)),
        rows.measured("recall-classifier@9", dataset="digits", values=(0.5, 0.7)),
        rows.measured("recall-random@9", dataset="digits", values=(0.1, 0.1)),
        rows.measured("fd-classifier@9", "pwgan_pool", (1.0, 1.0), dataset="digits"),
        rows.measured("recall-classifier@9", "pwgan_pool", (0.2, 0.2), dataset="digits"),
        rows.measured("fd-classifier@9", "cfm", (2.0, 2.0), dataset="digits"),
        rows.measured("recall-classifier@9", "cfm", (0.1, 0.1), dataset="digits"),
    )
    names = ("gan", "pwgan_pool", "cfm", "sliced")
    fates = [run for name in names for run in rows.runs(name, ("ok", "diverged" if name == "sliced" else "ok"))]
    fates += [run for name in names[:3] for run in rows.runs(name, dataset="digits")]
    spent = [
        {**rows.cell(name, dataset=dataset), "seeds": 2, "stage": "train", "seconds": 2.0 * rank, "device": "cpu"}
        for dataset in ("ring8", "digits")
        for rank, name in enumerate(names, 1)
    ]
    frame = families.data(table, rows.typed(fates), rows.typed(spent))
    trained = frame[frame["method"] != "data"]
    points, images = (trained[trained["dataset"] == name] for name in ("ring8", "digits"))
    assert set(points["along"]) == {"seconds"} and set(images["along"]) == {"recall-classifier@9"}
    assert points.groupby("method")["x"].first().to_dict() == {"gan": 1, "pwgan_pool": 2, "cfm": 3, "sliced": 4}
    assert images.loc[images["method"] == "gan", ["x", "value"]].to_numpy().tolist() == [[0.5, 3.0], [0.7, 4.0]]
    assert set(points.loc[points["front"] == 1, "method"]) == {"gan", "pwgan_pool"}
    assert set(images.loc[images["front"] == 1, "method"]) == {"gan", "pwgan_pool"}
    kinds = {"gan": "critic", "pwgan_pool": "matching", "cfm": "flow", "sliced": "other distance"}
    assert points.groupby("method")["family"].first().to_dict() == kinds
    assert frame.loc[frame["method"] == "data", "family"].isna().all()
