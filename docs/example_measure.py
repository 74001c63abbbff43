"""How to add a measure: put a file like this one into pwgan/measures/ and one line into GROUPS of measuring.py.

That line is ``"energy": measure_energy,`` with its import above. The group then runs for every block and for the real
samples in a generator's place, its cost is recorded under its name, and its values are rows of measures.parquet and of
tables/main.csv; a table to read lists the measures that it shows. The name of a measure states its count: ``named``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from pwgan.measures.names import named
from pwgan.transport.cost import cost, points

if TYPE_CHECKING:
    from pwgan.measures.measuring import Measuring


def measure_energy(measuring: Measuring) -> None:
    """Record ``energy@n``: the energy distance of n samples of each seed to the first n held-out ones."""
    count = min(measuring.measures.ewd_points, len(measuring.data.heldout), len(measuring.data.train))
    heldout = points(measuring.data.heldout_tensor(torch.arange(count)), 0).double()
    measuring.per_seed(
        measuring.samples(count),
        lambda samples: named({"energy": energy_distance(points(samples, 0).double(), heldout)}, count),
    )


def energy_distance(x: torch.Tensor, y: torch.Tensor) -> float:
    """Energy distance of two sets of points: 2 E||X - Y|| - E||X - X'|| - E||Y - Y'||, at least 0.

    x, y: (n, d) and (m, d), means over all pairs. Source: Szekely and Rizzo, "Energy statistics", 2013, equation 2.
    """
    return float(2 * cost(x, y).mean() - cost(x, x).mean() - cost(y, y).mean())
