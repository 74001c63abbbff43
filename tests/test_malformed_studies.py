"""Malformed studies are refused in one line that names the key: keys of every level with values of every wrong kind."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pwgan.__main__ import main
from pwgan.cells import Measures
from pwgan.config_file import study_files
from pwgan.errors import Refused
from pwgan.study import parse_study, read_study

Place = tuple[str | int, ...]

BASE: dict[str, Any] = {
    "study": "tiny",
    "device": "cpu",
    "threads": 1,
    "seeds": 2,
    "seed_block": 2,
    "batch_sizes": [8],
    "steps": 20,
    "evaluate_every": 5,
    "evaluation_points": 32,
    "highlight": ["pwgan"],
    "signal": ["nsgan"],
    "figure_formats": ["png"],
    "datasets": {
        "ring8": {
            "samples": 256,
            "heldout": 64,
            "network": {"name": "mlp", "width": 8, "depth": 2, "latent_dim": 3},
            "features": "none",
            "methods": {"nsgan": {"critic_lr": 0.1}},
        },
        "digits": {"network": {"name": "dcgan", "width": 4, "latent_dim": 3}},
    },
    "methods": {
        "nsgan": {"generator_lr": 0.1, "critic_steps": 1, "betas": [0.5, 0.9], "sampler": "random"},
        "wgan": {"clip": 0.1, "critic_lr": 0.1},
        "wgan_gp": {"penalty": 1.0},
        "pwgan": {"cost": "euclidean", "datasets": ["ring8"], "batch_sizes": [8], "generator_steps": 1},
    },
    "measures": {"bias_samplers": ["random"], "weights": {}},
}
COUNTS = [
    *[(key,) for key in ("threads", "seeds", "seed_block", "steps", "evaluate_every", "evaluation_points")],
    ("batch_sizes", 0),
    *[("datasets", "ring8", key) for key in ("samples", "heldout", "seeds", "seed_block", "steps", "evaluate_every")],
    *[("datasets", "ring8", "network", key) for key in ("depth", "latent_dim")],
    *[("datasets", "digits", "network", key) for key in ("width", "latent_dim")],
    ("methods", "nsgan", "critic_steps"),
    ("methods", "pwgan", "generator_steps"),
    ("methods", "pwgan", "batch_sizes", 0),
    *[("measures", key) for key, field in Measures.model_fields.items() if field.annotation is int],
]
RATES = [
    ("methods", "nsgan", "generator_lr"),
    ("methods", "wgan", "clip"),
    ("methods", "wgan", "critic_lr"),
    ("methods", "wgan_gp", "penalty"),
    ("datasets", "ring8", "methods", "nsgan", "critic_lr"),
    ("methods", "nsgan", "betas", 1),
]
CHOICES = [
    ("device",),
    ("figure_formats", 0),
    ("highlight", 0),
    ("signal", 0),
    ("datasets", "ring8", "features"),
    ("datasets", "ring8", "network", "name"),
    ("methods", "nsgan", "sampler"),
    ("methods", "pwgan", "cost"),
    ("methods", "pwgan", "datasets", 0),
    ("measures", "bias_samplers", 0),
]
MAPPINGS = [
    ("datasets",),
    ("datasets", "ring8", "network"),
    ("datasets", "ring8", "methods"),
    ("datasets", "ring8", "methods", "nsgan"),
    ("methods",),
    ("measures",),
]
LISTS = [("batch_sizes",), ("figure_formats",), ("methods", "pwgan", "datasets"), ("measures", "bias_samplers")]
WRONG = {
    "count": (COUNTS, ["text", [8], {"a": 8}, 0, -1, 1.5, math.nan, math.inf, True, 10**40]),
    "widths": (
        [("datasets", "ring8", "network", "width")],
        ["text", [], [8, 0], {"a": 8}, 0, -1, 1.5, math.nan, True, 10**40],
    ),
    "rate": (RATES, ["text", [0.1], {"a": 0.1}, -1, math.nan, -math.inf, False, 10**400]),
    "choice": (CHOICES, ["Nothing", "", 3, True, ["cpu"], {"a": 1}]),
    "mapping": (MAPPINGS, ["text", 3, [1], True]),
    "list": (LISTS, ["text", 3, {"a": 1}, []]),
}
NAMES = [
    "",
    "a b",
    "a-b",
    "a/b",
    "..",
    "1e3",
    "2026_01",
    "é",
    "{a}",
    "a" * 101,
    "a\n",
    "NaN",
    "nan",
    "None",
    "NA",
    "null",
]
NAMES += ["null", "True", "false", "inf", "yes", "Off", 3, 1.5, True, None]


def put(place: Place, value: Any) -> dict[str, Any]:
    study = copy.deepcopy(BASE)
    inner: Any = study
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return study


def wrong() -> Iterator[tuple[Place, Any]]:
    for places, values in WRONG.values():
        yield from ((place, value) for place in places for value in values)


def keys() -> Iterator[Place]:
    """Yield an unknown key for each mapping of the study, and one of its own keys misspelt."""
    for place in [
        (),
        ("datasets", "ring8"),
        ("datasets", "digits"),
        *MAPPINGS,
        *[("methods", m) for m in BASE["methods"]],
    ]:
        yield (*place, "surprise")
        yield (*place, "studyy")


def renamed(kind: str, name: object) -> dict[str, Any]:
    """Return the study with its name, or that of a data set or method, replaced."""
    study = copy.deepcopy(BASE)
    if kind == "study":
        study["study"] = name
    else:
        study[kind][name] = {kind.removesuffix("s"): "ring8" if kind == "datasets" else "pwgan"}
    return study


def refusal(study: Any) -> str:
    with pytest.raises(Refused) as caught:
        parse_study(study)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 2000, message
    return message


def spelt(place: Place) -> str:
    return ".".join(map(str, place))


def test_the_study_itself_is_sound() -> None:
    assert len(parse_study(BASE).blocks) == 7


@pytest.mark.fault("malformed studies")
@pytest.mark.parametrize(
    ("place", "value"), list(wrong()), ids=lambda part: spelt(part) if isinstance(part, tuple) else None
)
def test_a_wrong_value_is_refused_with_its_key(place: Place, value: Any) -> None:
    message = refusal(put(place, value))
    key = next(part for part in reversed(place) if isinstance(part, str))
    assert key in message


@pytest.mark.fault("malformed studies")
@pytest.mark.parametrize("place", list(keys()), ids=spelt)
def test_an_unknown_key_is_refused_by_name(place: Place) -> None:
    assert str(place[-1]) in refusal(put(place, 1))


@pytest.mark.fault("unusual names and paths")
@pytest.mark.parametrize("kind", ["study", "datasets", "methods"])
@pytest.mark.parametrize("name", NAMES, ids=lambda name: repr(name)[:20])
def test_a_name_that_is_read_as_something_else_is_refused(kind: str, name: object) -> None:
    message = refusal(renamed(kind, name))
    assert kind in message and ("names" in message or "take this name" in message)


@pytest.mark.fault("unusual names and paths")
@pytest.mark.parametrize("name", ["N", "nano", "e1", "a" * 100, "Null_", "inf1", "x__y"])
def test_names_that_only_look_unusual_are_accepted(name: str) -> None:
    for kind in ("study", "datasets", "methods"):
        parse_study(renamed(kind, name))


TEXT = yaml.safe_dump(BASE)
FILES = {
    "a key twice": (TEXT + "seeds: 4\n", "'seeds' is given twice"),
    "a nested key twice": (
        TEXT.replace("    samples: 256\n", "    samples: 256\n    samples: 9\n"),
        "'samples' is given",
    ),
    "a key twice in JSON": ('{"seeds": 2, "steps": 1, "seeds": 4}', "'seeds' is given twice"),
    "a key twice in braces": ("{seeds: 2, steps: 1, seeds: 4}", "'seeds' is given twice"),
    "deep lists": (f"study: {'[' * 1000}{']' * 1000}", "nested too deeply"),
    "deep mappings": (f"{'{a: ' * 3000}1{'}' * 3000}", "nested too deeply"),
    "deep JSON": ('{"a": ' * 5000 + "1" + "}" * 5000, "nested too deeply"),
    "aliases that explode": (
        "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 40)),
        "more than 100000 values",
    ),
    "an alias of itself": ("study: &a [*a]\n", "holds itself"),
    "NUL": (TEXT + "\0", "#x0000"),
    "a tab": (TEXT + "\tseeds: 4\n", "'\\t'"),
    "an unfinished list": ("study: [1, 2\n", "not valid YAML"),
    "two documents": (TEXT + "---\n" + TEXT, "not valid YAML"),
    "a tag of Python": ("study: !!python/object/apply:os.system ['true']\n", "not valid YAML"),
    "an unknown alias": ("study: *nothing\n", "not valid YAML"),
    "an impossible date": ("study: 2026-13-99\n", "not valid YAML"),
    "many digits": (f"seeds: {'9' * 5000}\n", "not valid YAML"),
    "many hexadecimal digits": (TEXT.replace("\nseeds: 2", f"\nseeds: 0x{'f' * 9000}"), "seeds"),
    "an infinite number": (TEXT.replace("\nseeds: 2", "\nseeds: .inf"), "seeds"),
    "no number": (TEXT.replace("\nseeds: 2", "\nseeds: .nan"), "seeds"),
    "a list": ("- study\n", "dictionary"),
    "a text": ("study\n", "dictionary"),
    "nothing": ("", "dictionary"),
    "a key that is a list": ("? [a]\n: 1\n", "not valid YAML"),
    "a key that is a number": (TEXT + "3: 4\n", "3"),
}


@pytest.mark.fault("malformed studies")
@pytest.mark.parametrize("text", FILES)
def test_a_malformed_file_is_refused_in_one_line_with_status_2(text: str, tmp_path, capsys) -> None:
    content, told = FILES[text]
    path = tmp_path / "stu{d}y.yaml"
    path.write_text(content, encoding="utf-8")
    assert main(["blocks", str(path)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and err.startswith(f"pwgan blocks: Refused: {path}: ")
    assert told in err


@pytest.mark.fault("malformed studies")
def test_a_file_in_another_encoding_is_refused(tmp_path) -> None:
    (tmp_path / "study.yaml").write_bytes("# é\n".encode("latin-1") + TEXT.encode())
    with pytest.raises(Refused, match=r"study\.yaml: 'utf-8'"):
        read_study(tmp_path / "study.yaml")


@pytest.mark.fault("malformed studies", count=4)
def test_files_that_only_look_unusual_are_read(tmp_path) -> None:
    merged = TEXT.replace("ring8:\n", "ring8: &ring\n", 1)
    merged = merged.replace("\ndevice:", "\n  copy:\n    <<: *ring\n    dataset: ring8\ndevice:")
    texts = ["\ufeff" + TEXT, TEXT.replace("\n", "\r\n"), yaml.safe_dump(BASE, default_flow_style=True), merged]
    path = tmp_path / "study.yaml"
    for text in texts:
        path.write_bytes(text.encode())
        assert set(read_study(path).methods) == set(BASE["methods"])
    assert read_study(path).data_set("copy").train_size() == 256


def test_the_study_is_the_given_file_or_that_of_the_folder_or_that_of_the_workflow(tmp_path, monkeypatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    (tmp_path / "config.yaml").write_text(TEXT)
    assert study_files([], tmp_path) == [tmp_path / "config.yaml"]
    Path("config.yaml").write_text(TEXT)
    assert study_files([], tmp_path) == [Path("config.yaml")]
    assert study_files([tmp_path / "config.yaml"], tmp_path) == [tmp_path / "config.yaml"]
    Path("config.yaml").write_text(TEXT + "seeds: 3\n")
    with pytest.raises(Refused, match=r"config\.yaml: .*'seeds' is given twice"):
        study_files([], tmp_path)


@pytest.mark.fault("unusual names and paths")
def test_a_workflow_in_a_folder_with_braces_is_refused(tmp_path) -> None:
    with pytest.raises(Refused, match="rename"):
        study_files([], tmp_path / "{set}")
