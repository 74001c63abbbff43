"""Example of a figure. Copy this file to pwgan/report/figures/ and its caption to workflow/report/figures/.

The stem of the file is the name of the figure. The parameters of ``data`` are the frames of the study that it needs
(listed in pwgan/report/__init__.py); it returns the plotted values, which are written as CSV, and ``draw`` plots that
CSV. The caption has the same stem (docs/example_figure.rst); its first line is the question under which the report
shows the figure. The workflow finds the figure by listing the folder, so no registration is needed.
"""

from __future__ import annotations

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from pwgan.options import REFERENCE


def data(measures: pd.DataFrame) -> pd.DataFrame:
    """Return the final EWD of every seed of every cell."""
    kept = measures[(measures["name"] == "ewd") & (measures["method"] != REFERENCE)]
    return kept[["dataset", "method", "batch_size", "seed", "value"]]


def draw(frame: pd.DataFrame, highlight: list[str]) -> Figure:
    """Draw one point per seed, methods side by side, one panel with its own scale per data set."""
    shown = frame[frame["method"].isin(highlight)]
    grid = sns.catplot(shown, x="method", y="value", col="dataset", hue="batch_size", sharey=False, height=2.5)
    grid.set_axis_labels("method", "EWD")
    return grid.figure
