import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import assume, given
from hypothesis import strategies as st

from pwgan.report.statistics import PAIRED_SEEDS, best, holm, interval, intervals, paired_p, summary

pytestmark = pytest.mark.filterwarnings("error")


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=12), st.integers(0, 3))
def test_interval_is_students_over_the_values_that_are_not_nan(values, missing):
    found = interval([*values, *[np.nan] * missing])
    low, high = scipy.stats.t.interval(0.95, len(values) - 1, np.mean(values), scipy.stats.sem(values) or 1e-300)
    assert found.seeds == len(values)
    assert found.mean == pytest.approx(np.mean(values), abs=1e-6)
    assert found.half_width == pytest.approx((high - low) / 2, rel=1e-6, abs=1e-6)


def test_interval_of_few_or_infinite_values():
    assert interval([2.5])[::2] == (2.5, 1) and np.isnan(interval([2.5]).half_width)
    assert np.isnan(interval([np.nan, np.nan])[:2]).all() and interval([]).seeds == 0
    endless = interval([1.0, np.inf, np.nan])
    assert endless.mean == np.inf and np.isnan(endless.half_width) and endless.seeds == 2


def test_intervals_of_groups_are_the_intervals_of_their_values():
    values = {("a", 1): [1.0, 2.0, 4.0], ("a", None): [5.0], ("b", 1): [np.nan, np.nan], ("b", 2): [0.5, np.nan, 0.7]}
    rows = [{"name": name, "m": m, "value": value} for (name, m), group in values.items() for value in group]
    found = intervals(pd.DataFrame(rows).astype({"m": "Int64"}), ["name", "m"])
    assert len(found) == len(values)
    for row, group in zip(found.itertuples(), values.values(), strict=True):
        np.testing.assert_allclose([row.mean, row.half_width, row.seeds], interval(group), rtol=1e-12)


def test_summary_counts_diverged_seeds_and_leaves_them_out_of_the_mean():
    key = {"dataset": "ring8", "batch_size": 16}
    measures = [
        {**key, "method": "gan", "seed": s, "measure": "ewd@10", "value": v} for s, v in enumerate([1, 3, np.nan])
    ]
    measures += [{**key, "method": "data", "batch_size": None, "seed": 0, "measure": "ewd@10", "value": 0.5}]
    runs = [{**key, "method": "gan", "seed": s, "status": "diverged" if s == 2 else "ok"} for s in range(3)]
    frames = [pd.DataFrame(rows).astype({"batch_size": "Int64"}) for rows in (measures, runs)]
    found = summary(*frames)
    assert list(found.columns) == [
        "dataset", "method", "batch_size", "measure", "mean", "half_width", "seeds", "infinite", "diverged"
    ]  # fmt: skip
    assert list(found["method"]) == ["data", "gan"]
    assert found.loc[1, ["mean", "seeds", "diverged"]].tolist() == [2, 2, 1]
    # t_{0.975, 1} = 12.7062; s = sqrt(2); n = 2.
    assert found.loc[1, "half_width"] == pytest.approx(12.7062047, rel=1e-6)
    assert found.loc[0, ["seeds", "diverged"]].tolist() == [1, 0]


def test_summary_counts_infinite_seeds_apart():
    key = {"dataset": "ring8", "method": "gan", "measure": "kl@10"}
    values = {16: [0.1, np.inf, 0.3, np.nan], 64: [np.inf, np.inf, np.nan, np.nan]}
    rows = [{**key, "batch_size": m, "seed": s, "value": v} for m, group in values.items() for s, v in enumerate(group)]
    runs = [{**row, "status": "diverged" if np.isnan(row["value"]) else "ok"} for row in rows]
    found = summary(*(pd.DataFrame(part).astype({"batch_size": "Int64"}) for part in (rows, runs)))
    assert found["mean"].tolist() == [0.2, np.inf]
    # t_{0.975, 1} = 12.7062; s = 0.2 / sqrt(2); n = 2.
    np.testing.assert_allclose(found["half_width"], [12.7062047 * 0.1, np.nan], rtol=1e-6)
    assert found[["seeds", "infinite", "diverged"]].to_numpy().tolist() == [[3, 1, 1], [2, 2, 2]]


