"""Exact EWD of a generator, and the bias of mini-batch matching seen from it, for all seeds of a block."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from pwgan.options import SamplerName
from pwgan.transport.cost import pair_cost
from pwgan.transport.minibatch import MinibatchTransport, bias_report, minibatch_wasserstein
from pwgan.transport.samplers import batches

Report = dict[str, torch.Tensor]


def ladder(n: int) -> list[int]:
    """Evaluation mini-batch sizes 4, 8, 16, ..., n for a pool of n points, n a power of two."""
    return [1 << k for k in range(2, n.bit_length())]


def pool_size(*limits: int) -> int:
    """Return the largest power of two that no limit forbids, so that every rung of the ladder parts the same pool."""
    return 1 << (min(limits).bit_length() - 1)


def bias_ladder(
    real: torch.Tensor,
    latent: torch.Tensor,
    generator: torch.nn.Module | None,
    seeds: range,
    sound: torch.Tensor,
    partitions: int,
    samplers: Sequence[SamplerName] = ("random",),
) -> list[tuple[SamplerName, int, Report]]:
    """Mini-batch bias on one fixed pool for every sampler and evaluation m, averaged over partitions of both sides.

    real: (n, d). latent: (S, n, z), or with ``generator`` None the points (S, n, d) to compare themselves. Each entry
    is (sampler, m, report) with the fields of ``sampler_bias`` and two gradient cosines, each (S,). The gradient is
    that of the matched cost with respect to the generator's parameters: ``cosine_batch`` is the mean over mini-batches
    of the cosine of one mini-batch's gradient and the full one, ``cosine_mean`` the cosine of the mean over
    mini-batches and the full one; NaN without a generator, and for ``dpp``, whose batches are not the pool's. All is
    NaN for a seed that is not ``sound`` (S,). Source: article D3-D6.
    """
    with torch.no_grad():
        fake = latent if generator is None else _generate(generator, latent)
    sound = sound.to(fake.device) & fake.flatten(1).isfinite().all(1)
    shared, y = real.double(), torch.where(sound[:, None, None], fake, 0).double()
    x = shared.expand(len(seeds), -1, -1)
    n = len(real)
    whole = torch.arange(n, device=real.device).expand(len(seeds), 1, -1)
    full = minibatch_wasserstein(x, y, whole, whole)
    inverse = full.matching.argsort(-1)
    full_gradient = None if generator is None else _gradients(generator, latent, x, inverse, None)
    rungs: list[tuple[SamplerName, int, Report]] = []
    for sampler in samplers:
        for m in ladder(n):
            reports = []
            for partition in range(partitions if m < n else 1):
                x_batches, y_batches = (
                    batches(sampler, side, m, [("pool", name, seed, m, partition) for seed in seeds])
                    for name, side in (("real", shared), ("generated", y))
                )
                report, mini = sampler_bias(x, y, full, sampler, x_batches, y_batches)
                report |= _cosines(generator, latent, x, mini, y_batches, full_gradient)
                reports.append(report)
            mean = {key: torch.stack([r[key] for r in reports]).mean(0) for key in reports[0]}
            rungs.append((sampler, m, {key: torch.where(sound, value, torch.nan) for key, value in mean.items()}))
    return rungs


def sampler_bias(
    x: torch.Tensor,
    y: torch.Tensor,
    full: MinibatchTransport,
    sampler: SamplerName,
    x_batches: torch.Tensor,
    y_batches: torch.Tensor,
) -> tuple[Report, MinibatchTransport | None]:
    """Bias of one epoch's mini-batches against the full matching, and their matching of the pool where they part it.

    B = MBWD - EWD, taken apart through the union (X_U, Y_U) of all points drawn, each as often as it was drawn:

        B = [MBWD - W(X_U, Y_U)] + [W(X_U, Y_U) - W(X, Y)] = ``matching_bias`` + ``sampling_bias``.

    The first is what small matchings cost, never negative, the union of them being one matching of the union; the
    second is what drawing other points than the pool's does, of either sign. For a partition the union is the pool:
    the second is 0 and the first is B_M, and D_M, U_M and the share of differing partners are given, as in
    ``BiasReport``; for ``dpp`` these are NaN.

    x, y: (S, n, d) float64. x_batches, y_batches: (S, n/m, m), n/m whole. Raises ValueError where they are not n
    points. Source: article D3-D5; the decomposition is ours.
    """
    n = x.shape[-2]
    if x_batches.shape[1] == 1 and x_batches.shape[2] == n:
        mini = full  # solving it again would double the time of the ladder
    elif sampler != "dpp":
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
    union = minibatch_wasserstein(a, b, places.unsqueeze(1), places.unsqueeze(1)).value
    nothing = torch.full_like(mbwd, torch.nan)
    report = {"ewd": full.value, "mbwd": mbwd, "bias": mbwd - full.value}
    report |= dict.fromkeys(("deviation", "bound", "differing"), nothing)
    return {**report, "matching_bias": mbwd - union, "sampling_bias": union - full.value}


def _generate(generator: torch.nn.Module, latent: torch.Tensor) -> torch.Tensor:
    return generator(latent).flatten(2)


def _cosines(
    generator: torch.nn.Module | None,
    latent: torch.Tensor,
    x: torch.Tensor,
    mini: MinibatchTransport | None,
    y_batches: torch.Tensor,
    full_gradient: torch.Tensor | None,
) -> Report:
    if generator is None or full_gradient is None or mini is None:
        nothing = torch.full(x.shape[:1], torch.nan, device=x.device)
        return {"cosine_batch": nothing, "cosine_mean": nothing}
    inverse = mini.matching.argsort(-1)
    # Summed as they come: the gradients of all mini-batches of a large generator would not fit a GPU.
    total, cosines = torch.zeros_like(full_gradient), torch.zeros_like(full_gradient[:, 0])
    for batch in y_batches.unbind(1):
        gradient = _gradients(generator, latent, x, inverse, batch)
        total += gradient
        cosines += torch.cosine_similarity(gradient, full_gradient, dim=-1)
    mean = torch.cosine_similarity(total, full_gradient, dim=-1)
    return {"cosine_batch": cosines / y_batches.shape[1], "cosine_mean": mean}


def _gradients(
    generator: torch.nn.Module, latent: torch.Tensor, x: torch.Tensor, partner: torch.Tensor, batch: torch.Tensor | None
) -> torch.Tensor:
    """Gradient of the mean cost of generated points ``batch`` (S, k) and their partners in x, (S, parameters)."""
    if batch is not None:
        latent = latent.gather(1, batch.unsqueeze(-1).expand(-1, -1, latent.shape[-1]))
        partner = partner.gather(1, batch)
    targets = x.gather(1, partner.unsqueeze(-1).expand(-1, -1, x.shape[-1]))
    loss = pair_cost(_generate(generator, latent), targets.to(latent.dtype)).mean(-1).sum()
    return torch.cat([g.flatten(1) for g in torch.autograd.grad(loss, list(generator.parameters()))], 1)
