"""A matching that is quickly found: its total cost bounds that of an optimal one, whatever the scales of the data."""

from __future__ import annotations

import numpy as np

from pwgan.transport.solvers.screen import blocks

# When the lengths of all parts that were looked at add up to this many times n, the rest is matched by rank.
EFFORT = 64
# The axes considered: those along which the points extend farthest.
AXES = 64


def known_matching(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Match points by rank along their widest axis, after cutting them apart at wide gaps: columns and parts, (n,).

    If a gap is wider than half the extent along the widest axis, as beside a fill value or between distant clusters,
    the points on either side are matched among themselves, as far as their numbers allow.
    """
    if x.shape[1] > AXES:
        parts_of_both = [part for side in (x, y) for part in blocks(side)]
        low = np.min([part.min(0) for part in parts_of_both], 0).astype(np.float64)
        high = np.max([part.max(0) for part in parts_of_both], 0).astype(np.float64)
        axes = np.argsort(low - high, kind="stable")[:AXES]
        x, y = x[:, axes], y[:, axes]
    x, y = x.astype(np.float64), y.astype(np.float64)
    columns, part = np.empty(len(x), np.int64), np.empty(len(x), np.int32)
    parts = [(np.arange(len(x)), np.arange(len(y)))]
    work = labels = 0
    while parts:
        rows, partners = parts.pop()
        work += len(rows)
        both = np.concatenate([x[rows], y[partners]])
        axis = int(np.argmax(both.max(0) - both.min(0)))
        rows = rows[np.argsort(x[rows, axis], kind="stable")]
        partners = partners[np.argsort(y[partners, axis], kind="stable")]
        values = np.sort(both[:, axis])
        gaps = np.diff(values)
        widest = int(np.argmax(gaps))
        if work < EFFORT * len(x) and 2 * gaps[widest] > values[-1] - values[0]:
            below = (int((side <= values[widest]).sum()) for side in (x[rows, axis], y[partners, axis]))
            cut = next((count for count in below if 0 < count < len(rows)), None)
            if cut is not None:
                parts += [(rows[:cut], partners[:cut]), (rows[cut:], partners[cut:])]
                continue
        columns[rows], part[rows] = partners, labels
        labels += 1
    return columns, part
