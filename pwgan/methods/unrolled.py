"""The GAN whose generator looks several steps of the discriminator ahead."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import ClassVar, cast

from pwgan.lazy import torch
from pwgan.methods.base import Batch, Nets
from pwgan.methods.gan import GAN
from pwgan.options import Count


class UnrolledGAN(GAN):
    """Unrolled GAN (Metz et al., "Unrolled generative adversarial networks", 2017, section 2).

    With f(G, D) = E log D(x) + E log(1 - D(G(z))) and D_0 = D, the discriminator that is trained to maximise f,
    D_{k+1} is D_k after a step along the gradient of f(G, D_k), and the generator minimises f(G, D_K), K = ``unroll``,
    in which D_K is a function of G too: the gradient passes through all K steps. They are taken on one mini-batch, that
    of the generator's step, and leave D, its statistics and its optimiser as they are. Losses are (S,).

    Deviations from the paper, all as in the public notebook of its authors:

    - The K steps are those that the discriminator would take next: steps of Adam, from its moments in training, at its
      rate of this iteration. The paper writes plain gradient ascent.
    - By default K = 5, the number of the notebook.
    """

    name: ClassVar[str] = "unrolled"

    unroll: Count = 5

    def generator_loss(self, nets: Nets, batch: Batch) -> torch.Tensor:
        """The value of the game against the discriminator K steps ahead: f(G, D_K)."""
        from pwgan.networks.layers.optimisers import Adam

        adam = nets.critic_optimiser
        assert isinstance(adam, Adam)  # ``optimiser``
        names = [name for name, _ in nets.critic.named_parameters()]
        # Copies: a generator step freezes the discriminator itself.
        weights = [parameter.detach().clone().requires_grad_() for parameter in nets.critic.parameters()]
        statistics = {name: buffer.clone() for name, buffer in nets.critic.named_buffers()}
        state = adam.state
        for _ in range(self.unroll):
            loss = self.critic_loss(_with(nets, dict(zip(names, weights, strict=True)) | statistics), batch)
            gradients = torch.autograd.grad(loss.sum(), weights, create_graph=True)
            weights, state = adam.ahead(weights, list(gradients), state)
        return -self.critic_loss(_with(nets, dict(zip(names, weights, strict=True)) | statistics), batch)


def _with(nets: Nets, tensors: dict[str, torch.Tensor]) -> Nets:
    """Return the networks with other parameters and buffers of the critic."""
    critic = partial(torch.func.functional_call, nets.critic, tensors)
    return replace(nets, critic=cast("torch.nn.Module", critic))
