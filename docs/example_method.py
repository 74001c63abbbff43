"""Example of a training method. Copy this file to pwgan/methods/ and add ``lsgan: {}`` to ``methods`` of a study.

A method is a class with a ``name``. Its fields are the options that a study can set; they are validated before any job
starts. Losses have one entry per seed, shape (S,), because all seeds are trained together. Nothing else is needed:
optimisers, schedule, checkpoints, measures and figures are provided by pwgan.

Methods without a critic derive from ``Method`` and have no ``critic_loss``. Methods trained on fixed pairs of samples
and latents derive from ``TiedMethod`` and define the pairs in ``tie``, those with a target among all training samples
for each fresh latent from ``SemidiscreteMethod``. See pwgan/methods/base.py and pairs.py for what else can be
overridden: ``critic_norm``, ``after_critic_step``, ``optimiser``, and the defaults of inherited options.
"""

from typing import ClassVar

from pydantic import Field

from pwgan.lazy import torch
from pwgan.methods import AdversarialMethod, Batch, Nets


class LeastSquaresGAN(AdversarialMethod):
    """Least-squares GAN (Mao et al., 2017, equation 2).

    min_D  (1/2) E (D(x) - b)^2 + (1/2) E (D(G(z)) - a)^2,    min_G  (1/2) E (D(G(z)) - c)^2,
    where D is the critic without a sigmoid. The defaults a = 0, b = c = 1 are equation 9 of the paper; a = -1, b = 1,
    c = 0 (equation 8) makes the generator descend a Pearson chi-squared divergence.
    """

    name: ClassVar[str] = "lsgan"

    a: float = Field(0.0, description="target of the critic for generated samples")
    b: float = Field(1.0, description="target of the critic for real samples")
    c: float = Field(1.0, description="target of the generator for the critic on generated samples")

    def critic_loss(self, nets: Nets, batch: Batch) -> torch.Tensor:
        """(1/2) E (D(x) - b)^2 + (1/2) E (D(G(z)) - a)^2, (S,)."""
        real, fake = nets.critic(batch.real), nets.critic(batch.fake)
        return ((real - self.b).square().mean(-1) + (fake - self.a).square().mean(-1)) / 2

    def generator_loss(self, nets: Nets, batch: Batch) -> torch.Tensor:
        """(1/2) E (D(G(z)) - c)^2, (S,)."""
        return (nets.critic(batch.fake) - self.c).square().mean(-1) / 2
