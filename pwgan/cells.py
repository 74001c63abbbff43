"""What a study consists of: the training, the measures and the data of each job, as the stages receive them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, field_validator

from pwgan.batches import SamplerName, samplers
from pwgan.data import DataSet, datasets
from pwgan.methods import Method, methods
from pwgan.networks import AnyNetwork
from pwgan.options import Options, one_of, validated

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", description="letters, digits and underscores")]
Extractor = Literal["classifier", "inception", "none"]
NEIGHBOURS = 3
"""The neighbour whose distance is the radius of precision and recall."""
FEWEST = NEIGHBOURS + 1
"""The fewest samples that can be measured, so that each has NEIGHBOURS neighbours; first rung of the bias ladder."""


class Measures(Options):
    """How many samples each measure takes; fewer are taken where a held-out set holds fewer, and names say how many."""

    ewd_points: PositiveInt = 1000
    mode_samples: PositiveInt = 2500
    feature_samples: Annotated[int, Field(ge=FEWEST)] = 10000
    bias_points: Annotated[int, Field(ge=FEWEST)] = 1024
    bias_partitions: PositiveInt = 2
    bias_samplers: list[SamplerName] = Field(default=["random"], min_length=1)
    neighbour_samples: Annotated[int, Field(ge=FEWEST)] = 1000
    inception_weights: Path | None = None

    @field_validator("bias_samplers")
    @classmethod
    def _each_sampler_once(cls, given: list[str]) -> list[str]:
        """Refuse a sampler named twice: its rows of the ladder would be counted twice."""
        if len(set(given)) < len(given):
            raise ValueError(f"name each sampler once; nearest: {list(dict.fromkeys(given))}")
        return given

    def modules(self) -> list[str]:
        """Return the modules of the samplers, which measuring finds by name."""
        return _modules(*(samplers()[name] for name in self.bias_samplers))


class Training(Options):
    """Everything that one block of seeds is trained with, and nothing else: only a change here retrains it."""

    dataset: Name
    method: Name
    batch_size: PositiveInt
    first_seed: NonNegativeInt
    seeds: PositiveInt
    steps: PositiveInt
    evaluate_every: PositiveInt
    evaluation_points: PositiveInt
    network: AnyNetwork
    algorithm: str
    options: dict[str, Any]

    @property
    def seed_range(self) -> range:
        """The seeds of the block."""
        return range(self.first_seed, self.first_seed + self.seeds)

    def build_method(self) -> Method:
        """Return the method with its options."""
        known = methods()
        return validated(self.method, known[one_of(self.algorithm, known, "method")], self.options)

    def labels(self) -> dict[str, Any]:
        """Return the columns that name the block's cell in every table."""
        return {"dataset": self.dataset, "method": self.method, "batch_size": self.batch_size}

    def modules(self) -> list[str]:
        """Return the modules of the method, the network and the sampler, which training finds by name."""
        method = self.build_method()
        return _modules(type(method), type(self.network), samplers()[method.sampler])


class Block(Options):
    """One block of seeds of a cell (data set × method × mini-batch size): how it is trained and how it is measured."""

    training: Training
    measures: Measures
    features: Extractor

    @property
    def path(self) -> str:
        """Its place under results/{study}/."""
        t = self.training
        return f"{t.dataset}/{t.method}/m{t.batch_size}/seeds{t.first_seed}-{t.first_seed + t.seeds - 1}"

    def modules(self) -> list[str]:
        """Return the modules of the network and the samplers, which measuring finds by name."""
        return sorted({*_modules(type(self.training.network)), *self.measures.modules()})


class Reference(Options):
    """Real training samples in a generator's place: as many seeds, and measured as every cell of their data set is."""

    dataset: Name
    seeds: PositiveInt
    evaluation_points: PositiveInt
    measures: Measures
    features: Extractor


class DataCell(Options):
    """A data set of a study, as the stage that stores it needs it; ``source`` names the class behind it."""

    name: Name
    source: str
    options: dict[str, Any]

    def build(self) -> DataSet:
        """Return the data set with its options."""
        known = datasets()
        return validated(self.name, known[one_of(self.source, known, "data set")], self.options)

    def modules(self) -> list[str]:
        """Return the modules that define the data set."""
        return _modules(datasets()[self.source])


def _modules(*classes: type) -> list[str]:
    """Return the modules of the package that define some classes, those they inherit from included."""
    every = {cls.__module__ for named in classes for cls in named.__mro__}
    return sorted(module for module in every if module.startswith("pwgan."))
