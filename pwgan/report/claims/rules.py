"""The empirical claims as data: statement, criteria, and the region in which each criterion holds.

The rules are fixed before the results of a run are seen, and applied by ``verdicts``; docs/claims/rules.md says why
each threshold is what it is. Keys are those of the article's statements, with a letter appended if a statement makes
several claims; H1 to H4 are claims of this project. Distances are debiased EWDs in units of one lost mode: the debiased
EWD of a generator that lacks one mode and is perfect otherwise.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from pwgan.report.claims import evidence_critics as critics
from pwgan.report.claims import evidence_images as images
from pwgan.report.claims import evidence_theory as theory
from pwgan.report.claims import evidence_training as training
from pwgan.report.claims.claim import Claim, Criterion
from pwgan.report.claims.results import DIGITS, MIXTURES

INF = np.inf
HALF_MODE = 0.5
"""Smallest difference of distances that matters: that of a generator that lacks half a mode."""
WHOLE_MODE = 1.0
"""A difference that is large: a mode more or less."""
MOST_RUNS = 0.75
""""Almost all" runs: at least three of four. Fewer than a quarter of the runs of a method may lose a mode."""
TENTH = 1.25
"""Ratio of Fréchet distances, which are squared distances, below which they count as equal: a tenth in distance."""
POINTS = 0.05
"""Difference of precision, recall or 1-NN accuracy below which they count as equal: two standard errors at n = 400."""
SCALE = 0.02
"""Smallest change of scale that matters; also the accuracy that the study asks of theta*."""
RIVALS = ("nsgan", "wgan_gp")
CLOSERS = (("pwgan_pool", 64), ("pwgan_stratified", 64))


def _pair(method: str, other: str, m: int = 64) -> tuple[training.Place, training.Place]:
    return (method, m), (other, m)


def _versus(
    measure: str,
    relative: Callable[[pd.Series, pd.Series], pd.Series],
    text: str,
    low: float,
    high: float,
    log: bool = False,
) -> Criterion:
    """Return the criterion that pwgan_debiased is as good as its rivals on digits in one measure."""
    pairs = [_pair("pwgan_debiased", rival) for rival in RIVALS]
    evidence = images.compared(measure, pairs, relative)
    return Criterion(text, evidence, low, high, log=log, equal_compute=True)


CLAIMS = (
    Claim(
        "H1",
        "Mini-batches shrink a generator; the debiased distance does not.",
        (
            Criterion(
                "scale theta* that the expected mini-batch distance of Gaussians prefers, true scale 1, m = 64",
                theory.shrinkage("plain", 64),
                -INF,
                1 - SCALE,
            ),
            Criterion("the same, debiased", theory.shrinkage("debiased", 64), 1 - SCALE, 1 + SCALE),
            Criterion(
                "spread W(y, y') of generated digits over W(x, x') of real ones, pwgan, m = 64",
                images.within(("pwgan", 64)),
                0.0,
                0.95,
                log=True,
            ),
            Criterion("the same, pwgan_debiased, m = 64", images.within(("pwgan_debiased", 64)), 0.95, INF, log=True),
        ),
        "theory/shrinkage",
    ),
    Claim(
        "H2",
        "Debiased, the primal is as good as tuned GANs on digits at equal compute.",
        (
            _versus("fd", images.log_ratio, "Fréchet distance over that of the rival, m = 64", 0.0, TENTH, log=True),
            _versus("kid", images.share_of, "KID minus the rival's, relative to the rival's, m = 64", -INF, TENTH - 1),
            _versus("precision", images.minus, "precision minus the rival's, m = 64", -POINTS, INF),
            _versus("recall", images.minus, "recall minus the rival's, m = 64", -POINTS, INF),
            _versus(
                "one_nn_accuracy",
                images.two_sample,
                "|1-NN accuracy - 1/2| minus the rival's, m = 64",
                -INF,
                POINTS,
            ),
        ),
        "figures/image_quality",
    ),
    Claim(
        "H3",
        "In the plane, pools and strata close the gap that mini-batches leave.",
        (
            Criterion(
                "debiased EWD above that of real samples, in lost modes",
                training.above_floor(*CLOSERS),
                -INF,
                HALF_MODE,
            ),
            Criterion(
                "share of runs on both mixtures that cover every mode",
                training.keeps_modes(*CLOSERS),
                MOST_RUNS,
                INF,
                "share",
            ),
            Criterion("high quality on ring8", training.high_quality("ring8", *CLOSERS), 0.9, INF, "bounded"),
            Criterion("high quality on grid25", training.high_quality("grid25", *CLOSERS), 0.7, INF, "bounded"),
        ),
        "figures/training_m",
    ),
    Claim(
        "H4",
        "Plain primal training improves with m; debiased, it depends less on m.",
        (
            Criterion(
                "debiased EWD at m = 16 minus that at m = 256, pwgan on mixtures, in lost modes",
                training.gain("pwgan", 16, 256),
                HALF_MODE,
                INF,
                equal_compute=True,
            ),
            Criterion(
                "Fréchet distance at m = 16 over that at m = 256, pwgan on digits",
                images.compared("fd", [(("pwgan", 16), ("pwgan", 256))], images.log_ratio, ("classifier",)),
                TENTH,
                INF,
                log=True,
                equal_compute=True,
            ),
            Criterion(
                "gain from m = 16 to m = 256 of pwgan minus that of pwgan_debiased",
                training.gain_over("pwgan", "pwgan_debiased", 16, 256),
                0.0,
                INF,
                equal_compute=True,
            ),
        ),
        "figures/training_m",
    ),
    Claim(
        "B4",
        "A GAN's gradient vanishes as its discriminator is trained to its optimum.",
        (
            Criterion(
                "gradient norm under the stationary critic over that under the untrained one; disjoint supports",
                critics.gradient_decay("gan", 64, disjoint=True),
                0.0,
                0.1,
                log=True,
            ),
            Criterion(
                "the same, overlapping supports",
                critics.gradient_decay("gan", 64, disjoint=False),
                0.0,
                0.1,
                log=True,
                judged=False,
            ),
            Criterion(
                "cosine of the moves of samples with the transport direction",
                critics.direction("gan", m=64),
                -INF,
                INF,
                judged=False,
            ),
        ),
        "figures/signal",
        first=("contradicted", "The critic was far from its optimum, and the supports overlapped on grid25."),
    ),
    Claim(
        "B4b",
        "A GAN suffers mode collapse.",
        (
            Criterion(
                "share of the runs of gan that lack a mode",
                training.loses_modes(("gan", 64), ("gan", 256)),
                1 - MOST_RUNS,
                INF,
                "share",
            ),
        ),
        "figures/coverage",
        once=True,
        first=("supported", "Samples were too blurred for the published count, which took blur for collapse."),
    ),
    Claim(
        "C2",
        "Training the critic further harms a GAN.",
        (
            Criterion(
                "distance of 25 critic steps minus that of 1, gan at equal generator steps, in lost modes",
                training.difference(_pair("gan_k25_short", "gan_k1_short")),
                HALF_MODE,
                INF,
            ),
        ),
        "figures/schedules",
        first=("supported", "Judged by EWD, which rewards blur, and without a smallest effect that matters."),
    ),
    Claim(
        "C2b",
        "Training the critic further does not harm a WGAN.",
        (
            Criterion(
                "distance of 25 critic steps minus that of 1, wgan at equal generator steps, in lost modes",
                training.difference(_pair("wgan_k25_short", "wgan_k1_short")),
                -INF,
                HALF_MODE,
            ),
        ),
        "figures/schedules",
        first=("inconclusive", "The margin was 0, at which no equivalence can be shown."),
    ),
    Claim(
        "C2c",
        "A WGAN's gradient stays useful as its critic is trained to its optimum.",
        (
            Criterion(
                "cosine of the moves of samples with the transport direction, stationary critics",
                critics.direction("wgan", "wgan_gp", m=64),
                0.5,
                INF,
            ),
        ),
        "figures/signal",
        first=("contradicted", "Judged by the gradient norm, which Adam and RMSprop ignore."),
    ),
    Claim(
        "C3",
        "WGANs show no mode collapse.",
        (
            Criterion(
                "share of runs on both mixtures that cover every mode",
                training.keeps_modes(("wgan", 64), ("wgan_gp", 64)),
                MOST_RUNS,
                INF,
                "share",
            ),
        ),
        "figures/coverage",
        first=("contradicted", "Samples were too blurred for the published count, which took blur for collapse."),
    ),
    Claim(
        "D6b",
        "Batches that follow the distribution: B_M -> 0.",
        (
            Criterion(
                "exponent s of C (m^-s - n^-s) fitted to B_M, stratified batches",
                theory.exponents("bias", "stratified"),
                0.0,
                INF,
            ),
            Criterion("the same, random batches", theory.exponents("bias", "random"), 0.0, INF, judged=False),
            Criterion(
                "B_M / EWD of stratified batches, m = 64 ('as good as EWD')",
                theory.relative_bias("bias", "stratified", 64),
                -INF,
                0.1,
                judged=False,
            ),
        ),
        "theory/bias",
        first=("contradicted", "A ratio at one m was compared with a threshold; the statement is about a limit."),
    ),
    Claim(
        "D6c",
        "Batches that follow the distribution: differing partners coincide, U_M -> 0.",
        (
            Criterion(
                "limit L of L + C (m^-s - n^-s) fitted to U_M, over the EWD of n points, stratified batches",
                theory.limits("bound", "stratified"),
                -INF,
                0.1,
            ),
            Criterion("the same, random batches", theory.limits("bound", "random"), -INF, 0.1, judged=False),
            Criterion(
                "exponent s of that fit, stratified batches",
                theory.exponents("bound", "stratified"),
                0.0,
                INF,
                judged=False,
            ),
            Criterion(
                "U_M / EWD of stratified batches, m = 64",
                theory.relative_bias("bound", "stratified", 64),
                -INF,
                0.1,
                judged=False,
            ),
        ),
        "theory/bias",
        first=("contradicted", "A ratio at one m was compared with a threshold; the statement is about a limit."),
    ),
    Claim(
        "D7",
        "Descending the cost of the matching, held fixed, brings the generator to the data.",
        (
            Criterion(
                "share of the initial debiased EWD to held-out samples that training removes, pwgan, m = 64",
                training.removed("pwgan", 64),
                0.8,
                INF,
            ),
        ),
        "figures/convergence",
        first=("supported", "Judged by EWD above the floor, which blurred digits can undercut."),
    ),
    Claim(
        "D8",
        "Primal training has (almost) no mode collapse.",
        (
            Criterion(
                "share of runs on both mixtures that cover every mode",
                training.keeps_modes(("pwgan", 64), ("pwgan", 256), ("pwgan_full", 64)),
                MOST_RUNS,
                INF,
                "share",
            ),
            Criterion("the same, m = 16", training.keeps_modes(("pwgan", 16)), MOST_RUNS, INF, "share", judged=False),
        ),
        "figures/coverage",
        first=("contradicted", "Samples were too blurred for the published count, which took blur for collapse."),
    ),
    Claim(
        "D9a(i)",
        "Random mini-batches keep primal training from converging: it stops above what a larger m reaches.",
        (
            Criterion(
                "debiased EWD of pwgan at m = 64 minus that at m = 256, in lost modes",
                training.gain("pwgan", 64, 256, training.DATASETS),
                HALF_MODE,
                INF,
                equal_compute=True,
            ),
            Criterion(
                "the same, m = 16 minus m = 256",
                training.gain("pwgan", 16, 256, training.DATASETS),
                HALF_MODE,
                INF,
                equal_compute=True,
                judged=False,
            ),
        ),
        "figures/training_m",
        first=("supported", "A difference of a fiftieth of the floor counted, at unequal compute."),
    ),
    Claim(
        "D9a(ii)",
        "Random mini-batches make primal training unstable.",
        (
            Criterion(
                "variance of the debiased EWD over the last third, random over stratified batches, constant rate",
                training.log_ratio("ewd-debiased-variance", ("pwgan_constant", 64), ("pwgan_stratified_constant", 64)),
                2.0,
                INF,
                log=True,
            ),
        ),
        "figures/convergence",
    ),
    Claim(
        "D9b",
        "DPP batches are a remedy.",
        (
            Criterion(
                "distance of pwgan with DPP batches minus that with random ones, at equal steps, in lost modes",
                training.difference(_pair("pwgan_dpp_short", "pwgan_short")),
                -INF,
                -HALF_MODE,
            ),
        ),
        "figures/coverage",
        first=("inconclusive", "Judged by EWD, without a smallest effect that matters."),
    ),
    Claim(
        "D9c",
        "Random mini-batches harm the dual too.",
        (
            Criterion(
                "distance of wgan and wgan_gp with random minus that with stratified batches, in lost modes",
                training.difference(_pair("wgan", "wgan_stratified"), _pair("wgan_gp", "wgan_gp_stratified")),
                HALF_MODE,
                INF,
                equal_compute=True,
            ),
        ),
        "figures/budget",
        first=("inconclusive", "Judged by EWD, at unequal compute."),
    ),
    Claim(
        "D9d",
        "The critic forgets earlier mini-batches.",
        (
            Criterion(
                "AUC between a probe mini-batch and unseen samples: gain by one step on the probe, stationary critics",
                critics.retained(1, 64, "gan", "wgan", "wgan_gp"),
                POINTS,
                INF,
            ),
            Criterion(
                "what is left of it 128 critic steps after",
                critics.retained(128, 64, "gan", "wgan", "wgan_gp"),
                -INF,
                POINTS,
            ),
        ),
        "figures/ranking",
        first=("contradicted", "Every sample had been revisited many times between the critics compared."),
    ),
    Claim(
        "E1",
        "WGAN in practice is not much better than GAN.",
        (
            Criterion(
                "distance of wgan and wgan_gp minus that of nsgan, on mixtures, in lost modes",
                training.difference(_pair("wgan", "nsgan"), _pair("wgan_gp", "nsgan"), datasets=MIXTURES),
                -WHOLE_MODE,
                INF,
                equal_compute=True,
            ),
            Criterion(
                "Fréchet distance of wgan and wgan_gp over that of nsgan, on digits",
                images.compared("fd", [_pair("wgan", "nsgan"), _pair("wgan_gp", "nsgan")], images.log_ratio),
                1 / TENTH,
                INF,
                log=True,
                equal_compute=True,
            ),
        ),
        "figures/budget",
        first=("contradicted", "Compared with the saturating game, which nobody trains; wgan had more compute."),
    ),
    Claim(
        "E2",
        "A generator trained on the primal comes out very close to real samples: it may not generate unseen ones.",
        (
            Criterion(
                "share of samples nearer to the training set than the nearest 1 % of held-out ones, m = 64",
                images.copies(("pwgan", 64), ("pwgan_debiased", 64), ("pwgan_pool", 64), ("pwgan_full", 64)),
                0.05,
                INF,
                "bounded",
            ),
            Criterion(
                "EWD of tied latents to the training samples over that of real samples, pwgan_full, m = 64",
                images.tied(("pwgan_full", 64)),
                0.0,
                1.0,
                log=True,
                judged=False,
            ),
        ),
        "figures/neighbours",
        first=("contradicted", "A median distance rewarded blur: samples far from the data copy nothing."),
    ),
    Claim(
        "E3",
        "An interpolated sample is an unseen sample.",
        (
            Criterion(
                "share of points on latent paths between digits that are on the manifold and no near copies",
                images.unseen_on_paths(
                    ("pwgan", 64), ("pwgan_debiased", 64), ("pwgan_full", 64), ("nsgan", 64), ("wgan_gp", 64)
                ),
                0.5,
                INF,
                "bounded",
            ),
        ),
        "figures/interpolation-digits",
        first=("supported", "A distance to the training set rewarded blur."),
    ),
    Claim(
        "E4",
        "Computing W exactly does not by itself improve generalisation.",
        (
            Criterion(
                "Fréchet distance at m = 256 over that at m = 16, pwgan on digits, random features",
                images.compared("fd", [(("pwgan", 256), ("pwgan", 16))], images.log_ratio, ("random",)),
                1 / TENTH,
                INF,
                log=True,
                equal_compute=True,
            ),
            Criterion(
                "recall at m = 256 minus that at m = 16, random features",
                images.compared("recall", [(("pwgan", 256), ("pwgan", 16))], images.minus, ("random",)),
                -INF,
                POINTS,
                equal_compute=True,
            ),
            Criterion(
                "precision at m = 256 minus that at m = 16, random features",
                images.compared("precision", [(("pwgan", 256), ("pwgan", 16))], images.minus, ("random",)),
                -INF,
                POINTS,
                equal_compute=True,
            ),
            Criterion(
                "debiased EWD at m = 16 minus that at m = 256, in lost modes: the premise",
                training.gain("pwgan", 16, 256, (DIGITS,)),
                0.0,
                INF,
                judged=False,
            ),
        ),
        "figures/training_m",
        first=("contradicted", "Tied latents and exactness changed together."),
    ),
)
