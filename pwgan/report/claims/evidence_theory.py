"""Statistics of the theory tables: shrinkage, and the rates at which mini-batch bias vanishes."""

from __future__ import annotations

import pandas as pd

from pwgan.report.claims.evidence_training import Statistic
from pwgan.report.claims.results import DIGITS, Parts, Results, Sample, some
from pwgan.report.confidence import summary_estimate


def exponents(measure: str, *samplers: str, laws: bool = True) -> Statistic:
    """Return the exponent s of C (m^-s - n^-s), fitted to a quantity of two draws of each law, or of digits.

    Draws of digits overlap, since there are only 1,797: their intervals are too narrow.
    """

    def statistic(results: Results) -> Parts:
        rows = _rates(results, measure, samplers, laws)
        parts = {
            f"{sampler}, {dataset}": Sample(summary_estimate(s, half_width, draws))
            for sampler, dataset, s, half_width, draws in zip(
                *(rows[name] for name in ("sampler", "dataset", "s", "s_half_width", "draws")), strict=True
            )
        }
        return some(parts, f"fitted exponents of {measure}")

    return statistic


def limits(measure: str, *samplers: str, laws: bool = True) -> Statistic:
    """Return the limit L >= 0 of L + C (m^-s - n^-s), fitted to a quantity, over the mean EWD of both draws.

    L is the value as m approaches n.
    """

    def statistic(results: Results) -> Parts:
        rows = _rates(results, measure, samplers, laws)
        parts = {
            f"{sampler}, {dataset}": Sample(summary_estimate(limit / ewd, half_width / ewd, draws))
            for sampler, dataset, limit, half_width, ewd, draws in zip(
                *(rows[name] for name in ("sampler", "dataset", "limit", "limit_half_width", "ewd", "draws")),
                strict=True,
            )
        }
        return some(parts, f"fitted limits of {measure}")

    return statistic


def _rates(results: Results, measure: str, samplers: tuple[str, ...], laws: bool) -> pd.DataFrame:
    table = results.theory("bias-rates")
    wanted = (table["dataset"] != DIGITS) == laws
    return table[(table["measure"] == measure) & table["sampler"].isin(samplers) & wanted]


def relative_bias(column: str, sampler: str, m: int) -> Statistic:
    """Return a quantity over the EWD between two draws of each law, at one mini-batch size, by draw."""

    def statistic(results: Results) -> Parts:
        table = results.theory("bias")
        rows = table[(table["sampler"] == sampler) & (table["eval_batch"] == m)]
        parts = {
            f"{sampler} m={m}, {dataset}": Sample((part[column] / part["ewd"]).groupby(part["seed"]).mean())
            for dataset, part in rows.groupby("dataset", sort=False)
        }
        return some(parts, f"{column} of {sampler} batches at m={m}")

    return statistic


def saved(column: str, sampler: str, m: int) -> Statistic:
    """Return a quantity of a sampler's batches minus that of random ones, over the EWD, by draw of each law."""

    def statistic(results: Results) -> Parts:
        table = results.theory("bias")
        rows = table[(table["eval_batch"] == m) & (table["dataset"] != DIGITS)]
        parts: Parts = {}
        for dataset, part in rows.groupby("dataset", sort=False):
            values = (part[column] / part["ewd"]).groupby([part["sampler"], part["seed"]]).mean().unstack("sampler")
            if {sampler, "random"} <= set(values):
                parts[f"{sampler} - random m={m}, {dataset}"] = Sample(values[sampler] - values["random"])
        return some(parts, f"{column} of {sampler} batches at m={m}")

    return statistic
