"""Mini-batch bias on the samples of a generator: in the distance, and in the gradient of its parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from pwgan.transport.bias import Also, Report, bias_ladder, full_matching, ladder
from pwgan.transport.cost import pair_cost
from pwgan.transport.minibatch import MinibatchTransport


def pool_bias(
    real: torch.Tensor,
    pool: torch.Tensor,
    sound: torch.Tensor,
    seeds: range,
    samplers: Sequence[str],
    partitions: int,
    cosines: Callable[[torch.Tensor, MinibatchTransport], Also],
) -> list[tuple[str, int, Report]]:
    """Mini-batch bias on one fixed pool for every sampler and evaluation m, averaged over partitions of both sides.

    real: (n, d), or (S, n, d) if each seed has points of its own; pool: generated points (S, n, d). Each entry is
    (sampler, m, report) with the fields of ``transport.bias.sampler_bias`` and the two gradient cosines of
    ``cosines(x, full)``, each (S,); all are NaN for a seed that is not ``sound`` (S,) or whose points are not finite.
    Source: article D3-D6.
    """
    sound = sound.to(pool.device) & pool.flatten(1).isfinite().all(1)
    x, y = real.double(), torch.where(sound[:, None, None], pool, 0).double()
    full = full_matching(x, y)
    rungs = {sampler: ladder(real.shape[-2]) for sampler in samplers}
    reports = bias_ladder(x, y, full, rungs, seeds, partitions, "pool", cosines(x.expand_as(y), full))
    return [
        (sampler, m, {name: torch.where(sound, values, torch.nan) for name, values in report.items()})
        for sampler, m, report in reports
    ]


class MatchedGradients:
    """Gradients of the mean matched cost of a pool with respect to the generators' parameters.

    generator: (S, n, z) -> (S, n, *sample), in eval mode; latent: (S, n, z); x: (S, n, d) float64, the real side;
    ``full``: the full matching of x with the generated pool.
    """

    def __init__(
        self, generator: torch.nn.Module, latent: torch.Tensor, x: torch.Tensor, full: MinibatchTransport
    ) -> None:
        self.generator, self.latent, self.x = generator, latent, x
        self.full = self._gradient(full.matching.argsort(-1), None)

    def cosines(self, mini: MinibatchTransport | None, y_batches: torch.Tensor) -> Report:
        """Cosines, (S,), between the gradient of mini-batch matchings and that of the full one.

        ``cosine_batch``: the mean over mini-batches of the cosine of one mini-batch's gradient with the full one.
        ``cosine_mean``: the cosine of the mean gradient over mini-batches with the full one. Both are NaN where the
        batches do not partition the pool (``mini`` is None). Source: article D3-D6.
        """
        if mini is None:
            nothing = torch.full(self.x.shape[:1], torch.nan, device=self.x.device)
            return {"cosine_batch": nothing, "cosine_mean": nothing}
        inverse = mini.matching.argsort(-1)
        # Accumulated: the gradients of all mini-batches of a large generator would not fit in GPU memory.
        total, cosines = torch.zeros_like(self.full), torch.zeros_like(self.full[:, 0])
        for batch in y_batches.unbind(1):
            gradient = self._gradient(inverse, batch)
            total += gradient
            cosines += torch.cosine_similarity(gradient, self.full, dim=-1)
        mean = torch.cosine_similarity(total, self.full, dim=-1)
        return {"cosine_batch": cosines / y_batches.shape[1], "cosine_mean": mean}

    def _gradient(self, partner: torch.Tensor, batch: torch.Tensor | None) -> torch.Tensor:
        """Gradient of the mean cost of generated points ``batch`` (S, k) and their partners in x, (S, parameters)."""
        latent = self.latent
        if batch is not None:
            latent = latent.gather(1, batch.unsqueeze(-1).expand(-1, -1, latent.shape[-1]))
            partner = partner.gather(1, batch)
        targets = self.x.gather(1, partner.unsqueeze(-1).expand(-1, -1, self.x.shape[-1]))
        loss = pair_cost(self.generator(latent).flatten(2), targets.to(latent.dtype)).mean(-1).sum()
        return torch.cat([g.flatten(1) for g in torch.autograd.grad(loss, list(self.generator.parameters()))], 1)


def no_cosines(mini: MinibatchTransport | None, y_batches: torch.Tensor) -> Report:
    """The cosines for samples without a generator: NaN, (S,)."""
    nothing = torch.full((len(y_batches),), torch.nan, device=y_batches.device)
    return {"cosine_batch": nothing, "cosine_mean": nothing}
