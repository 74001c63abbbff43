"""What is watched of a run at each evaluation besides its EWD: snapshots of the samples, and what the critic knows."""

from __future__ import annotations

from typing import NamedTuple

import torch

from pwgan.data.store import to_float

SNAPSHOT = {"points": 256, "images": 64}  # samples in a snapshot
STORED = {"points": torch.float32, "images": torch.float16}  # half of the digits tell as much of a picture


class Snapshot(NamedTuple):
    """What is kept of one evaluation, on the CPU.

    ``samples`` (S, k, *sample) of latents that are the same at every evaluation, NaN for diverged seeds; ``batch``
    (S, m), the numbers of the real mini-batch that the next step begins with; ``auc`` (evaluations so far, S), how the
    critic of now ranks the mini-batch and the snapshot of each of them, this one included; (0, S) without a critic.
    """

    step: int
    samples: torch.Tensor
    batch: torch.Tensor
    auc: torch.Tensor


def duality(critic: torch.nn.Module, real: torch.Tensor, fake: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
    """Estimate the critic's dual and its Lipschitz constant.

    E f(x) - E f(y) over real x and generated y, then the largest and the mean of ||grad f(x + t (y - x))|| over pairs
    (x, y), t = ``share``. The first over the second is a lower bound of W1(P_r, P_g) up to sampling, if the largest
    slope found is the largest there is.

    real, fake: (S, n, *sample), share: (S, n) in [0, 1] -> (3, S). The critic is in eval mode. Source: article C1.
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

    real: (S, m) and fake: (S, k) scores -> (S,) float64; NaN for a seed that has a score that is no number.
    Source: Hanley and McNeil, "The meaning and use of the area under a ROC curve", 1982.
    """
    known = ~(real.isnan().any(-1) | fake.isnan().any(-1))
    ordered = fake.sort(-1).values.contiguous()
    below = torch.searchsorted(ordered, real.contiguous()) + torch.searchsorted(ordered, real.contiguous(), right=True)
    return torch.where(known, below.double().mean(-1) / (2 * fake.shape[-1]), torch.nan)


@torch.no_grad()
def rankings(critic: torch.nn.Module, real: torch.Tensor, snapshots: list[Snapshot]) -> torch.Tensor:
    """Rank the mini-batch of each snapshot, rows of all ``real`` samples, against it: (snapshots, S)."""
    # One at a time: all at once, with what the critic makes of them, would not fit a GPU.
    return torch.stack(
        [
            ranking(critic(to_float(real[kept.batch.to(real.device)])), critic(kept.samples.to(real.device).float()))
            for kept in snapshots
        ]
    )
