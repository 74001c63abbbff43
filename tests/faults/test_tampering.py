"""Files of results that were damaged or misplaced are refused by their readers in one line that says what to do."""

import os
import random
import shutil

import numpy as np
import pytest
import torch

from pwgan.data.store import read_data
from pwgan.errors import Refused
from pwgan.measures.classifier import load_classifier
from pwgan.report.aggregate import write_aggregates
from pwgan.report.frames import read
from pwgan.report.pictures import stored
from pwgan.seals import read_json, read_table, read_tensors
from pwgan.training.checkpoint import load_checkpoint, save_checkpoint
from pwgan.training.loop import Trainer
from pwgan.training.run import load_generator, read_run

CPU = torch.device("cpu")
FLIPS = 12  # flipped bits tried of each file, beside the damages below


def flipped(content, chance):
    """Flip one bit of one byte."""
    at, changed = chance.randrange(len(content)), bytearray(content)
    changed[at] ^= 1 << chance.randrange(8)
    return bytes(changed)


def damages(content, chance):
    """Return the contents of a file after damages of every kind."""
    half = len(content) // 2
    return [
        *(flipped(content, chance) for _ in range(FLIPS)),
        # Most of a file is payload: the first and the last bytes, which its format needs, are tried by themselves.
        flipped(content[:64], chance) + content[64:],
        content[:-64] + flipped(content[-64:], chance),
        b"",
        content[:1],
        content[:half],
        content[:-1],
        content + b"\0",
        content + content,
        content[half:],
        bytes(half) + content[half:],
        content[:half] + bytes(len(content) - half),
        chance.randbytes(len(content)),
        b"{}",
        b"nonsense\n",
    ]


COUNT = FLIPS + 14


@pytest.fixture(scope="module")
def study(whole, tmp_path_factory):
    return whole.copy(tmp_path_factory.mktemp("tampered") / "study")


@pytest.fixture(scope="module")
def readers(study):
    """Return for each file of results how it is read, relative to the folder of results."""
    results, place = study.root / "results", next(iter(study.study.blocks))
    cell, block = study.study.blocks[place].training, results / place

    def table(name, of=cell.identity):
        return lambda: read_table(block / f"{name}.parquet", name, of).to_pydict()

    made = {
        "data/shades.safetensors": lambda: vars(read_data(results / "data/shades.safetensors")),
        "data/shades-classifier.safetensors": lambda: load_classifier(
            results / "data/shades-classifier.safetensors", "shades"
        )[0].state_dict(),
        f"{place}/run.json": lambda: read_run(block, cell),
        f"{place}/generator.safetensors": lambda: load_generator(
            block / "generator.safetensors", cell, CPU
        ).state_dict(),
        f"{place}/snapshots.safetensors": lambda: read_tensors(
            block / "snapshots.safetensors", "snapshots", cell.identity
        )[0],
        f"{place}/samples.npy": lambda: stored(block, "samples"),
        f"{place}/interpolation.npy": lambda: stored(block, "strips"),
        f"{place}/measures.json": lambda: read_json(block / "measures.json", "costs", cell.identity),
        "runs.parquet": lambda: read(results, "runs").to_dict("list"),
        "measures.parquet": lambda: read(results, "measures").to_dict("list"),
    }
    names = ("history", "ranking", "measures", "bias", "mode_steps", "interpolation", "signal")
    return results, made | {f"{place}/{name}.parquet": table(name) for name in names}


FILES = [
    "data/shades.safetensors",
    "data/shades-classifier.safetensors",
    "runs.parquet",
    "measures.parquet",
    *(f"BLOCK/{name}" for name in ("run.json", "generator.safetensors", "snapshots.safetensors", "samples.npy")),
    *(f"BLOCK/{name}" for name in ("interpolation.npy", "measures.json", "history.parquet", "ranking.parquet")),
    *(f"BLOCK/{name}.parquet" for name in ("measures", "bias", "mode_steps", "interpolation", "signal")),
]


@pytest.fixture(params=FILES)
def file(request, study, readers):
    """Return a file and the function that reads it; the file is put back afterwards."""
    results, made = readers
    name = request.param.replace("BLOCK", next(iter(study.study.blocks)))
    path, content = results / name, (results / name).read_bytes()
    yield path, made[name]
    if path.is_dir():
        path.rmdir()
    path.write_bytes(content)


def refuses(read, path):
    """Check that a file is refused in one line that names it and says what to do."""
    with pytest.raises(Refused, match="delete it, and run the stage that writes it again") as refusal:
        read()
    assert str(path) in str(refusal.value) and "\n" not in str(refusal.value)


@pytest.mark.fault("tampered results", count=COUNT + 1)
def test_a_damaged_file_is_refused(file):
    path, read = file
    read()
    contents = damages(path.read_bytes(), random.Random(path.name))
    assert len(contents) == COUNT
    for content in contents:
        path.write_bytes(content)
        refuses(read, path)
    path.unlink()
    path.mkdir()
    refuses(read, path)


