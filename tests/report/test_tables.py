"""Tables: their numbers by hand, and every table on made-up studies."""

import json

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from pwgan.report import plugins
from pwgan.report.frames import read, with_names
from pwgan.report.statistics import PAIRED_SEEDS, holm
from pwgan.report.tables import bias_table, markdown, page, write_tables
from pwgan.report.tables.provenance import sentence

pytestmark = pytest.mark.filterwarnings("error")
SHIFTS = [0.3, -0.2, 0.1, 0.0, 0.5, -0.4, 0.2, -0.5]
"""What eight seeds have in common over all cells."""


def measured(values, method="gan", m=16, measure="ewd@10", dataset="ring8"):
    key = {"dataset": dataset, "method": method, "batch_size": m, "measure": measure}
    return [{**key, "seed": seed, "value": value} for seed, value in enumerate(values)]


def ran(statuses, method="gan", m=16, dataset="ring8"):
    key = {"dataset": dataset, "method": method, "batch_size": m}
    return [{**key, "seed": seed, "status": status} for seed, status in enumerate(statuses)]


def cost(seconds, seeds, method="gan", m=16, dataset="ring8", stage="train"):
    key = {"dataset": dataset, "method": method, "batch_size": m, "stage": stage}
    return [{**key, "seconds": seconds, "seeds": seeds, "peak_memory_mb": 100.0, "device": "cpu"}]


def typed(rows):
    return pd.DataFrame(rows).astype({"batch_size": "Int64"})


def made(name, **frames):
    """Return a table, long and readable, of frames given as rows."""
    module = plugins.load("tables", name)
    given = {key: typed(rows) for key, rows in frames.items()}
    if "measures" in given:
        given["measures"] = with_names(given["measures"])
    long = plugins.call(module.data, given)
    return long, module.readable(long)


def rows_of(text, dataset):
    block = text.split(f"## {dataset}\n")[1].split("## ")[0].strip().splitlines()
    return [[value.strip() for value in line.strip("|").split(" | ")] for line in block]


def test_main_table_by_hand():
    measures = measured([1.0, 2.0, 3.0, 4.0]) + measured([np.nan] * 4, m=64)
    measures += measured([8.0] * 4, measure="coverage@50") + measured([0.1, np.inf, 0.3, 0.2], measure="nn_ratio@50")
    measures += measured([0.25, 0.75], "data", None) + measured([0.1], "data", None, "ewd-history@10")
    measures += measured([0.5, 1.5, 2.5, 3.5], measure="ewd-debiased@10") + measured([0.97] * 4, measure="std-ratio@50")
    measures += measured([-0.25, 0.25], "data", None, "ewd-debiased@10")
    measures += measured([70.0, 90.0], measure="fd-classifier@9", dataset="digits")
    measures += measured([7.0, 9.0], measure="fid-inception@9", dataset="digits")
    runs = ran(["ok"] * 4) + ran(["diverged"] * 4, m=64) + ran(["ok"] * 2, dataset="digits")
    costs = cost(10, 4) + cost(1, 4, m=64) + cost(3, 2, dataset="digits")
    long, table = made("main", measures=measures, runs=runs, costs=costs)
    gan = long[(long["method"] == "gan") & (long["batch_size"] == 16)].set_index(["dataset", "measure"])
    # t_{0.975, 3} = 3.18245; s = sqrt(5/3); n = 4; the mean of real samples is 0.5.
    raw, excess = gan.loc[("ring8", "ewd@10")], gan.loc[("ring8", "ewd-excess@10")]
    assert (raw["mean"], excess["mean"], raw["seeds"], raw["diverged"]) == (2.5, 2.0, 4, 0)
    assert raw["half_width"] == excess["half_width"] == pytest.approx(3.1824463 * (5 / 3) ** 0.5 / 2)
    assert gan.loc[("ring8", "nn_ratio@50"), ["seeds", "infinite"]].tolist() == [4, 1]
    assert gan.loc[("ring8", "training-seconds"), ["mean", "seeds"]].tolist() == [2.5, 4]
    best = gan["best"].to_dict()
    assert all(
        pd.isna(best[key]) for key in (("ring8", "ewd@10"), ("ring8", "ewd-excess@10"), ("digits", "fd-classifier@9"))
    )
    assert best["ring8", "ewd-debiased@10"] is True and best["ring8", "std-ratio@50"] is False
    text = markdown(table)
    assert rows_of(text, "ring8") == [
        ["method", "m", "debiased EWD ↓", "coverage ↑", "std ratio", "training (s per seed) ↓", "seeds", "diverged"],
        ["---"] * 8,
        ["data", "-", "0.0 ± 3.2", "-", "-", "-", "2", "0"],
        ["gan", "16", "**2.0 ± 2.1**", "**8 ± 0**", "0.97 ± 0", "**2.5**", "4", "0"],
        ["gan", "64", "-", "-", "-", "-", "0", "4"],
    ]
    assert rows_of(text, "digits")[0][2:4] == ["Fréchet distance ↓", "training (s per seed) ↓"]
    assert rows_of(text, "digits")[2][2] == "**8 ± 13**"
    assert f"at least {PAIRED_SEEDS} seeds: only the best is bold on ring8, digits." in table.caption


