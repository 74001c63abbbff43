"""What a study says is what is run; what it cannot mean is refused in one line that says where and what else."""

import copy
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pwgan.data.idx import Mnist
from pwgan.data.mixtures import Ring8
from pwgan.extractors import extractors
from pwgan.methods import methods
from pwgan.networks.mlp import MLP
from pwgan.study import (
    DataSetEntry,
    Measures,
    Study,
    parse_study,
    read_study,
)

ROOT = Path(__file__).parents[1]
STUDIES = [ROOT / "config.yaml", *sorted((ROOT / "workflow" / "studies").glob("*.yaml"))]


def put(study, place, value):
    """Return the study with one place of it changed, where ``place`` is a path of keys with dots between."""
    changed = copy.deepcopy(study)
    *parents, last = place.split(".")
    inner = changed
    for key in parents:
        inner = inner.setdefault(key, {})
    inner[last] = value
    return changed


def refusal(study):
    with pytest.raises(ValueError) as caught:
        parse_study(study)
    message = str(caught.value)
    assert "\n" not in message
    return message


def misspelt(names):
    """Yield each name with each of its letters left out, unless that is a name too."""
    for name in names:
        for i in range(1, len(name)):
            slip = name[:i] + name[i + 1 :]
            if slip not in names:
                yield name, slip


LEVELS = {
    "": list(Study.model_fields),
    "datasets.ring8.": [*DataSetEntry.model_fields, *Ring8.model_fields],
    "datasets.ring8.network.": list(MLP.model_fields),
    "measures.": list(Measures.model_fields),
} | {f"methods.{name}.": ["method", *cls.model_fields] for name, cls in methods().items()}


@pytest.mark.fault("malformed studies")
@pytest.mark.parametrize("level", LEVELS)
def test_a_misspelt_key_is_refused_with_the_one_that_was_meant(tiny, level):
    # `method` is no option of a class, so a slip in it is told the nearest of the options.
    for key, slip in misspelt([name for name in LEVELS[level] if name != "method"]):
        message = refusal(put(tiny(methods={name: {} for name in methods()}), level + slip, 1))
        assert f"'{slip}'. Did you mean '{key}'?" in message
        assert level.rstrip(".").split(".")[0] in message


@pytest.mark.fault("malformed studies")
@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        ("colour", 1, ["Study", "'colour'", "Allowed", "batch_sizes"]),
        ("datasets.ring8.colour", 1, ["datasets.ring8", "'colour'", "Allowed", "samples"]),
        ("datasets.ring8.methods.pwgan.generator_rl", 1, ["datasets.ring8.methods.pwgan", "'generator_lr'"]),
        ("datasets.ring8.methods.nsgan.cost", 1, ["datasets.ring8.methods.nsgan", "'cost'", "critic_lr"]),
        ("datasets.ring8.methods.pwgn", {}, ["datasets.ring8.methods", "'pwgn'", "'pwgan'"]),
        ("datasets.ring8.methods.wgan", {}, ["datasets.ring8.methods", "'wgan'", "nsgan, pwgan"]),
        ("datasets.ring8.methods.pwgan.method", "wgann", ["datasets.ring8.methods.pwgan", "'wgann'", "'wgan'"]),
        ("datasets.rign8", {}, ["datasets.rign8", "'ring8'"]),
        ("datasets.mine.dataset", "digitss", ["datasets.mine", "'digitss'", "'digits'"]),
        ("methods.pwgn", {}, ["methods.pwgn", "'pwgan'"]),
        ("methods.mine.method", "wgangp", ["methods.mine", "'wgangp'", "'wgan_gp'"]),
        ("methods.pwgan.cost", "euclid", ["methods.pwgan", "cost", "'euclidean'", "'sqeuclidean'", "'euclid'"]),
        ("datasets.ring8.network.name", "mpl", ["datasets.ring8", "network", "'mpl'", "'mlp'"]),
        ("datasets.ring8.network", {"width": 3}, ["datasets.ring8", "network", "'name'"]),
        ("datasets.ring8.features", "inceptoin", ["datasets.ring8", "features", "'inception'"]),
        ("device", "gpu", ["device", "'cuda'", "'gpu'"]),
        ("methods.pwgan.batch_size", [8], ["methods.pwgan", "'batch_size'", "'batch_sizes'"]),
        ("methods.pwgan.datasets", ["rign8"], ["methods.pwgan.datasets", "'rign8'", "'ring8'"]),
        ("datasets.ring8.methods.pwgan.batch_sizes", [8], ["datasets.ring8.methods.pwgan", "'batch_sizes'"]),
    ],
)
def test_an_unknown_name_is_refused_with_its_place_and_the_valid_ones(tiny, place, value, told):
    message = refusal(put(tiny(), place, value))
    assert [part for part in told if part not in message] == []


