"""Final quality of every cell against its cost, or Fréchet distance against recall, with a colour for each family."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pwgan.report.families import COLOURS, family
from pwgan.report.frames import CELL, REFERENCE, ordered, with_fates
from pwgan.report.panels import all_diverged, facets, seeds_of
from pwgan.report.quality import FINAL, axis_label, chosen, training_seconds
from pwgan.report.statistics import interval
from pwgan.report.style import WIDTH, Look, distance_limits, empty, head, legend, log_limits, themed

FRONT: Look = {"color": "0.55", "linestyle": "-", "linewidth": 1.0, "zorder": 1}
HEIGHT = 2.9
"""Of a panel, in inches; of more than ``ROOMY`` cells, in proportion to their number: their names need room."""
ROOMY = 20
FONT = 6.5
"""Size of the names of cells, in points."""


def data(measures: pd.DataFrame, runs: pd.DataFrame, costs: pd.DataFrame) -> pd.DataFrame:
    """Select what each cell reached and what it cost, of every seed.

    ``value`` and ``x``: Fréchet distance and recall in the same features, of images, and debiased EWD and training time
    in seconds per seed, of points; ``along``: the name of x, a measure or seconds. ``front``: 1 if no cell of the
    data set without a diverged seed is better in both means, else 0. Rows of method ``data`` are real samples.
    """
    values = with_fates(chosen(measures, FINAL), runs).merge(training_seconds(costs), on=CELL, how="left")
    recall = measures[measures["name"] == "recall"]
    key = [*CELL, "seed", "extractor"]
    rows = values.merge(recall[[*key, "measure", "value"]], on=key, how="left", suffixes=("", "_recall"))
    known = rows["name"].groupby(rows["dataset"]).transform("first").isin(["fid", "fd"])
    rows = rows.assign(
        x=rows["value_recall"].where(known, rows["seconds"]),
        along=rows.groupby("dataset")["measure_recall"].transform("first").where(known, "seconds"),
        family=rows["method"].map(runs.drop_duplicates("method").set_index("method")["algorithm"]).map(_family),
    )
    columns = [*CELL, "family", "seed", "measure", "value", "along", "x", "device", "front", "status"]
    return ordered(rows.assign(front=_front(rows))[columns])


def _family(algorithm: str | float) -> str | None:
    return family(algorithm) if isinstance(algorithm, str) else None


def _front(rows: pd.DataFrame) -> pd.Series:
    """Mark the rows of the cells that are on the Pareto front: less time, or more recall, at a smaller distance."""
    marked = pd.Series(0.0, index=rows.index)
    for _, part in rows[rows["method"] != REFERENCE].groupby("dataset"):
        whole = part.groupby(CELL).filter(lambda rows: bool(rows["value"].notna().all()))
        cells = whole.groupby(CELL)[["x", "value"]].mean().dropna()
        cells["x"] *= 1 if part["along"].iloc[0] == "seconds" else -1
        cells = cells.sort_values(["x", "value"])
        best = cells.index[cells["value"] < cells["value"].cummin().shift(fill_value=np.inf)]
        marked[part.index] = pd.MultiIndex.from_frame(part[CELL]).isin(best).astype(float)
    return marked


@themed
def draw(frame: pd.DataFrame, highlight: list[str]) -> Figure:
    """Draw one panel per data set, below each other: a point with a name for every cell."""
    trained = frame[(frame["method"] != REFERENCE) & frame["x"].notna()]
    if trained.empty:
        return empty("No cell of this study has a final distance and a cost.")
    most = trained.drop_duplicates(CELL)["dataset"].value_counts().max()
    inches = HEIGHT * max(1.0, float(most) / ROOMY)
    figure, _, panels = facets(trained, "dataset", height=inches, sharex=False, sharey=False)
    several = trained["batch_size"].nunique() > 1
    for ax, part in panels:
        cells = _cells(part, several)
        if cells.empty:
            all_diverged(ax)
        for name, own in cells.groupby("family"):
            style: Look = {"color": COLOURS[name], "marker": "o", "linestyle": "", "markersize": 5}
            ax.errorbar(own["x"], own["value"], yerr=own["half_width"], xerr=own["half_x"], elinewidth=0.7, **style)
        front = cells[cells["front"] == 1].sort_values("x")
        along = str(part["along"].iloc[0])
        ax.plot(front["x"], front["value"], drawstyle="steps-post" if along == "seconds" else "steps-pre", **FRONT)
        real = frame[(frame["method"] == REFERENCE) & (frame["dataset"] == part["dataset"].iloc[0])]
        if along != "seconds" and len(real):
            ax.plot(real["x"].mean(), real["value"].mean(), "*", color="black", markersize=9)
        distance_limits(ax, pd.concat([cells["value"], real["value"]] if along != "seconds" else [cells["value"]]))
        if along == "seconds":
            log_limits(ax, cells["x"], "x", air=1.3)
        ax.minorticks_off()
        _names(ax, cells, inches)
        device = ", ".join(part["device"].dropna().unique())
        label = f"training s per seed ({device})" if along == "seconds" else axis_label(along).replace("\n", ", ")
        ax.set(xlabel=label, ylabel=axis_label(str(part["measure"].iloc[0])))
        sizes = ", ".join(str(size) for size in sorted(part["batch_size"].unique()))
        ax.set_title(f"{part['dataset'].iloc[0]}, m = {sizes}; {seeds_of(part)}")
    head(
        figure,
        "Which family of methods is best, and at what cost?",
        "Mean and 95 % interval over seeds of every cell, colour by family; grey: no cell is better in both. "
        "Cells with a diverged seed are drawn, and not on the grey line; star, or dashes at 0: real samples.",
    )
    present = [name for name in COLOURS if name in set(trained["family"])]
    legend(figure, {name: {"color": COLOURS[name], "marker": "o", "linestyle": ""} for name in present})
    return figure


def _cells(part: pd.DataFrame, several: bool) -> pd.DataFrame:
    """Average over seeds; ``name`` of a cell, with its m if there are several."""
    groups = part.groupby([*CELL, "family"], sort=False)
    cells = groups.agg(
        x=("x", "mean"),
        value=("value", "mean"),
        half_x=("x", lambda column: interval(column).half_width or np.nan),
        half_width=("value", lambda column: interval(column).half_width),
        front=("front", "max"),
    ).reset_index()
    sizes = cells["batch_size"].map(" {}".format) if several else ""
    return cells.assign(name=cells["method"] + sizes).dropna(subset=["x", "value"])


def _names(ax: Axes, cells: pd.DataFrame, inches: float) -> None:
    """Write the name of each cell beside its point, where it overlaps no point, interval or other name if possible."""
    # The layout is not known yet; a panel is nearly as wide as the figure.
    width, height = (WIDTH - 1.0) * 72, inches * 72
    middle, half = (cells[names].to_numpy(float) for names in (["x", "value"], ["half_x", "half_width"]))
    half = np.nan_to_num(half)

    def shown(places: np.ndarray) -> np.ndarray:
        return ax.transAxes.inverted().transform(ax.transData.transform(places)) * (width, height)

    # An end at 0 or below is not on a logarithmic axis: cut there.
    ends = np.maximum(middle - half, middle / 100) if ax.get_yscale() == "log" else middle - half
    points, low, high = shown(middle), shown(ends), shown(middle + half)
    taken = [(x - 3, y - 3, x + 3, y + 3) for x, y in points]
    taken += [(left, y, right, y + 1) for (_, y), (left, _), (right, _) in zip(points, low, high, strict=True)]
    taken += [(x, under, x + 1, over) for (x, _), (_, under), (_, over) in zip(points, low, high, strict=True)]
    for (x, y), name, place, kind in zip(points, cells["name"].astype(str), middle, cells["family"], strict=True):
        long, tall = 0.58 * FONT * len(name), FONT
        boxes = [
            (x + (5 if side > 0 else -5 - long), y + up, x + (5 + long if side > 0 else -5), y + up + tall)
            for up in (-tall / 2, 2, -tall - 2, tall, -2 * tall, 2 * tall, -3 * tall, 3 * tall)
            for side in (1, -1)
        ]
        inside = [box for box in boxes if box[0] > 0 and box[2] < width and box[1] > 0 and box[3] < height] or boxes
        box = min(inside, key=lambda own: sum(_overlap(own, other) for other in taken))
        taken.append(box)
        shift = (box[0] - x, box[1] - y)
        ax.annotate(name, tuple(place), shift, textcoords="offset points", fontsize=FONT, color=COLOURS[kind])


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Area shared by two boxes (left, bottom, right, top)."""
    return max(0.0, min(one[2], other[2]) - max(one[0], other[0])) * max(
        0.0, min(one[3], other[3]) - max(one[1], other[1])
    )
