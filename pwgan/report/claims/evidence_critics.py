"""Statistics of critics that are trained to a standstill against fixed generators, and of what critics remember."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd

from pwgan.report.claims.evidence_training import Statistic
from pwgan.report.claims.results import MIXTURES, Parts, Results, Sample, some
from pwgan.report.confidence import unknown

VANISHED = 1e-9
"""Lower limit of a gradient norm, as a share of that under the untrained critic: keeps the logarithm of 0 finite."""
APART = {True: 6.0, False: 2.0}
"""Distance between generated and real samples beyond which supports are disjoint, for mixtures and for other data.

In standard deviations of a mode, or in median distances from a held-out sample to the nearest training sample.
"""


STANDING = 0.75
"""Least share of seeds whose critic has come to a standstill; with fewer a part is not measured."""
LEARNT = 0.05
"""Least gain in AUC from one step on a probe that leaves something to forget."""


def _signals(results: Results, m: int, generator: str, critics: Iterable[str]) -> dict[tuple[str, str], pd.DataFrame]:
    """Return the rows of the generators of gan at m by critic and data set."""
    signal = results.frame("signal")
    rows = signal[(signal["generator"] == generator) & (signal["batch_size"] == m) & (signal["method"] == "gan")]
    rows = rows[rows["critic"].isin(list(critics))]
    return {(str(critic), str(dataset)): part for (critic, dataset), part in rows.groupby(["critic", "dataset"])}


def _last(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the last step by seed."""
    # Blocks of seeds end at different steps.
    return rows.loc[rows.groupby("seed")["step"].idxmax()].set_index("seed")


def _standing(last: pd.DataFrame, values: pd.Series) -> Sample:
    """Return the values of the seeds whose critic stands still; not measured if they are less than three of four."""
    known = values[last["stationary"].astype(bool)].dropna()
    enough = len(known) >= STANDING * len(values)
    return Sample(known if enough else unknown(), lost=len(values) - len(known))


def gradient_decay(critic: str, m: int, *datasets: str, disjoint: bool) -> Statistic:
    """Logarithm of the generator's gradient norm under the stationary critic over that under the untrained critic.

    With ``disjoint``, data sets whose supports are not apart at every seed are not measured.
    """

    def statistic(results: Results) -> Parts:
        parts: Parts = {}
        for (_, dataset), rows in _signals(results, m, "initial", [critic]).items():
            if dataset in datasets:
                first = rows[rows["step"] == rows["step"].min()].set_index("seed")["parameter_gradient"]
                last = _last(rows)
                norm = last["parameter_gradient"].clip(lower=VANISHED * first)
                apart = not disjoint or rows["apart"].min() > APART[dataset in MIXTURES]
                sample = _standing(last, np.log(norm / first))
                parts[f"{critic}, {dataset}"] = sample if apart else Sample(unknown())
        return some(parts, f"generator on {' or '.join(datasets)} under a {critic} critic")

    return statistic


def direction(*critics: str, m: int, share: float = 0.0) -> Statistic:
    """Mean cosine of the move that a stationary critic gives generated samples with the exact transport direction.

    Less ``share`` times the ceiling, the cosine of this direction with that to independent real samples.
    """

    def statistic(results: Results) -> Parts:
        parts: Parts = {}
        for (critic, dataset), rows in _signals(results, m, "initial", critics).items():
            last = _last(rows)
            parts[f"{critic}, {dataset}"] = _standing(last, last["cosine"] - share * last["ceiling"])
        return some(parts, f"directions under a critic of {' or '.join(critics)}")

    return statistic


def learnt(m: int, *critics: str) -> Statistic:
    """AUC of a critic between a probe mini-batch and unseen real samples after one step on it, minus that before.

    Trained generators of gan, stationary critics.
    """
    return _probe(m, critics, lambda last: last["probe_1"] - last["probe_before"], of_learnt=False)


def forgotten(m: int, *critics: str) -> Statistic:
    """AUC of a critic between a probe and unseen real samples after one step on it, minus that after 128 steps.

    Not measured where the first step gains less than ``LEARNT`` on average: there is nothing to forget.
    """
    return _probe(m, critics, lambda last: last["probe_1"] - last["probe_128"], of_learnt=True)


def _probe(m: int, critics: tuple[str, ...], of: Callable[[pd.DataFrame], pd.Series], of_learnt: bool) -> Statistic:
    def statistic(results: Results) -> Parts:
        parts: Parts = {}
        for (critic, dataset), rows in _signals(results, m, "trained", critics).items():
            last = _last(rows)
            gain = (last["probe_1"] - last["probe_before"])[last["stationary"].astype(bool)].mean()
            known = not of_learnt or gain >= LEARNT
            parts[f"{critic}, {dataset}"] = _standing(last, of(last)) if known else Sample(unknown())
        return some(parts, f"critics of {' or '.join(critics)} after a probe")

    return statistic
