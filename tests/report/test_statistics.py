import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from pwgan.report.statistics import interval, intervals, summary

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
        "dataset", "method", "batch_size", "measure", "mean", "half_width", "seeds", "diverged"
    ]  # fmt: skip
    assert list(found["method"]) == ["data", "gan"]
    assert found.loc[1, ["mean", "seeds", "diverged"]].tolist() == [2, 2, 1]
    # t_{0.975, 1} = 12.7062; s = sqrt(2); n = 2.
    assert found.loc[1, "half_width"] == pytest.approx(12.7062047, rel=1e-6)
    assert found.loc[0, ["seeds", "diverged"]].tolist() == [1, 0]
