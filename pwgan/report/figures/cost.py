"""Distance to the data against training time."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from pwgan.report.frames import CELL, REFERENCE, ordered, with_fates
from pwgan.report.panels import all_diverged, entries, facets, level, marks, pairs, seeds_of, sizes_of
from pwgan.report.style import LEVEL, empty, head, legend, shown, themed


def data(costs: pd.DataFrame, measures: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Join the final EWD of every seed with the training time of its cell in seconds per seed.

    The training time is the sum over all blocks, divided by the number of seeds. Rows of method ``data`` are the EWD of
    real samples.
    """
    groups = costs[costs["stage"] == "train"].groupby(CELL)
    cells = groups.agg(
        seconds=("seconds", "sum"),
        block_seeds=("seeds", "sum"),
        device=("device", lambda names: ", ".join(sorted(set(names)))),
    ).reset_index()
    cells["seconds"] /= cells.pop("block_seeds")
    ewd = with_fates(measures[measures["name"] == "ewd"], runs).merge(cells, on=CELL, how="left")
    return ordered(ewd[[*CELL, "seed", "seconds", "device", "measure", "value", "status"]])


@themed
def draw(frame: pd.DataFrame, highlight: list[str]) -> Figure:
    """Draw final EWD against training seconds, one point per cell and one panel per data set."""
    trained = frame[frame["method"] != REFERENCE]
    if trained["seconds"].isna().all():
        return empty("No cost was recorded in this study.")
    names, sizes = shown(frame, highlight), sizes_of(frame)
    figure, _, panels = facets(trained, col="dataset", height=2.9, col_wrap=3, sharex=False, sharey=False)
    for ax, part in panels:
        pairs(ax, part, "seconds", "value", names, sizes)
        dataset = part["dataset"].iloc[0]
        level(ax, frame[frame["dataset"] == dataset])
        if part["value"].isna().all():
            all_diverged(ax)
        low, high = ax.get_ylim()
        floor = frame.loc[(frame["dataset"] == dataset) & (frame["method"] == REFERENCE), "value"].mean()
        ax.set_ylim(min(low, floor / 1.1) if floor > 0 else low, high)
        ax.set_title(f"{dataset}\n{seeds_of(part)}")
        ax.set_xlabel(f"training (seconds per seed, {', '.join(part['device'].dropna().unique())})")
        ax.set_ylabel(f"final {part['measure'].dropna().iloc[0]} (distance)")
    head(
        figure,
        "How much training time does a lower distance to the data take?",
        "Mean and 95 % interval over seeds. Seeds are trained together in blocks; seconds are those of all blocks, "
        f"divided by the number of seeds. {marks(sizes)}",
    )
    legend(figure, entries(frame, names, linestyle="") | {"EWD of real samples": LEVEL})
    return figure
