"""Checks hold within their tolerance, and only equations are refuted."""

import numpy as np
import pytest

from pwgan.report.claims import checks
from pwgan.report.claims.checks import CHECKS, Check, run
from pwgan.report.claims.results import NotMeasured, Results

NAMED = {check.key: check for check in CHECKS}


def check(errors, tolerance=0.1, equation=False):
    return Check("X1", "statement", "quantity", lambda results: errors, tolerance, "figure", equation)


def test_the_checks_are_the_identities_and_definitions_of_the_article():
    assert list(NAMED) == [
        "A3",
        "A5",
        "A6",
        "A7",
        "B2",
        "B3",
        "C1",
        "D1",
        "D2",
        "D3",
        "D4",
        "D5",
        "D6a",
        "T1",
        "T2",
        "T3",
    ]


def test_the_largest_error_decides():
    found = run(check({"a": 0.05, "b": 0.1}), None)
    assert (found.status, found.largest, found.where) == ("holds", 0.1, "b")
    found = run(check({"a": 0.05, "b": 0.11}), None)
    assert (found.status, found.where) == ("fails", "b")
    assert run(check({"a": np.nan, "b": 0.0}), None).status == "fails"


def test_an_equation_is_refuted_if_all_ratios_of_its_sides_differ_from_1():
    found = run(check({"a": 0.8, "b": 0.7}, equation=True), None)
    assert (found.status, found.largest, found.where) == ("refuted", 0.8, "a")
    assert run(check({"a": 0.95, "b": 0.7}, equation=True), None).status == "holds"
    assert run(check({"a": 1.0, "b": np.nan}, equation=True), None).status == "fails"
    assert run(check({}), None).status == run(check({}, equation=True), None).status == "not measured"


def test_a_missing_value_is_no_small_one(study):
    plans = [{"permutation": 1.0, "plan": 1.0}, {"permutation": np.nan, "plan": 1.0}]
    assert run(NAMED["D1"], study(theory={"plans": plans})).status == "fails"


def test_scales_of_the_theory_are_below_1_debiased_at_1_and_those_of_quadrature(study):
    scales = [
        {"dimension": d, "m": m, "objective": kind, "mean": mean, "quadrature": mean + 0.01 if d == 1 else np.nan}
        for d in (1, 8)
        for m in (16, 64)
        for kind, mean in (("plain", 1.1 if m == 16 else 0.7), ("debiased", 1.015 if m == 64 else 2.0))
    ]
    results = study(theory={"shrinkage": scales})
    assert checks.shrunk(results) == {"d=1": pytest.approx(-0.3), "d=8": pytest.approx(-0.3)}
    assert [run(NAMED[key], results).status for key in ("T1", "T2", "T3")] == ["holds"] * 3
    assert set(checks.scale_by_quadrature(results)) == {
        f"{kind}, m={m}" for kind in ("plain", "debiased") for m in (16, 64)
    }
    assert run(NAMED["T1"], study(theory={"shrinkage": [one | {"mean": 1.01} for one in scales]})).status == "fails"


def test_what_is_not_measured_says_so(tmp_path):
    for one in CHECKS:
        found = run(one, Results(tmp_path))
        assert found.status == "not measured" and found.where, one.key

    def absent(results):
        raise NotMeasured("no GPU")

    assert run(Check("D2", "", "", absent, 1.0, ""), None).where == "no GPU"


def test_checks_read_the_tables_of_the_theory(study):
    js = [{"check": name, "value": value} for name, value in (("symmetric", 0.0), ("at most log 2", 1e-16))]
    theory = {"js": js, "picture": [{"point": point, "differs": point > 4} for point in range(8)]}
    bias = [
        {"dataset": name, "seed": seed, "sampler": sampler, "eval_batch": m, "n": 1024}
        | {"bias": 0.8 * ratio, "deviation": 1.0 * ratio, "bound": 2.0 * ratio}
        for name, ratio in (("ring8", 1.0), ("grid25", 3.0))
        for seed in (0, 1)
        for sampler in ("random", "stratified")
        for m in (4, 64, 512)
    ]
    results = study(theory=theory | {"bias": bias})
    assert run(NAMED["A3"], results).status == "holds"
    assert checks.js_properties(results) == {"symmetric": 0.0, "at most log 2": 1e-16}
    assert run(NAMED["D3"], results).status == "holds"
    assert checks.same_partners(results) == {"8 points": 5 / 8}
    assert checks.bias_over_deviation(results) == {"grid25": pytest.approx(0.8), "ring8": pytest.approx(0.8)}
    assert run(NAMED["D4"], results).status == "refuted"
    assert checks.deviation_beyond_bound(results) == {"all": -0.5}
    assert checks.bias_beyond_bound(results) == {"all": -0.6}
    assert run(NAMED["A6"], results).status == "not measured"


def test_only_cells_that_were_trained_on_gpus_say_what_matching_costs_there(study, rows):
    costs = rows.costs({"gan": [10.0, 30.0], "pwgan": [20.0]}, dataset="digits", device="a GPU")
    costs += rows.costs({"gan": [1.0], "pwgan": [9.0]})
    results = study(costs=costs)
    assert checks.gpu_matching(results) == {"digits m=64": 0.5}
    assert run(NAMED["D2"], results).status == "holds"
    with pytest.raises(NotMeasured, match="GPU"):
        checks.gpu_matching(study(costs=rows.costs({"gan": [1.0], "pwgan": [9.0]})))
