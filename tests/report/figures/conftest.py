"""Rows of a made-up study, and what a panel holds."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from pwgan.report.frames import with_names


def cell(method="gan", m=16, dataset="ring8"):
    return {"dataset": dataset, "method": method, "batch_size": m}


def typed(rows):
    return pd.DataFrame(rows).astype({"batch_size": "Int64"})


def runs(method="gan", statuses=("ok", "ok"), m=16, dataset="ring8", dual=False, **options):
    how = {"algorithm": method.split("_")[0], "options": json.dumps(options), "history_points": 10, "dual": dual}
    return [{**cell(method, m, dataset), "seed": seed, "status": status, **how} for seed, status in enumerate(statuses)]


def measured(name, method="gan", values=(1.0, 2.0), m=16, dataset="ring8"):
    key = cell(method, None if method == "data" else m, dataset)
    return [{**key, "seed": seed, "measure": name, "value": value} for seed, value in enumerate(values)]


def measures(*rows):
    return with_names(typed([row for part in rows for row in part]))


def lines(ax, colour):
    """Return (x, y) of every drawn line of a panel in one colour, markers alone left out."""
    own = [line for line in ax.get_lines() if to_hex(line.get_color()) == to_hex(colour)]
    held = [line for line in own if line.get_linestyle() not in (" ", "None", "")]
    return [(np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float)) for line in held]


@pytest.fixture
def rows():
    return SimpleNamespace(cell=cell, typed=typed, runs=runs, measured=measured, measures=measures)


@pytest.fixture
def drawn():
    return lines