def test_main_table_marks_the_best_and_what_no_paired_test_tells_from_it():
    shifts, swings = np.array(SHIFTS), np.array([0.2, -0.2] * 4)
    cells = {
        ("gan", 16): 1 + shifts,
        ("gan", 64): 1.05 + shifts + swings,
        ("wgan", 16): 1.1 + shifts + 0.01 * swings,
        ("wgan", 64): 0.5 + np.where(np.arange(8) == 0, np.nan, shifts),
    }
    assert scipy.stats.ttest_ind(cells["gan", 16], cells["wgan", 16]).pvalue > 0.5
    p = [scipy.stats.ttest_rel(cells["gan", 16], cells[key]).pvalue for key in (("gan", 64), ("wgan", 16))]
    assert p[0] > 0.05 and p[1] < 0.05 / 2
    name = "ewd-debiased@10"
    measures = [row for (method, m), values in cells.items() for row in measured(values, method, m, name)]
    measures += measured([0.0] * 8, "data", None, name)
    runs = [row for (method, m) in cells for row in ran(["ok"] * 8, method, m)]
    runs[24]["status"] = "diverged"
    costs = [row for i, (method, m) in enumerate(cells) for row in cost(4 - i, 8, method, m)]
    _, table = made("main", measures=measures, runs=runs, costs=costs)
    bold = {(row[0], row[1]): [text[:2] == "**" for text in row[2:4]] for row in rows_of(markdown(table), "ring8")[3:]}
    # The cell with a diverged seed has the lowest EWD and the fewest seconds.
    assert bold == {
        ("gan", "16"): [True, False],
        ("gan", "64"): [True, False],
        ("wgan", "16"): [False, True],
        ("wgan", "64"): [False, False],
    }
    assert "fewer than" not in table.caption
    assert page(table).count("<b>") == 3


def test_main_table_shows_five_measures_at_most_and_prefers_inception():
    counts = ["recall@9", "recall-inception@5", "recall-inception@9", "recall-classifier@99", "ewd@9", "high-quality@9"]
    names = [*counts, "ewd-debiased@9", "fd-inception@9", "fid-inception@5", "precision@9", "coverage@9"]
    rows = [row for name in names for row in measured([0.5], measure=name)]
    part = plugins.load("tables", "main").with_excess(with_names(typed(rows)))
    assert list(plugins.load("tables", "main").shown(part).values()) == [
        "ewd-debiased@9", "coverage@9", "high-quality@9", "fid-inception@5", "recall-inception@9"
    ]  # fmt: skip


def test_an_infinite_measure_is_told_in_words():
    cells = {
        16: [0.11, 0.13, np.inf, np.inf],
        32: [np.inf, np.inf, np.inf, np.nan],
        64: [0.1, 0.1, 0.1, 0.1],
        128: [np.inf, 0.2, np.nan, np.nan],
    }
    measures = [row for m, values in cells.items() for row in measured(values, m=m, measure="nn_ratio@9")]
    measures += measured([np.inf, 2.0], m=256, measure="copies@9")
    runs = [row for m, values in cells.items() for row in ran(["diverged" if v != v else "ok" for v in values], m=m)]
    long, table = made("neighbours", measures=measures, runs=runs + ran(["ok", "ok"], m=256))
    assert long["infinite"].tolist() == [2, 3, 0, 1, 1]
    assert [row[2] for row in rows_of(markdown(table), "ring8")[2:6]] == [
        "0.12 ± 0.13; 2 of 4 seeds: infinite",
        "infinite (3 of 4 seeds)",
        "0.1 ± 0",
        "0.2; 1 of 4 seeds: infinite",
    ]
    assert rows_of(markdown(table), "ring8")[6][3] == "2; 1 of 2 seeds: infinite"


