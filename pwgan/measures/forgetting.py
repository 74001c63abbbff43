"""What a run forgets and whether it settles: measures of its snapshots and its history, along training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from pyarrow.parquet import read_table
from safetensors.torch import load_file

from pwgan.data.store import StoredData
from pwgan.measures.classifier import Classifier
from pwgan.measures.modes import RADIUS, nearest_mode
from pwgan.measures.names import named

Rows = list[dict[str, Any]]
MODE_STEPS = {"dataset": "string", "method": "string"} | dict.fromkeys(
    ("batch_size", "seed", "step", "mode", "count", "samples"), "int64"
)
"""Columns of mode_steps.parquet, which has no rows where no modes are known."""


def mode_counts(samples: np.ndarray, modes: np.ndarray, sigma: float) -> np.ndarray:
    """Count the samples of high quality at each mode at each step: those within 3 sigma of it, their nearest.

    samples: (T, k, d), modes: (K, d), sigma > 0 in the units of the samples -> (T, K) integers. Source: as
    ``measures.modes.mode_coverage``.
    """
    flat = samples.reshape(-1, samples.shape[-1]).astype(np.float64)
    distance, nearest = nearest_mode(flat, modes.astype(np.float64))
    # What is far from every mode is counted behind the last, and left out.
    place = np.where(distance <= RADIUS * sigma, nearest, len(modes)).reshape(len(samples), -1)
    return label_counts(place, len(modes) + 1)[:, :-1]


def label_counts(labels: np.ndarray, classes: int) -> np.ndarray:
    """Count each label at each step: labels (T, k) in 0..classes-1 -> (T, classes)."""
    offsets = classes * np.arange(len(labels))[:, None]
    return np.bincount((labels + offsets).ravel(), minlength=classes * len(labels)).reshape(len(labels), classes)


def coverage_lost(counts: np.ndarray) -> int:
    """Return how many modes the best step covered more than the last: counts (T, K) -> max_t c_t - c_T, c_t modes met.

    Never negative; 0 where the run ends at its best. Source: article D9 (forgetting).
    """
    covered = (counts > 0).sum(1)
    return int(covered.max() - covered[-1])


def settling(steps: np.ndarray, values: np.ndarray) -> dict[str, float]:
    """Describe how a quantity ends: its last value, and over the last third of the steps its trend and its variance.

    ``trend`` is the slope of the least-squares line, per step; ``variance`` is unbiased, trend included; both over the
    evaluations t with step_t >= 2/3 of the last step, and NaN where there is one alone. steps, values: (T,), steps
    ascending. Source: article D9 (stability, convergence).
    """
    late = steps >= 2 / 3 * steps[-1]
    x, y = steps[late].astype(np.float64), values[late].astype(np.float64)
    nothing = {"last": float(values[-1]), "trend": np.nan, "variance": np.nan}
    if len(x) < 2:
        return nothing
    centred = x - x.mean()
    return nothing | {"trend": float(centred @ y / (centred @ centred)), "variance": float(y.var(ddof=1))}


def ranking_lost(steps: np.ndarray, earlier: np.ndarray, auc: np.ndarray) -> tuple[float, float]:
    """Measure how well the last critic ranks what earlier critics were to tell apart.

    The mean over earlier evaluations s < T of auc_{T,s}, and of auc_{s,s} - auc_{T,s}: what was known then and is not
    known now. steps, earlier, auc: (N,), one entry for each pair s <= t. NaN where there is no earlier evaluation.
    Source: article D9 (forgetting in the dual).
    """
    last = steps == steps.max()
    now = dict(zip(earlier[last].tolist(), auc[last].tolist(), strict=True))
    then = dict(zip(steps[steps == earlier].tolist(), auc[steps == earlier].tolist(), strict=True))
    before = [step for step in now if step != steps.max()]
    if not before:
        return np.nan, np.nan
    kept = [now[step] for step in before]
    return float(np.mean(kept)), float(np.mean([then[step] - now[step] for step in before]))


def step_counts(
    samples: np.ndarray, data: StoredData, classifier: Classifier | None
) -> tuple[np.ndarray, str | None] | None:
    """Count modes at each step by the data set's rule: (counts (T, K), the feature extractor used, if any).

    Distances to the modes of a mixture; the classes that a classifier sees in images, cut to the range of a picture;
    None where neither is known. samples: (T, k, *sample), finite.
    """
    count = samples.shape[1]
    if data.modes is not None and data.sigma is not None:
        return mode_counts(samples, data.modes, data.sigma), None
    if classifier is None:
        return None
    pictures = torch.from_numpy(samples).float().clamp(-1, 1)
    labels = classifier.predict(pictures.flatten(0, 1)).numpy().reshape(len(samples), count)
    return label_counts(labels, classifier.classes), "classifier"


def run_measures(
    folder: Path, data: StoredData, classifier: Classifier | None, seeds: range, floor: float, points: int
) -> tuple[Rows, Rows]:
    """Measure a trained block by what it left along training.

    Returns rows (seed, measure, value) and rows (seed, step, mode, count, samples). ``floor`` is the EWD of ``points``
    real samples, as many as the history's. ``coverage-lost``: ``coverage_lost`` of the snapshots;
    ``ewd-above-floor``, ``ewd-trend`` and ``ewd-variance``: ``settling`` of the history; ``critic-auc`` and
    ``critic-auc-lost``: ``ranking_lost`` of the critic, where there is one; ``tied-ewd``: the last EWD between the
    training samples and what became of the latents tied to them, where they are (far below ``ewd`` of fresh latents,
    these were learned by heart). NaN, and no counts, for what is not finite.
    """
    kept = load_file(folder / "snapshots.safetensors")
    steps, snapshots = kept["steps"].numpy(), kept["samples"].transpose(0, 1).numpy()
    tables = (read_table(folder / f"{name}.parquet") for name in ("history", "ranking"))
    history, ranked = ({name: table[name].to_numpy() for name in table.column_names} for table in tables)
    values, counted = [], []
    for seed, samples in zip(seeds, snapshots, strict=True):
        known = np.isfinite(samples.reshape(len(samples), -1)).all(1)
        measured: dict[str, float] = {}
        kept_count = samples.shape[1]
        counting = step_counts(samples[known], data, classifier) if known.any() else None
        if counting is not None:
            counts, extractor = counting
            counted += [
                {"seed": seed, "step": int(step), "mode": mode, "count": int(count), "samples": kept_count}
                for step, row in zip(steps[known], counts, strict=True)
                for mode, count in enumerate(row)
            ]
            lost = coverage_lost(counts) if known.all() else np.nan
            measured |= named({"coverage-lost": lost}, kept_count, extractor)
        of_seed = history["seed"] == seed
        evaluated = of_seed & np.isin(history["step"], steps)
        ewd = settling(history["step"][evaluated], history["ewd"][evaluated])
        ends = {"ewd-above-floor": ewd["last"] - floor, "ewd-trend": ewd["trend"], "ewd-variance": ewd["variance"]}
        measured |= named(ends, points)
        if np.isfinite(history["tied_ewd"][of_seed]).any():
            last = history["tied_ewd"][of_seed][history["step"][of_seed].argmax()]
            measured |= named({"tied-ewd": last}, len(data.train))
        if len(ranked["seed"]):
            rows = ranked["seed"] == seed
            ranks = ranking_lost(*(ranked[name][rows] for name in ("step", "earlier_step", "auc")))
            measured |= named(dict(zip(("critic-auc", "critic-auc-lost"), ranks, strict=True)), kept_count)
        values.append(measured)
    return _rows(values, seeds), counted


def _rows(values: list[dict[str, float]], seeds: range) -> Rows:
    """Return a row for each seed and measure, NaN where one seed lacks what another has."""
    names = dict.fromkeys(name for measured in values for name in measured)
    return [
        {"seed": seed, "measure": name, "value": float(measured.get(name, np.nan))}
        for name in names
        for seed, measured in zip(seeds, values, strict=True)
    ]
