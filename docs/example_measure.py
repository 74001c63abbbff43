"""Example of a measure. Copy this file to pwgan/measures/, and add it to GROUPS in measuring.py and Group in cells.py.

The line of GROUPS is ``"energy": measure_energy,`` (and an import); Group lists the names that a study may choose in
``measures.groups``, without torch. The group then runs for every block and for real samples, its
cost is recorded under its name, and its values are rows of measures.parquet and tables/main.csv. To show it in another
table, add it to NAMES of that table. The name of a measure states the sample count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from pwgan.measures.names import MeasureName
from pwgan.transport.cost import cost, points

if TYPE_CHECKING:
    from pwgan.measures.measuring import Measuring


def measure_energy(measuring: Measuring) -> None:
    """Record ``energy@n``: the energy distance between n samples of each seed and the first n held-out samples."""
    count = min(measuring.measures.ewd_points, measuring.data.heldout_size, measuring.data.train_size)
    generated, heldout = (points(side).double() for side in (measuring.samples(count), measuring.heldout(count)))
    values = [energy_distance(*sides) for sides in zip(generated, heldout, strict=True)]
    measuring.add(str(MeasureName("energy", None, count)), values)


def energy_distance(x: torch.Tensor, y: torch.Tensor) -> float:
    """Energy distance between two sets of points: 2 E||X - Y|| - E||X - X'|| - E||Y - Y'||, at least 0.

    x: (n, d), y: (m, d); expectations are means over all pairs. Source: Szekely and Rizzo, "Energy statistics", 2013,
    equation 2.
    """
    return float(2 * cost(x, y).mean() - cost(x, x).mean() - cost(y, y).mean())
