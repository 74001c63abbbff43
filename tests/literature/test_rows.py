"""Published rows beside ours, on small tables whose comparison is known."""

import numpy as np
import pandas as pd
import pytest

from pwgan.literature import rows as module
from pwgan.literature.page import write_literature
from pwgan.literature.rows import KEY, published, rows


@pytest.fixture
def known(monkeypatch):
    """Six rows whose published range, error and our values are known, and one that the study lacks."""
    names = ["inside", "near", "far", "theirs", "one seed", "one run", "absent"]
    papers = pd.DataFrame({"protocol": "p", "dataset": "d", "method": names, "m": 8, "measure": "q"})
    papers = papers.assign(
        published=1.0, low=0.9, high=1.1, error=[np.nan, np.nan, np.nan, 0.4, np.nan, np.nan, np.nan], steps=100
    ).assign(source="a paper")
    mine = papers.loc[papers["method"] != "absent", KEY].assign(
        ours=[1.05, 1.2, 1.2, 1.8, 1.2, 1.2],
        standard_error=[0.001, 0.06, 0.04, 0.05, np.nan, 0.01],
        spread=[np.nan] * 5 + [0.06],
        seeds=4,
        floor=1.0,
        iterations=25,
    )
    extra = mine.head(1).assign(method="extra", ours=0.5)
    unasked = mine.head(2).assign(measure=["other", "q"], dataset=["d", "elsewhere"])
    monkeypatch.setattr(module, "published", lambda: papers)
    monkeypatch.setattr(module, "ours", lambda results: pd.concat([mine, extra, unasked]))


def test_values_agree_within_two_standard_errors_of_the_published_range(known, tmp_path):
    table = rows(tmp_path).set_index("method")
    agrees = {"inside": True, "near": True, "far": False, "theirs": True, "one seed": False, "one run": True}
    assert table["agrees"].drop(["absent", "extra"]).to_dict() == agrees
    assert pd.isna(table.loc["extra", "agrees"]) and np.isnan(table.loc["extra", "published"])
    assert table.loc["extra", "protocol"] == "p" and table.loc["extra", "ours"] == 0.5 and len(table) == 8
    assert pd.isna(table.loc["absent", "agrees"]) and np.isnan(table.loc["absent", "ours"])
    np.testing.assert_allclose(table.loc[["inside", "near", "theirs"], "distance"], [0, 0.1, 0.7])
    np.testing.assert_allclose(table.loc["theirs", "allowed"], 2 * np.hypot(0.05, 0.4))
    assert table.loc["far", "share"] == 0.25


def test_the_page_has_every_row(known, tmp_path):
    (tmp_path / "theory").mkdir()
    batches = [
        {"repeat": repeat, "m": m, "candidate": name, "ewd": m + repeat, "ewd_debiased": -m + repeat}
        for repeat in (0, 1)
        for m in (4, 8)
        for name in ("real", "mean")
    ]
    pd.DataFrame(batches).to_csv(tmp_path / "theory" / "batches.csv", index=False)
    write_literature(tmp_path, tmp_path)
    text = (tmp_path / "literature.md").read_text()
    assert "| d | theirs | 8 | q | 1 ± 0.4 | 1.8 ± 0.05 | 4 | 1 | 0.25 | yes | a paper |" in text
    assert "| d | absent | 8 | q | 1 | - | - | - | - | - | a paper |" in text
    assert "| d | extra | 8 | q | - | 0.5 ± 0.001 | 4 | 1 | - | - | - |" in text
    assert "| 8 | 8.5 ± 0.5 | 8.5 ± 0.5 | -7.5 ± 0.5 | -7.5 ± 0.5 |" in text
    written = pd.read_csv(tmp_path / "literature.csv")
    assert list(written["agrees"].iloc[:6]) == [True, True, False, True, False, True]
    assert written["agrees"].iloc[6:].isna().all()


def test_published_values_lie_in_their_ranges():
    table = published()
    assert table.duplicated(KEY).sum() == 0
    assert table["published"].between(table["low"] - 1e-12, table["high"] + 1e-12).all()
    assert table[["protocol", "source", "published"]].notna().all(axis=None) and (table["error"].dropna() > 0).all()


def test_critics_batches_and_rates_are_averaged_over_what_varies():
    critics = pd.DataFrame(
        {"dimension": 8, "method": "wgan", "estimate": [0.4, 0.6], "cosine": [0.1, 0.3], "seed": [0, 1], "steps": 50}
    )
    found = module._of_critics(critics).set_index("measure")
    np.testing.assert_allclose(
        found.loc["estimate", ["ours", "standard_error", "spread"]].astype(float), [0.5, 0.1, 2**0.5 / 10]
    )
    assert found.loc["cosine", ["dataset", "m", "iterations"]].tolist() == ["funnels8", 1024, 50]

    distances = {"real": [3.0, 3.0], "centroids": [2.0, 4.0], "mean": [1.0, 1.0]}
    batches = pd.DataFrame(
        [
            {"repeat": repeat, "m": m, "candidate": name, "ewd": values[i]}
            for repeat in (0, 1)
            for i, m in enumerate((4, 8))
            for name, values in distances.items()
        ]
    )
    nearer = module._of_batches(batches).set_index("method")
    assert nearer["ours"].to_dict() == {"centroids": 0.5, "mean": 1.0} and set(nearer["seeds"]) == {2}

    rate = {"dataset": "ring8", "sampler": "random", "measure": "bias", "s": 0.5, "s_half_width": 4.303, "draws": 3}
    exponent = module._of_rates(pd.DataFrame([rate, {**rate, "measure": "bound"}]))
    assert len(exponent) == 1 and exponent["standard_error"].item() == pytest.approx(1, rel=1e-3)
