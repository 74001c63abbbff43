"""Parameters of the jobs of a study: training, measures and data, as each stage receives them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field, GetJsonSchemaHandler, NonNegativeInt
from pydantic_core import CoreSchema

from pwgan.batches import SamplerName, samplers
from pwgan.data import DataSet, Split, Synthetic, datasets
from pwgan.extractors import extractors, with_files
from pwgan.limits import FEWEST
from pwgan.methods import Method, methods
from pwgan.networks import AnyNetwork
from pwgan.options import REFERENCE, Choice, Count, Options, one_of, validated
from pwgan.seals import identity

# Words that YAML, or programs that read the tables as CSV, take for a missing value, a truth value or a number.
_MISREAD = {"na", "nan", "none", "null", "inf", "infinity", "true", "false", "yes", "no", "on", "off"}


def _name(value: object) -> object:
    """Raise ValueError unless the value is a name that every reader of studies and tables takes for text."""
    allowed = "letters, digits and underscores, a letter first, at most 100 characters"
    if not isinstance(value, str):
        raise ValueError(f"names are text: {allowed} (YAML reads yes, null and 2026_01 as other values)")
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,99}", value):
        raise ValueError(f"allowed names: {allowed}")
    if value.lower() in _MISREAD:
        raise ValueError("programs that read tables take this name for a missing value, a truth value or a number")
    return value


Name = Annotated[
    str,
    Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,99}$", description="letters, digits and underscores"),
    BeforeValidator(_name),
]


def _extractors(value: object) -> object:
    """Read one extractor as a list of one, and none as an empty list; raise ``Refused`` for unknown or equal names."""
    names = value if isinstance(value, list) else [] if value == "none" else [value]
    for name in names:
        one_of(name, [*extractors(), *([] if isinstance(value, list) else ["none"])], "feature extractor")
    return _once(names)


class _ListsExtractors:
    """Annotation of a list of extractors; the JSON schema lists their names."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        several = {"type": "array", "items": {"enum": [*extractors()]}, "uniqueItems": True}
        return {"anyOf": [{"enum": [*extractors(), "none"]}, several]}


Features = Annotated[list[str], BeforeValidator(_extractors), _ListsExtractors()]
FeatureReference = Literal["heldout", "train"]
WithFile = Annotated[str, Choice("feature extractor whose weights are a file", with_files)]
Group = Literal["ewd", "coverage", "features", "neighbours", "straightness", "interpolation", "bias"]


def _once(names: list[Any]) -> list[Any]:
    """Return a list of names; raise ValueError if one is there twice, whose rows would be counted twice."""
    if len({str(name) for name in names}) < len(names):
        raise ValueError(f"name each once; nearest: {list(dict.fromkeys(names))}")
    return names


class Measures(Options):
    """Groups of measures, and the number of samples of each, capped by the data; names of measures state the number."""

    groups: Annotated[list[Group], AfterValidator(_once)] = Field(
        default=list(get_args(Group)), min_length=1, description="groups of measures that are computed"
    )
    ewd_points: Count = 2500
    mode_samples: Count = 2500
    feature_samples: Annotated[Count, Field(ge=FEWEST)] = 50000
    bias_points: Annotated[Count, Field(ge=FEWEST)] = 1024
    bias_partitions: Count = 2
    bias_samplers: Annotated[list[SamplerName], AfterValidator(_once)] = Field(default=["random"], min_length=1)
    neighbour_samples: Annotated[Count, Field(ge=FEWEST)] = 1000
    feature_reference: FeatureReference = Field(
        default="heldout", description="the real images that features are compared with; names state train"
    )
    fd_infinity: bool = Field(default=False, description="extrapolate Fréchet distances to infinitely many samples")
    weights: dict[WithFile, Path] = Field(
        default={}, description="files of weights of feature extractors; one that can be downloaded needs none"
    )

    def modules(self) -> list[str]:
        """Return the modules of the samplers, which are looked up by name and not imported directly."""
        return _modules(*(samplers()[name] for name in self.bias_samplers))


