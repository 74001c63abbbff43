"""What makes a study impossible, and what it says without effect: found by building every part of it once."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import TYPE_CHECKING

from pwgan.data import DataSet, Synthetic
from pwgan.data.mixtures import Mixture
from pwgan.errors import Refused
from pwgan.extractors import extractors
from pwgan.limits import FEWEST, PER_FEATURE
from pwgan.methods import FlowMethod, TiedMethod, methods
from pwgan.options import REFERENCE, one_of
from pwgan.requirements import require_memory, require_memory_to_train, require_weights_of, to_download

if TYPE_CHECKING:
    from pwgan.study import Study

MOST_JOBS = 100_000
"""Training jobs of a data set; planning more than this takes hours."""


def refuse_impossible(study: Study) -> None:
    """Raise ValueError or ``Refused`` for the first part of a study that cannot be built or trained."""
    for name in study.methods:
        study.method(name)
    if REFERENCE in study.methods:
        raise ValueError(f"{REFERENCE!r} cannot name a method: it names the real samples in every table")
    for key in ("signal", "highlight"):
        for name in getattr(study, key):
            one_of(name, study.methods, f"method of this study in {key}")
    if "png" not in study.figure_formats:
        raise ValueError(f"figure_formats: the report needs png; use {['png', *study.figure_formats]}")
    for name in study.datasets:
        _check_data(study, name)
    for name in study.methods:
        _check_method(study, name)
    for name in study.datasets:
        if not any(study.trained_at(method, name) for method in study.methods):
            raise ValueError(f"no method of this study is trained on {name}")
    for block in study.blocks.values() if study.signal else ():
        t = block.training
        if t.method in study.signal and issubclass(methods()[t.algorithm], FlowMethod):
            raise ValueError(
                f"signal: {t.method} has a flow for a generator, and critics are trained against generators of the "
                f"network of {t.dataset}; allowed: methods without a flow"
            )
        if t.method in study.signal and not study.critics(t):
            raise ValueError(
                f"signal: {t.method}: no method with a critic, under its own name, is trained on {t.dataset} with "
                f"m = {t.batch_size}"
            )


def _check_method(study: Study, name: str) -> None:
    """Raise if a method names data sets or mini-batch sizes that the study lacks."""
    place = study.place(name)
    for data in place.datasets or []:
        one_of(data, study.datasets, f"data set of this study in methods.{name}.datasets")
    used = sorted({m for data in place.datasets or study.datasets for m in study.sizes(data)})
    for m in place.batch_sizes or []:
        if m not in used:
            raise ValueError(f"methods.{name}.batch_sizes: {m} is not a mini-batch size of its data sets: {used}")
    for data in place.datasets or study.datasets:
        _, method = study.method(name, data)
        for m in method.steps if isinstance(method.steps, dict) else []:
            if m not in used:
                raise ValueError(f"{name}: steps: {m} is not a mini-batch size of its data sets: {used}")
        try:
            method.check_shape(study.data_set(data).sample_shape())
        except Refused as error:
            raise ValueError(f"methods.{name}: {error}; or restrict methods.{name}.datasets") from error
        for m in study.trained_at(name, data):
            try:
                method.check_sizes(m, study.points_evaluated(data))
            except Refused as error:
                raise ValueError(f"methods.{name}: {error}") from error
        if method.ema and not name.endswith("_ema"):
            raise ValueError(
                f"methods.{name}: ema measures another generator than the one that is trained, so its name "
                f"must say so: name the method {name}_ema"
            )

        data_set = study.data_set(data)
        if isinstance(data_set, Mixture) and data_set.fresh and isinstance(method, TiedMethod):
            raise ValueError(
                f"datasets.{data}: fresh: {name} trains on a matching of the whole training set, so it cannot use "
                f"fresh mini-batches; restrict methods.{name}.datasets"
            )
        try:
            study.network(data, method)
        except Refused as error:
            where = f"datasets.{data}.network: {name}"
            raise ValueError(f"{where}: {error}; or restrict methods.{name}.datasets") from error


def _check_data(study: Study, name: str) -> None:
    spec, entry = study.data_set(name), study.entry(name)
    for method in entry.methods:
        study.method(one_of(method, study.methods, f"method of this study in datasets.{name}.methods"), name)
    shape, network = spec.sample_shape(), study.network(name)
    try:
        network.check(shape)
    except ValueError as error:
        raise ValueError(f"datasets.{name}: network: {error}") from error
    if spec.labelled and spec.kind == "points":
        raise ValueError(f"datasets.{name}: labels are supported for images only, not for points")
    n, heldout = spec.train_size(), spec.heldout_size()
    for m in study.sizes(name):
        if m > n:
            raise ValueError(
                f"mini-batch size {m} is larger than the training set of {name}, {n} samples; allowed: 1 to {n}"
            )
    draws = study.seed_numbers(name)[1] if isinstance(spec, Synthetic) else 1
    samples = f"{n} samples and {heldout} heldout of shape {shape}" + (f" for {draws} seeds" if draws > 1 else "")
    require_memory(draws * (n + heldout) * math.prod(shape), f"datasets.{name}: to hold {samples}")
    if heldout < FEWEST:
        raise ValueError(f"{name} holds out {heldout} samples; at least {FEWEST} are needed to measure")
    seeds, block = study.seed_numbers(name)
    if seeds % block:
        below = seeds - seeds % block
        near = f"{below} or {below + block}" if below else str(block)
        raise ValueError(
            f"{seeds} seeds of {name} are not a multiple of seed_block: {block}; nearest: {near}, or set "
            f"seed_block in datasets.{name}"
        )
    require_memory_to_train(network, block, shape, f"datasets.{name}.network")
    jobs = seeds // block * len(study.sizes(name)) * len(study.methods)
    if jobs > MOST_JOBS:
        raise ValueError(f"{seeds} seeds of {name} in blocks of {block} make {jobs} jobs; allowed: {MOST_JOBS}")
    features = study.extractors(name)
    if n < FEWEST:
        raise ValueError(f"{name} has {n} training samples; at least {FEWEST} are needed to measure")
    if features and spec.kind != "images":
        raise ValueError(f"features: {features[0]} needs images, and {name} holds points; allowed: none")
    for extractor in features:
        try:
            extractors()[extractor].check(spec)
        except ValueError as error:
            allowed = ", ".join([*_possible(spec), "none"])
            raise ValueError(f"datasets.{name}: {error}; allowed: {allowed}") from error
        require_weights_of(extractors()[extractor], study.measures.weights.get(extractor))
    spec.sources()


def _possible(data: DataSet) -> list[str]:
    """Return the feature extractors that can read a data set."""
    possible = []
    for name, cls in extractors().items():
        with suppress(ValueError):
            cls.check(data)
            possible.append(name)
    return possible


def notes(study: Study) -> list[str]:
    """What the study says without effect, and what will be downloaded to measure it, one line each."""
    notes = [
        f"datasets.{name}.methods.{method}: {method} is not trained on {name}, so its options there have no effect"
        for name in study.datasets
        for method in study.entry(name).methods
        if not study.trained_at(method, name)
    ]
    for name in study.datasets:
        entry, trained = study.entry(name), [method for method in study.methods if study.trained_at(method, name)]
        given = entry.network is not None and "latent_dim" in entry.network.model_fields_set
        if given and all(isinstance(study.method(method, name)[1], FlowMethod) for method in trained):
            notes.append(
                f"datasets.{name}.network.latent_dim: every method there has a flow, so latents have the dimension "
                "of a sample"
            )
    if "features" in study.measures.groups:
        notes += [
            note
            for name in study.datasets
            for extractor in study.extractors(name)
            for note in _few(study, name, extractor)
        ]
    used = {extractor: None for name in study.datasets for extractor in study.extractors(name)}
    for extractor in study.measures.weights:
        if extractor not in used:
            key = f"measures.weights.{extractor}"
            notes.append(f"{key}: no data set has features: {extractor}, so the file is not read")
    for extractor in used:
        url = to_download(extractors()[extractor], study.measures.weights.get(extractor))
        if url:
            notes.append(
                f"features: {extractor}: its weights will be downloaded from {url}; without a network, set "
                f"measures.weights.{extractor} to a copy of that file"
            )
    return notes


def _few(study: Study, name: str, extractor: str) -> list[str]:
    """Say what too few images for the number of features mean for the Fréchet distance of a data set."""
    spec, cls = study.data_set(name), extractors()[extractor]
    count = min(study.measures.feature_samples, spec.train_size())
    if study.measures.feature_reference == "heldout":
        count = min(count, cls.references(spec.heldout_size()))
    compared = f"datasets.{name}: {extractor} has {cls.features} features, and {count} images are compared"
    if count <= cls.features:
        return [
            f"{compared}: their covariances are singular, and the Fréchet distance is far above that of more images"
        ]
    if study.measures.fd_infinity and count < PER_FEATURE * cls.features:
        return [f"{compared}: fd_infinity needs {PER_FEATURE} images for each feature, and is left out"]
    return []
