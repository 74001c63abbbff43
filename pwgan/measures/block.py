"""All measures of one block of seeds, or of the real samples that stand in for a generator as the floor of each."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pwgan.data.store import StoredData
from pwgan.measures.classifier import Classifier, load_classifier
from pwgan.measures.features import extractor
from pwgan.measures.forgetting import Rows, run_measures
from pwgan.measures.frechet import feature_measures
from pwgan.measures.generalisation import feature_neighbours, heldout_halves, interpolated, neighbour_measures
from pwgan.measures.interpolation import PATHS, SHOWN, spherical_paths, straight_paths
from pwgan.measures.memorization import FEWEST
from pwgan.measures.modes import label_coverage, mode_coverage
from pwgan.measures.transport import bias_ladder, pool_size
from pwgan.runtime import Cost, measured_cost, whole_file, write_json, write_table
from pwgan.study import Extractor, Measures
from pwgan.training.samples import generate, latent_samples
from pwgan.transport.cost import points
from pwgan.transport.samplers import random_order
from pwgan.transport.wasserstein import ewd

log = logging.getLogger("pwgan")


@dataclass(frozen=True)
class Subject:
    """What is measured: ``samples(n)`` gives n samples of each seed, (S, n, *sample).

    ``generator`` and its latents are there unless the samples are real; ``sound`` (S,) tells seeds that never diverged.
    """

    seeds: range
    samples: Callable[[int], torch.Tensor]
    sound: torch.Tensor
    generator: torch.nn.Module | None = None
    latent_dim: int = 0


def generated(generator: torch.nn.Module, seeds: range, latent_dim: int, sound: torch.Tensor) -> Subject:
    """Measure a block's generators on fresh latents, the same for every method."""
    device = next(generator.parameters()).device

    def samples(count: int) -> torch.Tensor:
        return generate(generator, latent_samples(seeds, "measured", count, latent_dim).to(device)).cpu()

    return Subject(seeds, samples, sound, generator=generator, latent_dim=latent_dim)


def real(data: StoredData, seeds: int) -> Subject:
    """Measure training samples, each seed a random subset, as if they had been generated."""

    def samples(count: int) -> torch.Tensor:
        orders = [random_order(len(data.train), "reference", seed)[:count] for seed in range(seeds)]
        return data.train_tensor(torch.stack(orders))

    return Subject(range(seeds), samples, torch.ones(seeds, dtype=torch.bool))