def test_the_stability_table_by_hand():
    rows = measured([1.0, 3.0], measure="ewd-trend@9") + measured([7.0, 7.0], measure="ewd@9")
    rows += measured([4.0], "data", None, "ewd-history@9")
    long, table = made("stability", measures=rows, runs=ran(["ok"] * 2))
    # s = sqrt(2) of two values 2 apart.
    assert long[["measure", "mean", "seeds"]].to_numpy().tolist() == [["ewd-trend@9", 2.0, 2]]
    assert long["deviation"].tolist() == pytest.approx([2**0.5])
    assert rows_of(markdown(table), "ring8")[2] == ["gan", "16", "2.0 ± 1.4", "2", "0"]


def test_features_have_a_block_where_one_measure_has_several():
    rows = [row for name in ("copies@9", "copies-classifier@9", "nn_ratio@9") for row in measured([0.5], measure=name)]
    rows += measured([0.5], measure="copies-classifier@9", dataset="faces")
    rows += measured([0.5], "wgan", measure="nn_train@9")
    runs = ran(["ok"]) + ran(["ok"], "wgan") + ran(["ok"], dataset="faces")
    _, table = made("neighbours", measures=rows, runs=runs)
    assert {title: list(block.columns[2:-2]) for title, block in table.blocks.items()} == {
        "ring8": ["nn_train@9", "nn_ratio@9", "copies@9"],
        "ring8, features of classifier": ["copies-classifier@9"],
        "faces": ["copies-classifier@9"],
    }


def test_per_seed_keeps_every_value():
    measures = measured([1.2345678, 2.0, np.nan]) + measured([0.5, 1.5], "data", None)
    measures += measured([1.0, 2.0, np.nan], measure="nn_ratio@9") + measured([3.0] * 3, measure="coverage-kl@9")
    long, table = made("per_seed", measures=measures, runs=ran(["ok", "ok", "diverged"]))
    assert list(long.columns[:5]) == ["dataset", "method", "batch_size", "seed", "status"]
    assert long[["method", "seed"]].to_numpy().tolist() == [
        ["data", 0],
        ["data", 1],
        ["gan", 0],
        ["gan", 1],
        ["gan", 2],
    ]
    assert long["status"].fillna("").tolist() == ["", "", "ok", "ok", "diverged"]
    np.testing.assert_array_equal(long["ewd@10"], [0.5, 1.5, 1.23457, 2.0, np.nan])
    np.testing.assert_array_equal(long["ewd-excess@10"], [-0.5, 0.5, 0.234568, 1.0, np.nan])
    np.testing.assert_array_equal(long["nn_ratio@9"], [np.nan, np.nan, 1.0, 2.0, np.nan])
    assert "coverage-kl@9" not in long
    assert rows_of(markdown(table), "All data sets")[2] == ["ring8", "5", "1", "16", "3", "1", "3"]


def test_bias_table_by_hand(study):
    results, _ = study(datasets=("ring8",), methods=("pwgan",), sizes=(16,), seeds=3)
    bias = read(results, "bias")
    long = bias_table(bias, read(results, "runs"))
    assert len(long) == 2 * 4 * 8
    row = long[(long["method"] == "pwgan") & (long["eval_batch"] == 64) & (long["measure"] == "bound")].iloc[0]
    values = bias.loc[(bias["method"] == "pwgan") & (bias["eval_batch"] == 64), "bound"]
    # t_{0.975, 2} = 4.302653.
    assert row["mean"] == pytest.approx(values.mean())
    assert row["half_width"] == pytest.approx(4.3026527 * values.std() / 3**0.5)
    text = markdown(plugins.load("tables", "bias").readable(long))
    assert [line[3] for line in rows_of(text, "ring8")[2:]] == ["16", "64", "256", "1024"] * 2
    assert rows_of(text, "ring8")[2][-3:] == ["-", "3", "0"]
    bias = bias.assign(partition=bias["eval_batch"] != 16, matching_bias=0.1, sampling_bias=0.2)
    assert set(bias_table(bias, read(results, "runs"))["measure"]) >= {"matching_bias", "sampling_bias"}


