"""Verdicts follow from the rules alone."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pwgan.report.claims.evidence import NotMeasured, Results
from pwgan.report.claims.rules import CLAIMS, Claim
from pwgan.report.claims.verdicts import CONTRADICTED, INCONCLUSIVE, SUPPORTED, judge


def claim(parts, low=-np.inf, high=1.0, log=False):
    return Claim("X1", "statement", "statistic", lambda results: parts, low, high, "figure", log)


def verdict(parts, **region):
    return judge(claim(parts, **region), None).verdict


def test_every_claim_of_the_article_has_a_rule():
    letters = {key[:2] for key in (c.key for c in CLAIMS)}
    wanted = {"A3", "A5", "A6", "A7", "B2", "B3", "B4", "C1", "C2", "C3", *(f"D{i}" for i in range(1, 10))}
    assert letters == wanted | {"E1", "E2", "E3", "E4"}
    assert len({c.key for c in CLAIMS}) == len(CLAIMS)
    assert all(c.low < c.high for c in CLAIMS)


def test_an_interval_within_the_region_supports_one_outside_contradicts_one_across_does_neither():
    spread = np.array([-0.1, 0.1, 0.05, -0.05])
    assert verdict({"a": 0.5 + spread}) == SUPPORTED
    assert verdict({"a": 1.5 + spread}) == CONTRADICTED
    assert verdict({"a": 1.0 + spread}) == INCONCLUSIVE


def test_one_contradicted_part_contradicts_and_one_uncertain_part_withholds_support():
    spread = np.array([-0.1, 0.1, 0.05, -0.05])
    assert verdict({"a": 0.5 + spread, "b": 1.5 + spread}) == CONTRADICTED
    assert verdict({"a": 0.5 + spread, "b": 1.0 + spread}) == INCONCLUSIVE


def test_what_is_said_to_happen_needs_one_part_only():
    spread = np.array([-0.1, 0.1, 0.05, -0.05])
    once = replace(claim({"a": 0.5 + spread, "b": 1.5 + spread}), once=True)
    found = judge(once, None)
    assert found.verdict == SUPPORTED and found.deciding.part == "a"
    both = replace(claim({"a": 1.6 + spread, "b": 1.5 + spread}), once=True)
    assert judge(both, None).verdict == CONTRADICTED


def test_numbers_without_seeds_are_their_own_interval():
    assert verdict({"a": 1.0}) == SUPPORTED
    assert verdict({"a": np.nextafter(1.0, 2.0)}) == CONTRADICTED
    assert verdict({"a": np.nan}) == INCONCLUSIVE


def test_one_seed_settles_nothing_and_a_diverged_seed_forbids_support():
    assert verdict({"a": np.array([0.5])}) == INCONCLUSIVE
    values = np.array([0.5, 0.51, 0.49, np.nan])
    found = judge(claim({"a": values}), None)
    assert found.verdict == INCONCLUSIVE
    assert (found.parts[0].seeds, found.parts[0].diverged) == (3, 1)
    assert verdict({"a": values + 1}) == CONTRADICTED


def test_what_is_not_measured_is_inconclusive_and_says_why():
    def absent(results):
        raise NotMeasured("no such frame")

    found = judge(replace(claim({}), evidence=absent), None)
    assert (found.verdict, found.missing, found.deciding) == (INCONCLUSIVE, "not measured: no such frame", None)


@given(st.lists(st.floats(-1, 1), min_size=3, max_size=12, unique=True), st.integers(1, 5))
def test_intervals_are_of_student_for_all_parts_together(values, parts):
    found = judge(claim({str(i): np.array(values) for i in range(parts)}), None).parts[0]
    low, high = stats.t.interval(1 - 0.05 / parts, len(values) - 1, loc=np.mean(values), scale=stats.sem(values))
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-9), pytest.approx(high, abs=1e-9))


def test_ratios_are_averaged_as_logarithms_and_told_as_ratios():
    found = judge(claim({"a": np.log([1.0, 4.0, 2.0])}, low=0.0, high=np.inf, log=True), None)
    assert found.parts[0].effect == pytest.approx(2.0)
    assert found.verdict == SUPPORTED


def test_an_empty_study_leaves_every_claim_open(tmp_path):
    assert {judge(c, Results(tmp_path)).verdict for c in CLAIMS} == {INCONCLUSIVE}
