"""Searches become methods of their own; and the steps, seeds and names that a study of them needs."""

import pytest

from pwgan.errors import Refused
from pwgan.study import parse_study


def trainings(study):
    return {block.training.method: block.training for block in study.blocks.values()}


def test_every_combination_is_a_method_with_the_rest_of_its_entry(tiny):
    entry = {"search": {"generator_lr": [1e-3, 4e-3], "betas": [[0.5, 0.9], [0.0, 0.9]]}, "lr_decay": "linear"}
    found = trainings(parse_study(tiny(methods={"pwgan": entry, "nsgan": {}})))
    assert sorted(found) == ["nsgan", "pwgan_s01", "pwgan_s02", "pwgan_s03", "pwgan_s04"]
    settings = {name: (t.options["generator_lr"], t.options["betas"]) for name, t in found.items() if name != "nsgan"}
    assert settings == {
        "pwgan_s01": (1e-3, [0.5, 0.9]),
        "pwgan_s02": (1e-3, [0.0, 0.9]),
        "pwgan_s03": (4e-3, [0.5, 0.9]),
        "pwgan_s04": (4e-3, [0.0, 0.9]),
    }
    assert all(t.algorithm == "pwgan" and t.options["lr_decay"] == "linear" for t in found.values() if "_s" in t.method)


def test_a_mapping_sets_several_options_together(tiny):
    rates = [{"generator_lr": rate, "critic_lr": 2 * rate} for rate in (1e-3, 4e-3)]
    found = trainings(parse_study(tiny(methods={"nsgan": {"search": {"rates": rates, "critic_steps": [1, 2]}}})))
    assert [tuple(t.options[k] for k in ("generator_lr", "critic_lr", "critic_steps")) for t in found.values()] == [
        (1e-3, 2e-3, 1),
        (1e-3, 2e-3, 2),
        (4e-3, 8e-3, 1),
        (4e-3, 8e-3, 2),
    ]


def test_a_list_of_searches_has_the_settings_of_each_in_turn(tiny):
    searches = [{"generator_lr": [1e-3, 4e-3]}, {"generator_lr": [8e-3], "betas": [[0.0, 0.9], [0.9, 0.99]]}]
    found = trainings(parse_study(tiny(methods={"pwgan": {"search": searches, "betas": [0.5, 0.9]}})))
    assert {name: (t.options["generator_lr"], t.options["betas"]) for name, t in found.items()} == {
        "pwgan_s01": (1e-3, [0.5, 0.9]),
        "pwgan_s02": (4e-3, [0.5, 0.9]),
        "pwgan_s03": (8e-3, [0.0, 0.9]),
        "pwgan_s04": (8e-3, [0.9, 0.99]),
    }
    with pytest.raises(Refused, match=r"methods.pwgan.search: lists of values by option are needed; got 3"):
        parse_study(tiny(methods={"pwgan": {"search": [{"generator_lr": [1e-3]}, 3]}}))


def test_options_of_a_data_set_are_given_to_each_setting(tiny):
    study = tiny(methods={"pwgan": {"search": {"generator_lr": [1e-3, 4e-3]}}})
    study["datasets"]["ring8"]["methods"] = {"pwgan": {"betas": [0.0, 0.5]}}
    assert [t.options["betas"] for t in trainings(parse_study(study)).values()] == [[0.0, 0.5]] * 2


def test_a_data_set_has_settings_of_its_own(tiny):
    study = tiny(methods={"pwgan": {"search": {"generator_lr": [1e-3, 4e-3]}}})
    study["datasets"]["ring8"]["methods"] = {"pwgan": {"search": {"steps": [30, 40]}, "betas": [0.0, 0.5]}}
    found = trainings(parse_study(study)).values()
    assert [(t.options["generator_lr"], t.steps, t.options["betas"]) for t in found] == [
        (1e-3, 30, [0.0, 0.5]),
        (4e-3, 40, [0.0, 0.5]),
    ]
    study["datasets"]["ring8"]["methods"] = {"pwgan": {"search": {"steps": [30, 40, 50]}}}
    with pytest.raises(Refused, match=r"datasets.ring8.methods.pwgan.search: 3 settings; methods.pwgan has 2"):
        parse_study(study)


