"""Semi-discrete transport: fresh latents are assigned to training samples by the potentials of an exact transport."""

from __future__ import annotations

from typing import ClassVar

from pwgan.lazy import torch
from pwgan.methods.pairs import SemidiscreteMethod
from pwgan.methods.pwgan_full import FullPWGAN


class Semidual(FullPWGAN, SemidiscreteMethod):
    """Generator of least semi-discrete transport cost to the training set (Chen et al., 2019; An et al., 2020).

    W(G) = max over psi of (1/n) sum_j psi_j + E_z min_j [c(x_j, G(z)) - psi_j], over all n training samples x_j: with
    the best psi, each x_j is the target j*(z) = argmin_j [c(x_j, G(z)) - psi_j] of a share 1/n of the latents. G
    descends (1/m) sum_i c(x_{j*(z_i)}, G(z_i)) over m fresh latents, with j* held fixed (envelope theorem): unlike
    mini-batch matching, it has no bias but that of psi. ``cost`` as in ``pwgan``.

    psi is the row potential of the exact transport between the training set and n generated samples, those of the tied
    latents: the maximiser with E_z replaced by their mean. Every ``rematch_every`` iterations it is solved, and j* is
    found for the latents of all steps until the next time: found anew by a psi of an older generator, j* would send
    all samples to the few x_j that had been far away.

    real, fake: (S, m, *sample) -> (S,), in the units of the cost; non-finite for a seed whose samples are not finite.
    Raises ``Refused`` as ``pwgan`` does. Source: Chen, Telgarsky et al., "A gradual, semi-discrete approach to
    generative network training via explicit Wasserstein minimization", 2019; An et al., "AE-OT: a new generative model
    based on extended semi-discrete optimal transport", 2020. Deviations: both learn psi by stochastic ascent on fresh
    latents, here it is exact for n latents drawn once, so that the shares of fresh ones are only about 1/n; An et al.
    keep the generated points fixed, in the latent space of an autoencoder, and train no G.
    """

    name: ClassVar[str] = "semidual"

    def assign(self, real: torch.Tensor, fake: torch.Tensor, potential: torch.Tensor) -> torch.Tensor:
        """j* of each generated sample."""
        from pwgan.transport.nearest import nearest

        return nearest(fake, real, self.cost, potential)