@pytest.mark.fault("tampered results")
def test_a_whole_file_of_another_kind_is_refused(file, study):
    path, read = file
    block = study.root / "results" / next(iter(study.study.blocks))
    shutil.copy(block / ("ranking.parquet" if path.name == "history.parquet" else "history.parquet"), path)
    refuses(read, path)


@pytest.mark.fault("tampered results")
@pytest.mark.parametrize("file", [name for name in FILES if "BLOCK" in name and "signal" not in name], indirect=True)
def test_the_same_file_of_another_method_is_refused(file, study):
    path, read = file
    _, other = study.study.blocks
    shutil.copy(study.root / "results" / other / path.name, path)
    with pytest.raises(Refused, match="belongs to another cell"):
        read()


@pytest.mark.fault("tampered results", count=2)
def test_results_of_two_blocks_that_changed_places_are_not_joined(study, tmp_path):
    copy = study.copy(tmp_path / "study")
    results, (place, other) = copy.root / "results", study.study.blocks
    for name in ("measures.parquet", "bias.parquet"):
        os.rename(results / place / name, results / "aside")
        os.rename(results / other / name, results / place / name)
        os.rename(results / "aside", results / other / name)
    data = [results / "data/shades.safetensors", results / "data/shades-classifier.safetensors"]
    with pytest.raises(Refused, match="belongs to another cell"):
        write_aggregates([results / place, results / other, results / "shades/data/seeds0-1"], data, [], results)
    shutil.rmtree(results / other)
    shutil.copytree(results / place, results / other)
    with pytest.raises(Refused, match="hold results of the same block"):
        write_aggregates([results / place, results / other, results / "shades/data/seeds0-1"], data, [], results)


@pytest.fixture(scope="module")
def checkpoint(study, tmp_path_factory):
    """Return the trainer of a block, its state after training, and the file that holds it."""
    cell = next(iter(study.study.blocks.values())).training
    data = read_data(study.root / "results/data/shades.safetensors")
    path = tmp_path_factory.mktemp("checkpoint") / "checkpoint.pt"
    trained = Trainer(cell, data, CPU)
    state = trained.run(path)
    save_checkpoint(path, cell, state)
    return Trainer(cell, data, CPU), path.read_bytes()


@pytest.mark.fault("tampered checkpoints", count=10 * FLIPS + 14)
def test_a_damaged_checkpoint_is_set_aside_and_nothing_of_it_is_loaded(checkpoint, tmp_path, caplog):
    trainer, content = checkpoint
    before = [parameter.clone() for parameter in trainer.state.nets.generator.parameters()]
    path, chance = tmp_path / "checkpoint.pt", random.Random(0)
    contents = [*damages(content, chance), *(flipped(content, chance) for _ in range(9 * FLIPS))]
    assert len(contents) == 10 * FLIPS + 14
    for damaged in contents:
        caplog.clear()
        path.write_bytes(damaged)
        assert not load_checkpoint(path, trainer.cell, trainer.state, CPU)
        assert path.with_name("checkpoint.damaged").read_bytes() == damaged and not path.exists()
        assert caplog.text.count("starting from scratch") == 1 and str(path) in caplog.text
    after = list(trainer.state.nets.generator.parameters())
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True)) and trainer.state.step == 0
    path.write_bytes(content)
    assert load_checkpoint(path, trainer.cell, trainer.state, CPU) and trainer.state.step == trainer.cell.steps


@pytest.mark.fault("tampered checkpoints", count=2)
def test_a_folder_or_another_file_in_the_place_of_a_checkpoint_does_not_block_training(whole, tmp_path, forked):
    study = whole.copy(tmp_path / "study")
    block = study.root / "results" / next(iter(study.study.blocks))
    for nonsense in ("folder", "file"):
        (block / "history.parquet").unlink()
        if nonsense == "folder":
            (block / "checkpoint.pt").mkdir()
        else:
            shutil.copy(block / "samples.npy", block / "checkpoint.pt")
            (block / "checkpoint.damaged").rmdir()
        assert forked(lambda: study.run("train")).status == 0
        assert (block / "checkpoint.damaged").exists() and not (block / "checkpoint.pt").exists()
    (block / "checkpoint.damaged").unlink()
    assert study.files() == whole.files()


def test_other_programs_read_the_files(study):
    """Whoever has torch, NumPy, pandas or safetensors opens them as ever."""
    import json

    import pandas as pd
    from safetensors.torch import load_file

    results = study.root / "results"
    block = results / next(iter(study.study.blocks))
    assert (
        np.load(block / "samples.npy").shape == np.load(block / "samples.npy", mmap_mode="r").shape == (2, 64, 1, 8, 8)
    )
    assert len(pd.read_parquet(block / "history.parquet")) and len(pd.read_parquet(results / "runs.parquet"))
    assert load_file(block / "generator.safetensors") and load_file(results / "data/shades.safetensors")
    assert json.loads((block / "run.json").read_text())["seal"].startswith("pwgan-seal:run:")
