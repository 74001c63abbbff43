"""The bias of mini-batch matching on one pool of points: every sampler, over a ladder of mini-batch sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import torch

from pwgan.batches import batches, samplers
from pwgan.transport.minibatch import MinibatchTransport, bias_report, minibatch_wasserstein

Report = dict[str, torch.Tensor]
Also = Callable[[MinibatchTransport | None, torch.Tensor], Report]


def ladder(n: int) -> list[int]:
    """Evaluation mini-batch sizes 4, 8, 16, ..., n for a pool of n points, n a power of two."""
    return [1 << k for k in range(2, n.bit_length())]


def pool_size(*limits: int) -> int:
    """Return the largest power of two within all limits, so that every rung of the ladder partitions the same pool."""
    return 1 << (min(limits).bit_length() - 1)


def full_matching(x: torch.Tensor, y: torch.Tensor) -> MinibatchTransport:
    """Match all points at once, as one mini-batch: x, y (S, n, d)."""
    whole = torch.arange(x.shape[-2], device=x.device).expand(len(y), 1, -1)
    return minibatch_wasserstein(x.expand_as(y), y, whole, whole)


def bias_ladder(
    x: torch.Tensor,
    y: torch.Tensor,
    full: MinibatchTransport,
    rungs: Mapping[str, Sequence[int]],
    seeds: Sequence[int],
    partitions: int,
    stream: str,
    also: Also | None = None,
) -> Iterator[tuple[str, int, Report]]:
    """Yield (sampler, m, report) for every sampler and m of ``rungs``, averaged over partitions of both sides.

    x: (n, d) shared by the seeds, or (S, n, d); y: (S, n, d), float64; ``full``: their full matching. The report has
    the fields of ``sampler_bias``, each (S,), and what ``also(mini, y_batches)`` adds for each partition. ``stream``
    names the random numbers of the batches. Source: article D3-D6.
    """
    n = y.shape[-2]
    every = x.expand_as(y)
    for sampler, sizes in rungs.items():
        for m in sizes:
            reports = []
            for partition in range(partitions if m < n else 1):
                x_batches, y_batches = (
                    batches(sampler, side, m, [(stream, name, seed, m, partition) for seed in seeds])
                    for name, side in (("real", x), ("generated", y))
                )
                report, mini = sampler_bias(every, y, full, sampler, x_batches, y_batches)
                reports.append(report if also is None else report | also(mini, y_batches))
            yield sampler, m, {key: torch.stack([r[key] for r in reports]).mean(0) for key in reports[0]}


def sampler_bias(
    x: torch.Tensor,
    y: torch.Tensor,
    full: MinibatchTransport,
    sampler: str,
    x_batches: torch.Tensor,
    y_batches: torch.Tensor,
) -> tuple[Report, MinibatchTransport | None]:
    """Bias of one epoch's mini-batches against the full matching, and their matching of the pool if they partition it.

    B = MBWD - EWD, taken apart through the union (X_U, Y_U) of all points drawn, each as often as it was drawn:

        B = [MBWD - W(X_U, Y_U)] + [W(X_U, Y_U) - W(X, Y)] = ``matching_bias`` + ``sampling_bias``.

    The first is what small matchings cost, never negative, the union of them being one matching of the union; the
    second is the effect of drawing other points than the pool's, of either sign. For a partition the union is the pool:
    the second is 0 and the first is B_M, and D_M, U_M and the share of differing partners are given, as in
    ``BiasReport``; for a sampler that does not partition these are NaN.

    x, y: (S, n, d) float64. x_batches, y_batches: (S, n/m, m), n/m whole. Raises ValueError where they are not n
    points. Source: article D3-D5; the decomposition is ours.
    """
    n = x.shape[-2]
    if x_batches.shape[1] == 1 and x_batches.shape[2] == n:
        mini = full  # solving it again would double the time of the ladder
    elif samplers()[sampler].partitions:
        mini = minibatch_wasserstein(x, y, x_batches, y_batches)
    else:
        return _of_subsets(x, y, full, x_batches, y_batches), None
    report = vars(bias_report(x, y, full, mini))
    return {**report, "matching_bias": report["bias"], "sampling_bias": torch.zeros_like(report["bias"])}, mini


def _of_subsets(
    x: torch.Tensor, y: torch.Tensor, full: MinibatchTransport, x_batches: torch.Tensor, y_batches: torch.Tensor
) -> Report:
    a, b = (
        side.gather(-2, index.flatten(-2).unsqueeze(-1).expand(-1, -1, side.shape[-1]))
        for side, index in ((x, x_batches), (y, y_batches))
    )
    places = torch.arange(x.shape[-2], device=x.device).expand(len(x), -1)
    parts = places.unflatten(-1, x_batches.shape[1:])
    mbwd = minibatch_wasserstein(a, b, parts, parts).value
    union = full_matching(a, b).value
    nothing = torch.full_like(mbwd, torch.nan)
    report = {"ewd": full.value, "mbwd": mbwd, "bias": mbwd - full.value}
    report |= dict.fromkeys(("deviation", "bound", "differing"), nothing)
    return {**report, "matching_bias": mbwd - union, "sampling_bias": union - full.value}