def test_a_variant_is_searched_under_its_own_name(tiny):
    entry = {"method": "pwgan", "sampler": "stratified", "search": {"generator_lr": [1e-3, 4e-3]}}
    found = trainings(parse_study(tiny(methods={"strata": entry})))
    assert sorted(found) == ["strata_s01", "strata_s02"] and found["strata_s01"].options["sampler"] == "stratified"


@pytest.mark.fault("malformed studies")
@pytest.mark.parametrize(
    ("methods", "told"),
    [
        (
            {"pwgan": {"search": {"generator_lr": [1, 2]}}, "nsgan": {"search": {"critic_lr": [1, 2, 3]}}},
            "the same number of settings; got {'pwgan': 2, 'nsgan': 3}",
        ),
        ({"pwgan": {"search": {"generator_lr": 1e-3}}}, "methods.pwgan.search: lists of values"),
        ({"pwgan": {"search": {"generator_lr": []}}}, "methods.pwgan.search: lists of values"),
        ({"pwgan": {"search": [1e-3]}}, "methods.pwgan.search: lists of values"),
        ({"pwgan": {"search": {"generator_rl": [1e-3]}}}, "Did you mean 'generator_lr'"),
        ({"pwgan": {"search": {"generator_lr": list(range(1, 101))}}}, "100 settings; allowed: 99"),
        ({"pwgan": {"steps": {32: 10}}}, "steps: 32 is not a mini-batch size of its data sets: [8]"),
        ({"nsgan": {"ema": 0.9}}, "name the method nsgan_ema"),
        ({"nsgan_ema": {"method": "nsgan", "ema": 1.0}}, "ema: Input should be less than 1"),
        ({"gan": {"simultaneous": True, "critic_steps": 2}}, "simultaneous takes one step of each network"),
        ({"gan": {"lr_decay": "lineal"}}, "lr_decay: Input should be 'none', 'linear' or 'cosine'"),
    ],
)
def test_what_cannot_be_meant_is_refused(tiny, methods, told):
    with pytest.raises(Refused) as caught:
        parse_study(tiny(methods=methods, batch_sizes=[8]))
    assert told in str(caught.value) and "\n" not in str(caught.value)


def test_steps_of_a_method_keep_the_number_of_evaluations(tiny):
    entries = {"pwgan": {"steps": {8: 400, 16: 150}}, "nsgan": {"steps": 50}, "gan": {}}
    study = parse_study(tiny(methods=entries, batch_sizes=[8, 16], steps=100, evaluate_every=10))
    found = {
        (b.training.method, b.training.batch_size): (b.training.steps, b.training.evaluate_every)
        for b in study.blocks.values()
    }
    assert found[("pwgan", 8)] == (400, 40) and found[("pwgan", 16)] == (150, 15)
    assert found[("nsgan", 8)] == found[("nsgan", 16)] == (50, 5) and found[("gan", 8)] == (100, 10)


def test_a_data_set_may_take_a_share_of_the_steps_of_every_method(tiny):
    study = tiny(methods={"pwgan": {"steps": {8: 400}}, "nsgan": {}}, batch_sizes=[8], steps=100, evaluate_every=10)
    study["datasets"]["ring8"]["steps_factor"] = 0.5
    found = trainings(parse_study(study))
    assert (found["pwgan"].steps, found["pwgan"].evaluate_every) == (200, 20)
    assert (found["nsgan"].steps, found["nsgan"].evaluate_every) == (50, 5)


def test_steps_of_one_size_retrain_no_other(tiny):
    def identities(steps):
        study = parse_study(tiny(methods={"pwgan": {"steps": steps}}, batch_sizes=[8, 16]))
        return {b.training.batch_size: b.training.identity for b in study.blocks.values()}

    before, after = identities({8: 40, 16: 40}), identities({8: 60, 16: 40})
    assert before[8] != after[8] and before[16] == after[16]


def test_seeds_start_at_the_first(tiny):
    study = parse_study(tiny(first_seed=100, seeds=4, seed_block=2))
    blocks = [block.training for block in study.blocks.values() if block.training.method == "pwgan"]
    assert [list(block.seed_range) for block in blocks] == [[100, 101], [102, 103]]
    assert all("seeds10" in path for path in study.blocks)
