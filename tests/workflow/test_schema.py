"""The stored schema is the one that the code makes, and it tells right studies from misspelt ones."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from pwgan.__main__ import main
from pwgan.study import parse_study

ROOT = Path(__file__).parents[2]
STORED = ROOT / "workflow/schemas/study.schema.json"
STUDIES = sorted([ROOT / "config.yaml", *ROOT.glob("workflow/studies/*.yaml")])


class Yaml12(yaml.SafeLoader):
    """Reads 1e-3 as a number, as editors do that follow YAML 1.2; PyYAML follows 1.1, where that is a string."""


FLOAT = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$")
Yaml12.add_implicit_resolver("tag:yaml.org,2002:float", FLOAT, list("-+.0123456789"))


def read(path: Path) -> dict[str, Any]:
    return yaml.load(path.read_text(), Yaml12)


def problems(study: dict[str, Any]) -> list[str]:
    validator = pytest.importorskip("jsonschema").Draft202012Validator
    return [error.message for error in validator(json.loads(STORED.read_text())).iter_errors(study)]


def test_stored_schema_is_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    assert STORED.read_text() == capsys.readouterr().out, f"python -m pwgan schema > {STORED.relative_to(ROOT)}"


def test_stored_schema_is_a_schema() -> None:
    pytest.importorskip("jsonschema").Draft202012Validator.check_schema(json.loads(STORED.read_text()))


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.name)
def test_studies_are_valid(path: Path) -> None:
    parse_study(yaml.safe_load(path.read_text()))
    assert problems(read(path)) == []


def smoke(change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    study = copy.deepcopy(read(ROOT / "workflow/studies/smoke.yaml"))
    change(study)
    return study


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s["methods"].update(mine={"method": "pwgan", "cost": "sqeuclidean"}),
        lambda s: s["datasets"].update(mine={"dataset": "ring8", "samples": 2000, "seeds": 4}),
        lambda s: s["datasets"].update(swiss_roll=None),
        lambda s: s["datasets"]["ring8"].update(methods={"nsgan": {"critic_lr": 1e-3}}),
    ],
    ids=["method of another name", "data set of another name", "nothing behind a name", "method that differs"],
)
def test_what_a_study_may_say(change: Callable[[dict[str, Any]], None]) -> None:
    parse_study(smoke(change))
    assert problems(smoke(change)) == []


@pytest.mark.parametrize(
    ("change", "slip"),
    [
        (lambda s: s.update(sedes=3), "sedes"),
        (lambda s: s.update(device="gpu"), "gpu"),
        (lambda s: s.update(steps=-1), "-1"),
        (lambda s: s["measures"].update(ewd_point=10), "ewd_point"),
        (lambda s: s["datasets"].update(ring88={}), "dataset"),
        (lambda s: s["datasets"].update({"ring-8": {"dataset": "ring8"}}), "ring-8"),
        (lambda s: s["datasets"]["ring8"].update(sampels=3), "sampels"),
        (lambda s: s["datasets"]["ring8"].update(network={"name": "mlp", "widht": 3}), "widht"),
        (lambda s: s["datasets"]["ring8"].update(methods={"nsgan": {"critic_rl": 0.1}}), "critic_rl"),
        (lambda s: s["methods"].update(pwgam={}), "method"),
        (lambda s: s["methods"].update(mine={"method": "pwgam"}), "pwgam"),
        (lambda s: s["methods"].update(mine={"method": "pwgan", "cots": 1}), "cots"),
        (lambda s: s["methods"].update(pwgan={"cost": "manhattan"}), "manhattan"),
    ],
)
def test_slips_are_marked(change: Callable[[dict[str, Any]], None], slip: str) -> None:
    with pytest.raises(ValueError):
        parse_study(smoke(change))
    assert any(slip in problem for problem in problems(smoke(change)))
