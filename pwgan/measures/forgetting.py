"""Measures along training, from a run's snapshots and history: forgetting and convergence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from pwgan.cells import Training
from pwgan.data.store import StoredData
from pwgan.measures.modes import covered, mode_reach, mode_weights, nearest_mode
from pwgan.measures.names import named
from pwgan.networks.layers.classifier import Classifier
from pwgan.seals import read_table, read_tensors

EWDS = {"ewd": "ewd", "ewd_debiased": "ewd-debiased"}
"""The distances of the history and their names as measures."""
Rows = list[dict[str, Any]]
MODE_STEPS = (
    {"dataset": "string", "method": "string"}
    | dict.fromkeys(("batch_size", "seed", "step", "mode", "count", "samples"), "int64")
    | {"covered": "bool"}
)
"""Columns of mode_steps.parquet, which has no rows if no modes are known."""


def mode_counts(samples: np.ndarray, modes: np.ndarray) -> np.ndarray:
    """Count the samples of each mode at each step, by the rule of ``mode_coverage``: (T, k, d), (K, d) -> (T, K)."""
    flat, modes = samples.reshape(-1, samples.shape[-1]).astype(np.float64), modes.astype(np.float64)
    distance, nearest = nearest_mode(flat, modes)
    # Samples between modes are counted apart, and left out.
    labels = np.where(distance <= mode_reach(modes), nearest, len(modes))
    return label_counts(labels.reshape(len(samples), -1), len(modes) + 1)[:, :-1]


def label_counts(labels: np.ndarray, classes: int) -> np.ndarray:
    """Count each label at each step: labels (T, k) in 0..classes-1 -> (T, classes)."""
    offsets = classes * np.arange(len(labels))[:, None]
    return np.bincount((labels + offsets).ravel(), minlength=classes * len(labels)).reshape(len(labels), classes)


def coverage_lost(covers: np.ndarray) -> int:
    """Return how many more modes the best step covers than the last: (T, K) truth values -> max_t c_t - c_T.

    c_t is the number of modes covered at step t. Never negative; 0 if the last step covers most.
    Source: article D9 (forgetting).
    """
    number = covers.sum(1)
    return int(number.max() - number[-1])


def settling(steps: np.ndarray, values: np.ndarray) -> dict[str, float]:
    """Summarise a quantity: its last value, and its trend and variance over the last third of the steps.

    ``trend`` is the slope of the least-squares line, per step; ``variance`` is that of the distances from this line,
    unbiased (n - 2 degrees of freedom): a steady descent is no instability. Both over the n evaluations t with
    step_t >= 2/3 of the last step; the trend is NaN if n < 2, the variance if n < 3. steps, values: (T,), steps
    ascending. Source: article D9 (stability, convergence).
    """
    late = steps >= 2 / 3 * steps[-1]
    x, y = steps[late].astype(np.float64), values[late].astype(np.float64)
    summary = {"last": float(values[-1]), "trend": np.nan, "variance": np.nan}
    if len(x) < 2:
        return summary
    centred = x - x.mean()
    trend = float(centred @ y / (centred @ centred))
    rest = y - y.mean() - trend * centred
    return summary | {"trend": trend, "variance": float(rest @ rest / (len(x) - 2)) if len(x) > 2 else np.nan}


def ranking_lost(steps: np.ndarray, earlier: np.ndarray, auc: np.ndarray) -> tuple[float, float]:
    """Measure how well the last critic ranks the samples that earlier critics were trained to separate.

    The mean over earlier evaluations s < T of auc_{T,s}, and of auc_{s,s} - auc_{T,s}, the loss since then. NaN if
    there is no earlier evaluation. steps, earlier, auc: (N,), one entry for each pair s <= t.
    Source: article D9 (forgetting in the dual).
    """
    last = steps == steps.max()
    last_auc = dict(zip(earlier[last].tolist(), auc[last].tolist(), strict=True))
    own_auc = dict(zip(steps[steps == earlier].tolist(), auc[steps == earlier].tolist(), strict=True))
    before = [step for step in last_auc if step != steps.max()]
    if not before:
        return np.nan, np.nan
    current = [last_auc[step] for step in before]
    return float(np.mean(current)), float(np.mean([own_auc[step] - last_auc[step] for step in before]))


class Counts(NamedTuple):
    """Samples of each mode at each step, (T, K), whether they cover it, and the feature extractor used, if any."""

    samples: np.ndarray
    covered: np.ndarray
    extractor: str | None


def step_counts(samples: np.ndarray, data: StoredData, classifier: Classifier | None) -> Counts | None:
    """Count the samples of each mode at each step by the data set's rule, that of ``coverage``.

    By the nearest mode of a mixture, or by the predicted classes of images clipped to [-1, 1]; None if neither
    applies. samples: (T, k, *sample), finite.
    """
    if data.modes is not None:
        counts = mode_counts(samples, data.modes)
        return Counts(counts, covered(counts, mode_weights(data.weights, len(data.modes)), samples.shape[1]), None)
    if classifier is None or data.class_weights is None:
        return None
    pictures = torch.from_numpy(samples).float().clamp(-1, 1)
    labels = classifier.predict(pictures.flatten(0, 1)).numpy().reshape(samples.shape[:2])
    counts = label_counts(labels, classifier.classes)
    return Counts(counts, covered(counts, data.class_weights, samples.shape[1]), "classifier")


def run_measures(
    folder: Path, data: StoredData, classifier: Classifier | None, training: Training, floors: Sequence[float]
) -> tuple[Rows, Rows]:
    """Measure a trained block from the snapshots, history and rankings of its training.

    Returns rows (seed, measure, value) and rows (seed, step, mode, count, samples, covered). ``floors``: the EWDs of as
    many real samples as the history's, for each seed. ``coverage-lost``: ``coverage_lost`` of the snapshots,
    unless they have fewer samples than there are modes; ``ewd-above-floor``, ``ewd-trend``, ``ewd-variance``,
    ``ewd-debiased-trend`` and ``ewd-debiased-variance``: ``settling`` of the history; ``critic-auc`` and
    ``critic-auc-lost``: ``ranking_lost`` of the critic, where there is one; ``tied-ewd``: the last EWD between the
    training samples and the samples of their tied latents, for tied methods (a value far below ``ewd`` of fresh latents
    indicates memorisation). NaN, and no counts, where snapshots are not finite.
    """
    seeds, points, of = training.seed_range, training.evaluation_points, training.identity
    stored, _ = read_tensors(folder / "snapshots.safetensors", "snapshots", of)
    steps, snapshots = stored["steps"].numpy(), stored["samples"].transpose(0, 1).numpy()
    tables = (read_table(folder / f"{name}.parquet", name, of) for name in ("history", "ranking"))
    history, ranked = ({name: table[name].to_numpy() for name in table.column_names} for table in tables)
    values, counted = [], []
    for seed, samples, floor in zip(seeds, snapshots, floors, strict=True):
        finite = np.isfinite(samples.reshape(len(samples), -1)).all(1)
        measured: dict[str, float] = {}
        snapshot_size = samples.shape[1]
        counting = step_counts(samples[finite], data, classifier) if finite.any() else None
        if counting is not None:
            of_step = {"seed": seed, "samples": snapshot_size}
            counted += [
                {**of_step, "step": int(step), "mode": mode, "count": int(count), "covered": bool(hit)}
                for step, counts, hits in zip(steps[finite], counting.samples, counting.covered, strict=True)
                for mode, (count, hit) in enumerate(zip(counts, hits, strict=True))
            ]
            if snapshot_size >= counting.covered.shape[1]:
                lost = coverage_lost(counting.covered) if finite.all() else np.nan
                measured |= named({"coverage-lost": lost}, snapshot_size, counting.extractor)
        of_seed = history["seed"] == seed
        evaluated = of_seed & np.isin(history["step"], steps)
        late = {name: settling(history["step"][evaluated], history[name][evaluated]) for name in EWDS}
        ends = {"ewd-above-floor": late["ewd"]["last"] - floor}
        ends |= {f"{EWDS[name]}-{part}": late[name][part] for name in EWDS for part in ("trend", "variance")}
        measured |= named(ends, points)
        if np.isfinite(history["tied_ewd"][of_seed]).any():
            last = history["tied_ewd"][of_seed][history["step"][of_seed].argmax()]
            measured |= named({"tied-ewd": last}, data.train_size)
        if len(ranked["seed"]):
            rows = ranked["seed"] == seed
            ranks = ranking_lost(*(ranked[name][rows] for name in ("step", "earlier_step", "auc")))
            measured |= named(dict(zip(("critic-auc", "critic-auc-lost"), ranks, strict=True)), snapshot_size)
        values.append(measured)
    return _rows(values, seeds), counted


def _rows(values: list[dict[str, float]], seeds: range) -> Rows:
    """Return a row for each seed and measure, NaN if a seed lacks the measure."""
    names = dict.fromkeys(name for measured in values for name in measured)
    return [
        {"seed": seed, "measure": name, "value": float(measured.get(name, np.nan))}
        for name in names
        for seed, measured in zip(seeds, values, strict=True)
    ]
