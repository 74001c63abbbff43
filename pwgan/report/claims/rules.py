"""The claims of the article as data: statement, statistic, and the region in which the claim holds.

The rules are fixed before the results of a run are seen, and applied by ``verdicts``; later changes are documented in
``amended``. Keys are those of the article's statements, with a letter appended if a statement makes several claims.
Definitions and questions (D1, D3, D7, E3) are checked numerically.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pwgan.report.claims import evidence
from pwgan.report.claims.evidence import Parts, Results

INF = np.inf
DIFFERENCE = (
    "A difference in units of the floor instead of a ratio: the floor pushed ratios of EWDs towards 1, and ratios of "
    "EWDs above the floor were dominated by noise."
)


@dataclass(frozen=True)
class Claim:
    """One statement of the article and its rule.

    ``statistic``: description of the statistic; ``evidence`` computes it. ``low``, ``high``: region in which the claim
    holds. ``log``: values are logarithms of ratios; region and effects are given as ratios. ``figure``: relevant
    figure, as a file of the study without suffix. ``once``: the claim is that something can happen, not that it
    always does. ``amended``: how the rule was changed after results had been seen, and why.
    """

    key: str
    statement: str
    statistic: str
    evidence: Callable[[Results], Parts]
    low: float
    high: float
    figure: str
    log: bool = False
    once: bool = False
    amended: str = ""

    @property
    def rule(self) -> str:
        """Describe the region in words."""
        if self.low == -np.inf:
            return f"at most {self.high:g}"
        return f"at least {self.low:g}" if self.high == np.inf else f"from {self.low:g} to {self.high:g}"


CLAIMS = (
    Claim(
        "A3",
        "The Jensen-Shannon divergence is symmetric, not negative, zero for equal laws and at most log 2.",
        "largest violation of the four among random discrete pairs",
        evidence.js_violation,
        -INF,
        1e-12,
        "theory/lines",
    ),
    Claim(
        "A5",
        "Where supports do not overlap, JS gives a learner no gradient and W does.",
        "|dJS/dtheta| and ||dW/dtheta| - 1| of parallel lines, the largest away from theta = 0",
        evidence.gradients_apart,
        -INF,
        1e-6,
        "theory/lines",
    ),
    Claim(
        "A6",
        "Of parallel lines at a distance theta, W = |theta|, JS = log 2 and TV = 1.",
        "largest |EWD - |theta|| of samples, |JS - log 2| and |TV - 1|, theta not 0",
        evidence.lines_error,
        -INF,
        0.02,
        "theory/lines",
    ),
    Claim(
        "A7",
        "W is continuous in theta; JS is not.",
        "at the smallest theta: W over theta, and log 2 over the jump of JS",
        evidence.jump,
        0.99,
        1.01,
        "theory/lines",
    ),
    Claim(
        "B2",
        "The optimal discriminator is D* = p_r / (p_r + p_g).",
        "mean |D - D*| of a trained discriminator, under the mean of both distributions",
        evidence.discriminator_error,
        -INF,
        0.03,
        "theory/game",
    ),
    Claim(
        "B3",
        "At the optimum the value of the game is 2 JS - 2 log 2.",
        "|value of the trained discriminator - (2 JS - 2 log 2)| by quadrature",
        evidence.game_value_error,
        -INF,
        0.02,
        "theory/game",
    ),
    Claim(
        "B4",
        "A GAN's gradient vanishes as its discriminator is trained to its optimum.",
        "norm of an untrained generator's gradient (gan), critic trained to the end over critic after 16 steps",
        evidence.gan_gradient_decay,
        0.0,
        0.1,
        "figures/signal",
        log=True,
    ),
    Claim(
        "B4b",
        "A GAN suffers mode collapse.",
        "modes of a mixture that gan captures, share of all",
        evidence.captured("gan"),
        -INF,
        0.95,
        "figures/coverage",
        once=True,
        amended="The rule required collapse on every mixture; the statement only says that it happens.",
    ),
    Claim(
        "C1",
        "The dual over 1-Lipschitz functions equals the primal (Kantorovich and Rubinstein).",
        "relative duality gap of the exact matching, and by how much its potentials exceed Lipschitz constant 1",
        evidence.duality,
        -INF,
        1e-9,
        "theory/duality",
    ),
    Claim(
        "C2",
        "Training the critic further harms a GAN.",
        "final EWD of gan with 25 critic steps minus that with 1, in units of the floor",
        evidence.difference("gan_k25", "gan"),
        0.0,
        INF,
        "figures/schedules",
        amended=DIFFERENCE,
    ),
    Claim(
        "C2b",
        "Training the critic further does not harm a WGAN.",
        "final EWD of wgan with 25 critic steps minus that with 1, in units of the floor",
        evidence.difference("wgan_k25", "wgan_k1"),
        -INF,
        0.2,
        "figures/schedules",
        amended=f"{DIFFERENCE} A margin as in E1 was added: exactly no harm could never have been supported.",
    ),
    Claim(
        "C2c",
        "A WGAN's gradient stays useful as its critic is trained to its optimum.",
        "as for B4, critics of wgan and wgan_gp",
        evidence.wgan_gradient_decay,
        0.5,
        INF,
        "figures/signal",
        log=True,
    ),
    Claim(
        "C3",
        "WGANs show no mode collapse.",
        "modes of a mixture that wgan and wgan_gp capture, share of all",
        evidence.captured("wgan", "wgan_gp"),
        0.95,
        INF,
        "figures/coverage",
    ),
    Claim(
        "D1",
        "With uniform weights the optimal plan is a permutation: EWD is a linear assignment problem.",
        "|cost of the best permutation - cost of the best plan| / cost, by linear programming",
        evidence.permutation_is_optimal,
        -INF,
        1e-9,
        "theory/duality",
    ),
    Claim(
        "D2",
        "Solved on a GPU the matching is fast enough to train with.",
        "training seconds of pwgan over those of gan, on a GPU",
        evidence.gpu_matching,
        0.0,
        1.0,
        "figures/cost",
        log=True,
        amended="Blocks are summed; with one block per cell there was no interval, and therefore no verdict.",
    ),
    Claim(
        "D3",
        "The union of mini-batch matchings differs from the full matching.",
        "share of points whose partner differs, 8 points in mini-batches of 4",
        evidence.picture_differs,
        1 / 8,
        1.0,
        "theory/picture",
    ),
    Claim(
        "D4",
        "The bias of mini-batch matching is the sum of cost differences: |B_M| = D_M.",
        "B_M / D_M for two draws of one distribution, random batches, m <= n/16",
        evidence.bias_over_deviation,
        0.95,
        1.05,
        "theory/bias",
    ),
    Claim(
        "D5",
        "D_M is at most U_M.",
        "largest (D_M - U_M) / U_M of all partitions, samplers and generators",
        evidence.bound_violation,
        -INF,
        1e-9,
        "theory/bias",
    ),
    Claim(
        "D6a",
        "Where differing partners coincide, U_M -> 0, B_M -> 0 too.",
        "largest (B_M - U_M) / U_M of all partitions, samplers and generators",
        evidence.bias_beyond_bound,
        -INF,
        1e-9,
        "theory/bias",
    ),
    Claim(
        "D6b",
        "Batches that follow the distribution make MBWD as good as EWD: B_M -> 0.",
        "B_M / EWD with stratified batches of 64, two draws of one distribution",
        evidence.stratified_bias,
        -INF,
        0.1,
        "theory/bias",
    ),
    Claim(
        "D6c",
        "With batches that follow the distribution, differing partners coincide: U_M -> 0.",
        "U_M / EWD with stratified batches of 64, two draws of one distribution",
        evidence.stratified_bound,
        -INF,
        0.1,
        "theory/bias",
    ),
    Claim(
        "D7",
        "Descending the cost of the matching, held fixed, brings the generator to the data.",
        "final over initial held-out EWD of pwgan, each above the floor",
        evidence.descent("pwgan"),
        0.0,
        0.2,
        "figures/convergence",
        log=True,
        amended="The floor is subtracted: otherwise even real samples would not have passed on digits.",
    ),
    Claim(
        "D8",
        "Primal training has (almost) no mode collapse.",
        "modes of a mixture that pwgan and pwgan_full capture, share of all",
        evidence.captured("pwgan", "pwgan_full"),
        0.95,
        INF,
        "figures/coverage",
    ),
    Claim(
        "D9a",
        "Random mini-batches keep primal training from converging.",
        "final EWD of pwgan with random minus that with stratified batches, in units of the floor",
        evidence.difference("pwgan", "pwgan_stratified"),
        0.0,
        INF,
        "figures/convergence",
        amended=DIFFERENCE,
    ),
    Claim(
        "D9b",
        "DPP batches are a remedy.",
        "final EWD of pwgan with DPP minus that with random batches, in units of the floor",
        evidence.difference("pwgan_dpp", "pwgan"),
        -INF,
        0.0,
        "figures/convergence",
        amended=DIFFERENCE,
    ),
    Claim(
        "D9c",
        "Random mini-batches harm the dual too.",
        "final EWD of wgan and wgan_gp with random minus that with stratified batches, in units of the floor",
        evidence.dual_difference,
        0.0,
        INF,
        "figures/convergence",
        amended=DIFFERENCE,
    ),
    Claim(
        "D9d",
        "The critic forgets earlier mini-batches.",
        "AUC on earlier mini-batches and snapshots, of the critic of that time minus that of the final critic",
        evidence.ranking_lost,
        0.05,
        INF,
        "figures/ranking",
        amended="Only critics of gan, wgan and wgan_gp, because all critics include remedies; a difference instead of "
        "a ratio, in which a critic that never separated anything counted as one that had not forgotten.",
    ),
    Claim(
        "E1",
        "WGAN in practice is not much better than GAN.",
        "final EWD of wgan minus that of gan, in units of the floor",
        evidence.difference("wgan", "gan"),
        -0.2,
        INF,
        "figures/convergence",
        amended=DIFFERENCE,
    ),
    Claim(
        "E2",
        "A generator trained on the primal comes out very close to real samples: it may not generate unseen ones.",
        "nearest-neighbour distance of pwgan_full's samples to the training set over that of held-out samples",
        evidence.nearness,
        0.0,
        0.9,
        "figures/neighbours",
        log=True,
    ),
    Claim(
        "E3",
        "Is an interpolated sample an unseen sample?",
        "distance to the nearest training sample along latent paths over that of held-out samples",
        evidence.interpolation_distance,
        1.0,
        INF,
        "figures/interpolation-digits",
        log=True,
    ),
    Claim(
        "E4",
        "Computing W exactly does not by itself improve generalisation.",
        "Frechet distance of pwgan_full, full matchings, over that of pwgan, matchings of mini-batches",
        evidence.exact_frechet,
        1.0,
        INF,
        "figures/frechet",
        log=True,
        amended="Compared with pwgan instead of the best other method, whose selection biased the claim towards "
        "support; 'by itself' requires that all else is equal.",
    ),
)
