"""Statistics of the theory tables: shrinkage, and the rates at which mini-batch bias vanishes."""

from __future__ import annotations

import pandas as pd

from pwgan.report.claims.evidence_training import Statistic
from pwgan.report.claims.results import Parts, Results, Sample, some
from pwgan.report.confidence import summary_estimate


def shrinkage(objective: str, m: int) -> Statistic:
    """Return theta* at mini-batch size m for every dimension: the scale that the expected distance prefers."""

    def statistic(results: Results) -> Parts:
        table = results.theory("shrinkage")
        rows = table[(table["objective"] == objective) & (table["m"] == m)]
        names = ("dimension", "mean", "half_width", "seeds")
        parts = {
            f"{objective}, d={d}": Sample(summary_estimate(mean, half_width, seeds))
            for d, mean, half_width, seeds in zip(*(rows[name] for name in names), strict=True)
        }
        return some(parts, f"shrinkage of the {objective} distance at m={m}")

    return statistic


def exponents(measure: str, *samplers: str) -> Statistic:
    """Return the exponent s of C (m^-s - n^-s), fitted to a quantity of two draws of each distribution."""

    def statistic(results: Results) -> Parts:
        rows = _rates(results, measure, samplers)
        parts = {
            f"{sampler}, {dataset}": Sample(summary_estimate(s, half_width, draws))
            for sampler, dataset, s, half_width, draws in zip(
                *(rows[name] for name in ("sampler", "dataset", "s", "s_half_width", "draws")), strict=True
            )
        }
        return some(parts, f"fitted exponents of {measure}")

    return statistic


def limits(measure: str, *samplers: str) -> Statistic:
    """Return the limit L of L + C (m^-s - n^-s), fitted to a quantity, over the mean EWD of both draws."""

    def statistic(results: Results) -> Parts:
        rows = _rates(results, measure, samplers)
        parts = {
            f"{sampler}, {dataset}": Sample(summary_estimate(limit / ewd, half_width / ewd, draws))
            for sampler, dataset, limit, half_width, ewd, draws in zip(
                *(rows[name] for name in ("sampler", "dataset", "limit", "limit_half_width", "ewd", "draws")),
                strict=True,
            )
        }
        return some(parts, f"fitted limits of {measure}")

    return statistic


def _rates(results: Results, measure: str, samplers: tuple[str, ...]) -> pd.DataFrame:
    table = results.theory("bias-rates")
    return table[(table["measure"] == measure) & table["sampler"].isin(samplers)]


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
