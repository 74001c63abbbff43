"""What a run forgets and how it settles, against hand-made runs of which the answer is known."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pwgan.__main__ import main
from pwgan.cells import Training
from pwgan.data.store import read_data
from pwgan.measures.forgetting import (
    coverage_lost,
    label_counts,
    mode_counts,
    ranking_lost,
    run_measures,
    settling,
    step_counts,
)
from pwgan.measures.measuring import Measuring
from pwgan.measures.subjects import Real
from pwgan.networks.layers.classifier import Classifier
from pwgan.seals import write_frame, write_tensors

CPU = torch.device("cpu")
MODES = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]])


def test_samples_are_counted_at_the_nearest_mode_within_a_quarter_of_the_spacing():
    near, border, far = [0.1, 0.0], [5.0, 0.0], [90.0, 2.9]
    assert mode_counts(np.array([[near, near, far], [border, [4.0, 1.1], [0.0, 4.0]]]), MODES).tolist() == [
        [2, 0, 0],
        [0, 1, 1],
    ]


def test_counts_are_those_of_numpy():
    rng = np.random.default_rng(0)
    samples = rng.normal(size=(4, 50, 2)) * 3
    apart = np.linalg.norm(samples[:, :, None] - MODES, axis=-1)
    expected = (apart <= 1.0).sum(1)  # balls of different modes are disjoint
    assert mode_counts(samples.astype(np.float32), MODES).tolist() == expected.tolist()


@given(st.lists(st.lists(st.integers(0, 3), min_size=5, max_size=5), min_size=1, max_size=5))
def test_labels_are_counted_step_by_step(labels):
    assert label_counts(np.array(labels), 4).tolist() == [[row.count(k) for k in range(4)] for row in labels]


def test_coverage_lost_is_from_the_best_step_to_the_last():
    assert coverage_lost(np.array([[1, 0, 0], [1, 1, 1], [0, 1, 1]], dtype=bool)) == 1
    assert coverage_lost(np.array([[1, 1, 1], [0, 0, 0]], dtype=bool)) == 3
    assert coverage_lost(np.array([[0, 0, 0], [1, 1, 1]], dtype=bool)) == 0


def test_settling_looks_at_the_last_third():
    steps = np.arange(0, 100, 10)
    values = np.where(steps < 60, 50.0, 2.0 - 0.01 * steps)  # 60 = 2/3 of 90 is the first of them
    found = settling(steps, values)
    assert found["last"] == pytest.approx(1.1)
    assert found["trend"] == pytest.approx(-0.01)
    assert found["variance"] == pytest.approx(0, abs=1e-20)  # a straight descent
    rng = np.random.default_rng(0).normal(size=10)
    (slope, _), squares, *_ = np.polyfit(steps[6:], rng[6:], 1, full=True)
    assert settling(steps, rng)["trend"] == pytest.approx(slope)
    assert settling(steps, rng)["variance"] == pytest.approx(squares[0] / 2)
    two = settling(steps[6:8], rng[6:8])
    assert np.isfinite(two["trend"]) and np.isnan(two["variance"])
    lone = settling(np.array([0]), np.array([3.0]))
    assert lone["last"] == 3 and np.isnan(lone["trend"]) and np.isnan(lone["variance"])


def test_ranking_lost_compares_the_last_critic_with_each_of_its_time():
    steps, earlier = np.array([0, 5, 5, 9, 9, 9]), np.array([0, 0, 5, 0, 5, 9])
    auc = np.array([0.9, 0.8, 0.7, 0.4, 0.5, 0.6])
    assert ranking_lost(steps, earlier, auc) == pytest.approx((0.45, (0.5 + 0.2) / 2))
    assert np.isnan(ranking_lost(steps[:1], earlier[:1], auc[:1])).all()


def training(seeds):
    """Return the parameters of a block of so many seeds; what they are makes no difference here."""
    made = {"dataset": "ring8", "method": "gan", "batch_size": 8, "first_seed": 0, "seeds": seeds, "steps": 20}
    made |= {"evaluate_every": 10, "evaluation_points": 32, "network": {"name": "mlp"}, "algorithm": "gan"}
    return Training(**made, options={})


def left(folder, snapshots, ewd, ranking=(), tied=None):
    """Write what a run of (seeds, steps, samples, 2) snapshots would leave at steps 0, 10, 20, ..."""
    seeds, count = snapshots.shape[:2]
    steps = [10 * t for t in range(count)]
    kept = torch.from_numpy(snapshots.astype(np.float32)).transpose(0, 1).contiguous()
    of = training(seeds).identity
    write_tensors(
        folder / "snapshots.safetensors", "snapshots", of, {"steps": torch.tensor(steps), "samples": kept}, {}
    )
    # A row between the evaluations, where no distance is measured.
    tied = np.full((seeds, count), np.nan) if tied is None else tied
    history = [
        {"seed": s, "step": t, "ewd": ewd[s][i], "tied_ewd": tied[s][i], "ewd_debiased": ewd[s][i] / 2}
        for i, t in enumerate(steps)
        for s in range(seeds)
    ]
    nothing = dict.fromkeys(("ewd", "tied_ewd", "ewd_debiased"), np.nan)
    history += [{"seed": s, "step": 15, **nothing} for s in range(seeds)]
    write_frame(folder / "history.parquet", "history", of, pd.DataFrame(history))
    columns = ["seed", "step", "earlier_step", "auc"]
    write_frame(folder / "ranking.parquet", "ranking", of, pd.DataFrame(ranking, columns=columns))


def test_a_run_is_measured_by_what_it_left(ring8, tmp_path):
    data = read_data(ring8)
    at = {t: data.modes[np.arange(16) % t] for t in (1, 8, 5)}
    forgets = np.stack([at[t] for t in (1, 8, 5)])
    diverges = forgets.copy()
    diverges[2] = np.nan
    ranks = [(s, t, e, 0.9 - 0.01 * (t - e)) for t in (0, 10, 20) for e in (0, 10, 20) if e <= t for s in range(2)]
    tied = [[2.5, 1.0, 0.1], [2.5, 1.0, np.nan]]
    left(tmp_path, np.stack([forgets, diverges]), [[3.0, 2.0, 0.5], [3.0, 2.0, np.nan]], ranks, tied)
    values, counts = run_measures(tmp_path, data, None, training(2), [0.2, 0.3])
    found = {(row["seed"], row["measure"]): row["value"] for row in values}
    assert found[0, "coverage-lost@16"] == 3 and np.isnan(found[1, "coverage-lost@16"])
    assert found[0, "ewd-above-floor@32"] == pytest.approx(0.3) and np.isnan(found[1, "ewd-above-floor@32"])
    size = len(data.train)
    assert found[0, f"tied-ewd@{size}"] == 0.1 and np.isnan(found[1, f"tied-ewd@{size}"])
    assert found[0, "critic-auc@16"] == pytest.approx(0.75) and found[0, "critic-auc-lost@16"] == pytest.approx(0.15)
    frame = pd.DataFrame(counts)
    assert frame.groupby("seed")["step"].unique().map(list).tolist() == [[0, 10, 20], [0, 10]]
    last = frame.query("seed == 0 and step == 20")
    assert last["count"].tolist() == [4, 3, 3, 3, 3] + [0] * 3 and (last["samples"] == 16).all()
    assert last["covered"].tolist() == [True] * 5 + [False] * 3
    assert last["mode"].tolist() == list(range(8))


def test_fewer_samples_than_modes_lose_no_coverage(ring8, tmp_path):
    data = read_data(ring8)
    left(tmp_path, np.repeat(data.modes[None, None, :7], 3, 1), [[3.0, 2.0, 0.5]])
    values, counts = run_measures(tmp_path, data, None, training(1), [0.2])
    assert not any(row["measure"].startswith("coverage-lost") for row in values) and counts


def test_without_modes_or_critic_there_is_less_to_say(ring8, tmp_path):
    data = read_data(ring8)
    left(tmp_path, np.zeros((1, 4, 4, 2)), [[9.0, 9.0, 1.0, 2.0]])
    unknown = type(data)(train=data.train, heldout=data.heldout, name="cloud", about={})
    values, counts = run_measures(tmp_path, unknown, None, training(1), [0.0])
    assert {row["measure"]: row["value"] for row in values} == pytest.approx(
        {"ewd-above-floor@32": 2.0, "ewd-trend@32": 0.1, "ewd-variance@32": np.nan}
        | {"ewd-debiased-trend@32": 0.05, "ewd-debiased-variance@32": np.nan},
        nan_ok=True,
    )  # a line through two evaluations leaves nothing
    assert counts == []


def test_measuring_a_trained_block_writes_them(ring8, tiny, tmp_path):
    from pwgan.study import parse_study

    (cell,) = parse_study(tiny(methods={"wgan": {}})).blocks.values()
    data = read_data(ring8)
    common = ["--data", str(ring8), "--device", "cpu"]
    assert main(["train", cell.training.model_dump_json(), *common, "--output", str(tmp_path)]) == 0
    assert main(["measure", cell.model_dump_json(), *common, "--output", str(tmp_path)]) == 0
    measures, counts = (pd.read_parquet(tmp_path / f"{name}.parquet") for name in ("measures", "mode_steps"))
    own = {
        "coverage-lost@256",
        *(f"ewd-{what}@32" for what in ("above-floor", "trend", "variance", "debiased-trend", "debiased-variance")),
    }
    own |= {"critic-auc@256", "critic-auc-lost@256"}
    assert own <= set(measures["measure"])
    few = measures["measure"].str.contains("variance")  # two late evaluations
    assert measures.loc[measures["measure"].isin(own) & ~few, "value"].notna().all()
    assert len(counts) == 2 * 5 * 8 and (counts["method"] == "wgan").all()
    history = pd.read_parquet(tmp_path / "history.parquet")
    final = history.query("step == 20").set_index("seed")["ewd"]
    above = measures[measures["measure"] == "ewd-above-floor@32"].set_index("seed")["value"]
    # The floor of a seed is that of real samples under the same seed.
    real = Measuring(Real(data, range(2), CPU), data, cell.measures, [], None, CPU)
    assert (final - above).tolist() == pytest.approx(real.floor(32))


def test_pictures_are_counted_by_their_predicted_class(ring8):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        classifier = Classifier(1, 3, 8)
    rng = np.random.default_rng(0)
    pictures = rng.uniform(-2, 2, (2, 40, 1, 8, 8)).astype(np.float16)
    data = read_data(ring8)
    shares = np.array([0] * 200 + [1] * 55 + [2])
    pixels = type(data)(train=data.train, heldout=data.heldout, train_labels=shares, name="pictures", about={})
    counts, covers, extractor = step_counts(pictures, pixels, classifier)
    assert extractor == "classifier" and counts.shape == (2, 3)
    for t in range(2):
        labels = classifier.predict(torch.from_numpy(pictures[t].astype(np.float32).clip(-1, 1)))
        assert counts[t].tolist() == [(labels == k).sum().item() for k in range(3)]
        assert covers[t].tolist() == [counts[t, k] >= 0.2 * 40 * (shares == k).mean() for k in range(3)]
    assert step_counts(pictures, pixels, None) is None
