"""What a study needs and cannot have is refused when it is planned: memory, weights, files."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import save_file

from pwgan import optional, requirements
from pwgan.__main__ import main
from pwgan.data.idx import Mnist
from pwgan.errors import Refused
from pwgan.extractors.inception import Inception
from pwgan.extractors.weights import cached, download
from pwgan.networks import networks
from pwgan.requirements import STATE, require_memory, require_weights
from pwgan.study import parse_study, read_study

ROOT = Path(__file__).parents[1]
SHAPES = {"mlp": (1, 8, 8), "maxout": (1, 8, 8), "dcgan": (3, 16, 16), "resnet": (3, 16, 16)}


@pytest.mark.parametrize("name", networks())
@pytest.mark.parametrize("options", [{"width": 4}, {"width": 32, "latent_dim": 5}, {"width": 64}])
def test_the_number_of_weights_is_never_overestimated(name: str, options: dict[str, int]) -> None:
    network = networks()[name].model_validate(options)
    built = network.build(range(1), SHAPES[name], "batch")
    true = sum(parameter.numel() for module in built for parameter in module.parameters())
    assert true / 40 < network.weights(SHAPES[name]) <= true


def test_the_state_of_a_weight_is_what_adam_keeps() -> None:
    weight = torch.nn.Parameter(torch.zeros(1000))
    optimiser = torch.optim.Adam([weight])
    weight.sum().backward()
    optimiser.step()
    kept = [weight, weight.grad, *(value for value in optimiser.state[weight].values() if value.numel() > 1)]
    assert sum(tensor.numel() * tensor.element_size() for tensor in kept) == 1000 * STATE


@pytest.mark.fault("malformed studies")
@pytest.mark.parametrize(
    ("place", "change"),
    [
        ("datasets.ring8.network", {"network": {"name": "mlp", "width": 10**6}}),
        ("datasets.digits.network", {"dataset": "digits", "network": {"name": "dcgan", "width": 10**5}}),
        ("datasets.ring8", {"samples": 10**13}),
        ("datasets.mnist", {"dataset": "celeba", "size": 10**5, "network": {"name": "mlp"}}),
    ],
)
def test_what_no_machine_can_hold_is_refused_with_its_size(tiny, place, change) -> None:
    name = place.split(".")[1]
    study = tiny(datasets={name: change})
    with pytest.raises(Refused, match=rf"{place}.* GB of memory; allowed: .* GB"):
        parse_study(study)


def test_the_draws_of_all_seeds_of_a_block_must_fit(tiny, monkeypatch) -> None:
    monkeypatch.setattr(requirements, "machine_memory", lambda: 8 * 10**9)
    many = {"ring8": {"samples": 10**11}}
    parse_study(tiny(datasets=many, seeds=2, seed_block=1))
    with pytest.raises(Refused, match=r"to hold 100000000000 samples .* for 2 seeds needs at least 400 GB of memory"):
        parse_study(tiny(datasets=many, seeds=2, seed_block=2))


def test_memory_is_refused_above_what_the_largest_machines_have(monkeypatch) -> None:
    monkeypatch.setattr(requirements, "machine_memory", lambda: 8 * 10**9)
    require_memory(requirements.LARGEST, "a network")
    with pytest.raises(Refused, match="a network needs at least 276 GB of memory; allowed: 274 GB"):
        require_memory(276 * 10**9, "a network")
    monkeypatch.setattr(requirements, "machine_memory", lambda: 500 * 10**9)
    require_memory(276 * 10**9, "a network")


@pytest.mark.fault("unusual environments")
def test_a_network_larger_than_the_machine_is_refused_at_its_start(tiny, ring8, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(requirements, "machine_memory", lambda: 10**9)
    study = tiny(methods={"pwgan": {}})
    study["datasets"]["ring8"]["network"] |= {"width": 20_000}
    (block,) = parse_study(study).blocks.values()
    arguments = ["--data", str(ring8), "--device", "cpu", "--output", str(tmp_path / "block")]
    assert main(["train", block.training.model_dump_json(), *arguments]) == 2
    assert "training 2 seeds of these networks at once needs at least 25 GB" in capsys.readouterr().err
    assert not (tmp_path / "block").exists()


@pytest.mark.fault("malformed studies")
def test_seeds_beyond_any_workflow_are_refused_before_they_are_listed(tiny) -> None:
    with pytest.raises(Refused, match="2000000000 seeds of ring8 in blocks of 2 make 2000000000 jobs"):
        parse_study(tiny(seeds=2 * 10**9))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    np.save(tmp_path / "x.npy", np.zeros((80, 1, 8, 8), np.uint8))
    return tmp_path / "x.npy"


def inception(tiny, pictures: Path, weights: Path):
    study = tiny(datasets={"mine": {"dataset": "array", "path": str(pictures), "features": "inception"}})
    study["measures"]["weights"] = {"inception": str(weights)}
    return study


def truncated(path: Path) -> None:
    torch.save({"weight": torch.zeros(1000)}, path)
    path.write_bytes(path.read_bytes()[:-100])


def archive_without_weights(path: Path) -> None:
    path.write_text("<html>404</html>")


@pytest.mark.fault("malformed studies")
@pytest.mark.parametrize("make", [truncated, archive_without_weights, Path.touch, Path.mkdir, lambda path: None])
def test_what_is_no_file_of_weights_is_refused_when_planned(tiny, pictures, tmp_path, make) -> None:
    make(tmp_path / "weights.pth")
    with pytest.raises(Refused, match=r"measures\.weights\.inception: .*weights\.pth"):
        parse_study(inception(tiny, pictures, tmp_path / "weights.pth"))


@pytest.mark.parametrize("zipped", [True, False])
def test_weights_saved_by_torch_are_accepted_and_not_unpickled(tiny, pictures, tmp_path, zipped) -> None:
    class Bomb:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "exploded"),))

    torch.save({"weight": Bomb()}, tmp_path / "weights.pth", _use_new_zipfile_serialization=zipped)
    assert zipfile.is_zipfile(tmp_path / "weights.pth") == zipped
    require_weights(tmp_path / "weights.pth", "key")
    parse_study(inception(tiny, pictures, tmp_path / "weights.pth"))
    assert not (tmp_path / "exploded").exists()


@pytest.mark.fault("malformed studies", count=3)
def test_a_part_of_a_safetensors_file_is_refused_when_planned(tiny, pictures, tmp_path) -> None:
    path = tmp_path / "weights.safetensors"
    save_file({"weight": torch.zeros(1000)}, path)
    parse_study(inception(tiny, pictures, path))
    whole = path.read_bytes()
    for damaged in (whole[:-4], b"\xff" * 100, whole[:8] + b"[]"):
        path.write_bytes(damaged)
        with pytest.raises(Refused, match=r"measures\.weights\.inception: .*weights\.safetensors"):
            parse_study(inception(tiny, pictures, path))


def test_weights_are_downloaded_once_and_planning_says_so(tiny, pictures, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    torch.save({}, tmp_path / "published")
    digits = hashlib.sha256((tmp_path / "published").read_bytes()).hexdigest()[:8]
    monkeypatch.setattr(Inception, "url", f"https://example.org/weights-2015-{digits}.pth")
    study = inception(tiny, pictures, tmp_path)
    study["measures"]["weights"] = {}
    _, note = parse_study(study).notes
    assert "features: inception" in note and str(Inception.url) in note and "measures.weights.inception" in note
    file = cached(str(Inception.url))
    file.parent.mkdir(parents=True)
    shutil.copy(tmp_path / "published", file)
    assert len(parse_study(study).notes) == 1
    torch.save({"weight": torch.zeros(10)}, file)
    with pytest.raises(Refused, match=rf"{file} is not the file of {Inception.url}.*published {digits}"):
        parse_study(study)
    with pytest.raises(Refused, match=f"published {digits}"):
        download("inception", str(Inception.url))
    file.write_bytes(file.read_bytes()[:-50])
    with pytest.raises(Refused, match=rf"features: inception: {file}"):
        parse_study(study)


def test_too_few_images_for_the_features_are_told(tiny, pictures, tmp_path) -> None:
    torch.save({}, tmp_path / "weights.pth")
    study = inception(tiny, pictures, tmp_path / "weights.pth")
    (note,) = parse_study(study).notes
    assert "inception has 2048 features, and 8 images are compared" in note
    study["measures"]["feature_reference"] = "train"
    (note,) = parse_study(study).notes
    assert "inception has 2048 features, and 32 images are compared" in note
    study["datasets"] = {"digits": {"features": "random"}}
    study["measures"] = {"feature_samples": 65}
    assert parse_study(study).notes == []
    study["measures"] |= {"fd_infinity": True}
    (note,) = parse_study(study).notes
    assert "random has 64 features, and 65 images" in note and "fd_infinity needs 4 images for each feature" in note
    study["measures"] |= {"feature_samples": 256}
    assert parse_study(study).notes == []


@pytest.mark.fault("malformed studies")
def test_weights_of_another_network_are_refused_before_training(tiny, pictures, tmp_path, capsys) -> None:
    pytest.importorskip("torch_fidelity", reason="needs pwgan[fidelity]")
    torch.save({"weight": torch.zeros(3)}, tmp_path / "weights.pth")
    study = parse_study(inception(tiny, pictures, tmp_path / "weights.pth"))
    block = next(iter(study.blocks.values()))
    (cell,) = study.data_cells.values()
    spec = cell.model_dump_json()
    assert main(["data", spec, "--output", str(tmp_path / "data.safetensors")]) == 0
    given = ["--data", str(tmp_path / "data.safetensors"), "--device", "cpu", "--output", str(tmp_path / "block")]
    assert main(["block", block.model_dump_json(), *given]) == 2
    assert "holds other weights than those of torch-fidelity's Inception" in capsys.readouterr().err
    assert not (tmp_path / "block/run.json").exists() and not (tmp_path / "block/checkpoint.pt").exists()


@pytest.mark.fault("malformed studies", count=4)
def test_extractors_that_cannot_read_the_data_are_refused_when_planned(tiny, tmp_path) -> None:
    def study(**options):
        return tiny(datasets={"mine": {"dataset": "array", "path": str(tmp_path / "x.npy"), **options}})

    def told(features: str) -> str:
        with pytest.raises(Refused) as caught:
            parse_study(study(features=features))
        return str(caught.value)

    np.save(tmp_path / "x.npy", np.zeros((300, 3, 8, 8), np.uint8))
    for name in ("classifier", "classifier_heldout"):
        assert f"datasets.mine: features: {name} needs labels" in told(name)
    assert "measures.weights.dinov2" in told("dinov2")
    assert "allowed: dinov2, effnet, inception, random, none" in told("classifier")
    parse_study(study(features="random"))
    few = {"mnist": {"heldout": 199, "features": "classifier_heldout", "network": {"name": "mlp"}}}
    with pytest.raises(Refused, match="at least 100; 199 are held out"):
        parse_study(tiny(datasets=few))
    few["mnist"]["heldout"] = 200
    parse_study(tiny(datasets=few))


def test_missing_packages_are_refused_when_planned_but_not_by_training(tiny, pictures, tmp_path, monkeypatch) -> None:
    torch.save({}, tmp_path / "weights.pth")
    study = parse_study(inception(tiny, pictures, tmp_path / "weights.pth"))
    random = parse_study(tiny(datasets={"digits": {"features": "random"}}))
    parse_study(tiny()).require_packages()
    monkeypatch.setattr(optional, "find_spec", lambda name: None)
    with pytest.raises(Refused, match=r"datasets\.mine\.features: inception needs torch_fidelity.*pwgan\[fidelity\]"):
        study.require_packages()
    with pytest.raises(Refused, match=r"datasets\.digits\.features: random needs torch_fidelity"):
        random.require_packages()
    parse_study(tiny()).require_packages()


@pytest.mark.fault("unusual names and paths", count=2)
def test_a_root_without_the_files_is_refused_when_planned_unless_they_may_be_downloaded(tiny, tmp_path) -> None:
    def study(**options):
        return tiny(datasets={"mnist": {"network": {"name": "mlp"}, **options}})

    with pytest.raises(FileNotFoundError, match=r"mnist.*nowhere"):
        parse_study(study(root=str(tmp_path / "nowhere")))
    with pytest.raises(FileNotFoundError, match=Mnist.needed[0]):
        parse_study(study(root=str(tmp_path), download=False))
    parse_study(study(root=str(tmp_path)))


@pytest.mark.fault("unusual names and paths", count=2)
def test_an_error_of_a_data_set_is_not_one_of_its_network(tiny, tmp_path) -> None:
    (tmp_path / "x.npy").write_text("no array")
    with pytest.raises(Refused, match=r"x\.npy") as caught:
        parse_study(tiny(datasets={"mine": {"dataset": "array", "path": str(tmp_path / "x.npy")}}))
    assert "network" not in str(caught.value)
    np.save(tmp_path / "x.npy", np.zeros((80, 3, 9, 9), np.uint8))
    with pytest.raises(Refused, match=r"datasets\.mine: network: dcgan"):
        parse_study(tiny(datasets={"mine": {"dataset": "array", "path": str(tmp_path / "x.npy")}}))


def test_options_without_effect_are_told(tiny) -> None:
    study = tiny()
    study["datasets"] |= {"digits": {"methods": {"nsgan": {"critic_lr": 0.1}, "pwgan": {"generator_lr": 0.1}}}}
    study["methods"]["nsgan"] = {"datasets": ["ring8"]}
    study["measures"]["feature_samples"] = 400  # few enough would be told, too
    (note,) = parse_study(study).notes
    assert "datasets.digits.methods.nsgan" in note and "not trained on digits" in note
    study = tiny()
    study["measures"]["weights"] = {"inception": "weights.pth"}
    (note,) = parse_study(study).notes
    assert note.startswith("measures.weights.inception: ")
    assert parse_study(tiny()).notes == []


@pytest.mark.fault("unusual environments")
@pytest.mark.parametrize("locale", ["C", "en_US.ISO-8859-1"])
def test_studies_are_read_as_utf_8_in_every_locale(tiny, tmp_path, locale) -> None:
    text = "# Größe, 大きさ\n" + yaml.safe_dump(tiny())
    (tmp_path / "study.yaml").write_text(text, encoding="utf-8")
    environment = os.environ | {
        "LC_ALL": locale,
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", "pwgan", "blocks", "study.yaml"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == list(read_study(tmp_path / "study.yaml").blocks)


@pytest.mark.fault("unusual environments")
def test_kernels_are_kept_in_a_temporary_folder_where_no_other_can_be_written_to(tmp_path) -> None:
    """A file in the place of a folder stops even root, who may write everywhere else."""
    solvers = tmp_path / "pwgan/transport/solvers"
    solvers.mkdir(parents=True)
    for package in (tmp_path / "pwgan", tmp_path / "pwgan/transport"):
        (package / "__init__.py").touch()
    for module in ("compiled.py", "runtime.py", "errors.py", "lazy.py"):
        (tmp_path / "pwgan" / module).write_bytes((ROOT / "pwgan" / module).read_bytes())
    for module in ("__init__.py", "vector.py"):
        (solvers / module).write_bytes((ROOT / "pwgan/transport/solvers" / module).read_bytes())
    for folder in (tmp_path / "pwgan", solvers):
        (folder / "__pycache__").touch()
    (tmp_path / "home").touch()
    (tmp_path / "tmp").mkdir()
    cleared = {key: value for key, value in os.environ.items() if key not in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME")}
    environment = cleared | {
        "HOME": str(tmp_path / "home"),
        "TMPDIR": str(tmp_path / "tmp"),
        "PYTHONPATH": str(tmp_path),
    }
    code = "import pwgan.transport.solvers.vector, numba; print(numba.config.CACHE_DIR)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    folder = Path(done.stdout.strip())
    assert folder.parent == tmp_path / "tmp" and folder.stat().st_mode & 0o777 == 0o700
