"""Claims of the article about the primal: mini-batches, their bias, and convergence."""

from __future__ import annotations

from pwgan.report.claims import evidence_critics as critics
from pwgan.report.claims import evidence_theory as theory
from pwgan.report.claims import evidence_training as training
from pwgan.report.claims.claim import Claim, Criterion
from pwgan.report.claims.criteria import CRITICS, HALF_MODE, INF, POINTS, covering, pair
from pwgan.report.claims.results import DIGITS

PRIMAL_CLAIMS = (
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
            Criterion(
                "B_M of stratified batches minus that of random ones, over the EWD, m = 64",
                theory.saved("bias", "stratified", 64),
                -INF,
                0.0,
            ),
            Criterion("exponent s, random batches", theory.exponents("bias", "random"), 0.0, INF, judged=False),
            Criterion(
                "exponent s, digits",
                theory.exponents("bias", "stratified", "random", laws=False),
                0.0,
                INF,
                judged=False,
            ),
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
            Criterion(
                "U_M of stratified batches minus that of random ones, over the EWD, m = 64",
                theory.saved("bound", "stratified", 64),
                -INF,
                0.0,
            ),
            Criterion("limit L, random batches", theory.limits("bound", "random"), -INF, 0.1, judged=False),
            Criterion(
                "limit L, digits",
                theory.limits("bound", "stratified", "random", laws=False),
                -INF,
                0.1,
                judged=False,
            ),
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
        "Primal training with mini-batches of 64 or more has (almost) no mode collapse.",
        covering(("pwgan", 64), ("pwgan", 256), ("pwgan_full", 64)),
        "figures/coverage",
        first=("contradicted", "Samples were too blurred for the published count, which took blur for collapse."),
    ),
    Claim(
        "D8(m=16)",
        "Primal training with mini-batches of 16 has (almost) no mode collapse.",
        covering(("pwgan", 16)),
        "figures/coverage",
    ),
    Claim(
        "D9a(i)",
        "Random mini-batches keep primal training from converging: it stops above what a larger m reaches.",
        (
            Criterion(
                "debiased EWD of pwgan at m = 64 minus that at m = 256, in lost modes",
                training.gain("pwgan", 64, 256, ("grid25", DIGITS)),
                HALF_MODE,
                INF,
                equal_compute=True,
            ),
            Criterion(
                "the same, ring8",
                training.gain("pwgan", 64, 256, ("ring8",)),
                HALF_MODE,
                INF,
                equal_compute=True,
                judged=False,
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
                "variance of the debiased EWD about its trend, last third, random over stratified, constant rate",
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
        "DPP batches are a remedy, at equal steps.",
        (
            Criterion(
                "distance of pwgan with DPP batches minus that with random ones, m = 16, at equal steps, in lost modes",
                training.difference(pair("pwgan_dpp_short", "pwgan_short", 16)),
                -INF,
                -HALF_MODE,
            ),
        ),
        "figures/coverage",
        once=True,
        first=("inconclusive", "Judged by EWD, without a smallest effect that matters."),
    ),
    Claim(
        "D9c",
        "Random mini-batches harm the dual too.",
        (
            Criterion(
                "distance of wgan and wgan_gp with random minus that with stratified batches, in lost modes",
                training.difference(pair("wgan", "wgan_stratified"), pair("wgan_gp", "wgan_gp_stratified")),
                HALF_MODE,
                INF,
                equal_compute=True,
            ),
        ),
        "figures/budget",
        once=True,
        first=("inconclusive", "Judged by EWD, at unequal compute."),
    ),
    Claim(
        "D9d",
        "The critic forgets earlier mini-batches.",
        (
            Criterion(
                "AUC between a probe mini-batch and unseen samples: after one step on the probe minus after 128 steps",
                critics.forgotten(64, *CRITICS),
                POINTS,
                INF,
            ),
            Criterion(
                "the same: after one step on the probe minus before it",
                critics.learnt(64, *CRITICS),
                POINTS,
                INF,
                judged=False,
            ),
        ),
        "figures/ranking",
        first=("contradicted", "Every sample had been revisited many times between the critics compared."),
    ),
)
