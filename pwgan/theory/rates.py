"""How fast the bias of mini-batches vanishes: exponents fitted to the curves of ``theory.bias``."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from scipy.optimize import least_squares

from pwgan.report.statistics import interval

LIMITED = ("bound",)
"""Quantities that need not vanish as m approaches n: the form fitted to them has a limit."""


def bias_rates(curves: pd.DataFrame, measures: Iterable[str] = ("bias", "bound")) -> pd.DataFrame:
    """Fit the decay of the bias B_M, and of its bound U_M, in the mini-batch size.

    Between two draws of n points of one distribution, B_M is the mean EWD of m points minus that of n points. If the
    EWD of m points falls like C m^-s, then B_M = C (m^-s - n^-s), and a line in log-log axes overstates s. This form is
    fitted to ``bias``, and U_M = L + C (m^-s - n^-s) to ``bound``: U_M is 0 at m = n by definition, but approaches the
    limit L on the way there, at most 2 EWD, since U_M <= B_M + 2 EWD by the triangle inequality. For s <= 0, C is
    negative or infinite, and the form does not vanish as m and n grow.

    ``curves``: the frame of ``bias_curves``; samplers that do not partition are left out. The mean over draws of each
    m < n is fitted by least squares in its logarithm. One row for each data set, sampler and measure: C; s and limit
    (L; 0 for ``bias``), each with the half width of its 95 % interval, by the jackknife over ``draws``; ewd, the mean
    EWD of n points; residual, the root mean square residual of the logarithm; n, m_from and m_to. All fitted values are
    NaN if a mean is not positive. Source: Weed and Bach 2019 for m^-s; Efron and Tibshirani 1993, chapter 11.
    """
    fitted = curves[(curves["eval_batch"] < curves["n"]) & curves["partition"]]
    rows = []
    for (dataset, sampler), part in fitted.groupby(["dataset", "sampler"], sort=False):
        n = int(part["n"].iloc[0])
        for measure in measures:
            values = part.pivot(index="seed", columns="eval_batch", values=measure)
            m = values.columns.to_numpy(float)
            fit = _jackknife(m, n, values.to_numpy(), limited=measure in LIMITED)
            key = {"dataset": dataset, "sampler": sampler, "measure": measure}
            known = {"ewd": part.groupby("seed")["ewd"].first().mean(), "n": n, "m_from": m.min(), "m_to": m.max()}
            rows.append({**key, **fit, "draws": len(values), **known})
    return pd.DataFrame(rows).astype({"m_from": int, "m_to": int})


def power_law(m: np.ndarray, n: float, C: float, s: float, limit: float = 0.0) -> np.ndarray:
    """``limit`` + C (m^-s - n^-s)."""
    return limit + C * (m**-s - float(n) ** -s)


def fit_power_law(m: np.ndarray, n: float, values: np.ndarray, *, limited: bool) -> dict[str, float]:
    """Fit ``power_law`` to positive values at m < n by least squares in the logarithm; ``limit`` is 0 unless limited.

    Returns C, s, limit (not negative) and residual, the root mean square residual of the logarithm.
    """

    def curve(parameters: np.ndarray) -> np.ndarray:
        scale, s, *limit = parameters
        return np.exp(scale) * _decay(m, n, s) + (values[-1] * limit[0] if limited else 0)

    def residual(parameters: np.ndarray) -> np.ndarray:
        # A limit far below 0 makes the curve negative, where it has no logarithm.
        return np.log(np.maximum(curve(parameters), 1e-9 * values) / values)

    start = [np.log(values[0] / _decay(m, n, 0.5)[0]), 0.5, *([0.5] if limited else [])]
    found = least_squares(residual, start)
    scale, s, *limit = found.x
    if limited and limit[0] < 0:
        # The quantity is not negative, and so is its limit: the best fit has the limit 0.
        return fit_power_law(m, n, values, limited=False)
    return {
        "C": float(np.exp(scale) / s),
        "s": float(s),
        "limit": float(values[-1] * limit[0]) if limited else 0.0,
        "residual": float(np.sqrt(np.mean(found.fun**2))),
    }


def _decay(m: np.ndarray, n: float, s: float) -> np.ndarray:
    """(m^-s - n^-s) / s, positive and smooth in s; log(n/m) at s = 0."""
    log_ratio = np.log(n / m)
    return log_ratio if s == 0 else float(n) ** -s * np.expm1(s * log_ratio) / s


def _jackknife(m: np.ndarray, n: int, values: np.ndarray, *, limited: bool) -> dict[str, float]:
    """Fit the mean of ``values`` (draws, m), with intervals from the fits that leave out one draw."""
    means = [values.mean(0), *(np.delete(values, draw, 0).mean(0) for draw in range(len(values) * (len(values) > 1)))]
    if not (np.array(means) > 0).all():
        return dict.fromkeys(("C", "s", "s_half_width", "limit", "limit_half_width", "residual"), np.nan)
    whole, *others = (fit_power_law(m, n, mean, limited=limited) for mean in means)

    def half_width(name: str) -> float:
        pseudovalues = [len(others) * whole[name] - (len(others) - 1) * other[name] for other in others]
        return interval(pseudovalues).half_width

    return {
        "C": whole["C"],
        "s": whole["s"],
        "s_half_width": half_width("s"),
        "limit": whole["limit"],
        "limit_half_width": half_width("limit"),
        "residual": whole["residual"],
    }