class Training(Options):
    """All parameters that training a block of seeds depends on, and no others: only a change here retrains it."""

    dataset: Name
    method: Name
    batch_size: Count
    first_seed: NonNegativeInt
    seeds: Count
    steps: Count
    evaluate_every: Count
    evaluation_points: Count
    network: AnyNetwork
    algorithm: str
    options: dict[str, Any]

    @property
    def seed_range(self) -> range:
        """The seeds of the block."""
        return range(self.first_seed, self.first_seed + self.seeds)

    @property
    def identity(self) -> str:
        """Hash of all parameters, which the seals of the block's files hold."""
        return identity(self.model_dump(mode="json"))

    def build_method(self) -> Method:
        """Return the method with its options."""
        known = methods()
        return validated(self.method, known[one_of(self.algorithm, known, "method")], self.options)

    def labels(self) -> dict[str, Any]:
        """Return the columns that name the block's cell in every table."""
        return {"dataset": self.dataset, "method": self.method, "batch_size": self.batch_size}

    def modules(self) -> list[str]:
        """Return the modules of the method, the network and the sampler, which are looked up by name."""
        method = self.build_method()
        return _modules(type(method), type(self.network), samplers()[method.sampler])


class Block(Options):
    """One block of seeds of a cell (data set × method × mini-batch size): its training and its measures."""

    training: Training
    measures: Measures
    features: Features

    @property
    def seed_range(self) -> range:
        """The seeds of the block."""
        return self.training.seed_range

    @property
    def path(self) -> str:
        """Path of the block under results/{study}/."""
        t = self.training
        return f"{t.dataset}/{t.method}/m{t.batch_size}/{seeds_name(self.seed_range)}"

    def modules(self) -> list[str]:
        """Return the modules of the network, the samplers and the extractors, which are looked up by name."""
        network = _modules(type(self.training.network))
        return sorted({*network, *self.measures.modules(), *_of_extractors(self.features)})


class Reference(Options):
    """Real training samples in place of generated ones, with the measures of a block of the same seeds."""

    dataset: Name
    first_seed: NonNegativeInt
    seeds: Count
    evaluation_points: Count
    measures: Measures
    features: Features

    @property
    def seed_range(self) -> range:
        """The seeds of the block."""
        return range(self.first_seed, self.first_seed + self.seeds)

    @property
    def path(self) -> str:
        """Path of the block under results/{study}/."""
        return f"{self.dataset}/{REFERENCE}/{seeds_name(self.seed_range)}"

    @property
    def identity(self) -> str:
        """Hash of the data set and the seeds, which the seals of the block's files hold."""
        return identity(self.dataset, self.first_seed, self.seeds)

    def modules(self) -> list[str]:
        """Return the modules of the samplers and the extractors, which are looked up by name."""
        return sorted({*self.measures.modules(), *_of_extractors(self.features)})


class DataCell(Options):
    """Parameters of the stage that stores a data set; ``source`` is the registered name of its class.

    Of a law, a file holds the draws of ``seeds`` seeds from ``first_seed`` on; other data sets are one file.
    """

    name: Name
    source: str
    options: dict[str, Any]
    first_seed: NonNegativeInt | None = None
    seeds: Count | None = None

    @property
    def path(self) -> str:
        """Path of the file under results/{study}/data/, without its suffix."""
        return self.name if self.seed_range is None else f"{self.name}/{seeds_name(self.seed_range)}"

    @property
    def seed_range(self) -> range | None:
        """The seeds whose draws are stored, or None if all seeds share the samples."""
        if self.first_seed is None or self.seeds is None:
            return None
        return range(self.first_seed, self.first_seed + self.seeds)

    def load(self) -> Split:
        """Draw the samples of the seeds, or read those that all seeds share."""
        data = self.build()
        return data.draws(self.seed_range) if isinstance(data, Synthetic) and self.seed_range else data.load()

    def build(self) -> DataSet:
        """Return the data set with its options."""
        known = datasets()
        return validated(self.name, known[one_of(self.source, known, "data set")], self.options)

    def modules(self) -> list[str]:
        """Return the modules that define the data set."""
        return _modules(datasets()[self.source])


def seeds_name(seeds: range) -> str:
    """Return the name of a block of seeds, as in the paths of results: seedsFIRST-LAST."""
    return f"seeds{seeds.start}-{seeds.stop - 1}"


def _of_extractors(names: list[str]) -> list[str]:
    return _modules(*(extractors()[name] for name in names))


def _modules(*classes: type) -> list[str]:
    """Return the package modules that define the classes and their base classes."""
    modules = {cls.__module__ for root in classes for cls in root.__mro__}
    return sorted(module for module in modules if module.startswith("pwgan."))
