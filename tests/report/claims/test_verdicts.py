"""Verdicts follow from the rules alone."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from pwgan.report.claims.claim import Claim, Criterion
from pwgan.report.claims.results import Cell, NotMeasured, Results, Sample
from pwgan.report.claims.rules import CLAIMS
from pwgan.report.claims.verdicts import CONTRADICTED, INCONCLUSIVE, SUPPORTED, judge, judge_all
from pwgan.report.confidence import summary_estimate, unknown

SPREAD = np.array([-0.1, 0.1, 0.05, -0.05])


def criterion(parts, low=-np.inf, high=1.0, **options):
    samples = {name: values if isinstance(values, Sample) else Sample(values) for name, values in parts.items()}
    return Criterion("a statistic", lambda results: samples, low, high, **options)


def claim(*criteria, once=False):
    return Claim("X1", "statement", criteria, "figure", once)


def judged(parts, once=False, **region):
    return judge(claim(criterion(parts, **region), once=once), None)


def absent(results):
    raise NotMeasured("no such frame")


def test_every_empirical_claim_has_a_rule_once():
    keys = [claim.key for claim in CLAIMS]
    assert len(set(keys)) == len(keys)
    article = {
        "B4",
        "B4b",
        "C2",
        "C2b",
        "C2c",
        "C3",
        "D6b",
        "D6c",
        "D7",
        "D8",
        "D9a(i)",
        "D9a(ii)",
        "D9b",
        "D9c",
        "D9d",
    }
    assert set(keys) == article | {"D8(m=16)", "E1", "E2", "E3", "E4", "H1", "H1b", "H2", "H3", "H4"}
    assert all(c.low < c.high for claim in CLAIMS for c in claim.criteria)
    assert all(any(c.judged for c in claim.criteria) for claim in CLAIMS)
    # A share of a diverged seed is 0, which must count against the claim.
    assert all(c.low > 0 for claim in CLAIMS for c in claim.criteria if c.kind != "mean")
    # A premise is judged, and a claim has something besides it.
    assert all(c.judged for claim in CLAIMS for c in claim.criteria if c.premise)
    assert all(any(c.judged and not c.premise for c in claim.criteria) for claim in CLAIMS)


def test_every_rule_is_explained_with_an_objection():
    page = (Path(__file__).parents[3] / "docs/claims/rules.md").read_text(encoding="utf-8")
    sections = re.split(r"^### ", page, flags=re.MULTILINE)[1:]
    explained = [
        key
        for section in sections
        for key in re.findall(r"(?:^|\s)([A-H]\d\w*(?:\((?:i+|m=16)\))?)\. ", section.partition("\n")[0])
    ]
    assert sorted(explained) == sorted(claim.key for claim in CLAIMS)
    assert all("- Objection: " in section and "Answer: " in section for section in sections)


def test_an_interval_within_the_region_supports_one_beyond_contradicts_one_across_does_neither():
    assert judged({"a": 0.5 + SPREAD}).verdict == SUPPORTED
    assert judged({"a": 1.5 + SPREAD}).verdict == CONTRADICTED
    assert judged({"a": 1.0 + SPREAD}).verdict == INCONCLUSIVE


def test_a_claim_about_everything_needs_every_part_and_contradiction_pays_for_their_number():
    assert judged({"a": 0.5 + SPREAD, "b": 0.4 + SPREAD}).verdict == SUPPORTED
    assert judged({"a": 0.5 + SPREAD, "b": 1.0 + SPREAD}).verdict == INCONCLUSIVE
    one = judged({"a": 1.2 + SPREAD})
    several = judged({"a": 1.2 + SPREAD} | {name: 0.5 + SPREAD for name in "bcdefgh"})
    assert one.beyond == pytest.approx(2 * stats.ttest_1samp(1.2 + SPREAD, 1.0, alternative="greater").pvalue)
    assert several.beyond == pytest.approx(8 * one.beyond) and one.verdict == CONTRADICTED
    assert several.deciding.name == "a"


def test_a_claim_that_something_can_happen_needs_one_part():
    found = judged({"a": 0.5 + SPREAD, "b": 1.5 + SPREAD}, once=True)
    assert found.verdict == SUPPORTED and found.deciding.name == "a"
    assert judged({"a": 1.6 + SPREAD, "b": 1.5 + SPREAD}, once=True).verdict == CONTRADICTED
    assert judged({"a": 1.6 + SPREAD, "b": 1.0 + SPREAD}, once=True).verdict == INCONCLUSIVE


def test_a_diverged_seed_forbids_support_of_a_mean_and_counts_as_0_in_a_share():
    values = np.array([0.5, 0.51, 0.49, np.nan])
    found = judged({"a": values})
    assert found.verdict == INCONCLUSIVE and (found.parts[0].seeds, found.parts[0].lost) == (3, 1)
    assert judged({"a": values + 1}).verdict == CONTRADICTED
    runs = judged({"a": np.array([1.0] * 15 + [np.nan])}, kind="share", low=0.5, high=1.0).parts[0]
    assert (runs.effect, runs.seeds, runs.lost) == (15 / 16, 16, 1)
    bounded = judged({"a": np.array([0.9, 0.8, np.nan])}, kind="bounded", low=0.5, high=1.0).parts[0]
    assert bounded.effect == pytest.approx(1.7 / 3)


def test_one_seed_settles_nothing():
    assert judged({"a": np.array([0.5])}).verdict == INCONCLUSIVE


def test_ratios_are_averaged_as_logarithms_and_told_as_ratios():
    found = judged({"a": np.log([1.0, 4.0, 2.0])}, low=0.0, high=np.inf, log=True)
    assert found.parts[0].effect == pytest.approx(2.0) and found.verdict == SUPPORTED
    assert judged({"a": np.log([1.9, 2.1, 2.0])}, low=0.0, high=1.5, log=True).verdict == CONTRADICTED


def test_fitted_intervals_are_judged_as_they_are():
    assert judged({"a": Sample(summary_estimate(0.9, 0.05, 8))}).verdict == SUPPORTED
    assert judged({"a": Sample(summary_estimate(0.9, 0.2, 8))}).verdict == INCONCLUSIVE


def test_what_is_not_measured_withholds_support_and_says_why():
    found = judge(claim(Criterion("a", absent, 0, 1)), None)
    assert (found.verdict, found.missing, found.deciding) == (INCONCLUSIVE, "no such frame", None)
    half = claim(criterion({"a": 0.5 + SPREAD}), Criterion("b", absent, 0, 1))
    assert judge(half, None).verdict == INCONCLUSIVE
    refuted = claim(criterion({"a": 1.5 + SPREAD}), Criterion("b", absent, 0, 1))
    assert judge(refuted, None).verdict == CONTRADICTED
    assert judge(replace(half, once=True), None).verdict == SUPPORTED
    assert judge(replace(refuted, once=True), None).verdict == INCONCLUSIVE


def test_reported_statistics_do_not_enter_the_verdict():
    found = judge(claim(criterion({"a": 0.5 + SPREAD}), criterion({"b": 9 + SPREAD}, judged=False)), None)
    assert found.verdict == SUPPORTED and [part.name for part in found.reported] == ["b"]
    assert judge(claim(criterion({"a": 0.5 + SPREAD}), Criterion("b", absent, 0, 1, judged=False)), None).missing == ""


def test_holms_correction_is_for_all_claims_together():
    values = 0.85 + SPREAD
    p = 2 * stats.ttest_1samp(values, 1.0, alternative="less").pvalue
    assert 0.02 < p < 0.05
    alone, *_ = judge_all([claim(criterion({"a": values}))], None)
    assert alone.corrected == SUPPORTED and alone.adjusted == pytest.approx(p)
    others = [claim(criterion({"a": 1.0 + SPREAD}))] + [claim(Criterion("b", absent, 0, 1))] * 2
    first, *_ = judge_all([claim(criterion({"a": values})), *others], None)
    assert first.adjusted == pytest.approx(4 * p)
    assert (first.verdict, first.corrected) == (SUPPORTED, INCONCLUSIVE)


def test_the_compute_of_a_part_is_the_training_time_of_its_cells_per_seed(study, rows):
    results = study(costs=rows.costs({"gan": [30.0, 60.0], "pwgan": [90.0]}))
    cells = Cell("ring8", "gan", 64), Cell("ring8", "pwgan", 64)
    part = judge(claim(criterion({"a": Sample(SPREAD, cells)})), results).parts[0]
    assert part.seconds == {cells[0]: 15.0, cells[1]: 30.0} and part.imbalance == 2.0
    lone = judge(claim(criterion({"a": Sample(SPREAD, cells[:1])})), results).parts[0]
    assert np.isnan(lone.imbalance)


def test_unequal_or_unknown_training_times_are_not_judged_where_they_must_be_equal(study, rows):
    cells = Cell("ring8", "gan", 64), Cell("ring8", "pwgan", 64)
    for seconds, verdict in (([30.0], SUPPORTED), ([37.0], SUPPORTED), ([38.0], INCONCLUSIVE), ([], INCONCLUSIVE)):
        results = study(costs=rows.costs({"gan": [30.0], "pwgan": seconds}))
        for shift, found in ((0.5, verdict), (1.5, CONTRADICTED if verdict == SUPPORTED else verdict)):
            one = criterion({"a": Sample(shift + SPREAD, cells)}, equal_compute=True)
            assert judge(claim(one), results).verdict == found
    other = claim(criterion({"a": Sample(0.5 + SPREAD, cells)}))
    assert judge(other, results).verdict == SUPPORTED


def test_a_claim_whose_premise_is_not_shown_is_not_judged():
    for values, verdict in ((0.5, SUPPORTED), (1.0, INCONCLUSIVE), (1.5, INCONCLUSIVE)):
        found = judge(claim(criterion({"a": 0.5 + SPREAD}), criterion({"p": values + SPREAD}, premise=True)), None)
        assert found.verdict == verdict and bool(found.missing) == (verdict == INCONCLUSIVE)
        assert [part.name for part in found.parts] == ["a"] and [part.name for part in found.reported] == ["p"]
    absent_premise = claim(criterion({"a": 1.5 + SPREAD}), Criterion("p", absent, 0, 1, premise=True))
    assert judge(absent_premise, None).verdict == INCONCLUSIVE


def test_parts_that_were_not_measured_decide_nothing():
    some = {"a": 0.5 + SPREAD, "b": Sample(unknown())}
    assert judged(some).verdict == INCONCLUSIVE
    assert judged(some, once=True).verdict == SUPPORTED
    assert judged({"a": 1.5 + SPREAD, "b": Sample(unknown())}, once=True).verdict == INCONCLUSIVE


def test_diverged_runs_are_counted_as_lost(study, rows):
    results = study(runs=rows.runs(["gan"], diverged=[("gan", 1)]))
    part = judge(claim(criterion({"a": Sample(SPREAD, (Cell("ring8", "gan", 64),))})), results).parts[0]
    assert part.lost == 1 and part.verdict == SUPPORTED
    assert judge(claim(criterion({"a": Sample(SPREAD, lost=2)})), None).parts[0].lost == 2


def test_an_empty_study_leaves_every_claim_open(tmp_path):
    for found in judge_all(CLAIMS, Results(tmp_path)):
        assert (found.verdict, found.corrected) == (INCONCLUSIVE, INCONCLUSIVE) and found.missing