PAIRS = st.lists(st.tuples(st.floats(-100, 100), st.floats(-100, 100)), min_size=PAIRED_SEEDS, max_size=20)


@given(PAIRS, st.integers(0, 3))
def test_paired_p_is_scipys(pairs, missing):
    first, second = np.array(pairs + [(np.nan, 1.0)] * missing).T
    differences = (first - second)[: len(pairs)]
    # Where all differences are equal up to rounding, t is 0 / 0 or rounding over rounding.
    assume(differences.std() > 1e-9 * np.abs([*first[: len(pairs)], *second, 1e-9]).max())
    expected = scipy.stats.ttest_rel(first, second, nan_policy="omit").pvalue
    assert paired_p(first, second) == pytest.approx(expected, rel=1e-9, abs=1e-15)


def test_paired_p_of_few_or_equal_pairs():
    ones = np.ones(PAIRED_SEEDS)
    assert np.isnan(paired_p(ones[1:], 2 * ones[1:])) and np.isnan(paired_p([np.nan, *ones[1:]], 2 * ones))
    assert paired_p(ones, ones) == 1 and paired_p(ones, 2 * ones) == 0


def test_holm_by_hand():
    # 4 × 0.005 = 0.02; 3 × 0.01 = 0.03; 2 × 0.03 = 0.06; 1 × 0.04 = 0.04, no less than 0.06 before it.
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    assert holm([0.7, 0.6]).tolist() == [1, 1] and holm([]).tolist() == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=10))
def test_holm_rejects_as_the_step_down_procedure_does(p):
    rejected = set()
    for step, place in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        if p[place] * (len(p) - step) > 0.05:
            break
        rejected.add(place)
    assert set(np.flatnonzero(holm(p) <= 0.05)) == rejected


def test_best_marks_what_no_test_tells_from_the_best():
    rng = np.random.default_rng(0)
    seeds = rng.normal(
        size=PAIRED_SEEDS
    )  # what all cells share, so that pairs are told apart that means alone would not
    noise = rng.normal(size=(3, PAIRED_SEEDS))
    noise -= noise.mean(axis=1, keepdims=True)
    table = np.stack(
        [seeds, seeds + 0.3 + 0.01 * noise[0], seeds + 0.02 + 0.2 * noise[1], np.full(PAIRED_SEEDS, np.nan)], 1
    )
    assert scipy.stats.ttest_ind(table[:, 0], table[:, 1]).pvalue > 0.2
    assert best(table, lower=True).tolist() == [True, False, True, False]
    assert best(-table, lower=False).tolist() == [True, False, True, False]
    assert best(table[1:], lower=True).tolist() == [True, False, False, False]
    endless = np.vstack([table, [[np.inf, 0, 0, 0]]])
    assert not best(endless, lower=True)[0]
    assert best(np.full((PAIRED_SEEDS, 2), np.nan), lower=True).tolist() == [False, False]


def test_best_corrects_for_as_many_comparisons_as_there_are():
    rng = np.random.default_rng(1)
    leader, noise = rng.normal(size=PAIRED_SEEDS), rng.normal(size=PAIRED_SEEDS)
    noise = (noise - noise.mean()) / noise.std(ddof=1)
    # t = sqrt(8) d / s = 2.8: p = 0.0265 alone is told apart, and of twenty such columns none is.
    other = leader + 2.8 / np.sqrt(PAIRED_SEEDS) + noise
    assert paired_p(leader, other) == pytest.approx(2 * scipy.stats.t.sf(2.8, PAIRED_SEEDS - 1))
    assert best(np.stack([leader, other], 1), lower=True).tolist() == [True, False]
    assert best(np.stack([leader] + [other] * 20, 1), lower=True).all()


def test_all_that_tie_for_the_best_are_marked_without_a_test():
    assert best([[8, 8, 7], [8, 8, 8]], lower=False).tolist() == [True, True, False]