@pytest.mark.fault("malformed studies")
@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        ("batch_sizes", [8, 257], ["257", "ring8", "1 to 256"]),
        ("batch_sizes", [0], ["batch_sizes.0", "got 0"]),
        ("batch_sizes", [], ["batch_sizes", "[]"]),
        ("datasets.ring8.batch_sizes", [], ["datasets.ring8", "batch_sizes", "[]"]),
        ("datasets.ring8.batch_sizes", [300], ["300", "ring8", "1 to 256"]),
        ("datasets.ring8.samples", 7, ["mini-batch size 8", "ring8", "1 to 7"]),
        ("datasets.ring8.samples", 0, ["datasets.ring8", "samples", "got 0"]),
        ("datasets.ring8.heldout", 3, ["ring8", "at least 4"]),
        ("datasets.ring8.seeds", 0, ["datasets.ring8", "seeds", "got 0"]),
        ("datasets.ring8.seeds", 3, ["3 seeds", "ring8", "2 or 4"]),
        ("datasets.ring8.seeds", 1, ["1 seeds", "ring8", "nearest: 2,", "set seed_block in datasets.ring8"]),
        ("datasets.ring8.seed_block", 0, ["datasets.ring8", "seed_block", "got 0"]),
        ("datasets.ring8.steps", -1, ["datasets.ring8", "steps", "got -1"]),
        ("datasets.ring8.network", {"name": "mlp", "width": 0}, ["datasets.ring8", "network", "width", "got 0"]),
        ("datasets.ring8.network", {"name": "dcgan"}, ["datasets.ring8", "network", "dcgan", "(2,)", "mlp"]),
        ("datasets.ring8.features", "classifier", ["ring8", "needs images"]),
        ("datasets.ring8.features", "inception", ["ring8", "points", "none"]),
        ("datasets.ring8.features", ["random"], ["random needs images", "ring8", "none"]),
        ("datasets.ring8.features", ["random", "random"], ["datasets.ring8", "features", "once", "['random']"]),
        (
            "datasets.ring8.features",
            ["none"],
            ["datasets.ring8", "features", "'none'", *extractors()],
        ),
        ("measures.groups", ["bias", "bias"], ["measures.groups", "once", "['bias']"]),
        ("measures.groups", [], ["measures.groups", "[]"]),
        ("measures.groups", ["biass"], ["measures.groups", "'bias'", "'biass'"]),
        ("datasets.ring8.methods", {"pwgan": None}, ["datasets.ring8", "methods.pwgan"]),
        ("datasets.ring8.methods.pwgan.generator_lr", 0, ["datasets.ring8.methods.pwgan", "generator_lr", "got 0"]),
        ("datasets.celeba", {"features": "classifier"}, ["celeba", "labels"]),
        ("datasets.bad name", {"dataset": "ring8"}, ["datasets", "'bad name'"]),
        ("datasets.ring8", 3, ["datasets.ring8", "got 3"]),
        ("datasets", {}, ["datasets", "at least 1"]),
        ("datasets", None, ["datasets", "None"]),
        ("methods", {}, ["methods", "at least 1"]),
        ("methods.data", {"method": "pwgan"}, ["'data'", "method"]),
        ("methods.bad/name", {"method": "pwgan"}, ["methods", "'bad/name'"]),
        ("methods.pwgan.generator_lr", math.nan, ["methods.pwgan", "generator_lr", "got nan"]),
        ("methods.pwgan.generator_lr", math.inf, ["methods.pwgan", "generator_lr", "got inf"]),
        ("methods.pwgan.generator_lr", -1e-3, ["methods.pwgan", "generator_lr", "got -0.001"]),
        ("methods.nsgan.critic_steps", 0, ["methods.nsgan", "critic_steps", "got 0"]),
        ("methods.nsgan.betas", [0.5, 1.0], ["methods.nsgan", "betas.1", "got 1.0"]),
        ("methods.pwgan.batch_sizes", [16], ["methods.pwgan.batch_sizes", "16", "[8]"]),
        ("methods.pwgan.batch_sizes", [], ["methods.pwgan", "batch_sizes", "[]"]),
        ("seeds", 0, ["seeds", "got 0"]),
        ("seeds", 3, ["3 seeds", "2 or 4"]),
        ("seed_block", 0, ["seed_block", "got 0"]),
        ("steps", -1, ["steps", "got -1"]),
        ("steps", 1.5, ["steps", "got 1.5"]),
        ("evaluate_every", 0, ["evaluate_every", "got 0"]),
        ("evaluation_points", 0, ["evaluation_points", "got 0"]),
        ("threads", 0, ["threads", "got 0"]),
        ("study", "a/b", ["study", "'a/b'"]),
        ("measures.ewd_points", 0, ["measures.ewd_points", "got 0"]),
        ("measures.bias_points", 3, ["measures.bias_points", "got 3"]),
        ("measures.bias_samplers", ["random", "dpp", "random"], ["bias_samplers", "once", "['random', 'dpp']"]),
        ("measures.feature_samples", 3, ["measures.feature_samples", "got 3"]),
        ("measures", None, ["measures", "None"]),
    ],
)
def test_an_invalid_value_is_refused_with_its_location_and_value(tiny, place, value, told):
    message = refusal(put(tiny(), place, value))
    assert [part for part in told if part not in message] == []


