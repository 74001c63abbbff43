"""All measures of one block of seeds, or of real samples in place of generated ones: the floor of each measure."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pwgan.batches import samplers
from pwgan.cells import Block, Group, Measures, Reference, Training
from pwgan.data.store import StoredData
from pwgan.extractors import extractors
from pwgan.limits import FEWEST
from pwgan.measures.bias import pool_bias
from pwgan.measures.classifier import load_classifier
from pwgan.measures.forgetting import MODE_STEPS, Rows, run_measures
from pwgan.measures.frechet import feature_measures
from pwgan.measures.generalisation import feature_neighbours, interpolated, neighbour_measures
from pwgan.measures.interpolation import PATHS, PATHS_KEPT
from pwgan.measures.kept import kept
from pwgan.measures.lost import lost_class
from pwgan.measures.modes import label_coverage, mode_coverage
from pwgan.measures.names import MeasureName, named
from pwgan.measures.spaces import Space
from pwgan.measures.straightness import measure_straightness
from pwgan.measures.subjects import Generated, Real, Subject
from pwgan.networks.layers.classifier import Classifier
from pwgan.options import REFERENCE
from pwgan.provenance import code_version
from pwgan.runtime import RESULT, Cost, forget_ahead, measured_cost
from pwgan.seals import write_array, write_json, write_rows
from pwgan.training.run import load_generator, read_run
from pwgan.training.samples import training_samples
from pwgan.transport.bias import pool_size
from pwgan.transport.cost import points
from pwgan.transport.empirical import debiased, ewd
from pwgan.versions import made_with

log = logging.getLogger("pwgan")

_CELL = {"dataset": "string", "method": "string", "batch_size": "int64", "seed": "int64"}
COLUMNS = {
    "measures": _CELL | {"measure": "string", "value": "double"},
    "bias": _CELL
    | {"sampler": "string", "partition": "bool", "eval_batch": "int64", "n": "int64"}
    | dict.fromkeys(("ewd", "mbwd", "bias", "deviation", "bound", "differing"), "double")
    | dict.fromkeys(("matching_bias", "sampling_bias", "cosine_batch", "cosine_mean"), "double"),
    "interpolation": _CELL | {"path": "int64"} | dict.fromkeys(("t", "nn_train", "nn_ratio", "on_manifold"), "double"),
}
"""Columns of the tables of a block; a table has no rows if its group is not in the study."""


class Measuring:
    """Measures one subject against one data set's held-out samples, and records the cost of each group of measures.

    ``features`` names the feature extractors, ``classifier`` and ``classifier_heldout`` are the files of the trained
    ones, and ``kept`` is the folder for what jobs share about real samples, None to keep nothing.
    """

    def __init__(
        self,
        subject: Subject,
        data: StoredData,
        measures: Measures,
        features: Sequence[str],
        classifier: Path | None,
        device: torch.device,
        classifier_heldout: Path | None = None,
        kept: Path | None = None,
    ) -> None:
        self.subject, self.data = subject, data.of_seeds(subject.seeds)
        self.measures, self.features = measures, features
        self.classifier: Classifier | None = (
            load_classifier(classifier, data.name)[0].to(device) if classifier else None
        )
        self._heldout_classifier, self._kept = classifier_heldout, kept
        self.device = device
        self.sound = subject.sound.clone()
        self.values: Rows = []
        self.bias_rows: list[dict[str, object]] = []
        self.interpolation_rows: list[dict[str, float]] = []
        self.strips = torch.empty(0, *data.sample_shape)
        self.costs: dict[str, Cost] = {}

    def run(self) -> None:
        """Compute every measure of the study's groups that applies to the data set."""
        for name, group in GROUPS.items():
            if name not in self.measures.groups:
                continue
            before = len(self.values) + len(self.bias_rows)
            with measured_cost(self.device) as cost:
                group(self)
            if len(self.values) + len(self.bias_rows) > before:
                self.costs[name] = cost
                log.info("%s: %.1f s, %.0f MB", name, cost.seconds, cost.peak_memory_mb)

    def along_training(self, folder: Path, training: Training) -> Rows:
        """Add the measures along training of the run in ``folder``; return its mode counts at each step."""
        with measured_cost(self.device) as cost:
            floors = self.floor(training.evaluation_points)
            values, counts = run_measures(folder, self.data, self.classifier, training, floors)
            self.values += values
        self.costs["training"] = cost
        return counts

    def write(self, folder: Path, labels: dict[str, Any], of: str, result: str = RESULT) -> None:
        """Write the tables of measures, bias and interpolation, the strips of samples, and ``result`` last.

        ``labels`` are the columns that name the cell, ``of`` is what the seals name.
        """
        forget_ahead(folder)
        tables: dict[str, list[Any]] = {
            "measures": self.values,
            "bias": self.bias_rows,
            "interpolation": self.interpolation_rows,
        }
        for name, rows in tables.items():
            write_rows(folder / f"{name}.parquet", name, of, [{**labels, **row} for row in rows], COLUMNS[name])
        write_array(folder / "interpolation.npy", "strips", of, self.data.restored(self.strips.numpy()))
        costs = {name: asdict(cost) for name, cost in self.costs.items()}
        block = {"first_seed": self.subject.seeds.start, "seeds": len(self.subject.seeds)}
        content = {**labels, **block, "costs": costs, **made_with(self.device)}
        write_json(folder / result, "costs", of, content)

    def add(self, measure: str, values: torch.Tensor | list[float]) -> None:
        """Record one measure, by its full name, for every seed; NaN for diverged seeds."""
        for seed, sound, value in zip(self.subject.seeds, self.sound.tolist(), values, strict=True):
            self.values.append({"seed": seed, "measure": measure, "value": float(value) if sound else np.nan})

    def add_each(self, measured: Sequence[dict[str, float] | None]) -> None:
        """Add the measures of each seed; None stands for a diverged one, which gets the names of the others."""
        names = next((list(values) for values in measured if values), [])
        for name in names:
            self.add(name, [values[name] if values else np.nan for values in measured])

    def per_seed(self, samples: torch.Tensor, measure: Callable[[torch.Tensor], dict[str, float]]) -> None:
        """Record ``measure`` of each seed's samples, (n, *sample) -> {full name: value}."""
        sound = self.sound.tolist()
        # If all seeds diverged, the first one, now all zeros, is measured for the names only.
        needed = sound if any(sound) else [True, *sound[1:]]
        self.add_each([measure(seed) if ok else None for seed, ok in zip(samples, needed, strict=True)])

    def samples(self, count: int) -> torch.Tensor:
        """Return samples on the CPU, 0 for diverged seeds, images clipped to [-1, 1]."""
        return self.cleaned(self.subject.samples(count))

    def cleaned(self, samples: torch.Tensor) -> torch.Tensor:
        """Return samples, 0 for diverged seeds, images clipped to [-1, 1]."""
        # A generator may be finite on its evaluation latents but not on these.
        self.sound &= samples.flatten(1).isfinite().all(1)
        samples = torch.where(self.sound.view(-1, *[1] * (samples.ndim - 1)), samples, 0)
        return samples.clamp(-1, 1) if self.data.kind == "images" else samples

    def heldout(self, count: int) -> torch.Tensor:
        """Return the first ``count`` held-out samples for each seed, (S, count, *sample)."""
        heldout = self.data.heldout_tensor(torch.arange(count))
        return heldout.expand(len(self.subject.seeds), *heldout.shape[1:])

    def floor(self, count: int) -> list[float]:
        """Return for each seed the exact EWD between ``count`` held-out and as many training samples."""
        sides = self.heldout(count), training_samples(self.data, self.subject.seeds, count)
        code = code_version("pwgan.transport.empirical")
        values = kept(self._kept, "floor", sides, [code], lambda: torch.tensor(ewds(*sides), dtype=torch.float64))
        return values.tolist()

    def _ewd(self) -> None:
        data = self.data
        # Real samples in place of generated ones take two sets more, of the same size.
        whole = data.train_size + data.heldout_size
        count = min(self.measures.ewd_points, data.heldout_size, data.train_size, whole // 4)
        first, second = (self.cleaned(side) for side in self.subject.pair(count))
        across, floor, within = ewds(self.heldout(count), first), self.floor(count), ewds(first, second)
        unbiased = [debiased(*each) for each in zip(across, floor, within, strict=True)]
        for name, values in {"ewd": across, "ewd-within": within, "ewd-debiased": unbiased}.items():
            self.add(str(MeasureName(name, None, count)), values)

    def _coverage(self) -> None:
        data, classifier = self.data, self.classifier
        # At most the training size, so the floor uses the same count.
        count = min(self.measures.mode_samples, data.train_size)
        if data.modes is not None and data.sigma is not None:
            modes, sigma = data.modes, data.sigma
            self.per_seed(
                self.samples(count),
                lambda seed: named(mode_coverage(seed.numpy(), modes, sigma, data.weights), count),
            )
        elif classifier is not None and (shares := data.class_weights) is not None:
            self.per_seed(
                self.samples(count),
                lambda seed: named(
                    label_coverage(classifier.predict(seed).numpy(), len(shares), shares), count, "classifier"
                ),
            )

    @cached_property
    def _spaces(self) -> dict[str, Space]:
        models = {"classifier": self.classifier}
        if self._heldout_classifier:
            models["classifier_heldout"] = load_classifier(self._heldout_classifier, self.data.name, of_heldout=True)[0]
        given = self.measures.weights
        return {
            name: Space(extractors()[name](given.get(name), models.get(name), self.device), self._kept)
            for name in self.features
        }

    def _features(self) -> None:
        for space in self._spaces.values():
            if self.measures.feature_reference == "train":
                self._compared_with_training(space)
            else:
                self._compared(space)

    def _compared(self, space: Space) -> None:
        """Add the measures in one feature space, against held-out images."""
        unseen = space.extractor.references(self.data.heldout_size)
        count = min(self.measures.feature_samples, unseen, self.data.train_size)
        heldout = space.real(self.data.heldout_tensor(torch.arange(count))[0])  # all seeds share the images
        name, infinity = space.extractor.name, self.measures.fd_infinity
        self.per_seed(self.samples(count), lambda seed: feature_measures(space(seed), heldout, name, infinity=infinity))

    def _compared_with_training(self, space: Space) -> None:
        """Add the measures in one feature space, of N samples against N training images.

        If fewer images are held out, the floor is that of fewer, and generated samples are measured at both counts.
        """
        unseen = space.extractor.references(self.data.heldout_size)
        most = min(self.measures.feature_samples, self.data.train_size)
        train = space.real(self.data.train_tensor(torch.arange(most))[0])
        samples = self.cleaned(self.subject.against_training(most, unseen))
        counts = sorted({samples.shape[1], min(most, unseen)}, reverse=True)
        name, infinity = space.extractor.name, self.measures.fd_infinity

        def measure(seed: torch.Tensor) -> dict[str, float]:
            features = space(seed)
            values: dict[str, float] = {}
            for n in counts:
                values |= feature_measures(features[:n], train[:n], name, reference="train", infinity=infinity)
            return values

        self.per_seed(samples, measure)

    def _neighbours(self) -> None:
        data = self.data
        count = min(self.measures.neighbour_samples, data.heldout_size // 2, data.train_size)
        if count < FEWEST:
            return
        samples, heldout = self.subject.neighbours(count)
        samples = self.cleaned(samples)
        self.add_each(neighbour_measures(data, samples, heldout, self.device))
        for space in self._spaces.values():
            unseen = space.extractor.references(data.heldout_size)
            if unseen < data.heldout_size:
                count = min(self.measures.neighbour_samples, unseen // 2, data.train_size)
                own, heldout_of_space = self.subject.neighbours(count, unseen)
                pair = self.cleaned(own), heldout_of_space
            else:
                pair = samples, heldout
            self.add_each(feature_neighbours(data, *pair, self.device, space, self.measures.feature_samples))

    def _interpolation(self) -> None:
        data, subject = self.data, self.subject
        samples = self.cleaned(subject.paths(min(PATHS, data.heldout_size // 2)))
        limit = min(self.measures.neighbour_samples, data.heldout_size)
        find = self._spaces.get("classifier")
        measured, rows = interpolated(data, samples, subject.seeds, limit, self.device, find)
        self.add_each(measured)
        sound = dict(zip(subject.seeds, self.sound.tolist(), strict=True))
        for row in rows:
            lost = {} if sound[int(row["seed"])] else dict.fromkeys(("nn_train", "nn_ratio", "on_manifold"), np.nan)
            self.interpolation_rows.append(row | lost)
        shown = torch.where(self.sound.view(-1, *[1] * (samples.ndim - 1)), samples, torch.nan)
        self.strips = shown[:, :PATHS_KEPT]

    def _bias(self) -> None:
        subject, measures, known = self.subject, self.measures, samplers()
        n = pool_size(measures.bias_points, self.data.heldout_size, self.data.train_size)
        real = points(self.data.heldout_tensor(torch.arange(n), self.device)).squeeze(0)
        names, partitions = measures.bias_samplers, measures.bias_partitions
        for sampler, m, report in pool_bias(
            real, subject.pool(n), self.sound, subject.seeds, names, partitions, subject.cosines
        ):
            rung = {"sampler": sampler, "partition": known[sampler].partitions, "eval_batch": m, "n": n}
            for i, seed in enumerate(subject.seeds):
                values = {name: float(value[i]) for name, value in report.items()}
                self.bias_rows.append({"seed": seed, **rung, **values})


def ewds(x: torch.Tensor, y: torch.Tensor) -> list[float]:
    """Return the exact EWD of each seed between samples x and y, (S, n, *sample)."""
    # One seed at a time, to limit memory: each has n^2 costs.
    return [float(ewd(*sides)) for sides in zip(points(x, 1), points(y, 1), strict=True)]


GROUPS: dict[Group, Callable[[Measuring], None]] = {
    "ewd": Measuring._ewd,
    "coverage": Measuring._coverage,
    "features": Measuring._features,
    "neighbours": Measuring._neighbours,
    "straightness": measure_straightness,
    "interpolation": Measuring._interpolation,
    "bias": Measuring._bias,
}
"""Every group of measures, in the order of computation; the cost of each is recorded under its name."""


def require_networks(measures: Measures, features: Sequence[str]) -> None:
    """Load the weights of the extractors that read a file of them; raises ``Refused`` for those of another network.

    What is found before training is not found after it.
    """
    if {"features", "neighbours"} & set(measures.groups):
        for cls in (extractors()[name] for name in features):
            if cls.reads_file:
                cls(measures.weights.get(cls.name))


def measure_block(
    block: Block,
    data: StoredData,
    folder: Path,
    classifier: Path | None,
    device: torch.device,
    classifier_heldout: Path | None = None,
    kept: Path | None = None,
    result: str = RESULT,
) -> None:
    """Measure the trained generators of a block and write the results into its folder, the file ``result`` last.

    The caller holds the lock of the folder.
    """
    training = block.training
    run = read_run(folder, training)
    sound = torch.tensor([seed["status"] == "ok" for seed in run["seeds"]])
    generator = load_generator(folder / "generator.safetensors", training, device)
    subject = Generated(data, generator, training.seed_range, training.network.latent_dim, sound)
    given = block.measures, block.features, classifier, device, classifier_heldout, kept
    measuring = Measuring(subject, data, *given)
    measuring.run()
    counts = measuring.along_training(folder, training)
    labels = training.labels()
    rows = [{**labels, **row} for row in counts]
    write_rows(folder / "mode_steps.parquet", "mode_steps", training.identity, rows, MODE_STEPS)
    measuring.write(folder, labels, training.identity, result)


def measure_reference(
    reference: Reference,
    data: StoredData,
    folder: Path,
    classifier: Path | None,
    device: torch.device,
    classifier_heldout: Path | None = None,
    kept: Path | None = None,
    result: str = RESULT,
) -> None:
    """Measure real training samples as if they were generated; write results into ``folder``, ``result`` last.

    The caller holds the lock of the folder.
    """
    real = Real(data, reference.seed_range, device)
    given = reference.measures, reference.features, classifier, device, classifier_heldout, kept
    measuring = Measuring(real, data, *given)
    measuring.run()
    # Of stacked channels a class has a thousandth of the samples: its loss would be lost in the noise.
    if data.train_labels is not None and data.channel_classes is None:
        count, costs = lost_class(data, reference.seed_range, reference.measures.ewd_points)
        measuring.add(str(MeasureName("lost-class", None, count)), costs)
    n = reference.evaluation_points
    measuring.add(str(MeasureName("ewd-history", None, n)), measuring.floor(n))
    labels = {"dataset": reference.dataset, "method": REFERENCE, "batch_size": None}
    measuring.write(folder, labels, reference.identity, result)
