"""A tiny study run by hand, verb after verb, from data to figures; and the frames that its results are joined into."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from pwgan.__main__ import main
from pwgan.batches.base import random_order
from pwgan.data.store import read_data
from pwgan.report import aggregate, plugins
from pwgan.report.aggregate import write_aggregates
from pwgan.report.frames import COLUMNS
from pwgan.study import read_study

DIVERGED = "wild"


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    """Run a tiny study from data to figures by hand; the method ``wild`` diverges. Returns the study and its folder."""
    root = tmp_path_factory.mktemp("chain")
    rng = np.random.default_rng(0)
    labels = np.arange(160) % 2
    images = (0.8 * (labels - 0.5)[:, None, None, None] + rng.uniform(-0.5, 0.5, (160, 1, 8, 8))).astype(np.float32)
    np.save(root / "images.npy", images)
    np.save(root / "labels.npy", labels)
    shades = {
        "dataset": "array",
        "path": str(root / "images.npy"),
        "labels": str(root / "labels.npy"),
        "heldout_fraction": 0.3,
        "network": {"name": "dcgan", "width": 2, "latent_dim": 3},
        "seeds": 2,
    }
    ring = {"samples": 256, "heldout": 64, "network": {"name": "mlp", "width": 8, "depth": 2, "latent_dim": 3}}
    content = {
        "study": "chain",
        "device": "cpu",
        "seeds": 4,
        "seed_block": 2,
        "batch_sizes": [8],
        "steps": 20,
        "evaluate_every": 10,
        "evaluation_points": 24,
        "datasets": {"ring8": ring, "shades": shades},
        "methods": {"nsgan": {}, "pwgan": {}, DIVERGED: {"method": "pwgan", "generator_lr": 1e30}},
        "measures": {"ewd_points": 32, "mode_samples": 64, "feature_samples": 32, "bias_points": 16},
    }
    path = root / "chain.yaml"
    path.write_text(yaml.safe_dump(content))
    study, results = read_study(path), root / "results"

    (root / "started").mkdir()

    def run(*arguments):
        """Run a verb from another folder, with paths as that folder sees them."""
        with contextlib.chdir(root / "started"):
            assert main([os.path.relpath(x) if isinstance(x, Path) else str(x) for x in arguments]) == 0

    for place in study.data_cells:
        run("data", f"{path}:{place}", "--output", results / f"data/{place}.safetensors")
    classifier = results / "data/shades-classifier.safetensors"
    run("classifier", "--data", results / "data/shades.safetensors", "--output", classifier, "--device", "cpu")
    other = results / "data/shades-classifier-heldout.safetensors"
    run("classifier", "--heldout", "--data", results / "data/shades.safetensors", "--output", other, "--device", "cpu")
    options = {"ring8": [], "shades": ["--classifier", classifier]}
    for place, cell in study.blocks.items():
        t, folder = cell.training, results / place
        name = t.dataset
        stored = study.data_cell(name, t.first_seed, t.seeds).path
        data = ["--data", results / f"data/{stored}.safetensors", "--device", "cpu"]
        run("train", f"{path}:{place}", *data, "--output", folder)
        run("measure", f"{path}:{place}", *data, "--output", folder, *options[name])
    for place, job in study.references.items():
        stored = study.data_cell(job.dataset, job.first_seed, job.seeds).path
        data = ["--data", results / f"data/{stored}.safetensors", "--device", "cpu"]
        run("reference", f"{path}:{place}", *data, "--output", results / place, *options[job.dataset])
    folders = [results / place for place in (*study.blocks, *study.references)]
    files = sorted((results / "data").rglob("*.safetensors"))
    # As the workflow does it: without the seconds that importing torch takes.
    code = (
        "import sys\nfrom pwgan.__main__ import main\n"
        f"status = main({['aggregate', '--output', str(results), '--data', *map(str, files)]!r}"
        f" + {['--cells', *map(str, folders)]!r})\n"
        f"status = status or main({['tables', '--results', str(results), '--output', str(results / 'tables')]!r})\n"
        "sys.exit(status or 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    run("figures", "--results", results, "--output", results / "figures")
    return study, results


def test_the_chain_ends_in_every_table_and_figure(chain):
    study, results = chain
    tables = {path.name for path in (results / "tables").iterdir()}
    assert tables == {f"{name}.{ending}" for name in plugins.names("tables") for ending in ("csv", "md", "html")}
    figures = {path.name for path in (results / "figures").iterdir()}
    assert figures == {f"{name}.{ending}" for name in plugins.figure_names(study.datasets) for ending in ("csv", "png")}


def test_verbs_write_only_to_their_outputs(chain):
    _, results = chain
    assert {path.name for path in results.parent.iterdir()} == {
        "chain.yaml",
        "images.npy",
        "labels.npy",
        "results",
        "started",
    }
    assert list((results.parent / "started").iterdir()) == []


def test_a_cell_that_diverged_is_counted_in_the_tables(chain):
    _, results = chain
    main_table, bias = (pd.read_csv(results / f"tables/{name}.csv") for name in ("main", "bias"))
    for table in (main_table, bias):
        lost = table[table["method"] == DIVERGED]
        assert set(lost["dataset"]) == {"ring8", "shades"}
        assert lost["mean"].isna().all() and (lost["seeds"] == 0).all()
        assert (lost["diverged"] == lost["dataset"].map({"ring8": 4, "shades": 2})).all()
        rest = table[~table["method"].isin([DIVERGED, "data"])]
        assert (rest["diverged"] == 0).all() and set(rest["method"]) == {"nsgan", "pwgan"}
    # What was measured of the lost cell is what was measured of the others.
    names = main_table.groupby(["dataset", "method"])["measure"].agg(set)
    assert names["ring8", DIVERGED] == names["ring8", "pwgan"]
    assert names["shades", DIVERGED] == names["shades", "pwgan"]


@pytest.fixture
def frames(chain):
    study, results = chain
    return study, results, {name: pd.read_parquet(results / f"{name}.parquet") for name in COLUMNS}


def test_the_frames_hold_every_seed_of_every_cell_and_reference(frames):
    study, _, joined = frames
    cells = {
        (c.training.dataset, c.training.method, 8, s) for c in study.blocks.values() for s in c.training.seed_range
    }
    references = {(job.dataset, "data", 0, seed) for job in study.references.values() for seed in job.seed_range}
    for name, expected in (
        ("runs", cells),
        ("history", cells),
        ("measures", cells | references),
        ("bias", cells | references),
        ("interpolation", cells | references),
    ):
        keys = joined[name][["dataset", "method", "batch_size", "seed"]].fillna({"batch_size": 0})
        assert set(keys.itertuples(index=False, name=None)) == expected, name
    for name, columns in COLUMNS.items():
        assert set(columns) <= set(joined[name].columns), name
        if "batch_size" in columns:
            assert joined[name]["batch_size"].dtype == "Int64"
    assert joined["runs"]["diverged_at"].dtype == "Int64"
    for name in ("measures", "bias", "interpolation", "history"):
        numbers = joined[name].select_dtypes("float")
        assert len(numbers.columns) >= 1 and not joined[name].duplicated().any()


def test_the_frames_say_what_the_files_of_the_blocks_say(frames):
    study, results, joined = frames
    for place, cell in study.blocks.items():
        t = cell.training
        for name in ("measures", "bias", "interpolation", "history"):
            frame = joined[name]
            part = frame[
                (frame["dataset"] == t.dataset) & (frame["method"] == t.method) & frame["seed"].isin(t.seed_range)
            ]
            own = pd.read_parquet(results / place / f"{name}.parquet")
            pd.testing.assert_frame_equal(
                part[own.columns].reset_index(drop=True).astype({"seed": "int64"}),
                own.astype({"batch_size": "Int64"} if "batch_size" in own else {}),
            )
        run = json.loads((results / place / "run.json").read_text())
        rows = joined["runs"][joined["runs"]["folder"] == place]
        assert rows["seed"].tolist() == list(t.seed_range)
        assert rows["status"].tolist() == [seed["status"] for seed in run["seeds"]]
        assert (rows["status"] == ("diverged" if t.method == DIVERGED else "ok")).all()
        costs = joined["costs"]
        trained = costs[
            (costs["dataset"] == t.dataset)
            & (costs["method"] == t.method)
            & (costs["first_seed"] == t.first_seed)
            & (costs["stage"] == "train")
        ]
        assert trained["seconds"].tolist() == [run["seconds"]] and trained["seeds"].tolist() == [2]


@pytest.mark.parametrize("at_once", [1, 3])
def test_frames_do_not_depend_on_how_many_blocks_are_held_at_once(frames, tmp_path, monkeypatch, at_once):
    study, results, joined = frames
    monkeypatch.setattr(aggregate, "AT_ONCE", at_once)
    folders = [results / place for place in (*study.blocks, *study.references)]
    copied = shutil.copytree(results, tmp_path / "results")
    write_aggregates(
        [copied / folder.relative_to(results) for folder in folders],
        [copied / "data/ring8/seeds0-1.safetensors"],
        [],
        copied,
    )
    for name in aggregate.LONG:
        again = pd.read_parquet(copied / f"{name}.parquet")
        pd.testing.assert_frame_equal(again, joined[name])


def test_the_reference_has_the_floor_of_the_training_curves(frames):
    _, _, joined = frames
    measures = joined["measures"]
    floor = measures[measures["measure"] == "ewd-history@24"]
    assert set(floor["method"]) == {"data"} and floor["value"].between(0.01, 10).all()
    assert set(joined["runs"]["history_points"]) == {24}


def test_data_sets_are_described(frames):
    _, results, joined = frames
    described = joined["datasets"].set_index("dataset")
    ring, shades = described.loc["ring8"], described.loc["shades"]
    assert (ring["training"], ring["heldout"], ring["modes"], shades["modes"]) == (256, 64, 8, 2)
    assert shades["training"] == len(read_data(results / "data/shades.safetensors").train) == 112
    assert (ring["file"], shades["file"]) == ("data/ring8/seeds0-1.safetensors", "data/shades.safetensors")
    for name in ("classifier_accuracy", "classifier_heldout_accuracy"):
        assert pd.isna(ring[name]) and shades[name] > 0.9


def test_aggregates_of_the_same_files_have_the_same_bytes(chain):
    study, results = chain
    before = {name: (results / f"{name}.parquet").read_bytes() for name in COLUMNS}
    folders = [results / place for place in (*study.blocks, *study.references)]
    write_aggregates(folders, sorted((results / "data").rglob("*.safetensors")), [], results)
    assert {name: (results / f"{name}.parquet").read_bytes() for name in COLUMNS} == before


def test_each_seed_of_a_law_is_trained_and_measured_on_draws_of_its_own(chain):
    _, results = chain
    held = []
    for first in (0, 2):
        stored = read_data(results / f"data/ring8/seeds{first}-{first + 1}.safetensors")
        assert stored.first_seed == first and stored.train.shape == (2, 256, 2)
        held += list(stored.heldout)
    assert len({array.tobytes() for array in held}) == 4
    # The real samples in the generator's place are the training samples of the same draw.
    floors = pd.read_parquet(results / "measures.parquet").query("method == 'data' and measure == 'ewd-history@24'")
    for seed, value in floors.query("dataset == 'ring8'").set_index("seed")["value"].items():
        train = read_data(results / f"data/ring8/seeds{seed // 2 * 2}-{seed // 2 * 2 + 1}.safetensors").train[seed % 2]
        chosen = train[random_order(256, "reference", seed)[:24].numpy()]
        costs = cdist(held[seed][:24].astype(float), chosen.astype(float))
        assert value == pytest.approx(costs[linear_sum_assignment(costs)].mean(), rel=1e-6)