class Block:
    """Measures one subject against one data set's held-out samples, and keeps the cost of each group of measures."""

    def __init__(
        self,
        subject: Subject,
        data: StoredData,
        measures: Measures,
        features: Extractor,
        classifier: Path | None,
        device: torch.device,
    ) -> None:
        self.subject, self.data, self.measures, self.features = subject, data, measures, features
        self.classifier: Classifier | None = load_classifier(classifier)[0].to(device) if classifier else None
        self.device = device
        self.sound = subject.sound.clone()
        self.values: list[dict[str, object]] = []
        self.bias_rows: list[dict[str, object]] = []
        self.interpolation_rows: list[dict[str, float]] = []
        self.strips = torch.empty(0)
        self.costs: dict[str, Cost] = {}

    def run(self) -> None:
        """Take every measure that the data set allows."""
        groups = {
            "ewd": self._ewd,
            "coverage": self._coverage,
            "features": self._features,
            "neighbours": self._neighbours,
            "interpolation": self._interpolation,
            "bias": self._bias,
        }
        for name, group in groups.items():
            before = len(self.values) + len(self.bias_rows)
            with measured_cost(self.device) as cost:
                group()
            if len(self.values) + len(self.bias_rows) > before:
                self.costs[name] = cost
                log.info("%s: %.1f s, %.0f MB", name, cost.seconds, cost.peak_memory_mb)

    def along_training(self, folder: Path, evaluation_points: int) -> Rows:
        """Add what the run in ``folder`` left along training, and return its counts of each mode at each step."""
        with measured_cost(self.device) as cost:
            seeds = self.subject.seeds
            floor = Block(real(self.data, len(seeds)), self.data, self.measures, "none", None, self.device)
            floor.ewd_at(evaluation_points)
            mean = float(np.mean([row["value"] for row in floor.values]))
            values, counts = run_measures(folder, self.data, self.classifier, seeds, mean, evaluation_points)
            self.values += values
        self.costs["training"] = cost
        return counts

    def write(self, folder: Path, labels: dict[str, Any]) -> None:
        """Write the tables of measures, bias and interpolation, the strips of samples, and measures.json.

        ``labels`` are the columns that name the block.
        """
        tables: dict[str, list[Any]] = {
            "measures": self.values,
            "bias": self.bias_rows,
            "interpolation": self.interpolation_rows,
        }
        for name, rows in tables.items():
            write_table(folder / f"{name}.parquet", [{**labels, **row} for row in rows])
        with whole_file(folder / "interpolation.npy") as aside:
            np.save(aside, self.strips.numpy(), allow_pickle=False)
        costs = {name: asdict(cost) for name, cost in self.costs.items()}
        write_json(folder / "measures.json", {**labels, "device": str(self.device), "costs": costs})

    def _add(self, measure: str, values: torch.Tensor | list[float]) -> None:
        for seed, sound, value in zip(self.subject.seeds, self.sound.tolist(), values, strict=True):
            self.values.append({"seed": seed, "measure": measure, "value": float(value) if sound else np.nan})

    def _add_each(self, measured: Sequence[dict[str, float] | None]) -> None:
        """Add the measures of each seed; None stands for a diverged one, whose names are those of its neighbours."""
        names = next((list(found) for found in measured if found), [])
        for name in names:
            self._add(name, [found[name] if found else np.nan for found in measured])

    def _per_seed(self, samples: torch.Tensor, measure: Callable[[torch.Tensor], dict[str, float]]) -> None:
        sound = self.sound.tolist()
        # Where no seed is sound, the first one, all zeros by now, still tells the names of what would be measured.
        needed = sound if any(sound) else [True, *sound[1:]]
        self._add_each([measure(own) if ok else None for own, ok in zip(samples, needed, strict=True)])

    def _samples(self, count: int) -> torch.Tensor:
        """Return samples on the CPU, those of diverged seeds as 0 and images cut to the range of a picture."""
        return self._cleaned(self.subject.samples(count))

    def _cleaned(self, samples: torch.Tensor) -> torch.Tensor:
        # A generator can be finite on the latents it was last evaluated on, and not on these.
        self.sound &= samples.flatten(1).isfinite().all(1)
        samples = torch.where(self.sound.view(-1, *[1] * (samples.ndim - 1)), samples, 0)
        return samples.clamp(-1, 1) if self.data.kind == "images" else samples

    def ewd_at(self, count: int, name: str = "ewd") -> None:
        """Add the exact EWD of ``count`` samples, or as many as are trained on, against the first held-out ones."""
        count = min(count, len(self.data.train))
        heldout = points(self.data.heldout_tensor(torch.arange(count)), 0)
        fake = points(self._samples(count), 1)
        # One seed at a time: n^2 costs of each at once would be the peak of the whole study.
        self._add(f"{name}@{count}", [float(ewd(heldout, own)) for own in fake])

    def _ewd(self) -> None:
        self.ewd_at(min(self.measures.ewd_points, len(self.data.heldout)))

    def _coverage(self) -> None:
        data, classifier = self.data, self.classifier
        # No more than there are real ones, so that the floor is of the same count.
        count = min(self.measures.mode_samples, len(data.train))
        if data.modes is not None and data.sigma is not None:
            modes, sigma = data.modes, data.sigma
            self._per_seed(
                self._samples(count),
                lambda own: _counted(mode_coverage(own.numpy(), modes, sigma, data.weights), f"@{count}"),
            )
        elif classifier is not None and data.train_labels is not None:
            shares = np.bincount(data.train_labels) / len(data.train_labels)

            def predicted(own: torch.Tensor) -> dict[str, float]:
                labels = classifier.predict(own).numpy()
                return _counted(label_coverage(labels, len(shares), shares), f"-classifier@{count}")

            self._per_seed(self._samples(count), predicted)

    @cached_property
    def _find(self) -> Callable[[torch.Tensor], torch.Tensor] | None:
        return extractor(self.features, self.classifier, self.measures.inception_weights, self.device)

    def _features(self) -> None:
        find = self._find
        if find is None:
            return
        count = min(self.measures.feature_samples, len(self.data.heldout), len(self.data.train))
        heldout = find(self.data.heldout_tensor(torch.arange(count)))
        self._per_seed(self._samples(count), lambda own: feature_measures(find(own), heldout, self.features))

    def _neighbours(self) -> None:
        data, subject = self.data, self.subject
        # Half of the held-out samples stand in the generator's place to give the floor: training samples would be
        # copies of themselves.
        count = min(self.measures.neighbour_samples, len(data.heldout) // 2, len(data.train))
        if count < FEWEST:
            return
        if subject.generator is None:
            own, heldout = heldout_halves(data, subject.seeds, count, "neighbours")
        else:
            own, heldout = self._samples(count), data.heldout_tensor(torch.arange(count)).unsqueeze(0)
        self._add_each(neighbour_measures(data, own, heldout, self.device))
        if self._find is not None:
            what = self._find, self.features, self.measures.feature_samples
            self._add_each(feature_neighbours(data, own, heldout, self.device, *what))

    def _interpolation(self) -> None:
        data, subject = self.data, self.subject
        count = min(PATHS, len(data.heldout) // 2)
        if subject.generator is None:
            ends = heldout_halves(data, subject.seeds, count, "paths")
            samples = straight_paths(*(points(end) for end in ends)).unflatten(-1, data.heldout.shape[1:])
        else:
            latents = latent_samples(subject.seeds, "interpolation", 2 * count, subject.latent_dim).to(self.device)
            paths = spherical_paths(*latents.split(count, 1))
            made = generate(subject.generator, paths.flatten(1, 2)).cpu()
            samples = self._cleaned(made).unflatten(1, paths.shape[1:3])
        limit = min(self.measures.neighbour_samples, len(data.heldout))
        measured, rows = interpolated(data, samples, subject.seeds, limit, self.device)
        self._add_each(measured)
        sound = dict(zip(subject.seeds, self.sound.tolist(), strict=True))
        for row in rows:
            lost = {} if sound[int(row["seed"])] else {"nn_train": np.nan, "nn_ratio": np.nan}
            self.interpolation_rows.append(row | lost)
        self.strips = torch.where(self.sound.view(-1, *[1] * (samples.ndim - 1)), samples, torch.nan)[:, :SHOWN]

    def _bias(self) -> None:
        subject = self.subject
        n = pool_size(self.measures.bias_points, len(self.data.heldout), len(self.data.train))
        heldout = points(self.data.heldout_tensor(torch.arange(n), self.device), 0)
        pool = (
            points(subject.samples(n), 1)
            if subject.generator is None
            else latent_samples(subject.seeds, "pool", n, subject.latent_dim)
        )
        partitions, samplers = self.measures.bias_partitions, self.measures.bias_samplers
        for sampler, m, report in bias_ladder(
            heldout, pool.to(self.device), subject.generator, subject.seeds, self.sound, partitions, samplers
        ):
            for i, seed in enumerate(subject.seeds):
                row = {name: float(values[i]) for name, values in report.items()}
                self.bias_rows.append({"seed": seed, "sampler": sampler, "eval_batch": m, "n": n, **row})


def _counted(values: dict[str, float], suffix: str) -> dict[str, float]:
    return {name + suffix: value for name, value in values.items()}
