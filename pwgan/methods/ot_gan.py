"""The GAN whose critic learns the features in which mini-batches are matched."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, cast

from pydantic import PositiveFloat

from pwgan.errors import Refused
from pwgan.lazy import torch
from pwgan.methods.base import AdversarialMethod, Batch, Nets
from pwgan.methods.pwgan import partners
from pwgan.networks.base import CriticNorm
from pwgan.options import Count


class OTGAN(AdversarialMethod):
    """Mini-batch energy distance with a learned cost (Salimans et al., "Improving GANs using optimal transport", 2018).

    min_G max_f E D,  D = (W(x, y) + W(x, y') + W(x', y) + W(x', y')) / 2 - W(x, x') - W(y, y'),
    where x, x' are the halves of a mini-batch of training samples and y, y' those of one of generated samples, W is the
    mean cost of the optimal matching, held fixed in the gradient, and c(x, y) = 1 - cos(f(x), f(y)) of the features f
    of the critic, its last hidden layer. Whatever f is, D is 0 in expectation if both laws are equal; it may be
    negative. The generator takes three steps for each of the critic's, as in the paper.

    real, fake: (S, m, *sample) -> (S,), without units; NaN for a seed with features that are not finite, or all 0,
    which have no direction. Raises ``Refused`` for an odd m. The critic's last layer, which makes a score of f, is not
    trained: what else asks for scores (its dual and slopes, rankings) gets those of random weights.

    Deviations from the paper: W is exact, where the paper takes the plan of Sinkhorn's algorithm; D is half of the sum
    in its algorithm 1; m samples make both halves, where the paper draws 2m. The networks are those of this suite,
    without normalisation in the critic; the paper has weight normalisation, and concatenated rectifiers for features.
    """

    name: ClassVar[str] = "ot_gan"
    critic_norm: ClassVar[CriticNorm] = "none"

    generator_steps: Count = 3
    generator_lr: PositiveFloat = 3e-4
    critic_lr: PositiveFloat = 3e-4

    def check_sizes(self, batch_size: int, evaluation_points: int) -> None:
        """Raise ``Refused`` unless a mini-batch has two equal halves."""
        if batch_size % 2:
            raise Refused(f"the mini-batch size {batch_size} is odd, and two halves are compared; allowed: even sizes")

    def critic_loss(self, nets: Nets, batch: Batch) -> torch.Tensor:
        """-D."""
        return -self._distance(nets, batch)

    def generator_loss(self, nets: Nets, batch: Batch) -> torch.Tensor:
        """D."""
        return self._distance(nets, batch)

    def _distance(self, nets: Nets, batch: Batch) -> torch.Tensor:
        from pwgan.transport.cost import pair_cost

        features = cast(Callable[[torch.Tensor], torch.Tensor], nets.critic.features)
        # One forward pass for both sides: this critic treats samples independently.
        x, x_other, y, y_other = features(torch.cat([batch.real, batch.fake], 1)).chunk(4, 1)
        # All six at once: one batched matching.
        left = torch.cat([x, x, x_other, x_other, x, y])
        right = torch.cat([y, y_other, y, y_other, x_other, y_other])
        partner = partners(left, right, "cosine").unsqueeze(-1).expand_as(right)
        *across, real, fake = pair_cost(left, right.gather(1, partner), "cosine").mean(-1).chunk(6)
        return torch.stack(across).sum(0) / 2 - real - fake
