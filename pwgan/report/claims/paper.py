"""The page of claims: a short paper whose sentences about results are generated from the verdicts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pwgan.report.claims.checks import Checked
from pwgan.report.claims.render import Block, Figure, Grid, Rows, Text
from pwgan.report.claims.verdicts import EQUAL, Judgement, Part
from pwgan.report.claims.words import answer, changed, check_table, count, effect, rule, seeds, unequal
from pwgan.report.claims.words import verdict_table as verdicts

TITLE = "What do mini-batches cost a generator that is trained on transport alone?"
QUESTION = (
    "A primal Wasserstein GAN has no critic: its generator descends the cost of the optimal matching between a "
    "mini-batch of data and a mini-batch of samples. The matching is exact; the mini-batch is not the distribution. A "
    "note of 2020 argues that random mini-batches make such training unstable and keep it from converging, and that "
    "exactness by itself does not buy generalisation. This study asks what mini-batches do to the generator, what "
    "undoes it, and how the result compares, at equal training time, with generators that are trained against a critic."
)
METHOD = (
    "Every claim has a rule that was fixed before the run: a statistic and the region in which the claim holds. A "
    "part (data set, method) supports its claim if the 95 % interval of its statistic lies within the region, and "
    "contradicts it if the interval lies beyond. A claim that something always holds needs every part; one "
    "contradicting part, after Bonferroni's correction for their number, contradicts it. Corrected verdicts apply "
    "Holm's procedure to all empirical claims together. Means have Student intervals over seeds, shares of runs "
    "Wilson intervals, bounded values bootstrap intervals; a claim that something is no worse has a margin (two "
    "one-sided tests). A diverged run counts against what its claim says: in a difference it has the worst value of "
    "its data set, in a share it is a failure. Each seed of a mixture draws its own training and held-out set, so "
    "that intervals cover the data; digits have one split, and their intervals, of initial weights and training "
    "noise, are conditional on it. Comparisons at unequal training time are not judged. Distances are debiased, 2 "
    "W(x, y) - W(x, x') - W(y, y'), in units of one lost mode, the least that the loss of a mode costs: 2 spacing / K"
    " on a mixture of K modes; on digits, measured, the mean over classes of the distance of real samples without the"
    " class."
)
REFERENCES = (
    "Fatras et al. 2020, Learning with minibatch Wasserstein: asymptotic and gradient properties; and 2021, Minibatch "
    "optimal transport distances: the mini-batch distance as an objective of its own, its bias and its gradient.",
    "Salimans et al. 2018, Improving GANs using optimal transport: the debiased mini-batch distance as a training "
    "loss.",
    "Genevay et al. 2018, Learning generative models with Sinkhorn divergences: debiasing of regularised transport.",
    "Bellemare et al. 2017, The Cramér distance as a solution to biased Wasserstein gradients: gradients of W from "
    "samples are biased.",
    "Weed and Bach 2019, Sharp asymptotic and finite-sample rates of convergence of empirical measures in Wasserstein "
    "distance: how fast W of samples converges, by dimension.",
    "Chen et al. 2019, A gradual, semi-discrete approach to generative network training via explicit Wasserstein "
    "minimization: matching of all training samples at once.",
    "Mallasto et al. 2019, How well do WGANs estimate the Wasserstein metric?; and Stanczuk et al. 2021, Wasserstein "
    "GANs work because they fail: critics estimate W badly, and train well.",
    "Arjovsky and Bottou 2017, Towards principled methods for training GANs: the gradient under an optimal "
    "discriminator.",
    "Lucic et al. 2018, Are GANs created equal?: equal budgets of tuning before methods are compared.",
    "Elfeki et al. 2019, GDPP: learning diverse generations using determinantal point processes.",
)


@dataclass(frozen=True)
class Section:
    """A section: what it is about, the claims that it judges, and its figures with the question that each answers."""

    title: str
    about: str
    claims: tuple[str, ...]
    figures: tuple[tuple[str, str, tuple[str, ...]], ...] = ()


SECTIONS = (
    Section(
        "Mini-batches shrink a generator",
        "The expected cost of matching m samples with m samples is not smallest where both distributions are equal. "
        "Matched pairs stay a residual apart, and a generated sample that moves towards the centre of the data "
        "shortens its residual on average; so the expected cost still falls as a perfect generator contracts. "
        "Subtracting half of W(x, x') and of W(y, y') removes this pull: the debiased distance is zero in expectation "
        "for equal distributions, and the contraction of W(y, y') is charged for.",
        ("H1", "H1b"),
        (("theory/shrinkage", "Which scale does the mini-batch distance prefer?", ("H1", "H1b")),),
    ),
    Section(
        "The size of the bias, and what removes it",
        "Between two draws of one distribution the bias B_M of mini-batch matching follows C (m^-s - n^-s): it "
        "vanishes at m = n by construction, so its limit is judged by the exponent s, not by a value at one m. "
        "Stratified batches take one point of each of m strata. A pool matches k mini-batches at once and serves k "
        "steps, with the bias of k m points.",
        ("D6b", "D6c"),
        (("theory/bias", "How fast does the bias vanish with m, and how much do strata save?", ("D6b", "D6c")),),
    ),
    Section(
        "Training at equal compute",
        "The primal is trained at m = 16, 64 and 256, critics at 64, for the same training time. The main methods have "
        "the best of 20 settings each, searched on other seeds at m = 64; their variants share them.",
        ("D7", "H3", "H4", "D8", "D8(m=16)", "D9a(i)", "D9a(ii)", "D9b", "D9c"),
        (
            ("figures/training_m", "Does a larger mini-batch help at equal training time?", ("H4", "H3", "D9a(i)")),
            ("figures/budget", "What does quality cost?", ("E1", "D9c")),
        ),
    ),
    Section(
        "What the primal buys, and what not",
        "On 64-dimensional digits quality is measured in two feature spaces: that of a classifier trained on the same "
        "data, and that of a random network, which no data shaped.",
        ("H2", "E1", "E4"),
        (("figures/image_quality", "Does the debiased primal compete with tuned GANs?", ("H2",)),),
    ),
    Section(
        "What critics give, and what they forget",
        "Critics are trained against fixed generators, untrained ones and, to ask what they forget, trained ones, "
        "until their loss stands still. What they give a generator is the direction in which samples move, compared "
        "with the exact transport direction; a norm alone says little, since Adam rescales it.",
        ("B4", "C2c", "C2", "C2b", "B4b", "C3", "D9d"),
        (("figures/signal", "Do the directions of a critic at its optimum stay useful?", ("B4", "C2c")),),
    ),
    Section(
        "Copies and interpolation",
        "Copies are samples nearer to the training set than the nearest twentieth of held-out samples. Generators "
        "below nine tenths of the precision of real samples are not asked: blur is far from everything.",
        ("E2", "E3"),
    ),
)


def page(judged: list[Judgement], checked: list[Checked], folder: Path) -> Iterator[Block]:
    """Yield the blocks of the page in order; figures that ``folder`` lacks are left out."""
    by_key = {one.claim.key: one for one in judged}
    yield Text("title", TITLE)
    yield Text("text", QUESTION)
    for key in ("H1", "H1b", "H2", "H3", "H4"):
        yield Text("item", _told(by_key[key]))
    plain, corrected = count(judged, False), count(judged, True)
    yield Text("text", f"Of {len(judged)} empirical claims, {plain}; corrected for their number, {corrected}.")
    yield from _compute(judged)
    yield Text("heading", "Method")
    yield Text("text", METHOD)
    for number, section in enumerate(SECTIONS, 1):
        yield Text("heading", f"{number}. {section.title}")
        yield Text("text", section.about)
        for name, asked, keys in section.figures:
            image = folder / f"{name}.png"
            if image.exists():
                answers = "; ".join(f"{key} {answer(by_key[key])}" for key in keys)
                yield Text("text", f"**{asked}** {answers}.")
                yield Figure(image, "Mean and 95 % interval over seeds or draws.")
        for key in section.claims:
            yield Text("item", _told(by_key[key]))
    yield Text("heading", "Verdicts")
    yield verdicts(judged)
    difference = changed(judged)
    if difference.rows:
        yield Text("heading", "Verdicts that changed since the first study")
        yield difference
    yield Text("heading", "Appendix A. Checks")
    yield Text(
        "text",
        "Identities and definitions, verified numerically. They are not counted as verdicts. D4 is an equation that a "
        "strict inequality refutes; its quantity is B_M / D_M.",
    )
    yield check_table(checked)
    yield Text("heading", "Appendix B. Rules and every part")
    for one in judged:
        yield Text("subheading", f"{one.claim.key}. {one.claim.statement}")
        for line in rule(one.claim):
            yield Text("item", line)
        if one.parts or one.reported:
            yield _parts(one)
    yield Text("heading", "Precedents")
    for reference in REFERENCES:
        yield Text("item", reference)


def _told(judgement: Judgement) -> str:
    claim, text = judgement.claim, answer(judgement)
    return f"**{claim.key}. {claim.statement}** {text[:1].upper()}{text[1:]}."


def _compute(judged: list[Judgement]) -> Iterator[Block]:
    """Say which claims compare unequal training times."""
    apart = [f"{one.claim.key} ({_largest(parts)})" for one in judged if (parts := unequal(one))]
    if apart:
        yield Text(
            "text",
            f"Training times differ by a factor of more than {EQUAL:g}, or are unknown, in comparisons of "
            f"{', '.join(apart)}: these parts are not judged.",
        )


def _largest(parts: list[Part]) -> str:
    known = [part.imbalance for part in parts if part.imbalance > 0]
    return f"{max(known):.2f}" if known else "unknown"


def _parts(judgement: Judgement) -> Grid:
    rows: Rows = []
    for part in (*judgement.parts, *judgement.reported):
        verdict = part.verdict if part.criterion.judged else "not judged"
        rows.append((part.name, effect(part), part.criterion.region, seeds(part), verdict))
    return Grid(("part", "effect [95 %]", "region", "seeds", "verdict"), rows)
