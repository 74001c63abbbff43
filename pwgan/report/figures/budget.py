"""Distance along training against time, and the final quality of every cell against its training time."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pwgan.measures.names import MeasureName
from pwgan.report.frames import CELL, REFERENCE, ordered, with_fates
from pwgan.report.panels import all_diverged, context, entries, facets, level, lines, marks, pairs, seeds_of, sizes_of
from pwgan.report.quality import axis_label, chosen, falls, most_common_sizes, training_seconds
from pwgan.report.style import LEVEL, Look, distance_limits, empty, head, legend, looks, shown, themed

QUALITY = {"quality": ("high-quality", "fid", "fd")}
FRONT: Look = {"color": "0.55", "linestyle": "-", "linewidth": 1.0, "zorder": 1, "drawstyle": "steps-post"}


def data(costs: pd.DataFrame, history: pd.DataFrame, measures: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Select the distance of every seed along training, and its final quality, with the training time in seconds.

    ``quantity`` is distance or quality. Distance: the debiased EWD at each evaluation, of the cells at the m of most
    methods; ``seconds`` is the share of the iterations of the training time of the cell, per seed. Quality: high
    quality, or a Fréchet distance, of all cells; ``front``: 1 if no cell of the data set has a better mean in less
    time, else 0. Rows of method ``data`` are real samples.
    """
    times = training_seconds(costs)
    parts = [_distances(history, runs, times)]
    final = with_fates(chosen(measures, QUALITY), runs).merge(times, on=CELL, how="left")
    parts.append(final.assign(front=_front(final).astype(float)))
    columns = [*CELL, "seed", "seconds", "device", "quantity", "measure", "value", "front", "status"]
    return ordered(pd.concat([part.reindex(columns=columns) for part in parts], ignore_index=True))


def _distances(history: pd.DataFrame, runs: pd.DataFrame, times: pd.DataFrame) -> pd.DataFrame:
    curves = history.dropna(subset=["ewd_debiased"]).rename(columns={"ewd_debiased": "value"})
    curves = curves[curves["batch_size"] == curves["dataset"].map(most_common_sizes(curves))]
    cells = runs.drop_duplicates(CELL)[[*CELL, "steps", "history_points"]].merge(times, on=CELL, how="left")
    curves = curves.merge(cells, on=CELL)
    names = [str(MeasureName("ewd-debiased", None, int(points))) for points in curves["history_points"]]
    curves = curves.assign(quantity="distance", measure=names)
    curves["seconds"] *= curves["step"] / curves["steps"]
    return curves.merge(runs[[*CELL, "seed", "status"]], on=[*CELL, "seed"], how="left")


def _front(rows: pd.DataFrame) -> pd.Series:
    """Mark the rows of cells that are on the Pareto front of time and mean, among cells without a diverged seed."""
    marked = pd.Series(False, index=rows.index)
    for (_, measure), part in rows[rows["method"] != REFERENCE].groupby(["dataset", "measure"]):
        cells = part.groupby(CELL).agg(seconds=("seconds", "first"), mean=("value", lambda v: v.mean(skipna=False)))
        cells = cells.dropna().sort_values(["seconds", "mean"], ascending=[True, falls(str(measure))])
        cost = cells["mean"] if falls(str(measure)) else -cells["mean"]
        best = cells[cost < cost.cummin().shift(fill_value=np.inf)].index
        marked[part.index] = pd.MultiIndex.from_frame(part[CELL]).isin(best)
    return marked


@themed
def draw(frame: pd.DataFrame, highlight: list[str]) -> Figure:
    """Draw curves of the distance above points of the final quality, both against seconds; data sets as columns."""
    frame = frame[frame["quantity"].notna()]
    trained = frame[frame["method"] != REFERENCE]
    if trained["seconds"].isna().all():
        return empty("No cost was recorded in this study.")
    names, sizes = shown(trained, highlight), sizes_of(trained)
    order = [name for name in ("distance", "quality") if name in set(trained["quantity"])]
    figure, _, panels = facets(trained, "quantity", "dataset", 2.4, row_order=order, sharex=False, sharey=False)
    for ax, part in panels:
        if part["quantity"].iloc[0] == "distance":
            _curves(ax, part, names)
            ax.set_title(f"{part['dataset'].iloc[0]}, m = {', '.join(map(str, sizes_of(part)))}\n{seeds_of(part)}")
        else:
            linear = part["measure"].iloc[0].startswith("high-quality")
            pairs(ax, part, "seconds", "value", names, sizes, "linear" if linear else "log")
            best = part[part["front"] == 1].groupby(CELL)[["seconds", "value"]].mean()
            if len(best):
                ax.plot(*best.sort_values("seconds").to_numpy().T, **FRONT)
            level(ax, frame[(frame["method"] == REFERENCE) & (frame["dataset"] == part["dataset"].iloc[0])])
        if part["value"].isna().all():
            all_diverged(ax)
        device = ", ".join(part["device"].dropna().unique())
        ax.set(xlabel=f"training s per seed ({device})", ylabel=axis_label(part["measure"].iloc[0]))
    head(
        figure,
        f"What does quality cost? {_found(trained)}",
        "Mean and 95 % interval over seeds. Curves: distance along training. Points: final quality of every cell; grey "
        f"steps: no cell is better in less time. {marks(sizes)}",
    )
    legend(figure, entries(trained, names) | {"real samples": LEVEL})
    return figure


def _curves(ax: Axes, part: pd.DataFrame, names: list[str]) -> None:
    """Draw the distance along training on a log axis, or beyond 0 on a symmetric one; that of real samples is 0."""
    context(ax, part, "seconds", names)
    lines(ax, part, "seconds", {name: {**style, "marker": ""} for name, style in looks(names).items()})
    means = part.groupby(["method", "seconds"])["value"].mean()
    distance_limits(ax, means)


def _found(trained: pd.DataFrame) -> str:
    """Name the cell of the best final quality on each data set."""
    texts = []
    for dataset, part in trained[trained["quantity"] == "quality"].groupby("dataset", sort=False):
        measure = str(part["measure"].iloc[0])
        cells = part.groupby(CELL[1:])[["value", "seconds"]].mean().dropna()
        cells = cells.sort_values("value", ascending=falls(measure)).reset_index()
        if len(cells):
            best = cells.iloc[0]
            where = f"{best['method']}, m = {int(best['batch_size'])}"
            name = MeasureName.parse(measure).measure
            texts.append(f"{dataset}: {where}, {name} {best['value']:.2g} after {best['seconds']:.2g}\u00a0s")
    return f"Best: {'; '.join(texts)}." if texts else ""
