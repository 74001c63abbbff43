"""Conditional flow matching with optimally matched pairs of noise and data."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from pwgan.lazy import torch
from pwgan.methods.base import Batch, Nets
from pwgan.methods.cfm import CFM
from pwgan.methods.pairs import PooledMethod
from pwgan.methods.pwgan import partners


class OTCFM(CFM, PooledMethod):
    """Flow matching on mini-batch optimal transport (Tong et al., 2024; Pooladian et al., 2023).

    The loss of ``cfm`` over pairs (x_0, x_1) of the matching min over pi of sum_j ||x_1j - x_0pi(j)||^2, exact, of as
    many noise as training samples: those of a mini-batch, or with k = ``pool`` > 1 those of k mini-batches, whose km
    pairs serve k steps of m, each once. The matching does not depend on the network. As km grows, paths become those of
    the optimal transport from noise to data: straight, and without crossings.

    Of the uses of exact mini-batch matchings, this one is the soundest: a one-to-one matching keeps both marginals, so
    that the flow is still one from N(0, I) to the data at every m (Pooladian et al., 2023, section 3), whereas the
    matching of a loss on generated samples is biased (``pwgan``); a small m only leaves paths longer and more bent.

    Source: Tong et al., "Improving and generalizing flow-based generative models with minibatch optimal transport",
    2024, algorithm 3; Pooladian et al., "Multisample flow matching", 2023. Deviations, besides those of ``cfm``:
    pairs are the rows of the matching, each once, not draws from its plan with replacement; pools are of this project.
    """

    name: ClassVar[str] = "ot_cfm"

    def generator_loss(self, nets: Nets, batch: Batch) -> torch.Tensor:
        """That of ``cfm`` over matched pairs."""
        if self.pool == 1:
            order, _ = self.match_latents(batch.real, batch.latent, None)
            batch = replace(batch, latent=batch.latent.take_along_dim(order.unsqueeze(-1), 1))
        return super().generator_loss(nets, batch)

    def match_latents(
        self, real: torch.Tensor, fake: torch.Tensor, second: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The optimal matching of the training samples with the noise, ``fake``."""
        from pwgan.transport.cost import points

        return partners(points(real), fake, "sqeuclidean"), None
