"""Quality of generated images in every feature space, and differences to two rivals."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pwgan.report.frames import CELL, REFERENCE, ordered, with_fates
from pwgan.report.panels import sizes_of, told
from pwgan.report.quality import most_common_sizes
from pwgan.report.statistics import interval
from pwgan.report.style import LEVEL, WIDTH, Look, empty, head, legend, look, shown, themed

QUANTITIES = {
    "fd": "Fréchet\ndistance",
    "fid": "FID",
    "kid": "KID",
    "precision": "precision",
    "recall": "recall",
    "one_nn_accuracy": "1-NN\naccuracy",
}
RIVALS = ("nsgan", "wgan_gp")
SUBJECT = "pwgan_debiased"
CONTROLS = ("_short", "_constant")
"""Ends of the names of methods that were trained for less, or at a constant rate."""
MARKERS = ("o", "s", "^", "D", "v", "P")


def data(measures: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Select all measures in feature spaces of every seed at one m of each data set, the one of most methods.

    ``space`` is the feature extractor. Rows of method ``data`` are real samples. Controls are left out: methods whose
    names end in one of ``CONTROLS``.
    """
    rows = measures[measures["name"].isin(list(QUANTITIES)) & measures["extractor"].notna()]
    rows = rows[~rows["method"].str.endswith(CONTROLS)]
    trained = rows[rows["method"] != REFERENCE].drop_duplicates(CELL)
    most = most_common_sizes(trained)
    rows = rows[(rows["batch_size"] == rows["dataset"].map(most)) | (rows["method"] == REFERENCE)]
    rows = with_fates(rows.rename(columns={"name": "quantity", "extractor": "space"}), runs.merge(trained[CELL]))
    rows = rows[rows["quantity"].notna() & rows["dataset"].isin(list(most))]
    return ordered(rows[[*CELL, "seed", "quantity", "space", "measure", "value", "status"]])


def differences(part: pd.DataFrame, rival: str) -> pd.DataFrame:
    """Subtract a rival's value of the same seed from every value, in each feature space; without the rival itself."""
    own = part.loc[part["method"] == rival, ["space", "seed", "value"]].rename(columns={"value": "rival"})
    others = part[~part["method"].isin([rival, REFERENCE])].merge(own, on=["space", "seed"], how="left")
    return others.assign(value=others["value"] - others["rival"])[["method", "space", "seed", "value"]]


@themed
def draw(frame: pd.DataFrame, highlight: list[str]) -> Figure:
    """Draw measures as columns; rows are the values of the named methods and their differences to each rival."""
    if frame.empty:
        return empty("No data set of this study has features.")
    names, spaces = shown(frame, highlight), list(dict.fromkeys(frame["space"]))
    quantities = [name for name in QUANTITIES if name in set(frame["quantity"])]
    rivals = [name for name in RIVALS if name in set(frame["method"])]
    rows = [(dataset, rival) for dataset in dict.fromkeys(frame["dataset"]) for rival in (None, *rivals)]
    height = len(rows) * (0.5 + 0.2 * len(names)) + 1.2
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = figure.subplots(len(rows), len(quantities), squeeze=False, sharey="row")
    for line, (dataset, rival) in zip(axes, rows, strict=True):
        of_set = frame[frame["dataset"] == dataset]
        for ax, quantity in zip(line, quantities, strict=True):
            part = of_set[of_set["quantity"] == quantity]
            if rival is None:
                ax.set_title(QUANTITIES[quantity])
                _floor(ax, part)
            else:
                ax.axvline(0, color="0.45", linewidth=1.0)
                part = differences(part, rival)
            _dots(ax, part, [name for name in names if name != rival], spaces)
        line[0].set_ylabel(f"minus {rival}" if rival else dataset)
    described = "; ".join(_described(part) for _, part in frame.groupby("dataset", sort=False))
    head(
        figure,
        f"Does the debiased primal compete with GANs? {_found(frame)}",
        f"Mean and 95 % interval over seeds; differences by seed. A cross: all seeds diverged. {described}.",
    )
    entries: dict[str, Look] = {
        f"features: {space}": {"color": "0.3", "linestyle": "", "marker": marker}
        for space, marker in zip(spaces, MARKERS, strict=False)
    }
    legend(figure, entries | {"real samples": LEVEL})
    return figure


def _described(of_set: pd.DataFrame) -> str:
    """Format data set, m, seeds and diverged runs."""
    trained = of_set[of_set["method"] != REFERENCE].drop_duplicates([*CELL, "seed"])
    counts = told(trained.groupby(CELL).size(), int((trained["status"] == "diverged").sum()))
    return f"{of_set['dataset'].iloc[0]}: m = {', '.join(map(str, sizes_of(of_set)))}, {counts}"


def _dots(ax: Axes, part: pd.DataFrame, names: list[str], spaces: list[str]) -> None:
    """Draw mean and interval of each method, one marker for each feature space, methods from top to bottom."""
    for place, name in enumerate(names):
        for rank, space in enumerate(spaces):
            values = part.loc[(part["method"] == name) & (part["space"] == space), "value"]
            at = place + 0.26 * (rank - (len(spaces) - 1) / 2)
            mean, half, seeds = interval(values)
            style: Look = {"color": look(name)["color"], "markersize": 4, "elinewidth": 1.0}
            if seeds:
                error = half if half > 0 else None
                ax.errorbar(mean, at, xerr=error, linestyle="", marker=MARKERS[rank % len(MARKERS)], **style)
            elif len(values):
                ax.plot(0, at, transform=ax.get_yaxis_transform(), marker="x", color=style["color"], clip_on=False)
    ax.set(yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.5, -0.5))
    ax.locator_params(axis="x", nbins=3)


def _floor(ax: Axes, part: pd.DataFrame) -> None:
    """Draw the value of real samples in each feature space as a dashed line."""
    for _, rows in part[part["method"] == REFERENCE].groupby("space"):
        ax.axvline(rows["value"].mean(), **LEVEL)


def _found(frame: pd.DataFrame) -> str:
    """Say how the Fréchet distance of the debiased primal compares with that of each rival, in each space."""
    rows = frame[frame["quantity"].isin(("fd", "fid"))]
    texts = []
    for (dataset, space), part in rows.groupby(["dataset", "space"], sort=False):
        means = part.groupby("method")["value"].mean()
        if SUBJECT in means:
            against = ", ".join(f"{rival} {means[rival]:.3g}" for rival in RIVALS if rival in means)
            texts.append(f"{dataset}, {space}: {means[SUBJECT]:.3g} against {against}")
    return f"Fréchet distance of {SUBJECT}: {'; '.join(texts)}." if texts else ""