@pytest.mark.fault("malformed studies")
@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("seeds", True),
        ("batch_sizes", [True, 8]),
        ("measures.ewd_points", True),
        ("datasets.ring8.steps", True),
        ("datasets.ring8.network.width", True),
        ("methods.pwgan.generator_lr", True),
        ("methods.nsgan.betas", [False, 0.9]),
    ],
)
def test_a_truth_value_is_no_number(tiny, place, value):
    study = tiny(methods={"pwgan": {}, "nsgan": {}})
    study["datasets"]["ring8"]["network"] = {"name": "mlp"}
    message = refusal(put(study, place, value))
    assert [part for part in [*place.split("."), "expected a number", f"got {value}"] if part not in message] == []


def test_a_truth_value_is_an_option_that_is_one(tiny, tmp_path):
    for name in Mnist.needed:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    study = put(tiny(), "datasets.digits28", {"dataset": "mnist", "download": False, "root": str(tmp_path)})
    assert parse_study(study).data_set("digits28").download is False


def test_labels_of_points_are_refused_before_anything_runs(tiny, tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((40, 2), np.float32))
    np.save(tmp_path / "y.npy", np.zeros(40, np.int64))
    mine = {"dataset": "array", "path": str(tmp_path / "x.npy")}
    assert parse_study(tiny(datasets={"mine": mine})).extractors("mine") == []
    assert "mine" in refusal(tiny(datasets={"mine": {**mine, "labels": str(tmp_path / "y.npy")}}))


@pytest.mark.fault("malformed studies")
@pytest.mark.parametrize("key", [key for key, field in Study.model_fields.items() if field.is_required()])
def test_a_missing_key_is_named_and_the_rest_of_the_study_is_not_repeated(tiny, key):
    study = tiny()
    del study[key]
    assert refusal(study) == f"{key}: Field required"


@pytest.mark.fault("malformed studies")
@pytest.mark.parametrize("content", [None, [], "text", 3])
def test_content_that_is_not_a_mapping_is_refused(content):
    assert "dictionary" in refusal(content)


def test_all_errors_are_reported_at_once(tiny):
    message = refusal(tiny(seeds=0, steps=-1))
    assert "seeds" in message and "steps" in message


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_the_studies_of_the_repository_are_sound(path):
    study = read_study(path)
    trained = [cell.training for cell in study.blocks.values()]
    assert {t.dataset for t in trained} == set(study.datasets) and {t.method for t in trained} == set(study.methods)
    for cell in study.data_cells.values():
        assert cell.build() == study.data_set(cell.name)


def test_planning_imports_no_torch():
    code = (
        "import sys\nfrom pwgan.study import read_study\nstudy = read_study('config.yaml')\n"
        "[cell.model_dump_json() for cell in study.blocks.values()]\n"
        "study.references, study.data_cells\n"
        "sys.exit(', '.join({'torch', 'torchvision', 'sklearn', 'scipy'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_signal_needs_a_critic_that_goes_by_its_own_name(tiny):
    with pytest.raises(ValueError, match=r"signal: pwgan: no method with a critic.*ring8 with m = 8"):
        parse_study(tiny(methods={"pwgan": {}, "mine": {"method": "gan"}}, signal=["pwgan"]))
    study = parse_study(tiny(methods={"pwgan": {}, "gan": {}}, signal=["pwgan"]))
    (block,) = (block for block in study.blocks.values() if block.training.method == "pwgan")
    assert [critic.method for critic in study.critics(block.training)] == ["gan"]


def test_methods_with_the_same_critic_loss_have_one_critic_in_the_signal(tiny):
    study = parse_study(tiny(methods={"gdpp": {}, "gan": {}, "wgan": {}, "nsgan": {}, "wgan_gp": {}}, signal=["gan"]))
    (block,) = (block for block in study.blocks.values() if block.training.method == "gan")
    assert [critic.method for critic in study.critics(block.training)] == ["gan", "wgan", "wgan_gp"]
    study = parse_study(tiny(methods={"gdpp": {}, "nsgan": {}}, signal=["gdpp"]))
    block = next(iter(study.blocks.values()))
    assert [critic.method for critic in study.critics(block.training)] == ["gdpp"]


def test_keys_of_figures_are_checked(tiny):
    with pytest.raises(ValueError, match=r"method of this study in highlight.*'pwgn'.*'pwgan'"):
        parse_study(tiny(highlight=["pwgn"]))
    with pytest.raises(ValueError, match=r"figure_formats.*png"):
        parse_study(tiny(figure_formats=["pdf"]))
    assert parse_study(tiny(figure_formats=["png", "pdf"], highlight=["pwgan"])).highlight == ["pwgan"]
