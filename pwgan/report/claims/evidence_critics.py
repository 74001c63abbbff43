"""Statistics of critics that are trained to a standstill against fixed generators, and of what critics remember."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pwgan.report.claims.evidence_training import Statistic
from pwgan.report.claims.results import MIXTURES, Parts, Results, Sample, some

VANISHED = 1e-9
"""Lower limit of a gradient norm, as a share of that under the untrained critic: keeps the logarithm of 0 finite."""
APART = {True: 6.0, False: 2.0}
"""Distance between generated and real samples beyond which supports are disjoint, for mixtures and for other data.

In standard deviations of a mode, or in median distances from a held-out sample to the nearest training sample.
"""


def _signals(
    results: Results, m: int, disjoint: bool | None, generator: str = "initial"
) -> dict[tuple[str, str], pd.DataFrame]:
    """Return the rows of the generators of gan at m by critic and data set; ``disjoint`` selects by their supports."""
    signal = results.frame("signal")
    rows = signal[(signal["generator"] == generator) & (signal["batch_size"] == m) & (signal["method"] == "gan")]
    groups = {}
    for (dataset, critic), part in rows.groupby(["dataset", "critic"], sort=False):
        # The least distance of all seeds.
        if disjoint is None or (part["apart"].min() > APART[dataset in MIXTURES]) == disjoint:
            groups[str(critic), str(dataset)] = part
    return groups


def _last(rows: pd.DataFrame, column: str) -> pd.Series:
    """Return a column by seed at the last step, NaN where the critic has not come to a standstill."""
    # Blocks of seeds end at different steps.
    last = rows.loc[rows.groupby("seed")["step"].idxmax()].set_index("seed")
    return last[column].where(last["stationary"].astype(bool))


def gradient_decay(critic: str, m: int, disjoint: bool) -> Statistic:
    """Logarithm of the generator's gradient norm under the stationary critic over that under the untrained critic."""

    def statistic(results: Results) -> Parts:
        parts: Parts = {}
        for (name, dataset), rows in _signals(results, m, disjoint).items():
            if name == critic:
                first = rows[rows["step"] == rows["step"].min()].set_index("seed")["parameter_gradient"]
                last = _last(rows, "parameter_gradient").clip(lower=VANISHED * first)
                parts[f"{critic}, {dataset}"] = Sample(np.log(last / first))
        return some(parts, f"generator {'apart from' if disjoint else 'overlapping'} the data under a {critic} critic")

    return statistic


def direction(*critics: str, m: int) -> Statistic:
    """Mean cosine of the move that a stationary critic gives generated samples with the exact transport direction."""

    def statistic(results: Results) -> Parts:
        groups = _signals(results, m, None)
        parts = {
            f"{critic}, {dataset}": Sample(_last(rows, "cosine"))
            for (critic, dataset), rows in groups.items()
            if critic in critics
        }
        return some(parts, f"directions under a critic of {' or '.join(critics)}")

    return statistic


def retained(lag: int, m: int, *critics: str) -> Statistic:
    """AUC of a critic between a probe mini-batch and unseen real samples, ``lag`` critic steps after one step on the
    probe, minus that before; trained generators of gan, stationary critics.
    """

    def statistic(results: Results) -> Parts:
        groups = _signals(results, m, None, "trained")
        parts = {
            f"{critic}, {dataset}": Sample(_last(rows, f"probe_{lag}") - _last(rows, "probe_before"))
            for (critic, dataset), rows in groups.items()
            if critic in critics
        }
        return some(parts, f"critics of {' or '.join(critics)} after a probe")

    return statistic
