"""The interface of a training method."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Protocol

from pydantic import Field, PositiveFloat

from pwgan.batches import SamplerName
from pwgan.lazy import torch
from pwgan.networks.base import CriticNorm
from pwgan.options import Count, Options

if TYPE_CHECKING:
    from pwgan.transport.empirical import Transport


class Optimiser(Protocol):
    """The part of the interface of torch.optim optimisers that the training loop uses."""

    def step(self) -> None:
        """Take one step along the gradients."""

    def zero_grad(self) -> None:
        """Reset all gradients."""

    def state_dict(self) -> dict[str, Any]:
        """Return the state, for a checkpoint."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state from a checkpoint."""


@dataclass(frozen=True)
class Nets:
    """The networks of S seeds: generator(latent (S, m, z)) -> (S, m, *sample); critic(x) -> (S, m), features(x)."""

    generator: torch.nn.Module
    critic: torch.nn.Module


@dataclass(frozen=True)
class Batch:
    """One mini-batch of every seed.

    ``real`` (S, m, *sample) are the training samples with indices ``index`` (S, m). ``latent`` (S, m, z) are fresh
    standard normal draws (selected by the sampler unless it is random) or, for a ``TiedMethod``, the latents tied to
    ``real``. ``fake`` (S, m, *sample) = generator(latent), with its graph in a generator step and without in a critic
    step. ``uniform(*shape)`` draws U(0, 1) numbers (S, *shape), each seed from its own generator.
    """

    real: torch.Tensor
    index: torch.Tensor
    latent: torch.Tensor
    fake: torch.Tensor
    uniform: Callable[..., torch.Tensor]


class Method(Options):
    """How a generator is trained: options and loss, with a seed axis.

    One iteration takes ``generator_steps`` steps of Adam, each on a fresh mini-batch. Losses are (S,), one for each
    seed. A method is independent of data sets, files and the workflow.

    ``sampler`` forms the mini-batches of real and generated samples (see ``pwgan.batches``). Samplers other than
    ``random`` generate more than m samples and select m latents by them. Source: article D6.
    """

    name: ClassVar[str]

    sampler: SamplerName = "random"
    generator_steps: Count = 1
    generator_lr: PositiveFloat = 2e-4
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = (0.5, 0.999)

    def generator_loss(self, nets: Nets, batch: Batch) -> torch.Tensor:
        """Return the generator's loss, (S,)."""
        raise NotImplementedError

    def optimiser(self, parameters: Iterable[torch.nn.Parameter], lr: float) -> Optimiser:
        """Return the optimiser of one network: Adam, which is elementwise, so seeds do not interact."""
        from pwgan.networks.layers.optimisers import Adam

        return Adam(parameters, lr, self.betas)


class AdversarialMethod(Method):
    """A method with a critic, which takes ``critic_steps`` steps, each on a fresh mini-batch, before the generator's.

    ``critic_norm``: normalisation of a convolutional critic. ``dual``: whether E f(x) - E f(G(z)) of the critic f
    estimates the Wasserstein distance.
    """

    critic_norm: ClassVar[CriticNorm] = "batch"
    dual: ClassVar[bool] = False

    critic_steps: Count = 1
    critic_lr: PositiveFloat = 2e-4

    def critic_loss(self, nets: Nets, batch: Batch) -> torch.Tensor:
        """Return the critic's loss, (S,)."""
        raise NotImplementedError

    def after_critic_step(self, nets: Nets) -> None:
        """Modify the critic after each of its steps, for example by clipping; does nothing by default."""


class TiedMethod(Method):
    """A method trained on pairs: n latents of each seed, drawn once, are tied one-to-one to its n training samples.

    ``tie`` recomputes the matching before iterations 0, ``rematch_every``, 2 ``rematch_every``, ..., with the generator
    in eval mode; in between, each sample of a mini-batch is used with the latent tied to it. By default, ``tie`` is
    called once per epoch, every n // m iterations: the longer a matching is held fixed, the more of it is memorised.
    Matching and potentials are part of each checkpoint. After the last iteration ``tie`` is called once more, and
    its value, the EWD on tied latents, is recorded next to the EWD on fresh latents. The sampler selects samples, and
    with them their latents.
    """

    rematch_every: Count | None = None

    def tie(
        self, real: torch.Tensor, fake: torch.Tensor, potentials: tuple[torch.Tensor, torch.Tensor] | None
    ) -> Transport:
        """Match all training samples with the samples that one seed's generator makes of its tied latents.

        real, fake: (n, d) float32, finite. ``potentials``: those of the previous call for this seed, (n,) each; None in
        the first call. The result must be a function of these arguments alone.
        """
        raise NotImplementedError
