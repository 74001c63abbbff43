"""The empirical claims as data: statement, criteria, and the region in which each criterion holds.

The rules are fixed before the results of a run are seen, and applied by ``verdicts``; docs/claims/rules.md says why
each threshold is what it is. Keys are those of the article's statements, with a letter appended if a statement makes
several claims; H1 to H4 are claims of this project. Distances are debiased EWDs in units of one lost mode: the
least that the loss of one mode adds to the debiased EWD.
"""

from __future__ import annotations

from pwgan.report.claims import evidence_critics as critics
from pwgan.report.claims import evidence_images as images
from pwgan.report.claims import evidence_theory as theory
from pwgan.report.claims import evidence_training as training
from pwgan.report.claims.claim import Claim, Criterion
from pwgan.report.claims.criteria import (
    CRITICS,
    HALF_MODE,
    INF,
    MOST_RUNS,
    POINTS,
    PRIMAL,
    TENTH,
    USEFUL,
    covering,
    larger_m,
    pair,
)
from pwgan.report.claims.results import DIGITS, MIXTURES
from pwgan.report.claims.rules_own import OWN

ARTICLE = (
    Claim(
        "B4",
        "A GAN's gradient vanishes as its discriminator is trained to its optimum.",
        (
            Criterion(
                "gradient norm under the stationary critic over that under the untrained one, disjoint supports",
                critics.gradient_decay("gan", 64, "ring8", disjoint=True),
                0.0,
                0.1,
                log=True,
            ),
            Criterion(
                "the same, other data sets",
                critics.gradient_decay("gan", 64, "grid25", DIGITS, disjoint=False),
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
                training.loses_modes(("gan", 64)),
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
                training.difference(pair("gan_k25_short", "gan_k1_short")),
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
                training.difference(pair("wgan_k25_short", "wgan_k1_short")),
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
                "cosine of moves and transport direction minus half of that of independent directions",
                critics.direction("wgan", "wgan_gp", m=64, share=USEFUL),
                0.0,
                INF,
            ),
            Criterion(
                "cosine of moves and transport direction, stationary critics",
                critics.direction(*CRITICS, m=64),
                -INF,
                INF,
                judged=False,
            ),
        ),
        "figures/signal",
        first=("contradicted", "Judged by the gradient norm, which Adam and RMSprop ignore."),
    ),
    Claim(
        "C3",
        "WGANs show no mode collapse.",
        covering(("wgan", 64), ("wgan_gp", 64)),
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
    Claim(
        "E1",
        "WGAN in practice is not much better than GAN.",
        (
            Criterion(
                "distance of wgan and wgan_gp minus that of nsgan, on mixtures, in lost modes",
                training.difference(pair("wgan", "nsgan"), pair("wgan_gp", "nsgan"), datasets=MIXTURES),
                -HALF_MODE,
                INF,
                equal_compute=True,
            ),
            Criterion(
                "Fréchet distance of wgan and wgan_gp minus 1 / 1.25 of that of nsgan, real samples subtracted",
                images.compared("fd", [pair("wgan", "nsgan"), pair("wgan_gp", "nsgan")], images.beyond(1 / TENTH)),
                0.0,
                INF,
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
                "share of samples of digits nearer to the training set than the nearest 5 % of held-out ones, m = 64",
                images.copies(*((method, 64) for method in PRIMAL)),
                0.15,
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
        once=True,
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
            *larger_m("pwgan_debiased", 256, 64),
            Criterion(
                "debiased EWD of pwgan_debiased at m = 64 minus that at m = 256, in lost modes",
                training.gain("pwgan_debiased", 64, 256, (DIGITS,)),
                0.0,
                INF,
                equal_compute=True,
                premise=True,
            ),
            *larger_m("pwgan", 256, 16, judged=False),
        ),
        "figures/training_m",
        first=("contradicted", "Tied latents and exactness changed together."),
    ),
)

CLAIMS = (*OWN, *ARTICLE)
