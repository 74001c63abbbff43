"""From a study to its cells: which there are, what each is trained with, and how one is named on a command line."""

import copy
import math

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pwgan.arguments import read_block, read_data_cell, read_reference, read_training
from pwgan.cells import Training
from pwgan.data.embedded import Digits
from pwgan.data.mixtures import Ring8
from pwgan.methods import methods
from pwgan.methods.pwgan import PWGAN
from pwgan.networks.dcgan import DCGAN
from pwgan.networks.mlp import MLP
from pwgan.study import parse_study, read_study

TWO = {
    "study": "two",
    "seeds": 4,
    "seed_block": 2,
    "batch_sizes": [8, 32],
    "steps": 10,
    "evaluate_every": 5,
    "evaluation_points": 400,
    "datasets": {"ring8": {"samples": 1000, "heldout": 300}, "digits": None},
    "methods": {"nsgan": None, "pwgan": None, "squared": {"method": "pwgan", "cost": "sqeuclidean"}},
}


def trainings(**changes):
    """Return the JSON that each cell is trained with; it is what decides whether a cell is trained again."""
    study = parse_study(copy.deepcopy(TWO) | changes)
    return {path: cell.training.model_dump_json() for path, cell in study.blocks.items()}


def differing(changed):
    before = trainings()
    assert set(changed) == set(before)
    return {path for path in before if changed[path] != before[path]}


def uniques(values, most):
    return st.lists(values, min_size=1, max_size=most, unique=True)


@settings(max_examples=30, deadline=None)
@given(
    data=uniques(st.sampled_from(["ring8", "grid25", "swiss_roll", "digits"]), 4),
    named=uniques(st.sampled_from(sorted(methods())), 5),
    sizes=uniques(st.integers(1, 500).map(lambda half: 2 * half), 2),  # some methods need even ones
    block=st.integers(1, 4),
    blocks=st.integers(1, 4),
)
def test_cells_are_all_data_sets_methods_sizes_and_blocks(data, named, sizes, block, blocks):
    study = parse_study(
        TWO
        | {
            "datasets": dict.fromkeys(data),
            "methods": dict.fromkeys(named),
            "batch_sizes": sizes,
            "seeds": block * blocks,
            "seed_block": block,
        }
    )
    assert len(study.blocks) == len(data) * len(named) * len(sizes) * blocks
    met = []
    for path, cell in study.blocks.items():
        t = cell.training
        assert path == f"{t.dataset}/{t.method}/m{t.batch_size}/seeds{t.seed_range[0]}-{t.seed_range[-1]}"
        met += [(t.dataset, t.method, t.batch_size, seed) for seed in t.seed_range]
    every = {(d, n, m, seed) for d in data for n in named for m in sizes for seed in range(block * blocks)}
    assert len(met) == len(every) and set(met) == every


def test_more_seeds_add_cells_and_leave_the_others_as_they_were():
    before, after = trainings(), trainings(seeds=6)
    assert {path: after[path] for path in before} == before
    assert {path.rpartition("/")[2] for path in set(after) - set(before)} == {"seeds4-5"}


@pytest.mark.parametrize(
    "changes",
    [
        {"batch_sizes": [8, 32, 64]},
        {"datasets": TWO["datasets"] | {"grid25": None}},
        {"methods": TWO["methods"] | {"gan": None}},
    ],
)
def test_more_of_anything_leaves_the_other_cells_as_they_were(changes):
    before, after = trainings(), trainings(**changes)
    assert len(after) > len(before)
    assert {path: after[path] for path in before} == before


def test_a_method_may_be_trained_in_some_places_only():
    everywhere = trainings()
    placed = trainings(methods=TWO["methods"] | {"nsgan": {"datasets": ["ring8"], "batch_sizes": [32]}})
    assert placed == {
        path: everywhere[path] for path in everywhere if "/nsgan/" not in path or "ring8/nsgan/m32" in path
    }


def test_a_data_set_that_no_method_is_trained_on_is_refused():
    with pytest.raises(ValueError, match="no method of this study is trained on digits"):
        trainings(methods={"nsgan": {"datasets": ["ring8"]}})


def test_a_changed_option_of_a_method_changes_its_cells_only():
    changed = differing(trainings(methods=TWO["methods"] | {"nsgan": {"critic_lr": 1e-3}}))
    assert changed == {path for path in trainings() if "/nsgan/" in path}
    # Saying what is the default anyway changes nothing.
    assert differing(trainings(methods=TWO["methods"] | {"nsgan": {"critic_lr": 2e-4}})) == set()


def test_an_option_changed_on_one_data_set_changes_its_cells_only():
    ring = {**TWO["datasets"]["ring8"], "methods": {"pwgan": {"generator_lr": 0.5}}}
    changed = trainings(datasets=TWO["datasets"] | {"ring8": ring})
    assert differing(changed) == {path for path in trainings() if path.startswith("ring8/pwgan/")}
    cell = Training.model_validate_json(changed["ring8/pwgan/m8/seeds0-1"])
    assert cell.build_method() == PWGAN(generator_lr=0.5)


