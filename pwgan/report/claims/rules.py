"""The empirical claims as data: statement, criteria, and the region in which each criterion holds.

The rules are fixed before the results of a run are seen, and applied by ``verdicts``; docs/claims/rules.md says why
each threshold is what it is. Keys are those of the article's statements, with a letter appended if a statement makes
several claims; H1 to H4 are claims of this project. Distances are debiased EWDs in units of one lost mode: the
least that the loss of one mode adds to the debiased EWD.
"""

from __future__ import annotations

import numpy as np

from pwgan.report.claims import evidence_critics as critics
from pwgan.report.claims import evidence_images as images
from pwgan.report.claims import evidence_theory as theory
from pwgan.report.claims import evidence_training as training
from pwgan.report.claims.claim import Claim, Criterion
from pwgan.report.claims.results import DIGITS, MIXTURES

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


def _pair(method: str, other: str, m: int = 64) -> tuple[training.Place, training.Place]:
    return (method, m), (other, m)


def _versus(measure: str, relative: images.Relative, text: str, low: float, high: float) -> Criterion:
    """Return the criterion that pwgan_debiased is as good as its rivals on digits in one measure."""
    pairs = [_pair("pwgan_debiased", rival) for rival in RIVALS]
    return Criterion(text, images.compared(measure, pairs, relative), low, high, equal_compute=True)


def _covering(*places: training.Place, judged: bool = True) -> tuple[Criterion, Criterion]:
    """Return the criteria that almost all runs cover every mode, on the mixtures together and on each."""
    return (
        Criterion(
            "share of runs on both mixtures that cover every mode",
            training.keeps_modes(*places, together=True),
            MOST_RUNS,
            INF,
            "share",
            judged=judged,
        ),
        Criterion(
            "the same, each mixture",
            training.keeps_modes(*places, together=False),
            EACH_MIXTURE,
            INF,
            "share",
            judged=judged,
        ),
    )


def _larger_m(method: str, large: int, small: int, judged: bool = True) -> tuple[Criterion, ...]:
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


CLAIMS = (
    Claim(
        "H1",
        "Mini-batches shrink a generator.",
        (
            Criterion(
                "spread W(y, y') of generated digits over W(x, x') of real ones, pwgan, m = 64",
                images.within(("pwgan", 64)),
                0.0,
                0.95,
                log=True,
            ),
        ),
        "theory/shrinkage",
    ),
    Claim(
        "H1b",
        "Trained on the debiased distance, it keeps the spread of the data.",
        (
            Criterion(
                "spread W(y, y') of generated digits over W(x, x') of real ones, pwgan_debiased, m = 64",
                images.within(("pwgan_debiased", 64)),
                0.95,
                1.05,
                log=True,
            ),
        ),
        "theory/shrinkage",
    ),
    Claim(
        "H2",
        "Debiased, the primal is as good as tuned GANs on digits at equal compute.",
        (
            _versus(
                "fd",
                images.beyond(TENTH),
                "Fréchet distance minus 1.25 times the rival's, real samples subtracted, m = 64",
                -INF,
                0.0,
            ),
            _versus("kid", images.beyond(TENTH), "KID minus 1.25 times the rival's, m = 64", -INF, 0.0),
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
                "debiased EWD of pwgan minus that of pools and strata, in lost modes",
                training.difference(*((("pwgan", 64), closer) for closer in CLOSERS), datasets=MIXTURES),
                0.0,
                INF,
                equal_compute=True,
            ),
            *_covering(*CLOSERS),
            Criterion(
                "high quality on ring8", training.measured("high-quality", ["ring8"], *CLOSERS), 0.9, INF, "bounded"
            ),
            Criterion(
                "high quality on grid25", training.measured("high-quality", ["grid25"], *CLOSERS), 0.7, INF, "bounded"
            ),
            Criterion("std ratio", training.measured("std-ratio", MIXTURES, *CLOSERS), 0.65, INF, "bounded"),
            Criterion(
                "the gap: debiased EWD of pwgan above that of real samples on grid25, in lost modes",
                training.above_floor(("pwgan", 64), datasets=("grid25",)),
                HALF_MODE,
                INF,
                premise=True,
            ),
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
                "Fréchet distance at m = 16 minus 1.25 times that at m = 256, real samples subtracted, pwgan on digits",
                images.compared("fd", [(("pwgan", 16), ("pwgan", 256))], images.beyond(TENTH)),
                0.0,
                INF,
                equal_compute=True,
            ),
            Criterion(
                "gain from m = 16 to m = 256 of pwgan minus that of pwgan_debiased",
                training.gain_over("pwgan", "pwgan_debiased", 16, 256),
                0.0,
                INF,
                equal_compute=True,
            ),
            Criterion(
                "the sum of these gains: debiased, a larger m harms by less too",
                training.gain_over("pwgan", "pwgan_debiased", 16, 256, sign=1),
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
        _covering(("wgan", 64), ("wgan_gp", 64)),
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
        _covering(("pwgan", 64), ("pwgan", 256), ("pwgan_full", 64)),
        "figures/coverage",
        first=("contradicted", "Samples were too blurred for the published count, which took blur for collapse."),
    ),
    Claim(
        "D8(m=16)",
        "Primal training with mini-batches of 16 has (almost) no mode collapse.",
        _covering(("pwgan", 16)),
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
                training.difference(_pair("pwgan_dpp_short", "pwgan_short", 16)),
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
                training.difference(_pair("wgan", "wgan_stratified"), _pair("wgan_gp", "wgan_gp_stratified")),
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
                training.difference(_pair("wgan", "nsgan"), _pair("wgan_gp", "nsgan"), datasets=MIXTURES),
                -HALF_MODE,
                INF,
                equal_compute=True,
            ),
            Criterion(
                "Fréchet distance of wgan and wgan_gp minus 1 / 1.25 of that of nsgan, real samples subtracted",
                images.compared("fd", [_pair("wgan", "nsgan"), _pair("wgan_gp", "nsgan")], images.beyond(1 / TENTH)),
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
            *_larger_m("pwgan_debiased", 256, 64),
            Criterion(
                "debiased EWD of pwgan_debiased at m = 64 minus that at m = 256, in lost modes",
                training.gain("pwgan_debiased", 64, 256, (DIGITS,)),
                0.0,
                INF,
                equal_compute=True,
                premise=True,
            ),
            *_larger_m("pwgan", 256, 16, judged=False),
        ),
        "figures/training_m",
        first=("contradicted", "Tied latents and exactness changed together."),
    ),
)
