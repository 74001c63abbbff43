"""Bias of the mini-batch Wasserstein distance."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from pwgan.report.frames import CELL, REFERENCE, ordered, with_fates
from pwgan.report.ladder import GUIDE, QUANTITIES, QUANTITY_LABELS, guide, positive, size_ticks
from pwgan.report.panels import context, entries, facets, lines, means, outer_labels, seeds_of
from pwgan.report.style import SAMPLERS, empty, head, legend, log_limits, look, looks, shown, themed

BY_METHOD, BOUNDS, BY_SAMPLER = "bias by method", "real samples", "real samples, by sampler"


def data(bias: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Select bias, deviation and bound of every seed at each method's largest m, by evaluation m and sampler."""
    largest = bias.groupby(["dataset", "method"])["batch_size"].transform("max")
    kept = with_fates(bias[(bias["batch_size"] == largest) | (bias["method"] == REFERENCE)], runs)
    # Drop the rows that were added for diverged seeds of smaller m.
    kept = kept[kept["eval_batch"].notna()]
    columns = [*CELL, "seed", "sampler", "partition", "eval_batch", "n", *QUANTITIES, "status"]
    return ordered(kept.sort_values("eval_batch", kind="stable")[columns])


@themed
def draw(frame: pd.DataFrame, highlight: list[str]) -> Figure:
    """Draw bias against evaluation m, log-log: by method, with its bounds, and by sampler if there are several."""
    if frame.empty:
        return empty("No bias was measured in this study.")
    names, samplers = shown(frame, highlight), _samplers(frame)
    views = _views(frame, samplers)
    ways = {name: SAMPLERS.get(name, look(name)) for name in samplers}
    styles = {BY_METHOD: looks([*names, REFERENCE]), BOUNDS: QUANTITIES, BY_SAMPLER: ways}
    figure, axes, panels = facets(views, "view", "dataset", 2.2, sharex="col", sharey=False)
    for ax, part in panels:
        view, by = part["view"].iloc[0], "method" if part["view"].iloc[0] == BY_METHOD else "line"
        drawn = positive(part, by)
        if by == "method":
            context(ax, drawn, "eval_batch", names)
        lines(ax, drawn, "eval_batch", styles[view], by=by)
        average = means(drawn, by, "eval_batch") if by != "method" else means(drawn, "eval_batch")
        log_limits(ax, average["value"])
        ax.set_xscale("log", base=2)
        if len(average):
            guide(ax, average.sort_values("eval_batch", kind="stable").iloc[0], part["eval_batch"].max())
        size_ticks(ax, part["eval_batch"])
        title = f"{part['dataset'].iloc[0]}\n{seeds_of(part)}" if by == "method" else view
        ax.set(xlabel="evaluation m (samples)", ylabel="bias $B_M$ (distance)" if view != BOUNDS else "distance")
        ax.set_title(title)
    outer_labels(axes)
    head(
        figure,
        "How biased is the Wasserstein distance of mini-batches of size m?",
        f"Mean and 95 % interval over seeds, for each method's largest training m; {samplers[0]} batches unless noted. "
        "Values that are zero up to rounding, as at m = n, are not shown on the log axis.",
    )
    bounds = {QUANTITY_LABELS[name]: style for name, style in QUANTITIES.items()} | {"slope $m^{-1/2}$": GUIDE}
    several = ways if len(samplers) > 1 else {}
    legend(figure, entries(frame, names) | {"real samples": look(REFERENCE)} | bounds | several, columns=5)
    return figure


def _samplers(frame: pd.DataFrame) -> list[str]:
    """Return the samplers, those whose batches partition the pool first, known samplers in a fixed order."""
    partitions = frame.groupby("sampler")["partition"].all()
    rank = {name: place for place, name in enumerate(SAMPLERS)}
    return sorted(partitions.index, key=lambda name: (not partitions[name], rank.get(name, len(rank)), name))


def _views(frame: pd.DataFrame, samplers: list[str]) -> pd.DataFrame:
    """Return the rows of each view, with columns ``view``, ``line`` and ``value``."""
    first = frame[frame["sampler"] == samplers[0]]
    real = first[first["method"] == REFERENCE]
    keys = [*CELL, "seed", "eval_batch", "status"]
    views = [
        first.assign(view=BY_METHOD, line=first["method"], value=first["bias"]),
        real.melt(keys, list(QUANTITIES), var_name="line").assign(view=BOUNDS),
    ]
    if len(samplers) > 1:
        every = frame[frame["method"] == REFERENCE]
        views.append(every.assign(view=BY_SAMPLER, line=every["sampler"], value=every["bias"]))
    return pd.concat([view[[*keys, "view", "line", "value"]] for view in views if len(view)], ignore_index=True)
