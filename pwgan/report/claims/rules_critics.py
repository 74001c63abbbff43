"""Claims of the article about critics and the gradients that they leave the generator."""

from __future__ import annotations

from pwgan.report.claims import evidence_critics as critics
from pwgan.report.claims import evidence_training as training
from pwgan.report.claims.claim import Claim, Criterion
from pwgan.report.claims.criteria import CRITICS, HALF_MODE, INF, MOST_RUNS, USEFUL, covering, pair
from pwgan.report.claims.results import DIGITS

CRITIC_CLAIMS = (
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
)
