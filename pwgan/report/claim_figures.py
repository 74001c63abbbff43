"""Figures of cells that a study has for the claims of the article alone: schedules, and critics trained to the end."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pwgan.report.figures import save, written
from pwgan.report.frames import CELL, REFERENCE, at_shared, ordered, read, read_signal
from pwgan.report.names import CLAIM_FIGURES
from pwgan.report.statistics import intervals, with_diverged
from pwgan.report.style import empty, grid, head, legend, log_limits, looks, seeds_of, themed

STEPS = ["critic_steps", "generator_steps"]
GENERATORS = ("initial", "trained")
GAP = 0.24  # between lines at the same schedule, where schedules are 1 apart


def write_claim_figures(results_dir: Path) -> None:
    """Write each of ``names.CLAIM_FIGURES`` as .csv and .png among the figures of a study."""
    runs = read(results_dir, "runs")
    frames = {
        "schedules": schedules_data(read(results_dir, "measures"), runs),
        "signal": signal_data(read_signal(results_dir, runs), runs),
    }
    draw = {"schedules": schedules, "signal": signal}
    for name in CLAIM_FIGURES:
        path = results_dir / "figures" / name
        save(draw[name](written(frames[name], path.with_suffix(".csv"))), path.with_suffix(".png"))


def schedules_data(measures: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Pick the final EWD of every seed of methods that differ in their schedule alone, at the m that all share.

    ``line``: the shortest name among methods of one algorithm and equal options but for critic and generator steps,
    where there are several schedules; ``ratio``: critic steps for each generator step; ``value`` of each seed with
    ``mean``, ``half_width``, ``seeds`` and ``diverged`` of its cell. Rows of method ``data`` are the floor.
    """
    measures, runs = at_shared(measures, runs), at_shared(runs, runs)
    cells = _scheduled(runs.drop_duplicates(CELL))
    ewd = measures[measures["measure"].str.fullmatch(r"ewd@\d+")]
    rows = ewd.merge(cells, on=CELL)
    floor = ewd[(ewd["method"] == REFERENCE) & ewd["dataset"].isin(rows["dataset"])]
    columns = [*CELL, "line", *STEPS, "ratio", "measure", "seed", "value"]
    table = pd.concat([part.reindex(columns=columns) for part in (rows, floor)], ignore_index=True)
    summed = with_diverged(intervals(table, [*CELL, "measure"]), runs)
    return ordered(table.merge(summed, on=[*CELL, "measure"])).astype(dict.fromkeys(STEPS, "Int64"))


