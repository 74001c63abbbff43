"""All measures of a block: which there are, of how many samples, and what stands where a seed diverged."""

import json
from typing import get_args

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.linalg import eigvals
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from scipy.special import rel_entr

from pwgan.batches.base import random_order
from pwgan.cells import Group, Measures, Reference
from pwgan.data import Split
from pwgan.data.mixtures import Ring8
from pwgan.data.store import StoredData, read_data, write_data
from pwgan.errors import Refused
from pwgan.measures import measuring
from pwgan.measures.bias import MatchedGradients, pool_bias
from pwgan.measures.classifier import load_classifier, save_classifier, write_classifier
from pwgan.measures.measuring import COLUMNS, GROUPS, Measuring, ewds, measure_reference
from pwgan.measures.subjects import Generated, Real
from pwgan.networks.layers.classifier import Classifier
from pwgan.networks.layers.initial import initialise
from pwgan.networks.mlp import MLP
from pwgan.seals import identity, read_table
from pwgan.training.run import generate, latent_samples

MEASURES = Measures(ewd_points=32, mode_samples=50, feature_samples=40, bias_points=20, bias_partitions=1)
COVERAGE = ["coverage", "coverage-kl", "near-modes", "high-quality", "std-ratio", "captured", "captured-kl"]
COVERAGE += ["captured-any"]
CLASSES = ["coverage", "coverage-kl", "captured-any"]
SUPPORT = ["precision", "recall", "density", "nn-coverage"]
FEATURES = ["fd", "kid", *SUPPORT]
EWDS = ["ewd", "ewd-within", "ewd-debiased"]
NEAR = ["nn_train", "nn_heldout", "nn_ratio", "copies", "data_copying", "one_nn_accuracy"]
PLANE = [*NEAR, *SUPPORT, "interpolation_ratio", "interpolation_middle", "interpolation_between"]
PIXELS = [*NEAR, "interpolation_ratio", "interpolation_middle"]


@pytest.fixture
def points(ring8):
    return read_data(ring8)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Store 80 training and 40 held-out images of 8x8 pixels, of three classes told apart by brightness."""
    rng = np.random.default_rng(0)
    labels = np.arange(120) % 3
    pixels = (0.6 * (labels - 1)[:, None, None, None] + rng.uniform(-0.3, 0.3, (120, 1, 8, 8))).astype(np.float32)
    path = tmp_path_factory.mktemp("data") / "images.safetensors"
    write_data(path, Split(pixels[:80], pixels[80:], labels[:80], labels[80:]), {"name": "images"})
    return read_data(path)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    """Store a classifier of three classes with random weights: what it says is as good as any for counting."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = Classifier(1, 3, 8)
    path = tmp_path_factory.mktemp("classifier") / "images-classifier.safetensors"
    save_classifier(path, model, {"accuracy": 0.3}, "images")
    return path


