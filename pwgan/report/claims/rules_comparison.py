"""Claims of the article that compare the primal with critics."""

from __future__ import annotations

from pwgan.report.claims import evidence_images as images
from pwgan.report.claims import evidence_training as training
from pwgan.report.claims.claim import Claim, Criterion
from pwgan.report.claims.criteria import HALF_MODE, INF, PRIMAL, TENTH, larger_m, pair
from pwgan.report.claims.results import DIGITS, MIXTURES

COMPARISON_CLAIMS = (
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