def _scheduled(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the cells that others differ from in their schedule alone: line, steps of both networks, their ratio."""
    options = [json.loads(text) for text in cells["options"]]
    kept = cells[[*CELL, "algorithm"]].assign(
        **{name: [given.get(name) for given in options] for name in STEPS},
        others=[json.dumps({k: v for k, v in given.items() if k not in STEPS}, sort_keys=True) for given in options],
        length=cells["method"].str.len(),
    )
    kept = kept.dropna(subset=STEPS).sort_values(["length", "method"], kind="stable")
    groups = kept.groupby(["dataset", "algorithm", "others"], sort=False)
    several = kept.assign(
        ratio=(kept["critic_steps"] / kept["generator_steps"]).astype(float), line=groups["method"].transform("first")
    )
    schedules = several.groupby(["dataset", "line"], sort=False)["ratio"].transform("nunique")
    return several.loc[schedules > 1, [*CELL, "line", *STEPS, "ratio"]]


@themed
def schedules(frame: pd.DataFrame) -> Figure:
    """Draw final EWD against critic steps for each generator step, a panel for each data set, both axes logarithmic."""
    trained = frame[frame["method"] != REFERENCE]
    if trained.empty:
        return empty("No method of this study has, at an m that all share, schedules that differ in nothing else.")
    datasets, lines = list(trained["dataset"].unique()), sorted(trained["line"].unique())
    figure, axes = grid(1, len(datasets), 3.0)
    look, ratios = looks(lines), sorted(trained["ratio"].unique())
    for ax, dataset in zip(axes[0], datasets, strict=True):
        part = frame[frame["dataset"] == dataset]
        log_limits(ax, part["value"])
        for level in part.loc[part["method"] == REFERENCE, "mean"].unique():
            ax.axhline(level, color="black", linestyle="--", linewidth=1.1)
        for rank, line in enumerate(lines):
            own = part[part["line"] == line].sort_values("ratio", kind="stable")
            shift = GAP * (rank - (len(lines) - 1) / 2)
            _schedule(ax, own.assign(place=[ratios.index(ratio) + shift for ratio in own["ratio"]]), look[line])
        ax.set_xticks(range(len(ratios)), [str(Fraction(ratio).limit_denominator(1000)) for ratio in ratios])
        ax.set_xlim(-0.4, len(ratios) - 0.6)
        ax.set_title(f"{dataset}\n{seeds_of(part)}")
        ax.set_xlabel("critic steps per generator step")
        ax.set_ylabel(f"EWD (n = {', '.join(part['measure'].str.split('@').str[-1].unique())})")
    crosses = "; cross: seeds diverged" if (trained["diverged"] > 0).any() else ""
    head(figure, "Final EWD by schedule", f"Mean and 95 % interval over seeds; small points: single seeds{crosses}")
    legend(figure, {line: look[line] for line in lines} | {"real samples": {"color": "black", "linestyle": "--"}})
    return figure


def _schedule(ax: Axes, own: pd.DataFrame, look: dict) -> None:
    """Draw every seed as a point, and the means with their intervals as a line."""
    ax.plot(
        own["place"] + GAP / 3, own["value"], color=look["color"], alpha=0.6, linestyle="", marker=".", markersize=5
    )
    means = own.drop_duplicates("method")
    ax.errorbar(means["place"], means["mean"], means["half_width"].fillna(0), capsize=2, elinewidth=1, **look)
    for place in means.loc[means["diverged"] > 0, "place"]:
        ax.plot(place, 1, "x", color=look["color"], clip_on=False, transform=ax.get_xaxis_transform())


def signal_data(signal: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Summarise the norm of the generator's gradient over seeds, at every recorded step of every critic.

    ``mean``: the geometric mean over seeds; ``low``, ``high``: the ends of the 95 % interval of the mean logarithm;
    ``seeds``: those with a value. Generators are those of the m that all methods share. signal: as read by
    ``frames.read_signal``.
    """
    keys = [*CELL, "generator", "critic", "step"]
    if signal.empty:
        return pd.DataFrame(columns=[*keys, "mean", "low", "high", "seeds"])
    signal = at_shared(signal, runs)
    places = {dataset: place for place, dataset in enumerate(runs["dataset"].unique())}
    signal = signal.sort_values("dataset", key=lambda names: names.map(places), kind="stable")
    with np.errstate(divide="ignore"):
        logs = intervals(signal.assign(value=np.log(signal["parameter_gradient"])), keys)
    ends = {"low": logs["mean"] - logs["half_width"], "high": logs["mean"] + logs["half_width"]}
    found = logs.assign(**{name: np.exp(value) for name, value in {"mean": logs["mean"], **ends}.items()})
    return found[[*keys, "mean", "low", "high", "seeds"]]


@themed
def signal(frame: pd.DataFrame) -> Figure:
    """Draw the norm of the generator's gradient against the critic's steps, log-log: generators by data sets."""
    if frame.empty:
        return empty("No critics were trained against generators that stand still in this study.")
    datasets, critics = list(frame["dataset"].unique()), sorted(frame["critic"].unique())
    figure, axes = grid(len(GENERATORS), len(datasets), 2.4, sharex=True, sharey="col")
    look = looks(critics)
    for column, dataset in enumerate(datasets):
        own = frame[frame["dataset"] == dataset]
        log_limits(axes[0, column], own[["mean", "low", "high"]].stack())
        for ax, generator in zip(axes[:, column], GENERATORS, strict=True):
            for critic, line in own[own["generator"] == generator].groupby("critic"):
                ax.plot(line["step"], line["mean"], **look[str(critic)], markevery=2)
                ax.fill_between(
                    line["step"], line["low"], line["high"], color=look[str(critic)]["color"], alpha=0.18, lw=0
                )
            ax.set_xscale("log", base=2)
        axes[0, column].set_title(f"{dataset}\n{own['seeds'].max()} seeds")
        axes[-1, column].set_xlabel("training step of the critic")
    for ax, generator in zip(axes[:, 0], GENERATORS, strict=True):
        ax.set_ylabel(f"{generator} generator of {frame['method'].iloc[0]}\n||dL/dθ||")
    head(
        figure,
        "What a generator that stands still would learn from a critic in training: the norm of its gradient",
        "Geometric mean over seeds and its 95 % interval.",
    )
    legend(figure, {critic: look[critic] for critic in critics})
    return figure