def test_cost_table_by_hand():
    blocks = cost(10.0, 8) + cost(6.0, 2) + cost(1.0, 8, stage="measure") + cost(2.0, 2, stage="measure: ewd")
    blocks[1]["peak_memory_mb"] = 300.0
    long, table = made("cost", costs=blocks)
    row = long.iloc[0]
    assert (row["blocks"], row["seeds"], row["peak_memory_mb"], row["device"]) == (2, 10, 300.0, "cpu")
    assert row["seconds_per_block"] == 8.0 and row["seconds_per_seed"] == pytest.approx(1.6)
    assert len(long) == 3
    assert rows_of(markdown(table), "ring8")[2] == ["gan", "16", "1.6", "-", "0.125", "300", "100", "2", "10", "cpu"]


STUDIES = {
    "usual": {"sizes": (16,), "seeds": 2},
    "one seed": {"seeds": 1},
    "twenty methods": {"methods": tuple(f"method{i}" for i in range(20)), "datasets": ("ring8",), "seeds": 2},
    "no features": {"datasets": ("ring8", "grid25"), "seeds": PAIRED_SEEDS},
    "a diverged cell": {"datasets": ("ring8", "digits"), "seeds": 2, "diverged": {("ring8", "gan", 16): 2}},
    "all diverged": {
        "datasets": ("ring8",),
        "methods": ("gan",),
        "sizes": (16,),
        "diverged": {("ring8", "gan", 16): 4},
    },
}


@pytest.mark.parametrize("options", STUDIES.values(), ids=STUDIES)
def test_every_table_is_written_in_every_format(study, tmp_path, options):
    results, cells = study(**options)
    write_tables(results, tmp_path / "tables")
    files = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "tables").iterdir()}
    assert set(files) == {f"{name}.{ending}" for name in plugins.names("tables") for ending in ("csv", "md", "html")}
    main = pd.read_csv(tmp_path / "tables" / "main.csv")
    assert set(main["measure"]) >= set(read(results, "measures")["measure"])
    for dataset in options.get("datasets", ("ring8", "grid25", "digits")):
        heads, _, *rows = rows_of(files["main.md"], dataset)
        assert heads[:2] == ["method", "m"] and len(heads) <= 2 + 8
        assert len(rows) == 1 + sum(one[0] == dataset for one in cells)
        bold = [row for row in rows if any(text.startswith("**") for text in row)]
        lost = {(method, str(m)) for (name, method, m) in options.get("diverged", {}) if name == dataset}
        assert bold or len(rows) == 2
        assert not any((row[0], row[1]) in lost or row[0] == "data" for row in bold)
        for row in rows:
            assert row[-1] == str(options.get("diverged", {}).get((dataset, row[0], int(row[1].replace("-", "0"))), 0))


