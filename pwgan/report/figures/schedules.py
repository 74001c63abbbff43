"""Effect of the number of critic steps on the final EWD."""

from __future__ import annotations

import json
from fractions import Fraction

import pandas as pd
from matplotlib.figure import Figure

from pwgan.report.frames import CELL, REFERENCE, ordered, with_fates
from pwgan.report.panels import facets, level, lines, seeds_of
from pwgan.report.style import LEVEL, Look, empty, head, legend, log_limits, looks, shown, themed

STEPS = ["critic_steps", "generator_steps"]


def data(measures: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Select the final EWD of every seed of methods that differ only in their schedule, at one m per data set.

    The m is the one with the most such methods, the largest of several. ``line``: shortest name among the methods with
    the same algorithm and the same options apart from critic and generator steps; groups with a single schedule are
    dropped. ``ratio``: critic steps per generator step. Rows of method ``data`` are the floor.
    """
    cells = _scheduled(runs.drop_duplicates(CELL))
    ewd = measures[measures["name"] == "ewd"]
    rows = with_fates(ewd.merge(cells[CELL]), runs.merge(cells[CELL])).merge(cells, on=CELL)
    floor = ewd[(ewd["method"] == REFERENCE) & ewd["dataset"].isin(rows["dataset"])]
    columns = [*CELL, "line", *STEPS, "ratio", "measure", "seed", "value", "status"]
    table = pd.concat([part.reindex(columns=columns) for part in (rows, floor)], ignore_index=True)
    return ordered(table).astype(dict.fromkeys(STEPS, "Int64"))


def _scheduled(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the cells of methods that differ only in their schedule, with line, steps of both networks and ratio."""
    options = [json.loads(text) for text in cells["options"]]
    kept = cells[[*CELL, "algorithm"]].assign(
        **{name: [one.get(name) for one in options] for name in STEPS},
        others=[json.dumps({k: v for k, v in one.items() if k not in STEPS}, sort_keys=True) for one in options],
        length=cells["method"].str.len(),
    )
    kept = kept.dropna(subset=STEPS).sort_values(["length", "method"], kind="stable")
    groups = kept.groupby(["dataset", "algorithm", "others"], sort=False)
    named = kept.assign(
        ratio=(kept["critic_steps"] / kept["generator_steps"]).astype(float), line=groups["method"].transform("first")
    )
    schedules = named.groupby(["dataset", "batch_size", "line"], sort=False)["ratio"].transform("nunique")
    several = named.loc[schedules > 1, [*CELL, "line", *STEPS, "ratio"]]
    sizes = several.groupby(["dataset", "batch_size"]).size().reset_index(name="count")
    most = sizes.sort_values(["count", "batch_size"]).drop_duplicates("dataset", keep="last")
    return several.merge(most[["dataset", "batch_size"]])


@themed
def draw(frame: pd.DataFrame, highlight: list[str]) -> Figure:
    """Draw final EWD on a log axis against critic steps per generator step, one panel per data set."""
    trained = frame[frame["method"] != REFERENCE]
    if trained.empty:
        return empty("No methods of this study differ only in their schedule.")
    names = shown(trained.assign(method=trained["line"]), highlight)
    trained = trained[trained["line"].isin(names)]
    ratios = sorted(trained["ratio"].unique())
    # Schedules are 1 apart; within a schedule, the lines are shifted to avoid overlap.
    shift = {name: 0.24 * (rank - (len(names) - 1) / 2) for rank, name in enumerate(names)}
    place = trained["ratio"].map(ratios.index) + trained["line"].map(shift)
    figure, _, panels = facets(
        trained.assign(place=place), col="dataset", height=3.0, col_wrap=3, sharex=False, sharey=False
    )
    for ax, part in panels:
        rows = frame[frame["dataset"] == part["dataset"].iloc[0]]
        lines(ax, part, "place", looks(names), by="line", err_style="bars")
        level(ax, rows)
        for name, style in looks(names).items():
            points = part[part["line"] == name]
            dots = {"color": style["color"], "linestyle": "", "marker": ".", "markersize": 5, "alpha": 0.5}
            ax.plot(points["place"] + 0.08, points["value"], **dots)
            lost = points.loc[points["status"] == "diverged", "place"].unique()
            cross = {"color": style["color"], "linestyle": "", "marker": "x", "clip_on": False}
            if len(lost):
                ax.plot(lost, [1] * len(lost), transform=ax.get_xaxis_transform(), **cross)
        log_limits(ax, rows["value"], air=1.3)
        ax.set_xticks(range(len(ratios)), [str(Fraction(ratio).limit_denominator(1000)) for ratio in ratios])
        ax.set_xlim(-0.5, len(ratios) - 0.5)
        ax.set_title(f"{part['dataset'].iloc[0]}, m = {part['batch_size'].iloc[0]}\n{seeds_of(part)}")
        ax.set(xlabel="critic steps per generator step", ylabel=f"final {part['measure'].dropna().iloc[0]} (distance)")
    head(
        figure,
        "Do more critic steps help?",
        "Mean and 95 % interval over seeds; small points: single seeds; a cross at the top: some seeds diverged.",
    )
    entries: dict[str, Look] = looks(names) | {"real samples": LEVEL}
    legend(figure, entries)
    return figure
