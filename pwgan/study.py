"""A study: its data sets, methods, mini-batch sizes, seeds and measures, and their expansion into jobs.

Reading a study imports no torch and loads no data. An invalid study raises ``Refused`` before any job runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PrivateAttr, ValidationError, model_validator

from pwgan import config_file
from pwgan.cells import Block, DataCell, Features, Measures, Name, Reference, Training
from pwgan.data import DataSet, Synthetic, datasets
from pwgan.data.mixtures import Mixture
from pwgan.errors import Refused
from pwgan.extractors import extractors
from pwgan.limits import FEWEST
from pwgan.methods import AdversarialMethod, FlowMethod, Method, TiedMethod, methods
from pwgan.networks import AnyNetwork, Network, networks
from pwgan.optional import require_installed
from pwgan.options import REFERENCE, Count, Options, explain, one_of, validated
from pwgan.requirements import require_memory, require_memory_to_train, require_weights_of, to_download
from pwgan.search import searched

Device = Literal["auto", "cpu", "cuda"]
MOST_JOBS = 100_000
"""Training jobs of a data set; planning more than this takes hours."""


class DataSetEntry(Options):
    """Settings of a data set in a study, besides the options of the data set itself."""

    dataset: str | None = None
    batch_sizes: list[Count] | None = Field(None, min_length=1)
    seeds: Count | None = None
    seed_block: Count | None = None
    steps: Count | None = None
    steps_factor: PositiveFloat = Field(1.0, description="multiplies the iterations of all methods, also their own")
    evaluate_every: Count | None = None
    network: AnyNetwork | None = None
    features: Features | None = None
    methods: dict[str, dict[str, Any]] = Field(
        default={}, description="options of methods that differ on this data set"
    )


class MethodEntry(Options):
    """The data sets and mini-batch sizes that a method is restricted to, and the settings that are searched."""

    datasets: list[Name] | None = Field(None, min_length=1, description="only these data sets of the study")
    batch_sizes: list[Count] | None = Field(None, min_length=1, description="only these mini-batch sizes")
    search: dict[str, list[Any]] | list[dict[str, list[Any]]] | None = Field(
        None,
        min_length=1,
        description="values of options, or a list of such: each combination is a method of its own, NAME_s01, ...",
    )


class Study(Options):
    """A study as read from YAML; every data set × method × mini-batch size is a cell, trained in blocks of seeds."""

    study: Name
    device: Device = "auto"
    threads: Count = 1
    jobs_per_gpu: Count = Field(
        1, description="jobs of this machine that may share a GPU; --resources gpu= counts jobs"
    )
    first_seed: NonNegativeInt = Field(0, description="the seeds are first_seed, first_seed + 1, ...")
    seeds: Count
    seed_block: Count
    batch_sizes: list[Count] = Field(min_length=1)
    steps: Count
    evaluate_every: Count
    evaluation_points: Count = 500
    datasets: dict[Name, dict[str, Any]] = Field(min_length=1)
    methods: dict[Name, dict[str, Any]] = Field(min_length=1)
    measures: Measures = Measures()
    signal: list[Name] = Field(default=[], description="methods whose generators are held fixed under trained critics")
    signal_steps: Count = Field(default=512, description="most steps of these critics, which end once they stand still")
    highlight: list[Name] = Field(default=[], max_length=6, description="methods that the figures show in colour")
    figure_formats: list[Literal["png", "pdf", "svg"]] = Field(default=["png"], min_length=1)

    _data_sets: dict[str, DataSet] = PrivateAttr(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _empty_entries(cls, values: Any) -> Any:
        """Read ``ring8:`` without a value as ``ring8: {}``."""
        if isinstance(values, Mapping):
            named = {key: values[key] for key in ("datasets", "methods") if isinstance(values.get(key), Mapping)}
            filled = {key: {k: {} if v is None else v for k, v in named[key].items()} for key in named}
            return searched({**values, **filled})
        return values

    @model_validator(mode="after")
    def _check(self) -> Study:
        """Build every part once: an impossible study fails before any job runs."""
        for name in self.methods:
            self._method(name)
        if REFERENCE in self.methods:
            raise ValueError(f"{REFERENCE!r} cannot name a method: it names the real samples in every table")
        for key in ("signal", "highlight"):
            for name in getattr(self, key):
                one_of(name, self.methods, f"method of this study in {key}")
        if "png" not in self.figure_formats:
            raise ValueError(f"figure_formats: the report needs png; use {['png', *self.figure_formats]}")
        for name in self.datasets:
            self._check_data(name)
        for name in self.methods:
            self._check_place(name)
        for name in self.datasets:
            if not any(self._trained(method, name) for method in self.methods):
                raise ValueError(f"no method of this study is trained on {name}")
        for block in self.blocks.values() if self.signal else ():
            t = block.training
            if t.method in self.signal and issubclass(methods()[t.algorithm], FlowMethod):
                raise ValueError(
                    f"signal: {t.method} has a flow for a generator, and critics are trained against generators of the "
                    f"network of {t.dataset}; allowed: methods without a flow"
                )
            if t.method in self.signal and not self.critics(t):
                raise ValueError(
                    f"signal: {t.method}: no method with a critic, under its own name, is trained on {t.dataset} with "
                    f"m = {t.batch_size}"
                )
        return self

    def _check_place(self, name: str) -> None:
        """Raise if a method names data sets or mini-batch sizes that the study lacks."""
        place = self._place(name)
        for data in place.datasets or []:
            one_of(data, self.datasets, f"data set of this study in methods.{name}.datasets")
        used = sorted({m for data in place.datasets or self.datasets for m in self._batch_sizes(data)})
        for m in place.batch_sizes or []:
            if m not in used:
                raise ValueError(f"methods.{name}.batch_sizes: {m} is not a mini-batch size of its data sets: {used}")
        for data in place.datasets or self.datasets:
            _, method = self._method(name, data)
            for m in method.steps if isinstance(method.steps, dict) else []:
                if m not in used:
                    raise ValueError(f"{name}: steps: {m} is not a mini-batch size of its data sets: {used}")
            try:
                method.check_shape(self.data_set(data).sample_shape())
            except Refused as error:
                raise ValueError(f"methods.{name}: {error}; or restrict methods.{name}.datasets") from error
            for m in self._trained(name, data):
                try:
                    method.check_sizes(m, self._evaluation_points(data))
                except Refused as error:
                    raise ValueError(f"methods.{name}: {error}") from error
            if method.ema and not name.endswith("_ema"):
                raise ValueError(
                    f"methods.{name}: ema measures another generator than the one that is trained, so its name "
                    f"must say so: name the method {name}_ema"
                )

            data_set = self.data_set(data)
            if isinstance(data_set, Mixture) and data_set.fresh and isinstance(method, TiedMethod):
                raise ValueError(
                    f"datasets.{data}: fresh: {name} trains on a matching of the whole training set, so it cannot use "
                    f"fresh mini-batches; restrict methods.{name}.datasets"
                )
            try:
                self._network(data, method)
            except Refused as error:
                where = f"datasets.{data}.network: {name}"
                raise ValueError(f"{where}: {error}; or restrict methods.{name}.datasets") from error

    def _check_data(self, name: str) -> None:
        spec, entry = self.data_set(name), self._entry(name)
        for method in entry.methods:
            self._method(one_of(method, self.methods, f"method of this study in datasets.{name}.methods"), name)
        shape, network = spec.sample_shape(), self._network(name)
        try:
            network.check(shape)
        except ValueError as error:
            raise ValueError(f"datasets.{name}: network: {error}") from error
        if spec.labelled and spec.kind == "points":
            raise ValueError(f"datasets.{name}: labels are supported for images only, not for points")
        n, heldout = spec.train_size(), spec.heldout_size()
        for m in self._batch_sizes(name):
            if m > n:
                raise ValueError(
                    f"mini-batch size {m} is larger than the training set of {name}, {n} samples; allowed: 1 to {n}"
                )
        draws = self._seeds(name)[1] if isinstance(spec, Synthetic) else 1
        samples = f"{n} samples and {heldout} heldout of shape {shape}" + (f" for {draws} seeds" if draws > 1 else "")
        require_memory(draws * (n + heldout) * math.prod(shape), f"datasets.{name}: to hold {samples}")
        if heldout < FEWEST:
            raise ValueError(f"{name} holds out {heldout} samples; at least {FEWEST} are needed to measure")
        seeds, block = self._seeds(name)
        if seeds % block:
            below = seeds - seeds % block
            near = f"{below} or {below + block}" if below else str(block)
            raise ValueError(
                f"{seeds} seeds of {name} are not a multiple of seed_block: {block}; nearest: {near}, or set "
                f"seed_block in datasets.{name}"
            )
        require_memory_to_train(network, block, shape, f"datasets.{name}.network")
        jobs = seeds // block * len(self._batch_sizes(name)) * len(self.methods)
        if jobs > MOST_JOBS:
            raise ValueError(f"{seeds} seeds of {name} in blocks of {block} make {jobs} jobs; allowed: {MOST_JOBS}")
        features = self.extractors(name)
        if n < FEWEST:
            raise ValueError(f"{name} has {n} training samples; at least {FEWEST} are needed to measure")
        if features and spec.kind != "images":
            raise ValueError(f"features: {features[0]} needs images, and {name} holds points; allowed: none")
        for extractor in features:
            try:
                extractors()[extractor].check(spec)
            except ValueError as error:
                allowed = ", ".join([*self._possible(spec), "none"])
                raise ValueError(f"datasets.{name}: {error}; allowed: {allowed}") from error
            require_weights_of(extractors()[extractor], self.measures.weights.get(extractor))
        spec.sources()

    @staticmethod
    def _possible(data: DataSet) -> list[str]:
        """Return the feature extractors that can read a data set."""
        possible = []
        for name, cls in extractors().items():
            with suppress(ValueError):
                cls.check(data)
                possible.append(name)
        return possible

    def require_packages(self) -> None:
        """Raise ``Refused`` if an optional package is missing that the measures of this study need.

        Not part of reading a study: a machine that only trains needs none of them.
        """
        for name in self.datasets:
            used = self.extractors(name)
            for extractor in used:
                cls = extractors()[extractor]
                require_installed(cls.packages, cls.extra, f"datasets.{name}.features: {extractor}")
            if used and "features" in self.measures.groups:
                require_installed(["torch_fidelity"], "fidelity", f"datasets.{name}.features: {used[0]}")

    def _entry(self, name: str) -> DataSetEntry:
        settings = {key: value for key, value in self.datasets[name].items() if key in DataSetEntry.model_fields}
        return validated(f"datasets.{name}", DataSetEntry, settings)

    def data_set(self, name: str) -> DataSet:
        """Return the data set that the entry ``name`` describes; the same object each time: it may list many files."""
        if name not in self._data_sets:
            self._data_sets[name] = self._data_set(name)
        return self._data_sets[name]

    def _data_set(self, name: str) -> DataSet:
        entry = self.datasets[name]
        known = datasets()
        cls = known[one_of(entry.get("dataset", name), known, f"data set in datasets.{name}")]
        for key in entry:
            one_of(key, [*cls.model_fields, *DataSetEntry.model_fields], f"key of datasets.{name}")
        options = {key: value for key, value in entry.items() if key not in DataSetEntry.model_fields}
        return validated(f"datasets.{name}", cls, options)

    def _method(self, name: str, data: str | None = None) -> tuple[str, Method]:
        """Return a method's algorithm and its options, with the overrides of data set ``data``."""
        changed = self._entry(data).methods.get(name, {}) if data else {}
        known, place = methods(), self._place(name).model_dump()
        options = {key: value for key, value in self.methods[name].items() if key not in place} | changed
        where = f"datasets.{data}.methods.{name}" if changed else f"methods.{name}"
        algorithm = one_of(options.pop("method", name), known, f"method in {where}")
        for key in options:
            one_of(key, [*known[algorithm].model_fields, *([] if changed else place)], f"key of {where}")
        return algorithm, validated(where, known[algorithm], options)

    def _place(self, name: str) -> MethodEntry:
        restrictions = {key: value for key, value in self.methods[name].items() if key in MethodEntry.model_fields}
        return validated(f"methods.{name}", MethodEntry, restrictions)

    def _trained(self, name: str, data: str) -> list[int]:
        """Return the mini-batch sizes that a method is trained with on a data set."""
        place = self._place(name)
        if data not in (place.datasets or self.datasets):
            return []
        return [m for m in self._batch_sizes(data) if m in (place.batch_sizes or [m])]

    def _batch_sizes(self, name: str) -> list[int]:
        return self._entry(name).batch_sizes or self.batch_sizes

    def _network(self, name: str, method: Method | None = None) -> Network:
        """Return the network of a data set, as a method uses it; raises ``Refused`` if that method cannot."""
        spec, network = self.data_set(name), self._entry(name).network
        network = network or networks()[spec.natural_network()].model_validate({})
        return network.for_flow(spec.sample_shape()) if isinstance(method, FlowMethod) else network

    def extractors(self, name: str) -> list[str]:
        """Return the feature extractors of a data set: by default a classifier if there are labels, else none."""
        features = self._entry(name).features
        if features is not None:
            return features
        return ["classifier"] if self.data_set(name).labelled else []

    def seed_blocks(self, name: str) -> list[tuple[int, int]]:
        """Return (first seed, number of seeds) of each block of a data set."""
        seeds, block = self._seeds(name)
        return [(first, block) for first in range(self.first_seed, self.first_seed + seeds, block)]

    def _seeds(self, name: str) -> tuple[int, int]:
        """Return the numbers of seeds of a data set and of one block."""
        entry = self._entry(name)
        return entry.seeds or self.seeds, entry.seed_block or self.seed_block

    def _evaluation_points(self, name: str) -> int:
        """Return the number of samples of an evaluation: as many are held out and to train on."""
        spec = self.data_set(name)
        return min(self.evaluation_points, spec.heldout_size(), spec.train_size())

    @cached_property
    def references(self) -> dict[str, Reference]:
        """The jobs that measure real samples, one for each block of seeds of a data set, by their path."""
        references = [
            Reference(
                dataset=name,
                first_seed=first,
                seeds=count,
                evaluation_points=self._evaluation_points(name),
                measures=self.measures,
                features=self.extractors(name),
            )
            for name in self.datasets
            for first, count in self.seed_blocks(name)
        ]
        return {reference.path: reference for reference in references}

    def critics(self, training: Training) -> list[Training]:
        """Return the trainings, beside one, of all methods with a critic that go by their own names.

        Of methods whose critics have the same loss (gan, nsgan, gdpp) only the one that defines it, else the first.
        """
        place = training.dataset, training.batch_size, training.first_seed
        found: dict[Callable[..., Any], Training] = {}
        for other in (block.training for block in self.blocks.values()):
            method = methods()[other.algorithm]
            beside = (other.dataset, other.batch_size, other.first_seed) == place and other.method == other.algorithm
            if beside and issubclass(method, AdversarialMethod):
                defines = "critic_loss" in vars(method)
                found[method.critic_loss] = other if defines else found.get(method.critic_loss, other)
        return list(found.values())

    @cached_property
    def notes(self) -> list[str]:
        """What the study says without effect, and what will be downloaded to measure it, one line each."""
        notes = [
            f"datasets.{name}.methods.{method}: {method} is not trained on {name}, so its options there have no effect"
            for name in self.datasets
            for method in self._entry(name).methods
            if not self._trained(method, name)
        ]
        for name in self.datasets:
            entry, trained = self._entry(name), [method for method in self.methods if self._trained(method, name)]
            given = entry.network is not None and "latent_dim" in entry.network.model_fields_set
            if given and all(isinstance(self._method(method, name)[1], FlowMethod) for method in trained):
                notes.append(
                    f"datasets.{name}.network.latent_dim: every method there has a flow, so latents have the dimension "
                    "of a sample"
                )
        used = {extractor: None for name in self.datasets for extractor in self.extractors(name)}
        for extractor in self.measures.weights:
            if extractor not in used:
                key = f"measures.weights.{extractor}"
                notes.append(f"{key}: no data set has features: {extractor}, so the file is not read")
        for extractor in used:
            url = to_download(extractors()[extractor], self.measures.weights.get(extractor))
            if url:
                notes.append(
                    f"features: {extractor}: its weights will be downloaded from {url}; without a network, set "
                    f"measures.weights.{extractor} to a copy of that file"
                )
        return notes

    @cached_property
    def data_cells(self) -> dict[str, DataCell]:
        """The stored data sets by their path: one for each block of seeds if each seed has draws of its own."""
        cells = [self.data_cell(name, *block) for name in self.datasets for block in self.seed_blocks(name)]
        return {cell.path: cell for cell in cells}

    def data_cell(self, name: str, first_seed: int, seeds: int) -> DataCell:
        """Return the stored data of a block of seeds of the data set ``name``."""
        spec = self.data_set(name)
        cell = DataCell(name=name, source=type(spec).name, options=spec.model_dump(mode="json"))
        return (
            cell.model_copy(update={"first_seed": first_seed, "seeds": seeds}) if isinstance(spec, Synthetic) else cell
        )

    @cached_property
    def blocks(self) -> dict[str, Block]:
        """All blocks of seeds of all cells by their path."""
        blocks: list[Block] = []
        for data in self.datasets:
            entry = self._entry(data)
            for method in self.methods:
                algorithm, spec = self._method(method, data)
                for m in self._trained(method, data):
                    usual = entry.steps or self.steps
                    steps = max(1, round((spec.steps_at(m) or usual) * entry.steps_factor))
                    every = entry.evaluate_every or self.evaluate_every
                    for first, count in self.seed_blocks(data):
                        training = Training(
                            dataset=data,
                            method=method,
                            batch_size=m,
                            first_seed=first,
                            seeds=count,
                            steps=steps,
                            # As many evaluations as with the usual number of iterations.
                            evaluate_every=max(1, round(every * steps / usual)),
                            evaluation_points=self._evaluation_points(data),
                            network=self._network(data, spec),
                            algorithm=algorithm,
                            options=spec.model_dump(mode="json", exclude={"steps"}),
                        )
                        blocks.append(Block(training=training, measures=self.measures, features=self.extractors(data)))
        return {block.path: block for block in blocks}


def parse_study(content: Mapping[str, Any]) -> Study:
    """Read a study from a mapping; raises ``Refused`` with every error."""
    try:
        return Study.model_validate(content)
    except ValidationError as error:
        raise Refused(explain(error)) from error


def read_study(path: str | Path) -> Study:
    """Read a study from a YAML file; raises ``Refused`` with the file and every error."""
    content = config_file.load(path)
    try:
        return parse_study(content)
    except Refused as error:
        raise Refused(f"{path}: {error}") from error
