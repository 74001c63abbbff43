"""How to add a training method: put a file like this one into pwgan/methods/, then name it in a study: ``lsgan: {}``.

A method is a class with a ``name``. Its fields are the options that a study may give, checked before anything runs. Its
losses have one entry for each seed, (S,), since all seeds train at once. This file is complete: optimisers, schedule,
checkpoints, measures and figures are the suite's.

A method without a critic derives from ``Method`` and has no ``critic_loss``; one trained on fixed pairs of a sample and
a latent derives from ``TiedMethod`` and says in ``tie`` which belong together. pwgan/methods/base.py shows what else
can be overridden: ``critic_norm``, ``after_critic_step``, ``optimiser``, and the defaults of the options inherited.
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

    a: float = Field(0.0, description="what the critic should say of generated samples")
    b: float = Field(1.0, description="what the critic should say of real samples")
    c: float = Field(1.0, description="what the generator wants the critic to say of generated samples")

    def critic_loss(self, nets: Nets, batch: Batch) -> torch.Tensor:
        """(1/2) E (D(x) - b)^2 + (1/2) E (D(G(z)) - a)^2, (S,)."""
        real, fake = nets.critic(batch.real), nets.critic(batch.fake)
        return ((real - self.b).square().mean(-1) + (fake - self.a).square().mean(-1)) / 2

    def generator_loss(self, nets: Nets, batch: Batch) -> torch.Tensor:
        """(1/2) E (D(G(z)) - c)^2, (S,)."""
        return (nets.critic(batch.fake) - self.c).square().mean(-1) / 2
