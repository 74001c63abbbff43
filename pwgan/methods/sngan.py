"""The GAN with spectral normalisation and hinge losses."""

from __future__ import annotations

from typing import ClassVar

from pwgan.lazy import F, torch
from pwgan.methods.base import AdversarialMethod, Batch, Nets
from pwgan.networks.base import CriticNorm


class SNGAN(AdversarialMethod):
    """GAN with spectral normalisation of the critic (Miyato et al., 2018, equations 8, 16 and 17).

    min_f  E max(0, 1 - f(x)) + E max(0, 1 + f(G(z))),    min_G  -E f(G(z)),
    where every weight matrix W of f is divided by its largest singular value, estimated by one step of the power method
    in each pass (algorithm 1), so that f is nearly 1-Lipschitz if its layers are fully connected. Losses are (S,).

    Deviations from the paper: rates and moments are those of its setting C (2e-4, 0.5, 0.999, one step of the critic),
    while its results with these hinge losses have moments 0 and 0.9 and five steps of the critic; the networks are
    those of this suite, with biases that are not normalised; and the vector of the power method moves on in every pass
    in training mode, two of a critic step and one of a generator step.
    """

    name: ClassVar[str] = "sngan"
    critic_norm: ClassVar[CriticNorm] = "spectral"

    def critic_loss(self, nets: Nets, batch: Batch) -> torch.Tensor:
        """E max(0, 1 - f(x)) + E max(0, 1 + f(G(z)))."""
        return F.relu(1 - nets.critic(batch.real)).mean(-1) + F.relu(1 + nets.critic(batch.fake)).mean(-1)

    def generator_loss(self, nets: Nets, batch: Batch) -> torch.Tensor:
        """-E f(G(z))."""
        return -nets.critic(batch.fake).mean(-1)
