"""How to add a figure: a file like this one in pwgan/report/figures/ and a caption in workflow/report/figures/.

The stem of the file is the name of the figure. ``data`` names in its parameters the frames of the study that it needs
(pwgan/report/__init__.py lists them) and returns what is drawn, which is written as CSV; ``draw`` draws that CSV. A
caption is a file of the same stem (docs/example_figure.rst), whose first line says under which question the report
shows the figure. Nothing else needs to know of it: the workflow lists the folder.
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
    """Draw one point for each seed, methods side by side, a panel for each data set; EWDs differ in scale by panel."""
    shown = frame[frame["method"].isin(highlight)]
    grid = sns.catplot(shown, x="method", y="value", col="dataset", hue="batch_size", sharey=False, height=2.5)
    grid.set_axis_labels("method", "EWD")
    return grid.figure
