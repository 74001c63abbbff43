"""Measurements at each evaluation besides the EWD: snapshots of the samples, and measures of the critic."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch

SNAPSHOT = {"points": 256, "images": 64}  # samples in a snapshot
STORED = {"points": torch.float32, "images": torch.float16}  # half precision suffices for images


class Snapshot(NamedTuple):
    """Samples and rankings of one evaluation, on the CPU.

    ``samples`` (S, k, *sample): from the same latents at every evaluation, NaN for diverged seeds. ``batch`` (S, m):
    indices of the first real mini-batch of the next step, or None if it is drawn anew. ``auc`` (evaluations so far, S):
    how the current critic ranks the mini-batch against the snapshot of each evaluation up to this one; (0, S) without a
    critic.
    """

    step: int
    samples: torch.Tensor
    batch: torch.Tensor | None
    auc: torch.Tensor


def duality(critic: torch.nn.Module, real: torch.Tensor, fake: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
    """Estimate the critic's dual and its Lipschitz constant.

    E f(x) - E f(y) over real x and generated y, then the largest and the mean of ||grad f(x + t (y - x))|| over pairs
    (x, y), t = ``share``. The first divided by the second is a lower bound of W1(P_r, P_g), up to sampling error, if
    the largest measured slope is the Lipschitz constant.

    real, fake: (S, n, *shape), share: (S, n) in [0, 1] -> (3, S), of what the critic scores, in eval mode.
    Source: article C1.
    """
    with torch.no_grad():
        dual = critic(real).mean(-1) - critic(fake).mean(-1)
    with torch.enable_grad():
        between = torch.lerp(real, fake, share.reshape(*share.shape, *[1] * (real.ndim - 2))).requires_grad_()
        (gradient,) = torch.autograd.grad(critic(between).sum(), between)
    slopes = gradient.flatten(2).norm(dim=-1)
    return torch.stack([dual, slopes.amax(-1), slopes.mean(-1)])


def ranking(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    """Area under the ROC curve of scores: P(f(x) > f(y)) + P(f(x) = f(y)) / 2 over all pairs of a real x and a fake y.

    real: (S, m) and fake: (S, k) scores -> (S,) float64; NaN for a seed with a NaN score.
    Source: Hanley and McNeil, "The meaning and use of the area under a ROC curve", 1982.
    """
    known = ~(real.isnan().any(-1) | fake.isnan().any(-1))
    ordered = fake.sort(-1).values.contiguous()
    below = torch.searchsorted(ordered, real.contiguous()) + torch.searchsorted(ordered, real.contiguous(), right=True)
    return torch.where(known, below.double().mean(-1) / (2 * fake.shape[-1]), torch.nan)


@torch.no_grad()
def rankings(
    critic: torch.nn.Module,
    scored: Callable[[torch.Tensor], torch.Tensor],
    batches: Iterable[torch.Tensor],
    snapshots: list[Snapshot],
) -> torch.Tensor:
    """AUC of the mini-batch of each snapshot, (S, m, *sample), against its samples: (snapshots, S).

    ``scored``: the ``critic_input`` of the method.
    """
    # One at a time: the activations of all at once would not fit in GPU memory.
    return torch.stack(
        [
            ranking(critic(scored(real)), critic(scored(snapshot.samples.to(real.device).float())))
            for real, snapshot in zip(batches, snapshots, strict=True)
        ]
    )