@pytest.fixture(scope="module")
def heldout_classifier(tmp_path_factory):
    """Store another classifier of random weights as the one trained on held-out images."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = Classifier(1, 3, 8)
    path = tmp_path_factory.mktemp("classifier") / "images-classifier-heldout.safetensors"
    save_classifier(path, model, {"accuracy": 0.3}, "images", of_heldout=True)
    return path


def network(seeds, shape=(2,)):
    made, _ = MLP(width=8, depth=2, latent_dim=3).build(seeds, shape, "none")
    initialise(made, seeds, "generator")
    return made.eval()


def measured(subject, data, measures=MEASURES, features=(), classifier=None, heldout=None, kept=None):
    block = Measuring(subject, data, measures, features, classifier, torch.device("cpu"), heldout, kept)
    block.run()
    return pd.DataFrame(block.values), pd.DataFrame(block.bias_rows), block


def real(data, seeds):
    return Real(data, range(seeds), torch.device("cpu"))


def generated(data, network, seeds, sound):
    return Generated(data, network, seeds, 3, sound)


def of(values, measure):
    return values.loc[values["measure"] == measure, "value"]


def value_of(values, measure, seed):
    return values.loc[(values["measure"] == measure) & (values["seed"] == seed), "value"].item()


def assignment(x, y):
    costs = cdist(x.astype(float), y.astype(float))
    return costs[linear_sum_assignment(costs)].mean()


def assert_distances(values, seed, heldout, train, first, second):
    """Check the distances between samples and held-out ones, and between two sets of samples, against scipy."""
    across, within = assignment(heldout, first), assignment(first, second)
    expected = {"ewd": across, "ewd-within": within}
    expected["ewd-debiased"] = 2 * across - within - assignment(heldout, train)
    for name, value in expected.items():
        assert value_of(values, f"{name}@32", seed) == pytest.approx(value, rel=1e-6, abs=1e-7)


def sound(*seeds):
    return torch.tensor(seeds)


def test_real_samples_are_measured_as_random_subsets_of_the_training_set(points):
    values, bias, _ = measured(real(points, 3), points)
    names = [*(f"{name}@32" for name in EWDS), *(f"{name}@50" for name in COVERAGE), *(f"{name}@32" for name in PLANE)]
    assert values["measure"].unique().tolist() == names
    assert values.groupby("measure")["seed"].agg(list).map([0, 1, 2].__eq__).all()
    for seed in range(3):
        first, second, third = points.train[random_order(256, "reference", seed)[:96].numpy()].reshape(3, 32, 2)
        assert_distances(values, seed, points.heldout[:32], first, second, third)
    assert of(values, "ewd@32").nunique() == 3
    assert (of(values, "coverage@50") == 8).all()
    assert of(values, "high-quality@50").between(0.85, 1).all()
    assert bias["eval_batch"].tolist() == [m for m in (4, 8, 16) for _ in range(3)]
    assert (bias["n"] == 16).all() and bias["cosine_mean"].isna().all() and bias["bound"].notna().all()


def test_sets_of_real_samples_have_none_in_common_even_if_the_training_set_is_small(images):
    subject = real(images, 2)
    heldout = images.heldout_tensor(torch.arange(30)).expand(2, -1, -1, -1, -1)
    for seed, sets in enumerate(zip(heldout, subject.samples(30), *subject.pair(30), strict=True)):
        rows = torch.cat(sets).flatten(1)
        assert len(rows) == len(rows.unique(dim=0)) == 120, seed


def test_a_generator_is_measured_on_fresh_latents(points):
    seeds = range(2, 4)
    made = network(seeds)
    values, bias, _ = measured(generated(points, made, seeds, sound(True, True)), points)
    fake, again = (
        generate(made, latent_samples(seeds, stream, 32, 3)).double().numpy()
        for stream in ("measured", "measured again")
    )
    for own, other, seed in zip(fake, again, seeds, strict=True):
        train = points.train[random_order(256, "reference", seed)[:32].numpy()]
        assert_distances(values, seed, points.heldout[:32], train, own, other)
        far = np.linalg.norm(own[:, None] - points.modes, axis=-1).min(1)
        assert (far > 0.03).all()  # an untrained generator is nowhere near: that is what the coverage has to say
        assert value_of(values, "high-quality@50", seed) == 0 and np.isnan(value_of(values, "captured@50", seed))
    latent = latent_samples(seeds, "pool", 16, 3)
    (held,) = points.heldout_tensor(torch.arange(16))
    with torch.no_grad():
        pool = made(latent)
    for _, m, report in pool_bias(
        held,
        pool,
        sound(True, True),
        seeds,
        ["random"],
        1,
        lambda x, full: MatchedGradients(made, latent, x, full).cosines,
    ):
        rows = bias[bias["eval_batch"] == m]
        assert rows["seed"].tolist() == [2, 3] and (rows["sampler"] == "random").all()
        for name, expected in report.items():
            np.testing.assert_allclose(rows[name], expected)


@pytest.mark.parametrize("subject", ["real", "generated"])
def test_seeds_with_draws_of_their_own_are_measured_as_if_each_were_alone(subject):
    law, seeds = Ring8(samples=128, heldout=64), range(2, 4)
    made, few = network(seeds), MEASURES.model_copy(update={"bias_samplers": ["random", "stratified"]})

    def of_draws(data, part):
        rows = slice(part.start - 2, part.stop - 2)
        alive = torch.ones(len(part), dtype=torch.bool)
        latents = network(part)
        latents.load_state_dict({name: weights[rows] for name, weights in made.state_dict().items()})
        return Real(data, part, torch.device("cpu")) if subject == "real" else generated(data, latents, part, alive)

    draws = StoredData(**vars(law.draws(range(1, 5))), name="ring8", about={})
    values, bias, block = measured(of_draws(draws, seeds), draws, few)
    paths = pd.DataFrame(block.interpolation_rows)
    for seed in seeds:
        alone = StoredData(**vars(law.draw(seed)), name="ring8", about={})
        own = range(seed, seed + 1)
        expected, expected_bias, other = measured(of_draws(alone, own), alone, few)
        expected_paths = pd.DataFrame(other.interpolation_rows)
        for frame, right in ((values, expected), (bias, expected_bias), (paths, expected_paths)):
            pd.testing.assert_frame_equal(frame[frame["seed"] == seed].reset_index(drop=True), right)
        torch.testing.assert_close(block.strips[seed - 2], other.strips[0])
    assert values.groupby("seed")["value"].sum().nunique() == 2


def test_every_name_states_how_many_samples_it_took(points, images, classifier):
    many = Measures()
    values, bias, _ = measured(real(points, 1), points, many)
    # 64 are held out; 256 are there to train on, and no reference can have more.
    expected = {
        *(f"{name}@64" for name in EWDS),
        *(f"{name}@256" for name in COVERAGE),
        *(f"{name}@32" for name in PLANE),
    }
    assert set(values["measure"]) == expected
    assert (bias["n"] == 64).all()
    values, bias, _ = measured(generated(points, network(range(1)), range(1), sound(True)), points, many)
    # Nor is a generator asked for more, so that both counts are one.
    assert set(values["measure"]) == expected
    made = generated(images, network(range(1), (1, 8, 8)), range(1), sound(True))
    values, bias, _ = measured(made, images, many, ["classifier"], classifier)
    counted = {*(f"{name}-classifier@80" for name in CLASSES), *(f"{name}-classifier@40" for name in FEATURES)}
    near = {*(f"{name}@20" for name in PIXELS), *(f"{name}-classifier@20" for name in NEAR)}
    # Real samples need four sets of the 120 images.
    assert set(values["measure"]) == {*(f"{name}@30" for name in EWDS), *counted, *near}
    assert (bias["n"] == 32).all()


def test_the_points_of_the_training_curves_are_measured_too(points):
    block = Measuring(real(points, 2), points, MEASURES, [], None, torch.device("cpu"))
    for seed, value in enumerate(block.floor(20)):
        chosen = points.train[random_order(256, "reference", seed)[:20].numpy()]
        assert value == pytest.approx(assignment(points.heldout[:20], chosen), rel=1e-6)


def test_without_features_or_labels_there_is_less_to_say(images, classifier):
    only, _, _ = measured(real(images, 2), images)
    near = {f"{name}@20" for name in PIXELS}
    distances = [f"{name}@30" for name in EWDS]
    assert set(only["measure"]) == {*distances, *near}
    counted, _, _ = measured(real(images, 2), images, classifier=classifier)
    assert set(counted["measure"]) == {*distances, *(f"{name}-classifier@50" for name in CLASSES), *near}


def test_stacked_channels_are_counted_as_one_class_of_all(tmp_path):
    """Two classes, dark and bright, in each of two channels; a classifier that tells them by the mean of a channel."""
    rng = np.random.default_rng(0)
    bright = rng.integers(0, 2, (120, 2))
    pixels = ((bright - 0.5)[:, :, None, None] + rng.uniform(-0.3, 0.3, (120, 2, 8, 8))).astype(np.float32)
    labels = bright @ [2, 1]
    write_data(
        tmp_path / "data", Split(pixels[:80], pixels[80:], labels[:80], labels[80:], channel_classes=2), {"name": "two"}
    )
    stored = read_data(tmp_path / "data")
    write_classifier(tmp_path / "classifier", stored, torch.device("cpu"))
    reference = Reference(
        dataset="two", first_seed=0, seeds=2, evaluation_points=20, measures=MEASURES, features=["classifier"]
    )
    (tmp_path / "out").mkdir()
    (tmp_path / "out/ahead-0123456789abcdef.json").touch()  # stands for the tables that are now overwritten
    measure_reference(reference, stored, tmp_path / "out", tmp_path / "classifier", torch.device("cpu"))
    assert not list((tmp_path / "out").glob("ahead-*"))
    table = read_table(tmp_path / "out/measures.parquet", "measures", reference.identity).to_pandas()
    for seed in range(2):
        shares = np.bincount(stored.train_labels[random_order(80, "reference", seed)[:50]], minlength=4) / 50
        assert (
            value_of(table, "coverage-classifier@50", seed) == value_of(table, "captured-any-classifier@50", seed) == 4
        )
        assert value_of(table, "coverage-kl-classifier@50", seed) == pytest.approx(float(rel_entr(shares, 0.25).sum()))
        assert value_of(table, "fd-classifier@40", seed) > 0
    assert not table["measure"].str.startswith("lost-class").any()


def test_classifier_and_features_are_those_of_the_file(images, classifier):
    values, _, block = measured(real(images, 2), images, features=["classifier"], classifier=classifier)
    for seed in range(2):
        (own,) = images.train_tensor(random_order(80, "reference", seed)[:50])
        counts = block.classifier.predict(own).bincount(minlength=3)
        fair = 50 * np.bincount(images.train_labels) / 80
        assert value_of(values, "coverage-classifier@50", seed) == (counts.numpy() >= 0.2 * fair).sum()
    assert (of(values, "fd-classifier@40") > 0).all()
    for name in ("precision", "recall"):
        assert of(values, f"{name}-classifier@40").between(0.3, 1).all()


def test_every_extractor_gives_every_measure_of_its_space(images, classifier):
    values, _, _ = measured(real(images, 2), images, features=["classifier", "random"], classifier=classifier)
    for name in ("classifier", "random"):
        alone, _, _ = measured(real(images, 2), images, features=[name], classifier=classifier)
        own = {f"{measure}-{name}@40" for measure in FEATURES} | {f"{measure}-{name}@20" for measure in NEAR}
        assert own <= set(alone["measure"])
        for measure in own:
            assert of(values, measure).tolist() == of(alone, measure).tolist()


def frechet(x, y):
    """The Fréchet distance of two sets of features by scipy."""
    x, y = (side.double().numpy() for side in (x, y))
    a, b = np.cov(x.T), np.cov(y.T)
    return (
        np.sum((x.mean(0) - y.mean(0)) ** 2) + np.trace(a) + np.trace(b) - 2 * np.sqrt(eigvals(a @ b) + 0j).real.sum()
    )


def test_a_classifier_of_held_out_images_is_compared_with_the_others(images, heldout_classifier):
    only = MEASURES.model_copy(update={"groups": ["features", "neighbours"]})
    subject = real(images, 2)
    values, _, _ = measured(subject, images, only, ["classifier_heldout"], heldout=heldout_classifier)
    space = [
        *(f"{name}-classifier_heldout@20" for name in FEATURES),
        *(f"{name}-classifier_heldout@10" for name in NEAR),
    ]
    assert set(values["measure"]) == {*(f"{name}@20" for name in NEAR), *space}
    model, _ = load_classifier(heldout_classifier, "images", of_heldout=True)
    reference = model.features(images.heldout_tensor(torch.arange(20))[0])
    for seed, own in enumerate(subject.samples(20)):
        expected = frechet(model.features(own), reference)
        assert value_of(values, "fd-classifier_heldout@20", seed) == pytest.approx(expected, rel=1e-4, abs=1e-6)
    # Both sides of the floor of copies are of the first half, too.
    for side in subject.neighbours(10, 20):
        rows = side.flatten(2).flatten(0, 1)
        first = images.heldout_tensor(torch.arange(20)).flatten(2)[0]
        assert (torch.cdist(rows, first).min(1).values == 0).all()
    with pytest.raises(Refused, match="another cell or data set"):
        load_classifier(heldout_classifier, "images")


def test_against_training_images_the_floor_is_held_out_ones(images, classifier):
    only = MEASURES.model_copy(update={"groups": ["features"], "feature_reference": "train", "feature_samples": 60})
    model, _ = load_classifier(classifier, "images")
    (train,) = images.train_tensor(torch.arange(60))
    names = {f"{name}-train-classifier@{n}" for name in FEATURES for n in (60, 40)}
    made = generated(images, network(range(2), (1, 8, 8)), range(2), sound(True, True))
    values, _, _ = measured(made, images, only, ["classifier"], classifier)
    assert set(values["measure"]) == names
    floor, _, _ = measured(real(images, 2), images, only, ["classifier"], classifier)
    assert set(floor["measure"]) == {name for name in names if name.endswith("@40")}
    features, reference = model.features(made.samples(60)[1].clamp(-1, 1)), model.features(train)
    for n in (60, 40):
        expected = frechet(features[:n], reference[:n])
        assert value_of(values, f"fd-train-classifier@{n}", 1) == pytest.approx(expected, rel=1e-4, abs=1e-6)
    heldout = model.features(images.heldout_tensor()[0])
    assert value_of(floor, "fd-train-classifier@40", 0) == pytest.approx(
        frechet(heldout, reference[:40]), rel=1e-4, abs=1e-6
    )


def test_what_is_kept_changes_no_value_and_is_not_computed_again(images, classifier, tmp_path, monkeypatch):
    options = {"features": ["classifier", "random"], "classifier": classifier}
    alone, _, _ = measured(real(images, 2), images, **options)
    computed = []
    monkeypatch.setattr(measuring, "ewds", lambda x, y: computed.append(len(x)) or ewds(x, y))
    for solved in (3, 2):  # the distance of the subject, its floor, and that within it
        values, _, _ = measured(real(images, 2), images, **options, kept=tmp_path)
        pd.testing.assert_frame_equal(values, alone)
        assert len(computed) == solved
        computed.clear()
    names = sorted(path.name.rpartition("-")[0] for path in tmp_path.iterdir())
    # Features of references, and of training images near copies.
    assert names == ["features-classifier", "features-classifier", "features-random", "features-random", "floor"]


def test_only_the_groups_of_the_study_are_measured(points, tmp_path):
    assert list(GROUPS) == list(get_args(Group)) == Measures().groups
    everything, _, _ = measured(real(points, 2), points)
    values, bias, block = measured(real(points, 2), points, MEASURES.model_copy(update={"groups": ["coverage"]}))
    assert values["measure"].unique().tolist() == [f"{name}@50" for name in COVERAGE]
    assert bias.empty and list(block.costs) == ["coverage"]
    same = everything[everything["measure"].isin(values["measure"])]
    pd.testing.assert_frame_equal(values, same.reset_index(drop=True))
    # Tables without rows have the columns of those with rows.
    block.write(tmp_path / "one", {"dataset": "ring8", "method": "data", "batch_size": None}, identity("ring8"))
    assert np.load(tmp_path / "one/interpolation.npy").shape[0] == 0
    for name in ("bias", "interpolation"):
        frame = pd.read_parquet(tmp_path / "one" / f"{name}.parquet")
        assert frame.empty and list(frame.columns) == list(COLUMNS[name])


def test_pictures_are_cut_to_the_range_of_a_picture(images, classifier):
    wild = network(range(1), (1, 8, 8))
    with torch.no_grad():
        wild.layers[-1].bias += torch.linspace(-3, 3, 64)
    subject = generated(images, wild, range(1), sound(True))
    values, _, _ = measured(subject, images, features=["classifier"], classifier=classifier)
    assert values["value"].notna().all()
    (cut,) = generate(wild, latent_samples(range(1), "measured", 30, 3)).flatten(2).double().numpy().clip(-1, 1)
    expected = assignment(images.heldout[:30].reshape(30, -1), cut)
    assert value_of(values, "ewd@30", 0) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("alive", [[True, False, True], [False, True, True], [False, False, False]])
@pytest.mark.parametrize("kind", ["points", "images"])
def test_a_diverged_seed_has_every_measure_and_changes_no_other(points, images, classifier, kind, alive):
    shape, seeds = ((2,), range(3)) if kind == "points" else ((1, 8, 8), range(3))
    data, options = (
        (points, {}) if kind == "points" else (images, {"features": ["classifier", "random"], "classifier": classifier})
    )
    made = network(seeds, shape)
    whole, whole_bias, _ = measured(generated(data, made, seeds, sound(True, True, True)), data, **options)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter[~torch.tensor(alive)] = torch.nan
    values, bias, block = measured(generated(data, made, seeds, sound(*alive)), data, **options)
    for frame, before, keys in (
        (values, whole, ["seed", "measure"]),
        (bias, whole_bias, ["seed", "sampler", "partition", "n"]),
    ):
        assert list(frame.columns) == list(before.columns)
        pd.testing.assert_frame_equal(frame[keys], before[keys])
        lost = ~frame["seed"].map(dict(enumerate(alive)))
        quantities = [name for name in frame if name not in (*keys, "eval_batch")]
        assert frame.loc[lost, quantities].isna().all(axis=None)
        pd.testing.assert_frame_equal(frame[~lost], before[~lost])
    paths = pd.DataFrame(block.interpolation_rows)
    assert paths["nn_ratio"].isna().tolist() == [not alive[seed] for seed in paths["seed"]]
    assert block.strips.flatten(1).isfinite().all(1).tolist() == alive


def test_the_floor_of_neighbours_is_held_out_samples_against_other_held_out_ones(points):
    values, _, _ = measured(real(points, 8), points)
    train, heldout = points.train.astype(float), points.heldout.astype(float)
    for seed in range(8):
        order = random_order(64, "neighbours", seed).numpy()
        own, other = (cdist(heldout[part], train).min(1) for part in (order[:32], order[32:]))
        everyone = np.concatenate([own, other])
        assert value_of(values, "nn_ratio@32", seed) == pytest.approx(np.median(own) / np.median(other))
        assert value_of(values, "copies@32", seed) == pytest.approx((own < np.quantile(everyone, 0.05)).mean())
    assert of(values, "one_nn_accuracy@32").mean() == pytest.approx(0.5, abs=0.2)


def test_a_generator_is_held_against_the_whole_training_set(points):
    seeds = range(2, 4)
    made = network(seeds)
    values, _, _ = measured(generated(points, made, seeds, sound(True, True)), points)
    fake = generate(made, latent_samples(seeds, "measured", 32, 3)).double().numpy()
    train, heldout = points.train.astype(float), points.heldout.astype(float)[:32]
    for own, seed in zip(fake, seeds, strict=True):
        ratio = np.median(cdist(own, train).min(1)) / np.median(cdist(heldout, train).min(1))
        assert value_of(values, "nn_ratio@32", seed) == pytest.approx(ratio, rel=1e-6)
        assert value_of(values, "nn_train@32", seed) == pytest.approx(
            np.median(cdist(own, train[:32]).min(1)), rel=1e-6
        )
        assert value_of(values, "nn_heldout@32", seed) == pytest.approx(np.median(cdist(own, heldout).min(1)), rel=1e-6)


def test_paths_are_those_of_the_generator_and_blends_of_held_out_samples(points, images):
    seeds = range(2, 4)
    made = network(seeds)
    _, _, block = measured(generated(points, made, seeds, sound(True, True)), points)
    latent = latent_samples(seeds, "interpolation", 64, 3)
    middle = generate(made, (latent[:, :32] + latent[:, 32:]) / 2**0.5)
    torch.testing.assert_close(block.strips[:, :, 4], middle[:, :4])
    rows = pd.DataFrame(block.interpolation_rows)
    assert len(rows) == 2 * 32 * 9 and not rows.duplicated(["seed", "path", "t"]).any()
    expected = cdist(middle[1].double(), points.train.astype(float)).min(1)
    np.testing.assert_allclose(rows.loc[(rows["seed"] == 3) & (rows["t"] == 0.5), "nn_train"], expected, rtol=1e-6)
    _, _, block = measured(real(images, 2), images)
    order = random_order(40, "paths", 1)
    ends = images.heldout_tensor(order[:4])[0], images.heldout_tensor(order[20:24])[0]
    assert block.strips.shape == (2, 4, 9, 1, 8, 8)
    torch.testing.assert_close(block.strips[1, :, 4], (ends[0] + ends[1]) / 2)


def test_written_values_are_the_measured_ones(points, tmp_path):
    values, bias, block = measured(real(points, 2), points)
    labels = {"dataset": "ring8", "method": "data", "batch_size": None}
    block.write(tmp_path / "new", labels, identity("ring8"))
    tables = {"measures": values, "bias": bias, "interpolation": pd.DataFrame(block.interpolation_rows)}
    files = {*(f"{name}.parquet" for name in tables), "interpolation.npy", "measures.json"}
    assert {path.name for path in (tmp_path / "new").iterdir()} == files
    np.testing.assert_array_equal(np.load(tmp_path / "new/interpolation.npy"), block.strips)
    for name, expected in tables.items():
        frame = pd.read_parquet(tmp_path / "new" / f"{name}.parquet")
        assert list(frame.columns) == [*labels, *expected.columns]
        pd.testing.assert_frame_equal(frame[expected.columns], expected)
        assert (frame["method"] == "data").all() and frame["batch_size"].isna().all()
    told = json.loads((tmp_path / "new" / "measures.json").read_text())
    assert told["device"] == "cpu" and set(told["costs"]) == {"ewd", "coverage", "neighbours", "interpolation", "bias"}
    assert all(set(cost) == {"seconds", "peak_memory_mb"} for cost in told["costs"].values())
