"""The bias of mini-batch matching on a pool of points, for every sampler and a ladder of mini-batch sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import torch

from pwgan.batches import samplers
from pwgan.batches.drawing import batches
from pwgan.transport.minibatch import MinibatchTransport, bias_report, minibatch_wasserstein

Report = dict[str, torch.Tensor]
Also = Callable[[MinibatchTransport | None, torch.Tensor], Report]


def ladder(n: int) -> list[int]:
    """Evaluation mini-batch sizes 4, 8, 16, ..., n for a pool of n points, n a power of two."""
    return [1 << k for k in range(2, n.bit_length())]


def pool_size(*limits: int) -> int:
    """Return the largest power of two within all limits: every rung of the ladder then partitions the same pool."""
    return 1 << (min(limits).bit_length() - 1)


def full_matching(x: torch.Tensor, y: torch.Tensor) -> MinibatchTransport:
    """Full matching, as one mini-batch of all points: x, y (S, n, d)."""
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
    the fields of ``sampler_bias``, each (S,), and the fields of ``also(mini, y_batches)``. ``stream`` names the
    random streams of the batches. Source: article D3-D6.
    """
    n = y.shape[-2]
    x_of_seeds = x.expand_as(y)
    for sampler, sizes in rungs.items():
        for m in sizes:
            reports = []
            for partition in range(partitions if m < n else 1):
                x_batches, y_batches = (
                    batches(sampler, side, m, [(stream, name, seed, m, partition) for seed in seeds])
                    for name, side in (("real", x), ("generated", y))
                )
                report, mini = sampler_bias(x_of_seeds, y, full, sampler, x_batches, y_batches)
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
    """Bias of one epoch of mini-batches, and the matching of the pool that they form if they partition it, else None.

    B = MBWD - EWD, decomposed with the multiset union (X_U, Y_U) of all batches:

        B = [MBWD - W(X_U, Y_U)] + [W(X_U, Y_U) - W(X, Y)] = ``matching_bias`` + ``sampling_bias``.

    The first term, the effect of matching within batches, is non-negative because the batch matchings form one matching
    of the union. The second, the effect of drawing points unevenly from the pool, has either sign. For a partition, the
    union is the pool: the second term is 0, the first is B_M, and D_M, U_M and the fraction of differing partners are
    those of ``BiasReport``. For a sampler that does not partition, they are NaN.

    x, y: (S, n, d) float64. x_batches, y_batches: (S, n/m, m), n/m whole. Raises ValueError if batches that should
    partition the pool do not. Source: article D3-D5; the decomposition is derived here.
    """
    n = x.shape[-2]
    if x_batches.shape[1] == 1 and x_batches.shape[2] == n:
        mini = full  # avoids solving the full problem twice
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
    undefined = torch.full_like(mbwd, torch.nan)
    report = {"ewd": full.value, "mbwd": mbwd, "bias": mbwd - full.value}
    report |= dict.fromkeys(("deviation", "bound", "differing"), undefined)
    return {**report, "matching_bias": mbwd - union, "sampling_bias": union - full.value}
