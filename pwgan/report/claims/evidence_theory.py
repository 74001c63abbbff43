"""Statistics of the theory tables: shrinkage, and the rates at which mini-batch bias vanishes."""

from __future__ import annotations

from pwgan.report.claims.evidence_training import Statistic
from pwgan.report.claims.results import Parts, Results, Sample, some
from pwgan.report.confidence import interval_estimate


def shrinkage(estimator: str, m: int) -> Statistic:
    """Return theta* at mini-batch size m for every dimension: the scale that the expected distance prefers."""

    def statistic(results: Results) -> Parts:
        table = results.theory("shrinkage")
        rows = table[(table["estimator"] == estimator) & (table["m"] == m)]
        parts = {
            f"{estimator}, d={d}": Sample(interval_estimate(theta, low, high, 0))
            for d, theta, low, high in zip(*(rows[name] for name in ("d", "theta", "low", "high")), strict=True)
        }
        return some(parts, f"shrinkage of the {estimator} distance at m={m}")

    return statistic


def exponents(measure: str, *samplers: str) -> Statistic:
    """Return the exponent s of C (m^-s - n^-s), fitted to a quantity of two draws of each law."""

    def statistic(results: Results) -> Parts:
        table = results.theory("bias-rates")
        rows = table[(table["measure"] == measure) & table["sampler"].isin(samplers)]
        names = ("sampler", "dataset", "s", "s_low", "s_high", "draws")
        parts = {
            f"{sampler}, {dataset}": Sample(interval_estimate(s, low, high, draws))
            for sampler, dataset, s, low, high, draws in zip(*(rows[name] for name in names), strict=True)
        }
        return some(parts, f"fitted exponents of {measure}")

    return statistic


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