def test_what_a_data_set_changes_of_a_method_is_laid_over_what_the_study_says():
    ring = {"methods": {"squared": {"generator_lr": 0.5}, "pwgan": {"generator_lr": 0.25}}}
    named = TWO["methods"] | {"pwgan": {"generator_lr": 0.125}}
    study = parse_study(TWO | {"datasets": {"ring8": ring, "digits": None}, "methods": named})
    assert study.blocks["ring8/pwgan/m8/seeds0-1"].training.build_method() == PWGAN(generator_lr=0.25)
    assert study.blocks["digits/pwgan/m8/seeds0-1"].training.build_method() == PWGAN(generator_lr=0.125)
    assert study.blocks["ring8/squared/m8/seeds0-1"].training.build_method() == PWGAN(
        cost="sqeuclidean", generator_lr=0.5
    )
    assert study.blocks["digits/squared/m8/seeds0-1"].training.build_method() == PWGAN(cost="sqeuclidean")


@pytest.mark.parametrize(
    "changes",
    [
        {"measures": {"ewd_points": 7, "bias_points": 64, "feature_samples": 5}},
        {"datasets": TWO["datasets"] | {"digits": {"features": "none"}}},
        {"threads": 2},
        {"device": "cpu"},
        {"study": "other"},
    ],
)
def test_what_does_not_train_retrains_nothing(changes):
    assert trainings(**changes) == trainings()


@pytest.mark.parametrize("key", ["steps", "evaluate_every", "evaluation_points"])
def test_what_trains_every_cell_retrains_every_cell(key):
    assert differing(trainings(**{key: 3})) == set(trainings())


def test_a_data_set_may_have_its_own_sizes_seeds_steps_network_and_features():
    own = {
        "batch_sizes": [5],
        "seeds": 2,
        "steps": 3,
        "network": {"name": "mlp", "width": 7},
        "features": "none",
    }
    study = parse_study(TWO | {"datasets": {"digits": own, "ring8": None}})
    assert [path for path in study.blocks if path.startswith("digits/nsgan/")] == ["digits/nsgan/m5/seeds0-1"]
    cell = study.blocks["digits/nsgan/m5/seeds0-1"]
    assert (cell.training.steps, cell.training.network, cell.features) == (3, MLP(width=7), [])
    other = study.blocks["ring8/nsgan/m8/seeds2-3"].training
    assert (other.steps, other.seeds, other.first_seed) == (10, 2, 2)


def test_points_get_an_mlp_and_images_a_dcgan_and_labels_a_classifier():
    cells = parse_study(TWO).blocks
    ring, digits = cells["ring8/pwgan/m8/seeds0-1"], cells["digits/pwgan/m8/seeds0-1"]
    assert (ring.training.network, ring.features) == (MLP(), [])
    assert (digits.training.network, digits.features) == (DCGAN(), ["classifier"])


def test_features_are_one_extractor_or_several():
    for features, expected in (("random", ["random"]), (["classifier", "random"], ["classifier", "random"]), ([], [])):
        study = parse_study(TWO | {"datasets": {"digits": {"features": features}}})
        for parts in (study.blocks["digits/pwgan/m8/seeds0-1"], study.references["digits/data/seeds0-1"]):
            assert parts.features == expected


def test_evaluation_takes_no_more_points_than_are_held_out():
    study = parse_study(TWO)
    assert study.blocks["ring8/pwgan/m8/seeds0-1"].training.evaluation_points == 300
    assert study.blocks["digits/pwgan/m8/seeds0-1"].training.evaluation_points == 400
    points = {job.dataset: job.evaluation_points for job in study.references.values()}
    assert points == {"ring8": 300, "digits": 400}


def test_a_data_set_may_have_blocks_of_its_own():
    own = {"ring8": {}, "digits": {"seeds": 6, "seed_block": 3}}
    study = parse_study(TWO | {"datasets": own, "seeds": 4, "seed_block": 4})
    assert study.seed_blocks("ring8") == [(0, 4)] and study.seed_blocks("digits") == [(0, 3), (3, 3)]


def test_two_names_may_stand_for_one_data_set_and_one_method():
    study = parse_study(
        TWO | {"datasets": {"small": {"dataset": "ring8", "samples": 40}, "large": {"dataset": "ring8"}}}
    )
    assert study.data_cells["small/seeds0-1"].build() == Ring8(samples=40)
    assert study.data_cells["large/seeds0-1"].build() == Ring8()
    assert study.blocks["small/squared/m8/seeds0-1"].training.build_method() == PWGAN(cost="sqeuclidean")


