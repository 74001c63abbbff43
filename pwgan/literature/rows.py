"""Published values beside those of a study."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import t

from pwgan.options import REFERENCE
from pwgan.report import frames

KEY = ["dataset", "method", "m", "measure"]
ERRORS = 2.0
"""Standard errors within which two values agree."""


def published() -> pd.DataFrame:
    """Return the rows of the papers: protocol, KEY, published, low, high, error, steps, source.

    ``low`` and ``high`` are the range that is printed, or the printed value up to its rounding, or a value read off a
    figure up to how well it can be read. Of a ring with a double mode they allow for either way of counting it.
    ``error``: the printed standard error, or missing. ``steps``: iterations of the protocol.
    """
    return pd.read_csv(Path(__file__).with_name("published.csv")).astype({"m": "Int64", "steps": "Int64"})


def rows(results: Path) -> pd.DataFrame:
    """Compare every published row with the study in ``results``.

    Adds ours, standard_error and seeds (diverged seeds have no value); share, our iterations relative to those of the
    protocol; floor, the value of real samples; distance from ours to [low, high]; agrees, whether that is at most twice
    the standard error of the difference. That error includes the published one; where the published value is of one
    training run, it is the standard deviation over our seeds. Values of rows that the study lacks are missing. Other
    methods that were measured under a protocol follow, with published values missing.
    """
    papers, mine = published(), ours(results)
    protocols = papers[["protocol", "dataset", "measure"]].drop_duplicates()
    others = protocols.merge(mine).merge(papers[KEY], on=KEY, how="left", indicator=True).query("_merge == 'left_only'")
    table = pd.concat([papers, others[["protocol", *KEY]]], ignore_index=True).merge(mine, on=KEY, how="left")
    table["share"] = table.pop("iterations") / table["steps"].astype("Float64")
    error = table["error"].fillna(table.pop("spread")).fillna(0)
    apart = np.maximum(0, np.maximum(table["low"] - table["ours"], table["ours"] - table["high"]))
    allowed = ERRORS * np.hypot(table["standard_error"].fillna(0), error)
    agrees = pd.Series(apart <= allowed + 1e-12, dtype="boolean").mask(np.isnan(apart))
    return table.assign(distance=apart, allowed=allowed, agrees=agrees)


def ours(results: Path) -> pd.DataFrame:
    """Return our values: KEY, ours, standard_error, seeds, floor, iterations and spread (of critics)."""
    theory = results / "theory"
    rates = frames.read_csv(theory / "bias-rates.csv")
    return pd.concat(
        [
            _of_study(results),
            _of_critics(frames.read_csv(theory / "critics-published.csv")),
            _of_batches(frames.read_csv(theory / "batches.csv")),
            _of_rates(rates),
        ],
        ignore_index=True,
    ).astype({"m": "Int64"})


def _of_study(results: Path) -> pd.DataFrame:
    """Measures of the trained generators; a name without its sample count, which must be the same in each cell."""
    measures = frames.read(results, "measures")
    keys = [*frames.CELL, "name"]
    measures = measures[measures["extractor"].isna()]
    real = measures[measures["method"] == REFERENCE].groupby(["dataset", "name"])["value"].mean().rename("floor")
    steps = frames.read(results, "history").groupby(frames.CELL)["step"].max().rename("iterations")
    found = _averaged(measures[measures["method"] != REFERENCE], keys)
    found = found.merge(real, on=["dataset", "name"], how="left").merge(steps, on=frames.CELL, how="left")
    return found.rename(columns={"batch_size": "m", "name": "measure"})


def _of_critics(table: pd.DataFrame) -> pd.DataFrame:
    """Estimate and cosine of the critics, over seeds: the published run is one more."""
    named = table.assign(dataset="funnels" + table["dimension"].astype(str), m=1024)
    values = named.melt(["dataset", "method", "m", "steps"], ["estimate", "cosine"], "measure")
    found = _averaged(values, [*KEY, "steps"]).rename(columns={"steps": "iterations"})
    return found.assign(spread=found["standard_error"] * np.sqrt(found["seeds"]))


def _of_batches(table: pd.DataFrame) -> pd.DataFrame:
    """The share of sizes at which a candidate is nearer to a test batch than real samples are, over repeats."""
    wide = table.pivot(index=["repeat", "m"], columns="candidate", values="ewd")
    others = wide.drop(columns="real").lt(wide["real"], axis=0).groupby("repeat").mean()
    values = others.melt(var_name="method", ignore_index=False).assign(dataset="digits", measure="nearer")
    return _averaged(values, ["dataset", "method", "measure"])


def _of_rates(table: pd.DataFrame) -> pd.DataFrame:
    """The fitted exponents of the bias; their intervals are Student's, over the draws."""
    bias = table[table["measure"] == "bias"]
    errors = bias["s_half_width"] / t.ppf(0.975, bias["draws"] - 1)
    named = bias[["dataset", "sampler", "s", "draws"]].set_axis(["dataset", "method", "ours", "seeds"], axis=1)
    return named.assign(measure="exponent", standard_error=errors)


def _averaged(values: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Average ``value`` within each group: ours, standard_error (missing for one value) and seeds."""
    groups = values.groupby(keys, dropna=False, sort=False)["value"]
    return groups.agg(ours="mean", standard_error="sem", seeds="count").reset_index()
