"""Claims of this project, H1 to H4."""

from __future__ import annotations

from pwgan.report.claims import evidence_images as images
from pwgan.report.claims import evidence_training as training
from pwgan.report.claims.claim import Claim, Criterion
from pwgan.report.claims.criteria import CLOSERS, HALF_MODE, INF, POINTS, TENTH, covering, versus
from pwgan.report.claims.results import MIXTURES

OWN = (
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
            versus(
                "fd",
                images.beyond(TENTH),
                "Fréchet distance minus 1.25 times the rival's, real samples subtracted, m = 64",
                -INF,
                0.0,
            ),
            versus("kid", images.beyond(TENTH), "KID minus 1.25 times the rival's, m = 64", -INF, 0.0),
            versus("precision", images.minus, "precision minus the rival's, m = 64", -POINTS, INF),
            versus("recall", images.minus, "recall minus the rival's, m = 64", -POINTS, INF),
            versus(
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
            *covering(*CLOSERS),
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
)