def test_the_references_have_the_seeds_of_the_cells():
    study = parse_study(TWO | {"datasets": {"ring8": None, "digits": {"seeds": 2}}})
    assert list(study.references) == ["ring8/data/seeds0-1", "ring8/data/seeds2-3", "digits/data/seeds0-1"]
    assert [list(job.seed_range) for job in study.references.values()] == [[0, 1], [2, 3], [0, 1]]
    assert study.references["digits/data/seeds0-1"].features == ["classifier"]


def test_the_draws_of_a_law_are_stored_by_block_and_do_not_depend_on_it():
    study = parse_study(TWO | {"datasets": {"ring8": {"samples": 40, "heldout": 20}, "digits": None}})
    assert list(study.data_cells) == ["ring8/seeds0-1", "ring8/seeds2-3", "digits"]
    assert study.data_cell("digits", 2, 2) == study.data_cells["digits"]
    late = study.data_cell("ring8", 2, 2).load()
    assert (late.train.shape, late.heldout.shape, late.first_seed) == ((2, 40, 2), (2, 20, 2), 2)
    np.testing.assert_array_equal(late.train, study.data_cell("ring8", 0, 4).load().train[2:])
    assert study.data_cells["digits"].load().first_seed is None


def test_what_a_study_says_survives_json(tmp_path):
    study = parse_study(TWO)
    for cell in study.blocks.values():
        assert read_block(cell.model_dump_json()) == cell
        assert read_training(cell.training.model_dump_json()) == cell.training
    assert read_data_cell(study.data_cells["digits"].model_dump_json()).build() == Digits()
    for job in study.references.values():
        assert read_reference(job.model_dump_json()) == job


def test_a_cell_is_found_by_its_place_in_a_study(tmp_path):
    path = tmp_path / "two.yaml"
    path.write_text(yaml.safe_dump(TWO))
    study, place = read_study(path), "ring8/pwgan/m32/seeds2-3"
    assert read_block(f"{path}:{place}") == study.blocks[place]
    assert read_training(f"{path}:{place}") == study.blocks[place].training
    for place in ("digits", "ring8/seeds2-3"):
        assert read_data_cell(f"{path}:{place}") == study.data_cells[place]
    assert read_reference(f"{path}:ring8/data/seeds2-3") == study.references["ring8/data/seeds2-3"]
    with pytest.raises(ValueError, match=r"block of .*two\.yaml.*seeds2-4.*Did you mean 'ring8/pwgan/m32/seeds2-3'"):
        read_block(f"{path}:ring8/pwgan/m32/seeds2-4")
    with pytest.raises(ValueError, match=r"data set of .*two\.yaml.*'ring8'.*Did you mean 'ring8/seeds2-3'"):
        read_data_cell(f"{path}:ring8")


@pytest.mark.parametrize("read", [read_block, read_training, read_data_cell, read_reference])
@pytest.mark.parametrize("text", ["{}", "{broken", '{"colour": 1}'])
def test_broken_json_is_refused_in_one_line(read, text):
    with pytest.raises(ValueError) as caught:
        read(text)
    assert "\n" not in str(caught.value) and "JSON" in str(caught.value)


@pytest.mark.parametrize("read", [read_block, read_training, read_data_cell])
def test_text_that_is_neither_json_nor_a_place_is_refused_with_the_expected_form(read):
    with pytest.raises(ValueError, match=r"'config'.*STUDY\.yaml:DATASET"):
        read("config")


def test_unknown_names_in_json_are_refused_with_the_nearest():
    study = parse_study(TWO)
    cell = study.blocks["ring8/pwgan/m8/seeds0-1"].training.model_copy(update={"algorithm": "pwgn"})
    with pytest.raises(ValueError, match=r"'pwgn'.*'pwgan'"):
        cell.build_method()
    with pytest.raises(ValueError, match=r"'rign8'.*'ring8'"):
        study.data_cells["ring8/seeds0-1"].model_copy(update={"source": "rign8"}).build()


def test_a_number_in_scientific_notation_is_a_number_whether_yaml_reads_it_so_or_not():
    for given_lr in ("1e-3", 1e-3):
        study = parse_study(TWO | {"methods": {"pwgan": {"generator_lr": given_lr}}})
        assert math.isclose(study.blocks["ring8/pwgan/m8/seeds0-1"].training.options["generator_lr"], 1e-3)


def test_a_study_that_cannot_be_read_is_named(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(TWO | {"seeds": 0}))
    with pytest.raises(ValueError, match=r"mine\.yaml: seeds: "):
        read_study(path)
    path.write_text("study: two\n seeds: 2\n")
    with pytest.raises(ValueError, match=r"mine\.yaml: .*line 2"):
        read_study(path)
    with pytest.raises(FileNotFoundError, match="none"):
        read_study(tmp_path / "none.yaml")
