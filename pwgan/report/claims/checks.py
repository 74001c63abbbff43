"""Checks: identities and definitions of the article, verified numerically. They are not counted as verdicts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from pwgan.report import frames
from pwgan.report.claims.results import NotMeasured, Results

Errors = dict[str, float]
Status = Literal["holds", "fails", "refuted", "not measured"]


@dataclass(frozen=True)
class Check:
    """A statement that holds exactly, or up to a known error, with the quantities that must not exceed ``tolerance``.

    ``errors`` computes them by name. ``equation``: the quantities are the ratios of the two sides
    of an equation, which is refuted if all of them differ from 1 by more than the tolerance.
    """

    key: str
    statement: str
    statistic: str
    errors: Callable[[Results], Errors]
    tolerance: float
    figure: str
    equation: bool = False


@dataclass(frozen=True)
class Checked:
    """A check with its status and its largest error (of a refuted equation, the ratio nearest to 1)."""

    check: Check
    status: Status
    largest: float = np.nan
    where: str = ""


def run(check: Check, results: Results) -> Checked:
    """Compute the errors of a check and compare the largest with its tolerance."""
    try:
        errors = check.errors(results)
    except NotMeasured as reason:
        return Checked(check, "not measured", where=str(reason))
    if not errors:
        return Checked(check, "not measured", where="no values")
    if check.equation:
        where = min(errors, key=lambda name: np.nan_to_num(abs(errors[name] - 1), nan=-np.inf))
        apart = abs(errors[where] - 1)
        status: Status = "fails" if np.isnan(apart) else "refuted" if apart > check.tolerance else "holds"
        return Checked(check, status, errors[where], where)
    # NaN is an error larger than any other.
    where = max(errors, key=lambda name: np.nan_to_num(errors[name], nan=np.inf))
    return Checked(check, "holds" if errors[where] <= check.tolerance else "fails", errors[where], where)


def js_properties(results: Results) -> Errors:
    """Largest violation of each property of JS."""
    table = results.theory("js")
    return dict(zip(table["check"], table["value"].astype(float), strict=True))


def _lines(results: Results, quantity: str, kind: str, divergence: str) -> pd.Series:
    """Return one divergence of the parallel lines, or its gradient, by theta."""
    table = results.theory("lines")
    wanted = (table["quantity"] == quantity) & (table["kind"] == kind) & (table["divergence"] == divergence)
    return table[wanted].set_index("theta")["mean"].sort_index()


def gradients_apart(results: Results) -> Errors:
    """Gradient of JS, and distance of that of W from 1, between parallel lines away from theta = 0."""
    js, w = (_lines(results, "gradient", "closed", name).drop(0.0) for name in ("js", "w1"))
    return {"JS": float(js.abs().max(skipna=False)), "W": float((w.abs() - 1).abs().max(skipna=False))}


def sampled_lines(results: Results) -> Errors:
    """Largest error of divergences estimated from samples of parallel lines, away from theta = 0."""
    w, js, tv = (_lines(results, "value", "empirical", name).drop(0.0) for name in ("w1", "js", "tv"))
    return {
        "W": float((w - np.abs(w.index.to_numpy(float))).abs().max(skipna=False)),
        "JS": float((js - np.log(2)).abs().max(skipna=False)),
        "TV": float((tv - 1).abs().max(skipna=False)),
    }


def jump(results: Results) -> Errors:
    """At the smallest theta > 0: error of W = theta, relative, and of the jump of JS by log 2."""
    w, js = (_lines(results, "value", "closed", name).loc[0.0:].iloc[:2] for name in ("w1", "js"))
    return {
        "W": abs(float(w.diff().iloc[1]) / float(w.index[1]) - 1),
        "JS": abs(float(js.diff().iloc[1]) / np.log(2) - 1),
    }


def discriminator(results: Results) -> Errors:
    """Largest mean |D - D*| of the trained discriminators."""
    return {"two Gaussians": float(results.theory("game-checks")["error"].max(skipna=False))}


def game_value(results: Results) -> Errors:
    """Largest error of the value of the trained discriminators."""
    checks = results.theory("game-checks")
    return {"two Gaussians": float((checks["value"] - checks["optimum"]).abs().max(skipna=False))}


def duality(results: Results) -> Errors:
    """Largest relative duality gap, and the excess over 1 of the Lipschitz constants of the potentials."""
    table = results.theory("duality")
    gap = (table["gap"].abs() / table["primal"]).max(skipna=False)
    return {"gap": float(gap), "Lipschitz": float(table["lipschitz"].max(skipna=False) - 1)}


def permutations(results: Results) -> Errors:
    """Largest difference in cost between the best permutation and the best plan, relative to the plan."""
    table = results.theory("plans")
    return {"random pairs": float(((table["permutation"] - table["plan"]).abs() / table["plan"]).max(skipna=False))}


def same_partners(results: Results) -> Errors:
    """Share of the points in the picture whose partner is the same in both matchings."""
    return {"8 points": 1 - float(results.theory("picture")["differs"].mean())}


def bias_over_deviation(results: Results) -> Errors:
    """Mean B_M / D_M over draws and m <= n/16, of random batches."""
    table = results.theory("bias").query("sampler == 'random' and eval_batch <= n / 16")
    ratios = (table["bias"] / table["deviation"]).groupby(table["dataset"], sort=False).mean()
    return {str(name): float(value) for name, value in ratios.items()}


def _beyond_bound(results: Results, column: str) -> Errors:
    """Largest relative excess of a column over U_M, over all partitions, samplers and generators."""
    columns = [column, "bound"]
    stored = results.folder / "bias.parquet"
    trained = [frames.read(results.folder, "bias")[columns]] if stored.exists() else []
    every = pd.concat([results.theory("bias")[columns], *trained]).dropna().query("bound > 0")
    return {"all": float(((every[column] - every["bound"]) / every["bound"]).max())}


def deviation_beyond_bound(results: Results) -> Errors:
    """Largest relative excess of D_M over U_M."""
    return _beyond_bound(results, "deviation")


def bias_beyond_bound(results: Results) -> Errors:
    """Largest relative excess of B_M over U_M."""
    return _beyond_bound(results, "bias")


def shrunk(results: Results) -> Errors:
    """theta* - 1 of the plain distance at m = 64, by dimension."""
    return {name: value - 1 for name, value in _scales(results, "plain", 64).items()}


def unshrunk(results: Results) -> Errors:
    """|theta* - 1| of the debiased distance at m = 64, by dimension."""
    return {name: abs(value - 1) for name, value in _scales(results, "debiased", 64).items()}


def _scales(results: Results, objective: str, m: int) -> Errors:
    table = results.theory("shrinkage").query("objective == @objective and m == @m")
    return {f"d={d}": float(mean) for d, mean in zip(table["dimension"], table["mean"], strict=True)}


def scale_by_quadrature(results: Results) -> Errors:
    """|theta* - quadrature| in one dimension, by objective and m."""
    table = results.theory("shrinkage").query("dimension == 1")
    names = table["objective"] + ", m=" + table["m"].astype(str)
    return dict(zip(names, (table["mean"] - table["quadrature"]).abs().astype(float), strict=True))


def gpu_matching(results: Results) -> Errors:
    """Training seconds of pwgan over those of gan, summed over all blocks, on GPUs."""
    costs = results.frame("costs")
    trained = costs[(costs["stage"] == "train") & (costs["device"] != "cpu")]
    seconds = trained.groupby(frames.CELL, sort=False)["seconds"].sum().unstack("method")
    seconds = seconds.reindex(columns=["pwgan", "gan"])
    ratios = (seconds["pwgan"] / seconds["gan"]).dropna()
    if ratios.empty:
        raise NotMeasured("not measured here: no cell of pwgan and of gan was trained on a GPU")
    places = ratios.index.to_frame()
    names = places["dataset"] + " m=" + places["batch_size"].astype(str)
    return dict(zip(names, ratios.astype(float), strict=True))


CHECKS = (
    Check(
        "A3",
        "The Jensen-Shannon divergence is symmetric, non-negative, zero for equal distributions and at most log 2.",
        "largest violation of the four over random discrete pairs",
        js_properties,
        1e-12,
        "theory/lines",
    ),
    Check(
        "A5",
        "Where supports do not overlap, JS has no gradient and W does.",
        "|dJS/dtheta| and ||dW/dtheta| - 1| of parallel lines, away from theta = 0",
        gradients_apart,
        1e-6,
        "theory/lines",
    ),
    Check(
        "A6",
        "Parallel lines at distance theta have W = |theta|, JS = log 2 and TV = 1.",
        "|EWD - |theta||, |JS - log 2| and |TV - 1| of samples, theta not 0",
        sampled_lines,
        0.02,
        "theory/lines",
    ),
    Check(
        "A7",
        "W is continuous in theta; JS is not.",
        "at the smallest theta: relative error of W = theta and of the jump of JS by log 2",
        jump,
        0.01,
        "theory/lines",
    ),
    Check(
        "B2",
        "The optimal discriminator is D* = p_r / (p_r + p_g).",
        "mean |D - D*| of a trained discriminator, under the mean of both distributions",
        discriminator,
        0.03,
        "theory/game",
    ),
    Check(
        "B3",
        "At the optimum the value of the game is 2 JS - 2 log 2.",
        "|value of the trained discriminator - (2 JS - 2 log 2)| by quadrature",
        game_value,
        0.02,
        "theory/game",
    ),
    Check(
        "C1",
        "The dual over 1-Lipschitz functions equals the primal (Kantorovich and Rubinstein).",
        "relative duality gap of exact matchings, and excess of their potentials over Lipschitz constant 1",
        duality,
        1e-9,
        "theory/duality",
    ),
    Check(
        "D1",
        "With uniform weights the optimal plan is a permutation.",
        "difference of the costs of best permutation and best plan (linear programming), relative",
        permutations,
        1e-9,
        "theory/duality",
    ),
    Check(
        "D2",
        "Matching on a GPU is fast enough to train with (a measurement of one machine, not an identity).",
        "training seconds of pwgan over those of gan, on a GPU",
        gpu_matching,
        1.0,
        "figures/budget",
    ),
    Check(
        "D3",
        "The union of mini-batch matchings can differ from the full matching (one example).",
        "share of points with the same partner, 8 points in mini-batches of 4",
        same_partners,
        7 / 8,
        "theory/picture",
    ),
    Check(
        "D4",
        "The bias of mini-batch matching is the sum of cost differences, |B_M| = D_M.",
        "B_M / D_M between two draws of one distribution, random batches, m <= n/16",
        bias_over_deviation,
        1e-6,
        "theory/bias",
        equation=True,
    ),
    Check(
        "D5",
        "D_M is at most U_M.",
        "largest (D_M - U_M) / U_M over all partitions, samplers and generators",
        deviation_beyond_bound,
        1e-9,
        "theory/bias",
    ),
    Check(
        "D6a",
        "Where differing partners coincide, U_M -> 0, also B_M -> 0.",
        "largest (B_M - U_M) / U_M over all partitions, samplers and generators",
        bias_beyond_bound,
        1e-9,
        "theory/bias",
    ),
    Check(
        "T1",
        "The mini-batch distance of Gaussians is least at a scale below the true one.",
        "theta* - 1 of N(0, theta^2 I_d) against N(0, I_d), m = 64",
        shrunk,
        0.0,
        "theory/shrinkage",
    ),
    Check(
        "T2",
        "The debiased distance is least at the true scale, by symmetry.",
        "|theta* - 1|, debiased, m = 64",
        unshrunk,
        0.02,
        "theory/shrinkage",
    ),
    Check(
        "T3",
        "In one dimension theta* is that of numerical integration.",
        "|theta* - quadrature|, d = 1, both distances, every m",
        scale_by_quadrature,
        0.02,
        "theory/shrinkage",
    ),
)
