"""Searches: the settings of each method on each data set, ranked."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pandas as pd

from pwgan.report.confidence import mean_estimate
from pwgan.report.frames import CELL, REFERENCE
from pwgan.report.quality import FINAL, chosen, training_seconds
from pwgan.report.statistics import CONFIDENCE, holm, interval
from pwgan.report.tables._cells import cell, headed
from pwgan.report.tables._pages import Table

SETTING = re.compile(r"(?P<search>.+)_s(?P<number>\d\d)")
COLUMNS = [
    *CELL[:1],
    "search",
    "batch_size",
    "rank",
    "method",
    "options",
    "measure",
    "mean",
    "half_width",
    "seeds",
    "diverged",
    "seconds",
    "p",
    "winner",
    "tied",
]


def data(measures: pd.DataFrame, runs: pd.DataFrame, costs: pd.DataFrame) -> pd.DataFrame:
    """Rank the settings of every search: methods ``NAME_s01``, ``NAME_s02``, ... of one data set and m.

    ``options``: JSON of what differs between the settings, number of iterations included. ``winner``: lowest mean among
    the settings without a diverged seed. ``p``: two-sided p-value of the difference from the winner, paired by seed,
    Holm-corrected for the settings of the search; ``tied``: not distinguished from the winner at 5 %.
    """
    names = runs["method"].str.extract(SETTING.pattern)
    settings = runs.assign(search=names["search"]).dropna(subset="search")
    values = chosen(measures[measures["method"].isin([*settings["method"], REFERENCE])], FINAL)
    rows: list[dict[str, Any]] = []
    for (dataset, search, m), group in settings.groupby(["dataset", "search", "batch_size"], sort=False):
        own = values[(values["dataset"] == dataset) & (values["batch_size"] == m)]
        differing = _differing(group)
        table = own.pivot(index="seed", columns="method", values="value").reindex(columns=list(differing))
        lost = group[group["status"] == "diverged"].groupby("method").size()
        means = table.mean().sort_values()
        winner = next((name for name in means.index[means.notna()] if name not in lost), None)
        ps = _p_values(table, winner)
        for rank, name in enumerate(means.index, 1):
            mean, half_width, seeds = interval(table[name])
            row = {"dataset": dataset, "search": search, "batch_size": m, "rank": rank, "method": name}
            row |= {"options": json.dumps(differing[name]), "measure": own["measure"].iloc[0] if len(own) else None}
            row |= {"mean": mean, "half_width": half_width, "seeds": seeds, "diverged": int(lost.get(name, 0))}
            tied = winner is not None and name not in lost and not ps[name] <= 1 - CONFIDENCE and seeds > 0
            rows.append(row | {"p": ps[name], "winner": name == winner, "tied": tied})
    ranked = pd.DataFrame(rows, columns=[name for name in COLUMNS if name != "seconds"]).astype({"batch_size": "Int64"})
    return ranked.merge(training_seconds(costs)[[*CELL, "seconds"]], on=CELL, how="left")[COLUMNS]


def _differing(group: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Return for each setting the options that are not the same in all settings of a search."""
    first = group.drop_duplicates("method")
    options = {
        str(name): {**json.loads(text), "steps": int(steps)}
        for name, text, steps in zip(first["method"], first["options"], first["steps"], strict=True)
    }
    keys = dict.fromkeys(key for own in options.values() for key in own)
    varied = [key for key in keys if len({json.dumps(own.get(key)) for own in options.values()}) > 1]
    return {name: {key: own.get(key) for key in varied} for name, own in options.items()}


def _p_values(table: pd.DataFrame, winner: str | None) -> dict[str, float]:
    """Return p-values of differences from the winner; NaN for the winner, and where there are too few seeds."""
    ps = dict.fromkeys(table.columns, np.nan)
    if winner is None:
        return ps
    for name in table.columns.drop(winner):
        ps[name] = mean_estimate((table[name] - table[winner]).dropna()).beyond(0, 0)
    known = [name for name, p in ps.items() if not np.isnan(p)]
    return ps | dict(zip(known, holm([ps[name] for name in known]).tolist(), strict=True))


def readable(frame: pd.DataFrame) -> Table:
    """Lay out one block per data set and method, with one row per setting."""
    caption = (
        "Settings of each method, ranked on seeds that no verdict uses: on images by the Fréchet distance, on mixtures "
        "by the debiased EWD; lower is better. Mean ± half width of the 95 % Student interval over seeds. The first "
        "without a diverged seed is the winner; bold: not distinguished from it (two-sided t-test paired by seed, 5 %, "
        "Holm-corrected for the settings of the method). A study without a search has no settings."
    )
    blocks, bold = {}, {}
    for (dataset, search, m), part in frame.groupby(["dataset", "search", "batch_size"], sort=False):
        options = pd.DataFrame([json.loads(text) for text in part["options"]], index=part.index)
        options = options.map(lambda value: json.dumps(value).strip('"'))
        block = pd.concat([part[["rank", "method"]], options], axis=1)
        value = [cell(mean, half) for mean, half in zip(part["mean"], part["half_width"], strict=True)]
        block = block.assign(**{str(part["measure"].iloc[0]): value})
        seconds = part["seconds"].map("{:.3g}".format)
        block = block.assign(seeds=part["seeds"], diverged=part["diverged"], **{"training (s per seed)": seconds})
        title = f"{dataset}, {search}, m = {m}"
        blocks[title] = headed(block, {"method": "setting"})
        bold[title] = pd.DataFrame(np.repeat(part["tied"].to_numpy(bool)[:, None], block.shape[1], axis=1))
    return Table("Settings that were searched", caption, blocks, bold)
