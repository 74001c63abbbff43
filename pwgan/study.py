"""A study: its data sets, methods, mini-batch sizes, seeds and measures, and their expansion into jobs.

Reading a study imports no torch and loads no data. An invalid study raises ``Refused`` before any job runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PrivateAttr, ValidationError, model_validator

from pwgan import config_file
from pwgan.cells import Block, DataCell, Features, Measures, Name, Reference, Training
from pwgan.checking import notes, refuse_impossible
from pwgan.data import DataSet, Synthetic, datasets
from pwgan.errors import Refused
from pwgan.extractors import extractors
from pwgan.methods import AdversarialMethod, FlowMethod, Method, methods
from pwgan.networks import AnyNetwork, Network, networks
from pwgan.optional import require_installed
from pwgan.options import Count, Options, explain, one_of, validated
from pwgan.search import searched

Device = Literal["auto", "cpu", "cuda"]


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
    job_seconds: NonNegativeInt = Field(
        0,
        description="a job goes on with others of the study; none is begun that may end more seconds after its start",
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
        refuse_impossible(self)
        return self

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

    def entry(self, name: str) -> DataSetEntry:
        """Return the settings of a data set beside the options of its class."""
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

    def method(self, name: str, data: str | None = None) -> tuple[str, Method]:
        """Return a method's algorithm and its options, with the overrides of data set ``data``."""
        changed = self.entry(data).methods.get(name, {}) if data else {}
        known, place = methods(), self.place(name).model_dump()
        options = {key: value for key, value in self.methods[name].items() if key not in place} | changed
        where = f"datasets.{data}.methods.{name}" if changed else f"methods.{name}"
        algorithm = one_of(options.pop("method", name), known, f"method in {where}")
        for key in options:
            one_of(key, [*known[algorithm].model_fields, *([] if changed else place)], f"key of {where}")
        return algorithm, validated(where, known[algorithm], options)

    def place(self, name: str) -> MethodEntry:
        """Return the data sets and mini-batch sizes that a method is restricted to."""
        restrictions = {key: value for key, value in self.methods[name].items() if key in MethodEntry.model_fields}
        return validated(f"methods.{name}", MethodEntry, restrictions)

    def trained_at(self, name: str, data: str) -> list[int]:
        """Return the mini-batch sizes that a method is trained with on a data set."""
        place = self.place(name)
        if data not in (place.datasets or self.datasets):
            return []
        return [m for m in self.sizes(data) if m in (place.batch_sizes or [m])]

    def sizes(self, name: str) -> list[int]:
        """Return the mini-batch sizes of a data set."""
        return self.entry(name).batch_sizes or self.batch_sizes

    def network(self, name: str, method: Method | None = None) -> Network:
        """Return the network of a data set, as a method uses it; raises ``Refused`` if that method cannot."""
        spec, network = self.data_set(name), self.entry(name).network
        network = network or networks()[spec.natural_network()].model_validate({})
        return network.for_flow(spec.sample_shape()) if isinstance(method, FlowMethod) else network

    def extractors(self, name: str) -> list[str]:
        """Return the feature extractors of a data set: by default a classifier if there are labels, else none."""
        features = self.entry(name).features
        if features is not None:
            return features
        return ["classifier"] if self.data_set(name).labelled else []

    def seed_blocks(self, name: str) -> list[tuple[int, int]]:
        """Return (first seed, number of seeds) of each block of a data set."""
        seeds, block = self.seed_numbers(name)
        return [(first, block) for first in range(self.first_seed, self.first_seed + seeds, block)]

    def seed_numbers(self, name: str) -> tuple[int, int]:
        """Return the numbers of seeds of a data set and of one block."""
        entry = self.entry(name)
        return entry.seeds or self.seeds, entry.seed_block or self.seed_block

    def points_evaluated(self, name: str) -> int:
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
                evaluation_points=self.points_evaluated(name),
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
        return notes(self)

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
            entry = self.entry(data)
            for method in self.methods:
                algorithm, spec = self.method(method, data)
                # The same for all blocks of this method: to look them up for each would take most of the time.
                network, points = self.network(data, spec), self.points_evaluated(data)
                features = self.extractors(data)
                for m in self.trained_at(method, data):
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
                            evaluation_points=points,
                            network=network,
                            algorithm=algorithm,
                            options=spec.model_dump(mode="json", exclude={"steps"}),
                        )
                        blocks.append(Block(training=training, measures=self.measures, features=features))
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
