"""Exact EWD of a generator, and the bias of mini-batch matching seen from it, for all seeds of a block."""

from __future__ import annotations

import torch

from pwgan.transport.cost import pair_cost
from pwgan.transport.minibatch import MinibatchTransport, bias_report, minibatch_wasserstein
from pwgan.transport.samplers import random_order

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
) -> list[tuple[int, Report]]:
    """Mini-batch bias on one fixed pool for every evaluation m, averaged over random partitions of both sides.

    real: (n, d). latent: (S, n, z), or with ``generator`` None the points (S, n, d) to compare themselves. Each entry
    is (m, report) with the fields of ``BiasReport`` and two gradient cosines, each (S,). The gradient is that of the
    matched cost with respect to the generator's parameters: ``cosine_batch`` is the mean over mini-batches of the
    cosine of one mini-batch's gradient and the full one, ``cosine_mean`` the cosine of the mean over mini-batches and
    the full one; NaN without a generator. All is NaN for a seed that is not ``sound`` (S,). Source: article D3-D6.
    """
    with torch.no_grad():
        fake = latent if generator is None else _generate(generator, latent)
    sound = sound.to(fake.device) & fake.flatten(1).isfinite().all(1)
    x, y = real.double().expand(len(seeds), -1, -1), torch.where(sound[:, None, None], fake, 0).double()
    n = len(real)
    whole = torch.arange(n, device=real.device).expand(len(seeds), 1, -1)
    full = minibatch_wasserstein(x, y, whole, whole)
    inverse = full.matching.argsort(-1)
    full_gradient = None if generator is None else _gradients(generator, latent, x, inverse, None)
    rungs = []
    for m in ladder(n):
        reports = []
        for partition in range(partitions if m < n else 1):
            x_batches, y_batches = (
                torch.stack([random_order(n, "pool", side, seed, m, partition) for seed in seeds])
                .unflatten(1, (-1, m))
                .to(real.device)
                for side in ("real", "generated")
            )
            # One mini-batch of all points is the full matching: solving it again would double the time of the ladder.
            mini = minibatch_wasserstein(x, y, x_batches, y_batches) if m < n else full
            report = vars(bias_report(x, y, full, mini))
            report |= _cosines(generator, latent, x, mini, y_batches, full_gradient)
            reports.append(report)
        mean = {key: torch.stack([r[key] for r in reports]).mean(0) for key in reports[0]}
        rungs.append((m, {key: torch.where(sound, value, torch.nan) for key, value in mean.items()}))
    return rungs


def _generate(generator: torch.nn.Module, latent: torch.Tensor) -> torch.Tensor:
    return generator(latent).flatten(2)


def _cosines(
    generator: torch.nn.Module | None,
    latent: torch.Tensor,
    x: torch.Tensor,
    mini: MinibatchTransport,
    y_batches: torch.Tensor,
    full_gradient: torch.Tensor | None,
) -> Report:
    if generator is None or full_gradient is None:
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
