"""The GAN whose discriminator sees several samples at once."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from pwgan.errors import Refused
from pwgan.lazy import torch
from pwgan.methods.base import Batch, Nets
from pwgan.methods.nsgan import NonSaturatingGAN
from pwgan.options import Count


class PacGAN(NonSaturatingGAN):
    """Packed GAN (Lin et al., "PacGAN: The power of two samples in generative adversarial networks", 2018, section 2).

    min_D  -E log D(x_1, ..., x_p) - E log(1 - D(G(z_1), ..., G(z_p))),    min_G  -E log D(G(z_1), ..., G(z_p)),
    p = ``packing`` samples of one law, real or generated, being concatenated: points along their features, images along
    their channels, (S, m, c, ...) -> (S, m/p, p c, ...). Laws that miss modes differ more in packs than in single
    samples. p = 1 is ``nsgan``. Losses are (S,). Raises ``Refused`` if p does not divide the mini-batch size.

    What else asks the critic for scores (its dual and slopes, rankings) asks for those of packs.

    Deviation from the paper: a mini-batch holds m samples, and so m/p packs; the authors' code draws m packs. The
    generator's loss is the non-saturating one, as in that code.
    """

    name: ClassVar[str] = "pacgan"

    packing: Count = 2

    def check_sizes(self, batch_size: int, evaluation_points: int) -> None:
        """Raise ``Refused`` unless mini-batches consist of whole packs, and evaluations have one."""
        if batch_size % self.packing:
            divisors = [k for k in range(1, batch_size + 1) if batch_size % k == 0]
            raise Refused(
                f"packing: {self.packing} does not divide the mini-batch size {batch_size}; allowed: "
                f"{', '.join(map(str, divisors))}"
            )
        if evaluation_points < self.packing:
            raise Refused(
                f"packing: {self.packing} samples are more than the {evaluation_points} of an evaluation; "
                f"allowed: 1 to {evaluation_points}"
            )

    def critic_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of a pack: the first axis of a sample is p times as long."""
        return self.packing * shape[0], *shape[1:]

    def critic_input(self, samples: torch.Tensor) -> torch.Tensor:
        """Return the packs of successive samples, (S, n, c, ...) -> (S, n // p, p c, ...); n mod p samples are left."""
        packs = samples.shape[1] // self.packing
        return samples[:, : packs * self.packing].unflatten(1, (packs, self.packing)).flatten(2, 3)

    def critic_loss(self, nets: Nets, batch: Batch) -> torch.Tensor:
        """-E log D of packs of real samples - E log(1 - D) of packs of generated ones."""
        return super().critic_loss(nets, self._packed(batch))

    def generator_loss(self, nets: Nets, batch: Batch) -> torch.Tensor:
        """-E log D of packs of generated samples."""
        return super().generator_loss(nets, self._packed(batch))

    def _packed(self, batch: Batch) -> Batch:
        return replace(batch, real=self.critic_input(batch.real), fake=self.critic_input(batch.fake))
