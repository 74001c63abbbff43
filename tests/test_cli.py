"""The command line: what is printed without torch, and how a slip is answered."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

from pwgan import __version__
from pwgan.__main__ import main
from pwgan.errors import Refused
from pwgan.study import read_study

ROOT = Path(__file__).parents[1]


def python(code, *arguments, **options):
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, **options)


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["blocks", "config.yaml"], ["schema"]])
def test_what_needs_no_torch_imports_none(arguments):
    code = (
        "import sys\nfrom pwgan.__main__ import main\n"
        "try:\n    status = main(sys.argv[1:])\nexcept SystemExit as end:\n    status = end.code\n"
        "sys.exit(status or ', '.join({'torch', 'torchvision', 'sklearn', 'scipy', 'pandas'} & set(sys.modules)) or 0)"
    )
    done = python(code, *arguments, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "") and done.stdout


def test_help_names_every_verb(capsys):
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    assert end.value.code == 0
    told = capsys.readouterr().out
    for verb in ("blocks", "schema", "data", "classifier", "train", "measure", "signal", "reference", "aggregate"):
        assert verb in told


def test_blocks_are_listed_a_line_each(capsys):
    assert main(["blocks", str(ROOT / "config.yaml")]) == 0
    assert capsys.readouterr().out.splitlines() == list(read_study(ROOT / "config.yaml").blocks)


def test_the_schema_is_json(capsys):
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "pwgan study"


def test_the_version_is_printed(capsys):
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0 and capsys.readouterr().out == f"pwgan {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["blocks", "none.yaml"], "none.yaml"),
        (["blocks", "."], "directory"),
        (["blocks", "broken.yaml"], "broken.yaml: not valid YAML: mapping values are not allowed here"),
        (["blocks", "slip.yaml"], "Did you mean 'seeds'?"),
        (["train", "ring8", "--data", "x", "--output", "y"], "'ring8' is neither JSON nor STUDY.yaml:DATASET"),
        (["train", "{}", "--data", "x", "--output", "y"], "dataset: Field required"),
        (["train", "good.yaml:ring8/pwgn/m8/seeds0-1", "--data", "x", "--output", "y"], "'ring8/pwgan/m8/seeds0-1'"),
        (["train", "good.yaml:ring8/pwgan/m8/seeds0-1", "--data", "x", "--output", "y"], "no stored data at x"),
        (["measure", "{]", "--data", "x", "--output", "y"], "JSON"),
        (["measure", "good.yaml:ring8/pwgan/m8/seeds0-1", "--data", "x", "--output", "y"], "no stored data at x"),
        (["reference", "{}", "--data", "x", "--output", "y"], "Field required"),
        (["data", "good.yaml:rign8/seeds0-1", "--output", "x"], "Did you mean 'ring8/seeds0-1'?"),
        (["data", '{"name": "a", "source": "rign8", "options": {}}', "--output", "x"], "'ring8'"),
        (["data", '{"name": "a", "source": "ring8", "options": {"sampels": 1}}', "--output", "x"], "'samples'"),
        (["classifier", "--data", "good.yaml", "--output", "x"], "good.yaml"),
        (["aggregate", "--output", "x", "--data", "x", "--cells", "none"], "none"),
        (["tables", "--results", "none", "--output", "x"], "none"),
        (["figures", "--results", "none", "--output", "x"], "none"),
    ],
)
def test_a_user_error_prints_one_line_with_status_2(tiny, tmp_path, monkeypatch, capsys, arguments, told):
    monkeypatch.chdir(tmp_path)
    Path("good.yaml").write_text(yaml.safe_dump(tiny()))
    Path("slip.yaml").write_text(yaml.safe_dump(tiny(sedes=3)))
    Path("broken.yaml").write_text("study: a\n seeds: 1\n")
    before = sorted(path.name for path in tmp_path.iterdir())
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and err.endswith("\n")
    assert err.startswith(f"pwgan {arguments[0]}: ") and told in err
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_a_multi_line_error_prints_one_line(monkeypatch, capsys):
    def fail(options):
        raise Refused("first\n  second")

    monkeypatch.setattr("pwgan.stages.schema", fail)
    assert main(["schema"]) == 2
    assert capsys.readouterr().err == "pwgan schema: Refused: first second\n"


@pytest.mark.parametrize("kind", [RuntimeError, ValueError, KeyError, TypeError])
def test_a_bug_keeps_its_traceback(monkeypatch, kind):
    def fail(options):
        raise kind("shapes do not match")

    monkeypatch.setattr("pwgan.stages.schema", fail)
    with pytest.raises(kind, match="shapes"):
        main(["schema"])


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["train"], ["blocks", "a", "b"]])
def test_wrong_usage_has_status_2_too(arguments, capsys):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2 and "usage: pwgan" in capsys.readouterr().err


def test_no_traceback_reaches_the_user():
    done = subprocess.run([sys.executable, "-m", "pwgan", "blocks", "none.yaml"], capture_output=True, text=True)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr == "pwgan blocks: FileNotFoundError: [Errno 2] No such file or directory: 'none.yaml'\n"


def test_a_missing_gpu_is_reported(tiny, ring8, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    study = tmp_path / "tiny.yaml"
    study.write_text(yaml.safe_dump(tiny()))
    cell = f"{study}:ring8/pwgan/m8/seeds0-1"
    assert main(["train", cell, "--data", str(ring8), "--device", "cuda", "--output", str(tmp_path / "run")]) == 2
    assert "torch finds no GPU" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