def test_settings_are_ranked_on_each_data_set_and_those_near_the_winner_are_marked():
    seeds = np.array(SHIFTS)[:4]
    values = {
        "pwgan_s01": 2 + seeds,
        "pwgan_s02": 1 + seeds + [0.01, -0.01, 0.02, 0.0],
        "pwgan_s03": 1.005 + seeds + [0.0, 0.02, -0.01, 0.01],
        "pwgan_s04": np.array([0.1, np.nan, 0.1, 0.1]),
        "pwgan": 0 * seeds,
    }
    measures, runs, costs = [], [], []
    for number, (name, own) in enumerate(values.items()):
        measures += measured(own, name, measure="ewd-debiased@9") + measured(own, name, measure="recall@9")
        options = {"generator_lr": 10.0**-number, "betas": [0.5, 0.9], "pool": 1 + number // 2}
        how = {"options": json.dumps(options), "steps": 100 * (1 + number)}
        runs += [{**row, **how} for row in ran(["diverged" if np.isnan(v) else "ok" for v in own], name)]
        costs += cost(8.0, 4, name) + cost(99.0, 4, name, stage="measure")
    measures += measured([0.1], "data", None, "ewd-debiased@9")
    long, table = made("tuning", measures=measures, runs=runs, costs=costs)
    assert long["method"].tolist() == ["pwgan_s04", "pwgan_s02", "pwgan_s03", "pwgan_s01"]
    assert long["winner"].tolist() == [False, True, False, False]
    assert long["tied"].tolist() == [False, True, True, False]
    p = [
        scipy.stats.ttest_rel(values[f"pwgan_s0{k}"], values["pwgan_s02"], nan_policy="omit").pvalue for k in (4, 3, 1)
    ]
    np.testing.assert_allclose(long["p"].dropna(), holm(p), rtol=1e-9)
    assert json.loads(long["options"].iloc[1]) == {"generator_lr": 0.1, "pool": 1, "steps": 200}
    assert long["seconds"].tolist() == [2.0] * 4 and long["diverged"].tolist() == [1, 0, 0, 0]
    rows = rows_of(markdown(table), "ring8, pwgan, m = 16")
    assert rows[0][:5] == ["rank", "setting", "generator_lr", "pool", "steps"]
    assert rows[3][1] == "**pwgan_s02**" and rows[2][1] == "pwgan_s04"


def test_images_are_ranked_by_the_frechet_distance_and_a_study_without_a_search_has_no_settings():
    how = {"options": "{}", "steps": 1}
    runs = [{**row, **how} for name in ("gan_s01", "gan_s02") for row in ran(["ok"] * 2, name, dataset="digits")]
    measures = [
        row
        for name, fd, ewd in (("gan_s01", 2.0, 1.0), ("gan_s02", 1.0, 2.0))
        for measure, value in (("fd-classifier@9", fd), ("ewd-debiased@9", ewd))
        for row in measured([value] * 2, name, measure=measure, dataset="digits")
    ]
    costs = cost(1.0, 2, "gan_s01", dataset="digits")
    long, _ = made("tuning", measures=measures, runs=runs, costs=costs)
    assert long["method"].tolist() == ["gan_s02", "gan_s01"] and set(long["measure"]) == {"fd-classifier@9"}
    without = [{**row, **how} for row in ran(["ok"] * 2)]
    long, table = made("tuning", measures=measured([1.0, 2.0]), runs=without, costs=costs)
    assert long.empty and not table.blocks and "Settings that were searched" in markdown(table) and page(table)


def test_groups_begin_with_the_best_of_what_is_left():
    shifts = np.array(SHIFTS)
    noise = 0.05 * np.array([1, -1, 1, -1, 1, -1, 1, -1])
    values = {
        "pwgan": 1 + shifts,
        "pwgan_pool": 1.01 + shifts + noise,
        "wgan": 2 + shifts + noise,
        "gan": 2.01 + shifts,
        "cfm": 3 + shifts,
        "sliced": np.where(shifts > 0.4, np.nan, 0.1 * shifts),
    }
    measures, runs, costs = [], [], []
    for name, own in reversed(values.items()):
        measures += measured(own, name, measure="ewd-debiased@9") + measured(-own, name, measure="recall@9")
        runs += [{**row, "algorithm": name} for row in ran(["diverged" if np.isnan(v) else "ok" for v in own], name)]
        costs += cost(8.0, 4, name) + cost(99.0, 4, name, stage="measure")
    measures += measured([0.1], "data", None, "ewd-debiased@9")
    long, table = made("ranks", measures=measures, runs=runs, costs=costs)
    # Holm's correction by hand: the largest p of a group is the only one above the level.
    assert scipy.stats.ttest_rel(values["pwgan_pool"], values["pwgan"]).pvalue > 0.05
    assert scipy.stats.ttest_rel(values["gan"], values["wgan"]).pvalue > 0.05
    assert scipy.stats.ttest_rel(values["wgan"], values["pwgan"]).pvalue < 0.01
    assert long["method"].tolist() == ["pwgan", "pwgan_pool", "wgan", "gan", "cfm", "sliced"]
    assert long["rank"].tolist() == [1, 2, 3, 4, 5, 6] and long["diverged"].tolist() == [0] * 5 + [1]
    assert long["group"].tolist() == [1, 1, 2, 2, 3, pd.NA]
    families = ["matching", "matching", "critic", "critic", "flow", "other distance"]
    assert long["family"].tolist() == families and set(long["seconds"]) == {2.0}
    rows = rows_of(markdown(table), "ring8")
    assert rows[3][:3] == ["**2**", "**1**", "**pwgan_pool**"] and rows[4][:3] == ["3", "2", "wgan"]
    assert rows[7][:3] == ["6", "-", "sliced"] and page(table)


def test_images_are_ranked_by_the_frechet_distance_and_few_seeds_leave_groups_of_one():
    measures = [
        row
        for name, fd in (("gan", 2.0), ("pwgan", 1.0))
        for measure, value in (("fd-classifier@9", fd), ("ewd-debiased@9", -fd))
        for row in measured([value, value + 1], name, measure=measure, dataset="digits")
    ]
    runs = [{**row, "algorithm": name} for name in ("gan", "pwgan") for row in ran(["ok"] * 2, name, dataset="digits")]
    long, _ = made("ranks", measures=measures, runs=runs, costs=cost(1.0, 2, dataset="digits"))
    assert long["method"].tolist() == ["pwgan", "gan"] and long["group"].tolist() == [1, 2]
    long, table = made("ranks", measures=measured([1.0, 2.0]), runs=runs, costs=cost(1.0, 2))
    assert long.empty and not table.blocks


MADE = {"commit": "0123456789ab", "lock": "ba9876543210", "packages": '{"pwgan": "0.1.0", "torch": "2.11.0"}'}
MADE |= {"python": "3.11.7", "machine": "Linux x86_64", "device": "cpu", "threads": 1}


def provenance(stage, seeds=2, **other):
    key = {"dataset": "ring8", "method": "gan", "batch_size": 16, "first_seed": 0, "seeds": seeds, "stage": stage}
    return [{**key, **MADE, **other}]


def test_provenance_counts_what_was_made_alike():
    rows = provenance("train") + provenance("train", 3) + provenance("measure", device="H100")
    long, table = made("provenance", provenance=rows)
    assert long[["stage", "device", "blocks", "seeds"]].to_numpy().tolist() == [
        ["train", "cpu", 2, 5],
        ["measure", "H100", 1, 2],
    ]
    assert rows_of(markdown(table), "training")[2][:3] == ["0.1.0", "2.11.0", "0123456789ab"]


def test_a_sentence_says_what_results_were_made_with():
    alike = provenance("train") + provenance("train", 3) + provenance("measure")
    assert sentence(typed(alike)) == (
        "Behind it: 5 runs in 2 blocks; pwgan 0.1.0, torch 2.11.0, commit 0123456789ab, lock ba9876543210, "
        "python 3.11.7, machine Linux x86_64, device cpu, threads 1."
    )
    unknown = typed([{**row, "commit": None, "lock": None} for row in alike])
    assert "commit" not in sentence(unknown) and "Attention" not in sentence(unknown)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"commit": "ffff+"}, "commit: 0123456789ab (2), ffff+ (1)"),
        ({"commit": None}, "commit: 0123456789ab (2), unknown (1)"),
        ({"device": "H100"}, "device: cpu (2), H100 (1)"),
        ({"packages": json.dumps({"pwgan": "0.1.0", "torch": "2.12.0"})}, "torch: 2.11.0 (2), 2.12.0 (1)"),
        ({"threads": 2}, "threads: 1 (2), 2 (1)"),
    ],
)
def test_what_differs_between_results_is_flagged(other, said):
    rows = typed(provenance("train") * 2 + provenance("train", **other))
    assert sentence(rows).endswith(f"Attention: not all of its 3 results were made alike; {said}.")


def test_a_package_that_only_the_csv_names_is_flagged_too():
    other = json.dumps({"pwgan": "0.1.0", "torch": "2.11.0", "numpy": "1.0"})
    said = sentence(typed(provenance("train") + provenance("train", packages=other)))
    assert "Attention" in said and "packages: " in said and other in said


def test_every_table_says_what_it_was_made_with(study, tmp_path):
    root, _ = study(datasets=("ring8",), methods=("gan", "pwgan"))
    write_tables(root, tmp_path / "tables")
    for name in plugins.names("tables"):
        for suffix in ("md", "html"):
            assert "Behind it: 16 runs in 4 blocks; pwgan 0.1.0" in (tmp_path / f"tables/{name}.{suffix}").read_text()
