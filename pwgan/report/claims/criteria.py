"""Margins of the rules, and criteria that several claims share."""

from __future__ import annotations

import numpy as np

from pwgan.report.claims import evidence_images as images
from pwgan.report.claims import evidence_training as training
from pwgan.report.claims.claim import Criterion

INF = np.inf
HALF_MODE = 0.5
"""Smallest difference of distances that matters: half of what the loss of a mode costs at least."""
MOST_RUNS = 0.75
""""Almost all" runs: at least three of four. Fewer than a quarter of the runs of a method may lose a mode."""
EACH_MIXTURE = 0.6
"""Least share of such runs on a single mixture: 14 of 16 establish it."""
TENTH = 1.25
"""Ratio of Fréchet distances, which are squared distances, below which they count as equal: a tenth in distance."""
POINTS = 0.05
"""Difference of precision, recall or 1-NN accuracy below which they count as equal: two standard errors at n = 400."""
USEFUL = 0.5
"""Least share of the cosine between independent transport directions that a useful direction has."""
RIVALS = ("nsgan", "wgan_gp")
CLOSERS = (("pwgan_pool", 64), ("pwgan_stratified", 64))
PRIMAL = ("pwgan", "pwgan_debiased", "pwgan_pool", "pwgan_full")
CRITICS = ("gan", "wgan", "wgan_gp")


def pair(method: str, other: str, m: int = 64) -> tuple[training.Place, training.Place]:
    return (method, m), (other, m)


def versus(measure: str, relative: images.Relative, text: str, low: float, high: float) -> Criterion:
    """Return the criterion that pwgan_debiased is as good as its rivals on digits in one measure."""
    pairs = [pair("pwgan_debiased", rival) for rival in RIVALS]
    return Criterion(text, images.compared(measure, pairs, relative), low, high, equal_compute=True)


def covering(*places: training.Place, judged: bool = True) -> tuple[Criterion, Criterion]:
    """Return the criteria that almost all runs cover every mode, on the mixtures together and on each."""

    def criterion(text: str, least: float, together: bool) -> Criterion:
        return Criterion(text, training.keeps_modes(*places, together=together), least, INF, "share", judged=judged)

    return (
        criterion("share of runs on both mixtures that cover every mode", MOST_RUNS, together=True),
        criterion("the same, each mixture", EACH_MIXTURE, together=False),
    )


def larger_m(method: str, large: int, small: int, judged: bool = True) -> tuple[Criterion, ...]:
    """Return the criteria that a larger m does not improve generalisation on digits, in random features."""
    pairs, of = [((method, large), (method, small))], f"{method} at m = {large}"
    return (
        Criterion(
            f"Fréchet distance of {of} minus 1 / 1.25 of that at m = {small}, real samples subtracted, random features",
            images.compared("fd", pairs, images.beyond(1 / TENTH), ("random",)),
            0.0,
            INF,
            equal_compute=True,
            judged=judged,
        ),
        *(
            Criterion(
                f"{measure} of {of} minus that at m = {small}, random features",
                images.compared(measure, pairs, images.minus, ("random",)),
                -INF,
                POINTS,
                equal_compute=True,
                judged=judged,
            )
            for measure in ("recall", "precision")
        ),
    )
